//! What a relay writes into its transparency log: one entry for everything that happens.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Address, Code, Digest, Envelope, FileKind, Ministry, Receipt, SignedApproval, SignedReceipt,
    SpiffeId, Timestamp,
};

/// One entry of a relay's log.
///
/// Its encoded bytes are kept verbatim; their leaf hash is what the log's tree commits to. No entry
/// holds a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Random, so that a leaf hash tells nothing to those who see only hashes.
    pub salt: [u8; 32],
    /// When, by the relay's clock.
    pub at: Timestamp,
    /// How often the relay had started.
    pub boot: u64,
    /// The chains that this entry is a link of: one for each peer that the message came from or
    /// goes to.
    pub channels: Vec<Channel>,
    /// What happened.
    pub event: LogEvent,
}

/// A place in the chain of all messages between two relays, in one direction. Within a log the
/// numbers of a chain are contiguous, so an export of it shows by itself that nothing is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The other relay's ministry.
    pub peer: Ministry,
    /// To it or from it.
    pub direction: Direction,
    /// The number in the chain, from 0.
    pub seq: u64,
    /// Leaf hash of the entry before it in the chain; zeros for the first.
    pub prev: Digest,
}

/// Which way a message goes between this relay and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// It came from the peer.
    In,
    /// It goes to the peer.
    Out,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// This relay states what became of a message; the entry with its proof is the receipt.
    Receipt(Receipt),
    /// Another relay's receipt came in.
    ReceiptIn {
        /// The relay that handed it over.
        from: Ministry,
        /// The receipt, verbatim.
        receipt: Box<SignedReceipt>,
    },
    /// The rules were asked about a message.
    Decided(Box<Decided>),
    /// Items were turned away unread, because they could not be shown to be genuine or well-formed.
    TurnedAway {
        /// Whose relay or which system handed them over.
        by: Giver,
        /// Why.
        code: Code,
        /// How many of one batch.
        count: u32,
    },
    /// An officer released or rejected a message.
    Approved {
        /// Leaf hash of the message's header.
        subject: Digest,
        /// What the officer signed, verbatim.
        approval: SignedApproval,
    },
    /// A certificate was seen for the first time; signatures in later entries name it.
    Certificate {
        /// The certificate, DER.
        der: Bytes,
    },
    /// Signed files came into force.
    PolicyChanged(PolicyInForce),
    /// A part of a file that came into force, right before the entry that says so.
    FilePart(FilePart),
    /// This relay witnessed another log.
    PeerCheckpoint {
        /// The checkpoint as the other log signed it, with this relay's cosignature.
        checkpoint: Bytes,
    },
    /// The relay started.
    Booted {
        /// Name and version of the program.
        software: String,
    },
    /// The log goes on from one that was lost or cut back.
    Restored {
        /// The last checkpoint that a witness held of the log before.
        checkpoint: Bytes,
    },
    /// A body and its salt were erased. Header, receipts and proofs stand.
    Erased {
        /// Leaf hash of the message's header.
        subject: Digest,
        /// Who ordered it.
        by: SpiffeId,
        /// The legal basis, in words.
        basis: String,
    },
    /// An operator or officer did something.
    Acted {
        /// Who.
        by: SpiffeId,
        /// What, in words.
        what: String,
    },
    /// The clock of the machine was set back.
    ClockStepped {
        /// What it had shown before.
        from: Timestamp,
    },
    /// Which messages went between this relay and its peers in minutes that are over: each side of a
    /// channel sums up the same messages, so both can be compared without showing any.
    ChannelHeads(Vec<ChannelHead>),
    /// Entries left the log after the time for which they are kept. Their leaf hashes stay in the
    /// tiles, so every proof stands.
    Pruned {
        /// Entries before this one went, but not those that later ones are judged by; a multiple of
        /// 256.
        before: u64,
        /// Who ordered it.
        by: SpiffeId,
        /// The legal basis, in words.
        basis: String,
    },
    /// Entries were given to somebody.
    Exported {
        /// Who took them out.
        by: SpiffeId,
        /// Which ones, and for whom, in words.
        what: String,
    },
}

/// The messages of one channel in one minute, summed up.
///
/// The receiver sums up what it acknowledges, the sender the acknowledgements that it gets. Where both
/// have the same sum for a minute, they agree on every message of it. Where they have not, or one
/// has several or none, because it was started anew or heard late, the entries tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelHead {
    /// The other relay's ministry.
    pub peer: Ministry,
    /// To it or from it.
    pub direction: Direction,
    /// The beginning of the minute, by the clock of the relay that received the messages.
    pub minute: Timestamp,
    /// How many messages the receiver acknowledged.
    pub count: u64,
    /// Merkle root (RFC 6962) over the messages' header digests, sorted. None when there were too many
    /// to remember.
    pub root: Option<Digest>,
    /// The number of the next link in the chain of this channel.
    pub next: u64,
    /// Leaf hash of the last entry in the chain of this channel; zeros when there is none.
    pub last: Digest,
}

/// Who hands over messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Giver {
    /// A system of the ministry.
    System(SpiffeId),
    /// The relay of a peer.
    Peer(Ministry),
}

