//! What a relay writes into its transparency log: one entry for everything that happens.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Code, Decided, Digest, FileKind, Giver, Ministry, Receipt, SignedApproval, SignedReceipt,
    SpiffeId, Timestamp,
};

/// One entry of a relay's log.
///
/// Its encoded bytes are kept verbatim; their leaf hash is what the log's tree commits to. No entry
/// holds a body or a header: it names messages by digests, and can be kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Random, so that a leaf hash tells nothing to those who see only hashes.
    pub salt: [u8; 32],
    /// When, by the relay's clock.
    pub at: Timestamp,
    /// How often the relay had started.
    pub boot: u64,
    /// The chains that this entry is a link of: one for each peer that its messages came from or
    /// go to.
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
    /// This relay states what became of messages; the entry with its proof is the receipt.
    Receipt(Receipt),
    /// Another relay's receipt came in.
    ReceiptIn {
        /// The relay that handed it over.
        from: Ministry,
        /// The receipt, verbatim.
        receipt: Box<SignedReceipt>,
    },
    /// The rules were asked about messages, and said the same of each.
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
    /// A certificate was seen for the first time, or somebody signed with it what comes into force;
    /// signatures in later entries name it.
    Certificate {
        /// The certificate, DER.
        der: Bytes,
    },
    /// Signed files came into force.
    PolicyChanged(PolicyInForce),
    /// A part of a file that came into force or of its signatures, right before the entry that says
    /// so.
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
    /// A body and its salt were erased. Entries, receipts and proofs remain.
    Erased {
        /// Leaf hash of the message's header.
        subject: Digest,
        /// Whether the header was erased too.
        header: bool,
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
    /// Headers left the log after the time for which they are kept. Entries remain, so every proof does.
    Pruned {
        /// Headers went whose [`Decided::keep_until`] is not after this time.
        until: Timestamp,
        /// How many.
        headers: u64,
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
    /// SHA-256 of the exact bytes of the file of signatures beside it.
    pub signatures: Digest,
    /// Whether it is the ministry's own: rules beside those of the federation. All else is the
    /// federation's.
    pub is_own: bool,
}

/// A part of a file, or of a file of signatures.
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
                crate::ReceiptKind::SetAside => "SET_ASIDE",
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

    /// The messages that it names, by the leaf hashes of their headers. A receipt that came in from
    /// another relay is not looked into.
    pub fn subjects(&self) -> impl Iterator<Item = Digest> + '_ {
        let (decided, receipt, one) = match self {
            Self::Receipt(receipt) => (None, Some(receipt), None),
            Self::Decided(decided) => (Some(decided), None, None),
            Self::Approved { subject, .. } | Self::Erased { subject, .. } => {
                (None, None, Some(*subject))
            }
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
            | Self::Exported { .. } => (None, None, None),
        };
        let decided = decided.into_iter().flat_map(|decided| &decided.subjects);
        let told = receipt.into_iter().flat_map(|receipt| &receipt.subjects);
        let headers = decided.map(|subject| subject.header);
        headers.chain(told.map(|told| told.subject.header)).chain(one)
    }
}
