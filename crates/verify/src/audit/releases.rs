//! What officers released must have been released by them: each word of theirs that a decision went by
//! is in the log of the message's origin as an act of its own.

use std::collections::HashSet;

use kuriiri_merkle::leaf;
use kuriiri_types::{Decided, Digest, Ministry, SignedApproval};

use super::restored::{Elsewhere, May};
use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
};

/// The acts of officers that a log has. It grows with their number, 32 bytes each.
#[derive(Debug)]
pub(crate) struct Releases {
    home: Ministry,
    told: HashSet<Digest>,
    /// What may be in the log that this one goes on from.
    elsewhere: Option<Elsewhere>,
}

impl Releases {
    pub(crate) fn new(home: Ministry) -> Self {
        Self { home, told: HashSet::new(), elsewhere: None }
    }

    /// The log goes on from another one.
    pub(crate) fn begin(&mut self, elsewhere: Elsewhere) {
        self.elsewhere = Some(elsewhere);
    }

    pub(crate) fn add(&mut self, signed: &SignedApproval) {
        self.told.insert(leaf(&signed.approval));
    }

    /// Looks at the releases that a decision went by. A relay on the way got them with the message.
    pub(crate) fn decided(&self, spot: Spot, decided: &Decided, out: &mut Findings) {
        if !decided.path.is_empty() {
            return;
        }
        for signed in &decided.approvals {
            if self.told.contains(&leaf(&signed.approval)) {
                continue;
            }
            let what = "a release that it went by is not in the log before it";
            let id = decided.subjects.first().map(|subject| subject.message);
            let may = self.elsewhere.map_or(May::Not, |one| one.may_have(spot.at, id));
            let fault = || Finding::fault(Check::Approvals, what).against(&self.home);
            out.add(may.weigh(Check::Approvals, what, fault).at(spot.index));
        }
    }
}
