//! Everything a relay can ask its host to do, once the commit is durable.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_policy::Record;
use kuriiri_types::{
    Digest, Envelope, Handling, Header, Lane, Ministry, Outcome, Refusal, SignedApproval,
    SignedReceipt, Timestamp, Verdict,
};

use crate::{
    event::{AsidePlace, BatchId, LinkId, SubscriptionId, Ticket, Token},
    message::Message,
    record::{Aside, Body, Seq},
};

/// Something to do. The host performs actions in order, after the commit of their step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer a question of the host.
    Answer(Token, Reply),
    /// Tell a receiver that its confirmations are durable.
    Confirm {
        /// To whom.
        subscription: SubscriptionId,
        /// Which.
        tickets: Vec<Ticket>,
    },
    /// Hand messages to a receiver.
    Deliver {
        /// To whom.
        subscription: SubscriptionId,
        /// The messages, in order.
        items: Vec<Delivery>,
    },
    /// Hand receipts to a reader.
    DeliverReceipts {
        /// To whom.
        subscription: SubscriptionId,
        /// The receipts with their numbers, in order. A watch begins with none.
        receipts: Vec<(Seq, ReceiptOut)>,
        /// From where a watch that breaks off can go on.
        next: Seq,
    },
    /// Connect to a peer; answer with `LinkUp` or `DialFailed`.
    Dial(Ministry),
    /// End a subscription and say why.
    Refuse(SubscriptionId, Refusal),
    /// Send a batch to a peer; answer with `Answered`, or `LinkDown` if it cannot be done.
    Transmit {
        /// To whom.
        peer: Ministry,
        /// On which connection.
        link: LinkId,
        /// Its lane.
        lane: Lane,
        /// Its number in link and lane.
        batch: BatchId,
        /// How often this lane was told to come again.
        epoch: u32,
        /// What to send: messages or receipts.
        load: Vec<Load>,
    },
}

/// A receipt of this relay: an entry of its log. Whoever hands it out makes its proof, once the step is
/// durable; see [`SignedReceipt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// The entry's bytes.
    pub entry: Bytes,
    /// Its place in the log.
    pub index: u64,
}

/// A receipt on its way out of this relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptOut {
    /// This relay's own.
    Own(Unproved),
    /// Another relay's, with its proof, as it came.
    Other(SignedReceipt),
}

/// What the host hands back to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// One verdict for each message, in order, and what this relay states about them.
    Verdicts {
        /// The verdicts.
        verdicts: Vec<Verdict>,
        /// Together they speak of every recipient of each message that was taken, or was genuine and
        /// refused. One of them may speak of messages of the same sender in other batches of the asker.
        receipts: Vec<Unproved>,
    },
    /// What would happen.
    Outcome(Outcome),
    /// How the relay is.
    Status(Status),
    /// Messages that wait, in the order of their ids, and whether there are more after them.
    Holds(Vec<HoldState>, bool),
    /// One message that waits.
    Hold(Box<HoldState>),
    /// What an officer's word came to.
    Resolved(Resolution),
    /// Decisions of late, newest first.
    Decisions(Vec<Record>),
    /// Messages that are set aside, and whether there are more after them.
    Asides(Vec<AsideState>, bool),
    /// How full what waits is, the fullest first.
    Fill(Vec<Filled>),
    /// What was done to messages that are set aside.
    AsideActed {
        /// How many copies.
        messages: u32,
        /// Whether more wait to be asked for again.
        more: bool,
    },
    /// What was erased of a message.
    Erased {
        /// How many copies that waited.
        copies: u32,
        /// How many headers beside the log.
        headers: u32,
    },
    /// It stands in the log.
    Noted,
    /// What became of a checkpoint that was shown.
    Witnessed(WitnessAnswer),
    /// No answer, and why.
    Refused(Refusal),
}

/// What a witness says to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// It is remembered and cosigned: the line of the signature.
    Cosigned(String),
    /// Another size than the asker thought was cosigned last: the note of it, or nothing.
    OtherSize(Bytes),
    /// It is not believed.
    Refused(Refusal),
}

/// How much of what may wait does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// What is bounded, in words.
    pub name: String,
    /// How much there is.
    pub used: u64,
    /// How much there may be.
    pub limit: u64,
}

/// A message that is set aside, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideState {
    /// Where it stands.
    pub place: AsidePlace,
    /// What its header says.
    pub header: Arc<Header>,
    /// The leaf hash of its header.
    pub leaf: Digest,
    /// When the relay took it.
    pub accepted: Timestamp,
    /// When it expires if nobody acts.
    pub expires: Timestamp,
    /// When it was set aside, and why.
    pub aside: Aside,
}

impl AsideState {
    /// That of a message which is set aside.
    pub(crate) fn of(place: AsidePlace, message: &Message) -> Option<Self> {
        let parcel = message.parcel();
        Some(Self {
            place,
            header: message.shared_header(),
            leaf: message.leaf(),
            accepted: parcel.accepted,
            expires: parcel.expires,
            aside: parcel.aside.clone()?,
        })
    }
}

/// A message that waits at its origin, as officers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldState {
    /// The signed header and its proof.
    pub envelope: Envelope,
    /// What the header says.
    pub header: Arc<Header>,
    /// When the relay took it.
    pub accepted: Timestamp,
    /// When it expires if nobody acts.
    pub expires: Timestamp,
    /// How many officers must sign; 0 when it waits for nobody.
    pub needed: u32,
    /// What officers have signed so far.
    pub approvals: Vec<SignedApproval>,
    /// What is still missing, in words.
    pub missing: Vec<String>,
    /// Salt and body.
    pub body: Body,
}

/// What an officer's word came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It was the last that was needed: the message goes.
    Released,
    /// It counts, and more are needed.
    Counted {
        /// Approvals that count so far.
        have: u32,
        /// Approvals that are needed in all.
        need: u32,
    },
    /// The message went back to its sender.
    Rejected,
}

/// One item for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// A message.
    Parcel {
        /// Which of its ministries this copy is for.
        dest: Ministry,
        /// The relays that it has passed, this one included.
        path: Vec<Ministry>,
        /// The signed header and its proof.
        envelope: Envelope,
        /// What officers signed to release it.
        approvals: Vec<SignedApproval>,
        /// Salt and body.
        body: Body,
    },
    /// A receipt.
    Receipt(ReceiptOut),
}

/// One message for a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// By which it is confirmed.
    pub ticket: Ticket,
    /// The signed header and its proof.
    pub envelope: Envelope,
    /// What officers signed to release it.
    pub approvals: Vec<SignedApproval>,
    /// How it is to be handled.
    pub handling: Handling,
    /// Salt and body.
    pub body: Body,
}

/// How a relay is: what waits where, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The relay's time.
    pub now: Timestamp,
    /// The mailboxes that the asking system may read.
    pub mailboxes: Vec<Waiting>,
    /// Every peer.
    pub peers: Vec<PeerState>,
}

/// What waits in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The queue's name: an address or a ministry.
    pub name: String,
    /// How many messages wait; after a restart possibly a few too many, until they are read.
    pub messages: u64,
    /// When the oldest of them was taken.
    pub oldest: Option<Timestamp>,
}

/// How it stands with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// Whose relay.
    pub ministry: Ministry,
    /// Whether a connection stands.
    pub connected: bool,
    /// What waits for it.
    pub waiting: Waiting,
    /// When the next try is, if none stands.
    pub next_try: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}
