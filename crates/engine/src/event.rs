//! Everything that can happen to a relay.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_policy::Policy;
use kuriiri_seal::{VerifiedApproval, VerifiedMessage};
use kuriiri_tlog::{Checkpoint, VerifiedReceipt};
use kuriiri_types::{
    Address, Digest, Lane, MessageId, Ministry, Precedence, Refusal, SpiffeId, Timestamp, Verdict,
    WireLabel,
};

use crate::{
    config::{Roster, SignedSet},
    record::{Certificate, QueueId, Seq},
    retention::Retention,
};

/// Names a question of the host, so that the answer finds its way back. Given by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Names one connection that this relay dialled to a peer, or one that a system holds. Given by
/// the host, never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// Names one open request to receive. Given by the host, never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub u64);

/// Names a batch under way to a peer. Given by the engine, rising by one within link and lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub u64);

/// Something that happened. Signatures have been checked by the host before.
#[derive(Debug)]
pub enum Event {
    /// A peer's relay handed over a batch of messages.
    Arrived {
        /// Whose relay, by its certificate.
        peer: Ministry,
        /// The connection it came on.
        link: LinkId,
        /// Where the verdicts go.
        token: Token,
        /// Its lane.
        lane: Lane,
        /// The sender's count of times it was told to come again; see [`Verdict::Busy`].
        epoch: u32,
        /// The messages, or why the host refused one already.
        parcels: Vec<Result<Arrival, Refusal>>,
        /// Certificates that came along, found good by the host.
        certificates: Vec<Certificate>,
    },
    /// A system asked what would happen to a message.
    Asked {
        /// Who asks, by its certificate.
        system: SpiffeId,
        /// Where the answer goes.
        token: Token,
        /// What it asks.
        question: Question,
    },
    /// A peer answered a batch.
    Answered {
        /// Whose relay.
        peer: Ministry,
        /// The connection.
        link: LinkId,
        /// The lane of the batch.
        lane: Lane,
        /// The batch.
        batch: BatchId,
        /// One for each item, in order.
        answers: Vec<Answer>,
        /// The peer's receipts for the messages that it took, or would not take.
        receipts: Vec<VerifiedReceipt>,
    },
    /// A peer wants a checkpoint of its log to be cosigned.
    CheckpointShown {
        /// Whose relay, by its certificate.
        peer: Ministry,
        /// Where the answer goes.
        token: Token,
        /// The checkpoint.
        shown: Shown,
    },
    /// A receiver confirmed items.
    Confirmed {
        /// The subscription.
        subscription: SubscriptionId,
        /// What it has dealt with.
        tickets: Vec<Ticket>,
    },
    /// A peer made contact by itself: it is alive, whatever the back-off says.
    Heard {
        /// Whose relay.
        peer: Ministry,
    },
    /// A connection to a peer, or from a peer or a system, is gone.
    LinkDown {
        /// Whose relay, if it was one that this relay dialled.
        peer: Option<Ministry>,
        /// The connection.
        link: LinkId,
        /// What the operator should know.
        problem: String,
    },
    /// A connection to a peer stands: it has answered our Hello.
    LinkUp {
        /// Whose relay.
        peer: Ministry,
        /// The connection.
        link: LinkId,
    },
    /// A dial to a peer failed.
    DialFailed {
        /// Whose relay.
        peer: Ministry,
        /// What the operator should know.
        problem: String,
    },
    /// An officer or operator wants something.
    Person {
        /// Who, by the certificate of the connection.
        person: SpiffeId,
        /// Where the answer goes.
        token: Token,
        /// What.
        request: PersonRequest,
    },
    /// New catalogues, federation or rules are in force.
    PolicyChanged {
        /// What they come to.
        policy: Arc<Policy>,
        /// The signed files.
        files: Box<SignedSet>,
    },
    /// A peer handed over receipts.
    ReceiptsArrived {
        /// Whose relay, by its certificate.
        peer: Ministry,
        /// Where the verdicts go.
        token: Token,
        /// The receipts, or why the host refused one already.
        receipts: Vec<Result<VerifiedReceipt, Refusal>>,
    },
    /// The disk has another amount of room than before. Until told otherwise it has plenty.
    Room(RoomLeft),
    /// The relay serves these from now on. Subscriptions of systems that may not have them any more end.
    RosterChanged(Box<Roster>),
    /// Headers are kept as long as this says from now on.
    RetentionChanged(Retention),
    /// A reader of receipts has dealt with all up to a number.
    ReceiptsConfirmed {
        /// The subscription.
        subscription: SubscriptionId,
        /// The last one dealt with.
        through: Seq,
    },
    /// A system wants its receipts.
    ReceiptsWanted {
        /// Who, by its certificate.
        system: SpiffeId,
        /// The new subscription.
        subscription: SubscriptionId,
        /// Whose receipts.
        address: Address,
        /// How they are read.
        mode: ReceiptMode,
    },
    /// A system wants the status of its relay.
    StatusAsked {
        /// Who, by its certificate.
        system: SpiffeId,
        /// Where the answer goes.
        token: Token,
    },
    /// A system handed over messages.
    Submitted {
        /// Who, by its certificate.
        system: SpiffeId,
        /// The connection it came on.
        link: LinkId,
        /// Where the verdicts go.
        token: Token,
        /// Their lane.
        lane: Lane,
        /// The system's count of times it was told to come again.
        epoch: u32,
        /// The messages, or why the host refused one already.
        messages: Vec<Result<VerifiedMessage, Refusal>>,
        /// Certificates that came along, found good by the host.
        certificates: Vec<Certificate>,
    },
    /// Messages that were given out cannot be accepted by their receiver, or could not be read from the disk.
    Unaccepted {
        /// The subscription.
        subscription: SubscriptionId,
        /// Which.
        tickets: Vec<Ticket>,
        /// Why: the same for all.
        why: Refusal,
        /// Whether the receiver says so, and not this relay.
        by_receiver: bool,
    },
    /// A subscription has ended; what it did not confirm is free again.
    Unsubscribed {
        /// Which.
        subscription: SubscriptionId,
    },
    /// A system wants the messages of a mailbox.
    Wanted {
        /// Who, by its certificate.
        system: SpiffeId,
        /// The new subscription.
        subscription: SubscriptionId,
        /// Which mailbox.
        mailbox: Address,
        /// How many it takes before it confirms one.
        credit: u32,
    },
}

