//! Everything that can be planned to happen in a world.

use kuriiri_engine::{Delivery, Event, LinkId, Seq, SubscriptionId};
use kuriiri_types::{Lane, MessageId, Ministry, SignedReceipt, SpiffeId, Verdict};

use crate::{
    network::Cargo,
    quiet_queues::QuietQueues,
    word::{Intent, Seen},
};

/// One thing on the agenda.
#[derive(Debug)]
pub(crate) enum Planned {
    /// A dial that a relay began in this run of it is decided.
    Dialled { from: Ministry, run: u64, to: Ministry },
    /// A batch reaches the relay that was called.
    Cargo { link: LinkId, lane: Lane, number: u64, cargo: Cargo },
    /// Verdicts reach the caller.
    Answer { link: LinkId, lane: Lane, number: u64, answer: Answer },
    /// The caller notices that a link is gone.
    CallerNotices(LinkId),
    /// The called relay notices that a link is gone.
    CalledNotices(LinkId),
    /// A link turns out to be a lost one.
    Cut(LinkId),
    /// Something reaches a relay from its own side, if it is still in this run.
    Tell { relay: Ministry, run: u64, event: Event },
    /// A relay works on its inbox.
    Step(Ministry, u64),
    /// A relay's engine asked to be called now.
    Wake(Ministry, u64),
    /// A relay that crashed starts again.
    Restart(Ministry),
    /// Two relays can reach each other again.
    Heal(Ministry, Ministry),
    /// A system writes messages.
    Compose(usize),
    /// A system connects to its relay, or goes on sending.
    Call(usize),
    /// A receiver of messages comes to the mailbox with this number.
    Visit { mailbox: usize, again: bool },
    /// A reader of receipts comes to the mailbox with this number.
    Read { mailbox: usize, again: bool },
    /// Messages reach their receiver.
    Delivered { subscription: SubscriptionId, items: Vec<Delivery> },
    /// Confirmations turn out to be durable.
    Confirmed { subscription: SubscriptionId, tickets: Vec<kuriiri_engine::Ticket> },
    /// Receipts reach their reader.
    Receipts { subscription: SubscriptionId, receipts: Vec<(Seq, SignedReceipt)>, next: Seq },
    /// A receiver confirms what it holds, or some of it.
    Confirm(SubscriptionId),
    /// A receiver or reader goes without a word.
    Vanish(SubscriptionId),
    /// An officer looks at what waits, and will so many times more.
    Round { officer: usize, rounds: u32 },
    /// An officer looks at one message once more.
    Ask { officer: usize, message: MessageId, intent: Intent },
    /// An officer deals with a message.
    Say { officer: usize, seen: Box<Seen>, intent: Intent },
    /// A relay shows its log to a peer.
    Show { relay: Ministry, witness: Ministry },
    /// Somebody copies the state of the relay that will lose it.
    CopyState,
    /// That relay loses it.
    LoseState,
    /// The federation file of this number comes into force.
    Federation(usize),
    /// A system or an officer is given another certificate.
    Renew(SpiffeId),
    /// Somebody sets the clock of a ministry.
    SetClock(Ministry),
    /// A relay is given other rules.
    Rules(Ministry),
    /// A relay has had time to review what waits by its new rules.
    Audit { relay: Ministry, run: u64, change: u64, quiet: QuietQueues },
    /// Something breaks.
    Fault,
}

/// What a called relay says to a batch.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) receipts: Vec<SignedReceipt>,
}
