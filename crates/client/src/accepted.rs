//! What the relay's word is on a message that it accepted.

use std::sync::Arc;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, Digest, MessageId, Timestamp};

use crate::{course::Course, proof::receipt_proof};

/// The own relay holds a message durably and answers for it from now on.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The message's id.
    pub id: MessageId,
    /// The leaf hash of its signed header. Receipts name it by both.
    pub header: Digest,
    /// From which address it is.
    pub from: Address,
    /// Whom it is for.
    pub recipients: Vec<Address>,
    /// When the relay first accepted it, by the relay's clock.
    pub at: Timestamp,
    /// True when the relay had it before, because an answer of it had been lost on the way.
    pub repeat: bool,
    /// How many of the ministry's officers have to release it before it leaves; 0 when it goes by
    /// itself. The relay said so when it was asked, before the message was sent.
    pub waits_for: u32,
    /// Receipts from the relay's log, verified here, that together speak of all its recipients: as a
    /// rule one, which the messages of a batch share. They are worth keeping, as anybody can check
    /// them later without either side.
    pub receipts: Vec<Arc<VerifiedReceipt>>,
}

impl Accepted {
    /// What becomes of it, to be told the receipts that come in.
    pub fn course(&self) -> Course {
        Course::new((self.id, self.header), self.from.clone(), self.recipients.iter().cloned())
    }

    /// The receipts as files, in their order; see [`receipt_proof`].
    pub fn proofs(&self) -> impl Iterator<Item = Vec<u8>> {
        self.receipts.iter().map(|receipt| receipt_proof(receipt.signed()))
    }
}
