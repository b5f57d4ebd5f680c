//! Receipts that this side cannot accept, and where receipts stand.

use kuriiri_types::SignedReceipt;

/// A receipt that this side cannot accept, with its place among the others.
#[derive(Debug, Clone)]
pub struct DoubtfulReceipt {
    pub(crate) place: Place,
    pub(crate) signed: SignedReceipt,
}

impl DoubtfulReceipt {
    /// What came, verbatim: nobody has shown that it is genuine.
    pub fn signed(&self) -> &SignedReceipt {
        &self.signed
    }
}

/// Where a receipt stands. Later is greater, and every subscription begins anew: what was given on
/// an earlier one is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) subscription: u64,
    pub(crate) number: u64,
}