/// What an officer or operator wants.
#[derive(Debug)]
pub enum PersonRequest {
    /// An officer's word on a message that waits.
    Approve {
        /// The officer's word.
        approval: Box<VerifiedApproval>,
        /// Certificates that came along, found good by the host.
        certificates: Vec<Certificate>,
    },
    /// Messages go on or end that are set aside.
    AsideAct {
        /// All copies of this message, or all that are set aside.
        message: Option<MessageId>,
        /// What is to become of them.
        deed: AsideDeed,
    },
    /// How full are queues and holds?
    Fill,
    /// Which messages are set aside?
    Asides {
        /// Only those behind this place.
        after: Option<AsidePlace>,
        /// How many at most.
        limit: usize,
    },
    /// What was decided of late?
    Decisions {
        /// How many at most.
        limit: usize,
    },
    /// Salt and body of a message are to be erased; answered when all that waits was gone through.
    Erase {
        /// Which message.
        message: MessageId,
        /// The legal basis, in words.
        basis: String,
        /// Headers of it that are to be erased beside the log too, by their leaf hashes.
        headers: Vec<Digest>,
    },
    /// Which message is it that waits? For officers.
    Hold {
        /// Which message.
        message: MessageId,
    },
    /// Which messages wait? For officers.
    Holds {
        /// Only those whose id is above this one.
        after: Option<MessageId>,
    },
    /// Something is done to the log.
    LogDeed {
        /// What.
        deed: LogDeed,
    },
}

/// How much room the disk has for what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomLeft {
    /// Enough for all that may come.
    Plenty,
    /// It is filling up: who has much waiting here is refused more.
    Tight,
    /// Too little. Whoever hands something over is told to come again, and nothing is written about it. All that
    /// empties the disk goes on, and so do acts of people.
    Scarce,
}

/// What became of an item of a batch for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What the peer says.
    Verdict(Verdict),
    /// It was not sent: its body cannot be read from the disk.
    Unreadable(Refusal),
}

/// Where a message stands among those that are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsidePlace {
    /// Which queue of those.
    pub queue: QueueId,
    /// The lane.
    pub lane: Lane,
    /// The number in it.
    pub seq: Seq,
}

/// What is to become of a message that is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideDeed {
    /// It goes back to the end of the queue that it was taken out of.
    Retry,
    /// It ends, and its sender hears why it was set aside.
    Refuse,
}

/// A checkpoint that a peer wants to be cosigned. The host has checked the log's signature.
#[derive(Debug)]
pub struct Shown {
    /// What the log says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Bytes,
    /// The size that the peer thinks was cosigned last.
    pub old: u64,
    /// The proof that the log grew from there.
    pub proof: Vec<Digest>,
}

/// How a system reads its receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptMode {
    /// All that wait, and they go once confirmed.
    Consume,
    /// Without taking any: those from a number on, or only those to come.
    Watch(Option<Seq>),
}

/// A message as a peer handed it over.
#[derive(Debug)]
pub struct Arrival {
    /// The message, its signature and body checked.
    pub message: VerifiedMessage,
    /// Which of its ministries this copy is for.
    pub dest: Ministry,
    /// The relays that it has passed, origin first, the peer last.
    pub path: Vec<Ministry>,
    /// What officers are known to have signed; whether it is of this message is seen here.
    pub approvals: Vec<VerifiedApproval>,
}

/// Where a delivered item stands in its mailbox; the receiver confirms it by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    /// The lane.
    pub lane: Lane,
    /// The number in it.
    pub seq: Seq,
}

/// A message that does not exist yet: may it go?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// From which address.
    pub from: Address,
    /// To whom.
    pub to: Vec<Address>,
    /// Under which label.
    pub label: Option<WireLabel>,
    /// How urgent.
    pub precedence: Precedence,
    /// Bytes of body.
    pub size: u64,
}

/// What a person can do to the log.
#[derive(Debug)]
pub enum LogDeed {
    /// Entries are being given to somebody.
    Export {
        /// Which, and for whom, in words.
        what: String,
    },
    /// Headers leave whose time is over.
    Prune {
        /// The legal basis, in words.
        basis: String,
        /// Those go that are kept until this time, or less.
        until: Timestamp,
        /// How many they are, as the host counted.
        headers: u64,
    },
}
