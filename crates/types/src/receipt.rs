//! What became of messages, as told to the system that sent them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Address, Code, Digest, Giver, Ministry, Subject, Timestamp};

/// A statement of one relay about messages of one sender: the same happened to each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ministry whose relay says so.
    pub issuer: Ministry,
    /// What happened.
    pub kind: ReceiptKind,
    /// When, by the issuing relay's clock.
    pub at: Timestamp,
    /// Who sent the messages and gets this receipt.
    pub sender: Address,
    /// Who handed the messages in or over, or which system confirmed them.
    pub by: Option<Giver>,
    /// Why not, for the negative kinds.
    pub code: Option<Code>,
    /// The reasons in words, for people at home; empty in receipts of a foreign relay.
    pub reasons: Vec<String>,
    /// The messages, at least one; each once for every recipient that it speaks of.
    pub subjects: Vec<Addressed>,
}

/// A message as one of its recipients gets it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addressed {
    /// The message: its digest binds the receipt to these very header bytes.
    pub subject: Subject,
    /// The recipient.
    pub recipient: Address,
}

impl Receipt {
    /// Whether it speaks of the message with this header, for this recipient.
    pub fn is_about(&self, header: Digest, recipient: &Address) -> bool {
        self.subjects
            .iter()
            .any(|told| told.subject.header == header && told.recipient == *recipient)
    }
}

/// The rungs of the ladder, and the two negatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReceiptKind {
    /// The sender's own relay holds it durably.
    Accepted,
    /// The next relay on the way holds it durably.
    Relayed,
    /// The recipient's system has confirmed it.
    Delivered,
    /// It will not be delivered; the code says why.
    Refused,
    /// It was not delivered in time.
    Expired,
}

impl ReceiptKind {
    /// All kinds; the position is the number on the wire less one.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Relayed, Self::Delivered, Self::Refused, Self::Expired];

    /// True when nothing more will be heard of this message and recipient.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Refused | Self::Expired)
    }

    /// The word, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for ReceiptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ReceiptKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| {
            format!(
                "`{text}` is not a receipt; use accepted, relayed, delivered, refused or expired"
            )
        })
    }
}
