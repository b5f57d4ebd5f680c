//! A receipt with its place among the others of a system.

use std::sync::Arc;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, Addressed, MessageId, Receipt, SignedReceipt};

use crate::{doubtful::Place, error::ReceiveError, proof::receipt_proof};

/// A receipt that is known to be genuine: it stands in the log of its issuer's relay. It says one
/// thing about many messages.
#[derive(Debug, Clone)]
pub struct PlacedReceipt {
    pub(super) place: Place,
    pub(super) verified: Arc<VerifiedReceipt>,
}

impl PlacedReceipt {
    /// What it says.
    pub fn receipt(&self) -> &Receipt {
        self.verified.receipt()
    }

    /// The messages that it speaks of, all of this system's address: each once for every recipient
    /// for whom it says so.
    pub fn about(&self) -> impl Iterator<Item = (MessageId, &Address)> {
        let told = self.receipt().subjects.iter();
        told.map(|told| (told.subject.message, &told.recipient))
    }

    /// The same with the digests of their headers, by which [`Course::hear`](crate::Course::hear) knows them.
    pub fn subjects(&self) -> &[Addressed] {
        &self.receipt().subjects
    }

    /// The receipt without its place, to be kept without a copy.
    pub fn verified(&self) -> &Arc<VerifiedReceipt> {
        &self.verified
    }

    /// The log's entry, verbatim, with its proof: what it takes to prove it to a third party.
    pub fn signed(&self) -> &SignedReceipt {
        self.verified.signed()
    }

    /// The same as a file; see [`receipt_proof`].
    pub fn proof(&self) -> Vec<u8> {
        receipt_proof(self.signed())
    }

    /// Its place among the receipts of this system; later ones have higher places.
    pub fn place(&self) -> u64 {
        self.place.number
    }
}

/// What a stream of receipts gives.
pub(super) type Item = Result<PlacedReceipt, ReceiveError>;
