//! Systems that receive: messages of a mailbox, and receipts.

use std::collections::BTreeMap;

use kuriiri_engine::{Seq, Ticket};
use kuriiri_types::{Address, Digest, Ministry, Timestamp};

use crate::rng::Rng;

/// A receiver of the messages of a mailbox.
#[derive(Debug)]
pub(crate) struct Taker {
    pub(crate) relay: Ministry,
    pub(crate) run: u64,
    pub(crate) mailbox: Address,
    pub(crate) credit: u32,
    pub(crate) habit: Habit,
    /// Delivered here and not confirmed.
    pub(crate) holding: Vec<(Ticket, Digest)>,
    /// Handed over by the relay and not confirmed, here or still on the way.
    pub(crate) unconfirmed: usize,
    /// What it ever confirmed.
    pub(crate) confirmed: BTreeMap<Ticket, Digest>,
    pub(crate) is_gone: bool,
    pub(crate) stream: Stream,
}

/// How a receiver confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Everything, soon, in order.
    Prompt,
    /// Some of it, in any order.
    Odd,
    /// Nothing: it goes away without a word.
    Never,
}

/// A reader of receipts.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) relay: Ministry,
    pub(crate) run: u64,
    pub(crate) address: Address,
    /// For a watch: all before this was shown. None before the first answer.
    pub(crate) cursor: Option<Seq>,
    pub(crate) watches: bool,
    /// From where a watch was asked for.
    pub(crate) from: Option<Seq>,
    pub(crate) is_gone: bool,
    pub(crate) stream: Stream,
}

/// Things on one stream arrive in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    last: Timestamp,
}

impl Stream {
    /// When something arrives that would alone arrive at this time.
    pub(crate) fn arrival(&mut self, alone: Timestamp) -> Timestamp {
        self.last = self.last.max(alone);
        self.last
    }
}

impl Taker {
    /// What it confirms now.
    pub(crate) fn confirmations(&mut self, rng: &mut Rng) -> Vec<(Ticket, Digest)> {
        let confirmed = match self.habit {
            Habit::Never => Vec::new(),
            Habit::Prompt => std::mem::take(&mut self.holding),
            Habit::Odd => {
                let (mut now, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.holding).into_iter().partition(|_| rng.chance(60));
                self.holding = later;
                if rng.chance(50) {
                    now.reverse();
                }
                now
            }
        };
        self.unconfirmed = self.unconfirmed.saturating_sub(confirmed.len());
        confirmed
    }
}
