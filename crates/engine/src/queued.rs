//! What stands in a queue: the stored record with its signed bytes read.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_types::{BatchProof, MessageId, SignedReceipt, Timestamp, limits::MESSAGE_TTL_MAX};

use crate::{
    action::{ReceiptOut, Unproved},
    message::Message,
    record::{BodyRef, Item, proof_weight, proof_weight_behind},
};

/// Bytes of a receipt's proof on the wire, roughly: a path of 20 hashes and a checkpoint.
const RECEIPT_PROOF_BYTES: usize = 1024;

/// An item of a queue, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Queued {
    Message(Arc<Message>),
    Receipt(Arc<QueuedReceipt>),
}

/// A receipt, and the place of the own log's entry that is it or holds it.
#[derive(Debug)]
pub(crate) struct QueuedReceipt {
    pub(crate) entry: u64,
    pub(crate) out: ReceiptOut,
}

impl QueuedReceipt {
    /// One of this relay.
    pub(crate) fn own(unproved: Unproved) -> Self {
        Self { entry: unproved.index, out: ReceiptOut::Own(unproved) }
    }

    fn bytes(&self) -> usize {
        match &self.out {
            ReceiptOut::Own(unproved) => unproved.entry.len(),
            ReceiptOut::Other(signed) => signed.entry.len(),
        }
    }
}

/// Another relay's receipt to be kept: copied out of what it came in. A slice would hold a whole frame in
/// memory for as long as one receipt waits.
pub(crate) fn kept_receipt(signed: &SignedReceipt) -> SignedReceipt {
    let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let SignedReceipt { entry, index, path, checkpoint } = signed;
    let (entry, checkpoint, path) = (own(entry), own(checkpoint), path.clone());
    SignedReceipt { entry, index: *index, path, checkpoint }
}

impl Queued {
    pub(crate) fn to_record(&self) -> Item {
        match self {
            Self::Message(message) => Item::Parcel(message.parcel().clone()),
            Self::Receipt(receipt) => Item::Receipt(receipt.entry),
        }
    }

    /// Bytes by which it makes a pack grow behind another item, a little over.
    pub(crate) fn weight_behind(&self, before: Option<&Self>) -> usize {
        match self {
            Self::Message(message) => {
                let proof = proof_weight_behind(before.and_then(Self::proof), message.proof());
                message.parcel().weight() + proof
            }
            Self::Receipt(_) => Item::RECEIPT_WEIGHT,
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.parcel().weight() + proof_weight(message.proof()),
            Self::Receipt(_) => self.load_bytes(),
        }
    }

    /// Bytes that it takes on the wire, roughly.
    pub(crate) fn load_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.load_bytes(),
            Self::Receipt(receipt) => receipt.bytes() + RECEIPT_PROOF_BYTES,
        }
    }

    /// The message, if it is a copy of the one with this id.
    pub(crate) fn copy_of(&self, message: MessageId) -> Option<&Arc<Message>> {
        match self {
            Self::Message(found) => Some(found).filter(|found| found.header().id == message),
            Self::Receipt(_) => None,
        }
    }

    /// How many certificates can go with it.
    pub(crate) fn signers(&self) -> usize {
        match self {
            Self::Message(message) => message.signers(),
            Self::Receipt(_) => 0,
        }
    }

    /// The proof that a message's originator signed it; receipts are proved otherwise.
    pub(crate) fn proof(&self) -> Option<&BatchProof> {
        match self {
            Self::Message(message) => Some(message.proof()),
            Self::Receipt(_) => None,
        }
    }

    pub(crate) fn body_ref(&self) -> Option<BodyRef> {
        match self {
            Self::Message(message) => message.parcel().body.reference(),
            Self::Receipt(_) => None,
        }
    }

    /// When it was taken into custody; receipts do not say.
    pub(crate) fn accepted(&self) -> Option<Timestamp> {
        match self {
            Self::Message(message) => Some(message.parcel().accepted),
            Self::Receipt(_) => None,
        }
    }

    /// When it expires, being in a pack made at `packed`.
    pub(crate) fn expires(&self, packed: Timestamp) -> Timestamp {
        match self {
            Self::Message(message) => message.parcel().expires,
            Self::Receipt(_) => packed.after(MESSAGE_TTL_MAX),
        }
    }
}
