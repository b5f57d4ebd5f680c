//! A peer's statements about the messages that it was handed.

use std::collections::{BTreeSet, HashMap};

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Addressed, Digest, Ministry, ReceiptKind};

use crate::message::Message;

/// A peer's statements that came with its verdicts, with the messages that each speaks of.
pub(super) struct Proofs {
    pub(super) statements: Vec<VerifiedReceipt>,
    /// Which statements speak of a message, and where in them.
    about: HashMap<Digest, Vec<(usize, usize)>>,
    /// Those that are kept.
    pub(super) kept: BTreeSet<usize>,
}

impl Proofs {
    /// Those that are the peer's own.
    pub(super) fn of(peer: &Ministry, receipts: Vec<VerifiedReceipt>) -> Self {
        let is_its = |receipt: &VerifiedReceipt| receipt.receipt().issuer == *peer;
        let statements: Vec<_> = receipts.into_iter().filter(is_its).collect();
        let mut about: HashMap<Digest, Vec<(usize, usize)>> = HashMap::new();
        for (number, statement) in statements.iter().enumerate() {
            for (place, told) in statement.receipt().subjects.iter().enumerate() {
                about.entry(told.subject.header).or_default().push((number, place));
            }
        }
        Self { statements, about, kept: BTreeSet::new() }
    }

    /// Those that say this of a message, for every recipient that this copy is for; none unless there
    /// is one for each.
    pub(super) fn find(&self, message: &Message, kind: ReceiptKind) -> Vec<usize> {
        let Some(places) = self.about.get(&message.leaf()) else { return Vec::new() };
        let (subject, sender) = (message.subject(), &message.header().from);
        let mut found = Vec::new();
        for recipient in message.recipients() {
            let says = |(number, place): &&(usize, usize)| {
                self.statements.get(*number).map(VerifiedReceipt::receipt).is_some_and(|said| {
                    let is_it =
                        |told: &Addressed| told.subject == subject && told.recipient == *recipient;
                    let is_told = said.subjects.get(*place).is_some_and(is_it);
                    is_told && said.kind == kind && said.sender == *sender
                })
            };
            let Some((number, _)) = places.iter().find(says) else { return Vec::new() };
            if !found.contains(number) {
                found.push(*number);
            }
        }
        found
    }
}
