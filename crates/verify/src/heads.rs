//! Whether the sums that a log has of its minutes are those of its own entries.
//!
//! A relay sums up, minute by minute and for each peer, the receipts that it gives and gets, and
//! writes what they come to. All of them are in its log before, so each sum can be made again.

use std::collections::{BTreeMap, HashMap};

use kuriiri_merkle::Frontier;
use kuriiri_types::{
    Addressed, ChannelHead, Digest, Direction, Entry, Giver, LogEvent, Ministry, Receipt,
    ReceiptKind, Timestamp, limits::CHANNEL_HEAD_DIGESTS_MAX,
};

use crate::{
    finding::{Check, Finding, Findings},
    order::Order,
};

/// What is summed up, in milliseconds.
const MINUTE: i64 = 60_000;
/// Messages of all open sums that are remembered, 32 bytes each, which is more than a relay has open
/// in ten minutes. With more the oldest sums go.
const HELD_MAX: usize = 1 << 20;

/// The minute of a time, in milliseconds.
pub(crate) fn minute_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(MINUTE).saturating_mul(MINUTE)
}

/// The root over header digests that are sorted.
pub(crate) fn root_of<'a>(sorted: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let mut tree = Frontier::new();
    sorted.into_iter().for_each(|header| tree.push(kuriiri_merkle::leaf(header.as_bytes())));
    tree.root()
}

type Which = (Ministry, Direction, i64);

/// Receipts of one minute that are not summed up yet.
#[derive(Debug, Default)]
struct Sum {
    /// Which of all sums it is.
    number: u64,
    count: u64,
    /// The first [`CHANNEL_HEAD_DIGESTS_MAX`], and as many again since the relay's last start.
    headers: Vec<Digest>,
    /// How many there were at that start, and how many of them are remembered.
    started: (u64, usize),
}

impl Sum {
    /// A sum must be over all entries that no sum was over yet, or over those since the last start.
    fn fits(&self, head: &ChannelHead) -> bool {
        let since = self.headers.get(self.started.1..).unwrap_or_default();
        let parts = [(self.count, &self.headers[..]), (self.count - self.started.0, since)];
        parts.into_iter().filter(|(count, _)| *count == head.count).any(|(count, headers)| {
            head.root.is_none_or(|root| {
                let mut sorted = headers.to_vec();
                sorted.sort_unstable();
                headers.len() as u64 == count && root_of(&sorted) == root
            })
        })
    }
}

/// The open sums of one log.
#[derive(Debug)]
pub(crate) struct Heads {
    home: Ministry,
    open: HashMap<Which, Sum>,
    /// The open sums in the order in which they began.
    order: BTreeMap<u64, Which>,
    number: u64,
    held: usize,
    /// There were more open sums than are remembered.
    forgot: bool,
    /// Sums that could not be held against anything.
    unknown: u64,
}

impl Heads {
    pub(crate) fn new(home: Ministry) -> Self {
        Self {
            home,
            open: HashMap::new(),
            order: BTreeMap::new(),
            number: 0,
            held: 0,
            forgot: false,
            unknown: 0,
        }
    }

    /// Looks at the next entry, after the chains were followed over it; with the receipt that came in.
    pub(crate) fn next(
        &mut self,
        index: u64,
        (entry, came): (&Entry, Option<&Receipt>),
        order: &Order,
        out: &mut Findings,
    ) {
        if let LogEvent::ChannelHeads(heads) = &entry.event {
            for head in heads {
                out.done(Check::Heads, 1);
                self.sum(index, head, out);
                self.chain(index, head, order, out);
            }
        } else if let LogEvent::Receipt(receipt) = &entry.event {
            if let Some(peer) = handed_over_by(receipt) {
                self.count((peer, Direction::In), receipt);
            }
        } else if let (LogEvent::ReceiptIn { from, .. }, Some(said)) = (&entry.event, came) {
            if said.kind == ReceiptKind::Relayed && said.issuer == *from {
                self.count((from, Direction::Out), said);
            }
        } else if let LogEvent::Booted { .. } = &entry.event {
            self.boot();
        }
    }

    /// Counts the messages of a statement into the sum that it belongs to.
    fn count(&mut self, (peer, direction): (&Ministry, Direction), receipt: &Receipt) {
        self.add((peer.clone(), direction, minute_of(receipt.at)), &receipt.subjects);
    }

    fn add(&mut self, which: Which, told: &[Addressed]) {
        let sum = self.open.entry(which).or_insert_with_key(|which| {
            self.number += 1;
            self.order.insert(self.number, which.clone());
            Sum { number: self.number, ..Sum::default() }
        });
        sum.count += told.len() as u64;
        let room = CHANNEL_HEAD_DIGESTS_MAX - (sum.headers.len() - sum.started.1);
        let held = sum.headers.len();
        sum.headers.extend(told.iter().take(room).map(|told| told.subject.header));
        self.held += sum.headers.len() - held;
        while self.held > HELD_MAX {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.take(&oldest);
            self.forgot = true;
        }
    }

    fn take(&mut self, which: &Which) -> Option<Sum> {
        let sum = self.open.remove(which)?;
        self.order.remove(&sum.number);
        self.held -= sum.headers.len();
        Some(sum)
    }