/// A decision with everything that it rested on besides the rules, enough to take it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Leaf hash of the message's header.
    pub subject: Digest,
    /// The signed header, the first time that this log speaks of the message.
    pub envelope: Option<Envelope>,
    /// The ministry that this copy is for.
    pub dest: Ministry,
    /// The relays that had it before this one.
    pub path: Vec<Ministry>,
    /// The system that submits it now.
    pub submitter: Option<SpiffeId>,
    /// What that system is cleared for, if that is less than its ministry.
    pub clearances: Option<Vec<HeldClearance>>,
    /// The officers' releases that were looked at.
    pub approvals: Vec<SignedApproval>,
    /// The next relay, as the federation names it; none when it has arrived or goes nowhere.
    pub next: Option<String>,
    /// Which files were in force: the digest over them.
    pub policy: Digest,
    /// The version of the meaning of rules.
    pub semantics: u32,
    /// What was decided.
    pub ruling: LoggedRuling,
    /// The stable codes of the reasons, or of what is missing.
    pub reasons: Vec<String>,
}

/// The word of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LoggedRuling {
    /// It may not go.
    Deny,
    /// It waits for officers.
    Hold,
    /// It may go.
    Permit,
}

/// A clearance under one label policy, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldClearance {
    /// Name or OID URN of the label policy.
    pub policy: String,
    /// The levels.
    pub levels: Vec<String>,
    /// Values as `TAG:VALUE`.
    pub grants: Vec<String>,
}

/// The signed files in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyInForce {
    /// The files, in the order of kind and name.
    pub files: Vec<FileInForce>,
    /// Who handed them in, if a person did while the relay ran.
    pub by: Option<SpiffeId>,
}

/// One signed file in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInForce {
    /// What it is.
    pub kind: FileKind,
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its exact bytes.
    pub digest: Digest,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// SHA-256 of the whole file.
    pub digest: Digest,
    /// Which part, from 0.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// The bytes.
    pub bytes: Bytes,
}

impl LogEvent {
    /// The name of its kind, in upper case, as reports show it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Receipt(receipt) => match receipt.kind {
                crate::ReceiptKind::Accepted => "ACCEPTED",
                crate::ReceiptKind::Relayed => "RECEIVED",
                crate::ReceiptKind::Delivered => "DELIVERED",
                crate::ReceiptKind::Refused => "REFUSED",
                crate::ReceiptKind::Expired => "EXPIRED",
            },
            Self::ReceiptIn { .. } => "RECEIPT_IN",
            Self::Decided(_) => "DECIDED",
            Self::TurnedAway { .. } => "TURNED_AWAY",
            Self::Approved { .. } => "APPROVED",
            Self::Certificate { .. } => "CERTIFICATE",
            Self::PolicyChanged(_) => "POLICY_CHANGE",
            Self::FilePart(_) => "FILE",
            Self::PeerCheckpoint { .. } => "PEER_CHECKPOINT",
            Self::Booted { .. } => "BOOT",
            Self::Restored { .. } => "RESTORE",
            Self::Erased { .. } => "ERASED",
            Self::Acted { .. } => "ADMIN",
            Self::ClockStepped { .. } => "CLOCK_STEP",
            Self::ChannelHeads(_) => "CHANNEL_HEADS",
            Self::Pruned { .. } => "PRUNED",
            Self::Exported { .. } => "EXPORTED",
        }
    }

    /// Whether it stays when those around it leave the log: later entries are judged by it, or it says
    /// what a person did.
    pub fn outlasts_pruning(&self) -> bool {
        match self {
            Self::Certificate { .. }
            | Self::PolicyChanged(_)
            | Self::FilePart(_)
            | Self::Booted { .. }
            | Self::Restored { .. }
            | Self::ClockStepped { .. }
            | Self::Erased { .. }
            | Self::Acted { .. }
            | Self::Exported { .. }
            | Self::Pruned { .. } => true,
            Self::Receipt(_)
            | Self::ReceiptIn { .. }
            | Self::Decided(_)
            | Self::TurnedAway { .. }
            | Self::Approved { .. }
            | Self::PeerCheckpoint { .. }
            | Self::ChannelHeads(_) => false,
        }
    }

    /// The message that it is about, by the leaf hash of its header.
    pub fn subject(&self) -> Option<Digest> {
        match self {
            Self::Receipt(receipt) => Some(receipt.header_digest),
            Self::Decided(decided) => Some(decided.subject),
            Self::Approved { subject, .. } | Self::Erased { subject, .. } => Some(*subject),
            Self::ReceiptIn { .. }
            | Self::TurnedAway { .. }
            | Self::Certificate { .. }
            | Self::PolicyChanged(_)
            | Self::FilePart(_)
            | Self::PeerCheckpoint { .. }
            | Self::Booted { .. }
            | Self::Restored { .. }
            | Self::Acted { .. }
            | Self::ClockStepped { .. }
            | Self::ChannelHeads(_)
            | Self::Pruned { .. }
            | Self::Exported { .. } => None,
        }
    }
}

impl Receipt {
    /// True when `recipient` is one that this receipt speaks of.
    pub fn is_about(&self, message: Digest, recipient: &Address) -> bool {
        self.header_digest == message && self.recipient == *recipient
    }
}
