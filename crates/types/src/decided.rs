//! Decisions as a log keeps them.

use crate::{Digest, MessageId, Ministry, SignedApproval, SignedPart, SpiffeId, Timestamp};

/// A message as entries name it. Neither part tells what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The message's id; people search for it.
    pub message: MessageId,
    /// Leaf hash of the exact header bytes.
    pub header: Digest,
}

/// Who hands over messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Giver {
    /// A system of the ministry.
    System(SpiffeId),
    /// The relay of a peer.
    Peer(Ministry),
}

/// One decision about a class of messages: they rest on the same things, and the ruling and its reasons
/// are the same. With the messages' headers, which stand beside the log, each can be taken again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Who handed the messages over; nobody when messages in custody are decided on again.
    pub giver: Option<Giver>,
    /// The relays that had them before this one, origin first.
    pub path: Vec<Ministry>,
    /// The ministry that these copies are for.
    pub dest: Ministry,
    /// The next relay, as the federation names it; none when they have arrived or go nowhere.
    pub next: Option<String>,
    /// What the submitting system is cleared for, if that is less than its ministry.
    pub clearances: Option<Vec<LoggedClearance>>,
    /// The officers' releases that were looked at. With any, there is one message.
    pub approvals: Vec<SignedApproval>,
    /// Which files were in force: the digest over them.
    pub policy: Digest,
    /// The version of the meaning of rules.
    pub semantics: u32,
    /// What was decided.
    pub ruling: LoggedRuling,
    /// The stable codes of the reasons, or of what is missing.
    pub reasons: Vec<String>,
    /// The originator's signature, where this log names these messages for the first time. Their headers
    /// stand beside this entry.
    pub batch: Option<SignedPart>,
    /// Until when the headers are kept, by the retention of their label when it was decided. Only with
    /// `batch`.
    pub keep_until: Option<Timestamp>,
    /// The messages, at least one; with `batch` in the order of their leaves.
    pub subjects: Vec<Subject>,
}

/// The word of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoggedRuling {
    /// They may not go.
    Deny,
    /// They wait for officers.
    Hold,
    /// They may go.
    Permit,
}

/// A clearance under one label policy, by names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoggedClearance {
    /// Name or OID URN of the label policy.
    pub policy: String,
    /// The levels.
    pub levels: Vec<String>,
    /// Values as `TAG:VALUE`.
    pub grants: Vec<String>,
}