    /// A relay that starts has forgotten what it had not summed up, and goes on from here.
    fn boot(&mut self) {
        for sum in self.open.values_mut() {
            sum.started = (sum.count, sum.headers.len());
        }
    }

    fn sum(&mut self, index: u64, head: &ChannelHead, out: &mut Findings) {
        let which = (head.peer.clone(), head.direction, head.minute.as_millis());
        let sum = self.take(&which).unwrap_or_default();
        if sum.fits(head) {
            return;
        }
        if self.forgot {
            self.unknown += 1;
            return;
        }
        let what = if sum.count == head.count {
            format!("{} are not those that its entries tell of", words(head))
        } else {
            format!("{}, and its entries tell of {}", words(head), sum.count)
        };
        self.wrong(index, what, out);
    }

    /// The end of the chain must be that at this place.
    fn chain(&self, index: u64, head: &ChannelHead, order: &Order, out: &mut Findings) {
        let end = order.end(&head.peer, head.direction);
        let chain = format!("the chain {} {}", way(head.direction), head.peer);
        if end.0 != head.next {
            let what = format!("{chain} goes on with number {}, and not {}", end.0, head.next);
            self.wrong(index, what, out);
        } else if end.1 != head.last {
            self.wrong(index, format!("{chain} ends at another entry than is said"), out);
        }
    }

    fn wrong(&self, index: u64, what: String, out: &mut Findings) {
        out.add(Finding::fault(Check::Heads, what).at(index).against(&self.home));
    }

    /// What could not be checked.
    pub(crate) fn finish(&self, out: &mut Findings) {
        if self.unknown > 0 {
            let what = format!(
                "{} sums of minutes are over more messages than are remembered here",
                self.unknown
            );
            out.add(Finding::unchecked(Check::Heads, what));
        }
    }
}

/// The peer that handed over what a statement says was taken.
pub(crate) fn handed_over_by(receipt: &Receipt) -> Option<&Ministry> {
    match &receipt.by {
        Some(Giver::Peer(peer)) if receipt.kind == ReceiptKind::Relayed => Some(peer),
        Some(Giver::Peer(_) | Giver::System(_)) | None => None,
    }
}

/// A head in a few words.
pub(crate) fn words(head: &ChannelHead) -> String {
    let (count, peer, way) = (head.count, &head.peer, way(head.direction));
    format!("{count} messages {way} {peer} in the minute of {}", head.minute)
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "from",
        Direction::Out => "to",
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::{MessageId, Subject};

    use super::*;

    fn head(minute: i64, count: u64, root: Option<Digest>) -> ChannelHead {
        let (peer, minute) = ("um.example".parse().unwrap(), Timestamp::from_millis(minute));
        let (direction, next, last) = (Direction::In, 0, Digest([0; 32]));
        ChannelHead { peer, direction, minute, count, root, next, last }
    }

    fn told(count: usize) -> Vec<Addressed> {
        let message = MessageId::new(Timestamp::from_millis(0), [1; 10]);
        let subject = Subject { message, header: Digest([7; 32]) };
        vec![Addressed { subject, recipient: "b@um.example".parse().unwrap() }; count]
    }

    fn heads(minutes: i64, each: usize) -> Heads {
        let mut heads = Heads::new("sm.example".parse().unwrap());
        for minute in 0..minutes {
            let which = ("um.example".parse().unwrap(), Direction::In, minute * MINUTE);
            told(each).chunks(512).for_each(|told| heads.add(which.clone(), told));
        }
        heads
    }

    #[test]
    fn what_is_remembered_has_an_end_and_what_is_forgotten_is_not_checked() {
        let mut heads = heads(9, CHANNEL_HEAD_DIGESTS_MAX);
        assert!(heads.held <= HELD_MAX && heads.open.len() == 8 && heads.order.len() == 8);
        let mut out = Findings::new();
        heads.sum(3, &head(0, 5, None), &mut out);
        heads.finish(&mut out);
        assert_eq!(out.exit(), 2);
        assert!(heads.open.values().all(|sum| sum.count == CHANNEL_HEAD_DIGESTS_MAX as u64));
    }

    #[test]
    fn a_sum_of_too_many_has_a_count_and_no_root() {
        let (most, sum) = (CHANNEL_HEAD_DIGESTS_MAX as u64, |each| {
            heads(1, each).take(&("um.example".parse().unwrap(), Direction::In, 0)).unwrap()
        });
        let all = vec![Digest([7; 32]); CHANNEL_HEAD_DIGESTS_MAX + 1];
        let root = |count| Some(root_of(all.iter().take(count)));
        assert!(sum(CHANNEL_HEAD_DIGESTS_MAX).fits(&head(0, most, root(CHANNEL_HEAD_DIGESTS_MAX))));
        let more = sum(CHANNEL_HEAD_DIGESTS_MAX + 1);
        assert!(more.fits(&head(0, most + 1, None)) && !more.fits(&head(0, most, None)));
        assert!(!more.fits(&head(0, most + 1, root(CHANNEL_HEAD_DIGESTS_MAX + 1))));
    }
}
