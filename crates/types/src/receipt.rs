//! What became of a message, as told to the system that sent it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Address, Code, Digest, MessageId, Ministry, SpiffeId, Timestamp};

/// A statement of one relay about one message and one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The message.
    pub message: MessageId,
    /// Leaf hash of the message's header: binds the receipt to these very bytes.
    pub header_digest: Digest,
    /// Who sent the message and gets this receipt.
    pub sender: Address,
    /// Which recipient it speaks of.
    pub recipient: Address,
    /// What happened.
    pub kind: ReceiptKind,
    /// When, by the issuing relay's clock.
    pub at: Timestamp,
    /// The ministry whose relay says so.
    pub issuer: Ministry,
    /// Why not, for the negative kinds.
    pub code: Option<Code>,
    /// The reasons in words, for people at home; empty in receipts of a foreign relay.
    pub reasons: Vec<String>,
    /// The system that handed the message in, or that confirmed it.
    pub by: Option<SpiffeId>,
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
