//! Who handed over what was taken: what a relay states of it names the same as the decision of that moment.

use std::collections::HashMap;

use kuriiri_types::{Decided, Digest, Giver, Ministry, Receipt, ReceiptKind, Timestamp};

use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
};

/// Who handed over the messages that were decided on in this moment. It grows with their number, and begins
/// again with the next moment.
#[derive(Debug)]
pub(super) struct Givers {
    home: Ministry,
    at: Timestamp,
    known: HashMap<Digest, Giver>,
}

impl Givers {
    pub(super) fn new(home: Ministry) -> Self {
        Self { home, at: Timestamp::from_millis(i64::MIN), known: HashMap::new() }
    }

    /// Looks at a decision.
    pub(super) fn decided(&mut self, spot: Spot, decided: &Decided, out: &mut Findings) {
        if self.at != spot.at {
            self.at = spot.at;
            self.known.clear();
        }
        let is_systems = matches!(decided.giver, Some(Giver::System(_)));
        if decided.clearances.is_some() && !is_systems {
            let what =
                "it rests on the clearance of a system, and no system handed the messages in";
            out.add(Finding::fault(Check::Decisions, what).at(spot.index).against(&self.home));
        }
        let Some(giver) = &decided.giver else { return };
        let headers = decided.subjects.iter().map(|subject| subject.header);
        self.known.extend(headers.map(|header| (header, giver.clone())));
    }

    /// Looks at a statement.
    pub(super) fn stated(&self, spot: Spot, receipt: &Receipt, out: &mut Findings) {
        let is_of_giving = match receipt.kind {
            ReceiptKind::Accepted | ReceiptKind::Relayed | ReceiptKind::Refused => true,
            ReceiptKind::Delivered | ReceiptKind::Expired | ReceiptKind::SetAside => false,
        };
        let Some(by) = receipt.by.as_ref().filter(|_| is_of_giving && self.at == spot.at) else {
            return;
        };
        let differs = receipt
            .subjects
            .iter()
            .find(|told| self.known.get(&told.subject.header).is_some_and(|giver| giver != by));
        if let Some(told) = differs {
            let what = "the decision of that moment names another one who handed it over";
            let finding = Finding::fault(Check::Messages, what).at(spot.index);
            out.add(finding.of(told.subject.message).against(&self.home));
        }
    }
}
