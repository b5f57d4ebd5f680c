//! The ways that messages and receipts took between relays, held against the links of the federation.

use kuriiri_policy::Federation;
use kuriiri_types::{Channel, Decided, Direction, Ministry};

use crate::{
    check_entry::{LAG_MAX, Spot},
    finding::{Check, Finding, Findings},
    trusted::TrustHistory,
};

/// The links of a relay, as they were at an entry.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    home: &'a Ministry,
    /// The federation in force, and the one before if it was in force a moment ago: what was under way by its
    /// links may still be written. Empty when none is known.
    known: Vec<&'a Federation>,
}

impl<'a> Ways<'a> {
    pub(super) fn at(spot: Spot, home: &'a Ministry, history: &'a TrustHistory) -> Self {
        let all = history.lately(spot.index, spot.at.before(LAG_MAX));
        let known = all.filter_map(|trusted| trusted.rules.federation.as_ref()).collect();
        Self { home, known }
    }

    /// What goes on goes to the next relay that the decision names, over a link.
    pub(super) fn check_onward(
        &self,
        spot: Spot,
        (channels, decided): (&[Channel], &Decided),
        out: &mut Findings,
    ) {
        let onward = channels.iter().filter(|channel| channel.direction == Direction::Out);
        for channel in onward {
            let is_it = |federation: &&Federation| {
                let named = decided.next.as_ref().and_then(|next| federation.by_id(next));
                let goes = federation.by_domain(&channel.peer);
                named.is_some() && named == goes && self.is_linked(federation, &channel.peer)
            };
            if !self.known.is_empty() && !self.known.iter().any(is_it) {
                let what = format!(
                    "it went on to {}, which is not the relay that the decision names, or has no link with \
                     this one",
                    channel.peer
                );
                let finding = Finding::fault(Check::Channels, what).at(spot.index);
                out.add(finding.against(self.home));
            }
        }
    }

    /// A receipt is handed over by a relay with a link.
    pub(super) fn check_receipt(&self, spot: Spot, from: &Ministry, out: &mut Findings) {
        let is_linked = |federation: &&Federation| self.is_linked(federation, from);
        if !self.known.is_empty() && !self.known.iter().any(is_linked) {
            let what =
                format!("{from} is said to have handed a receipt over, and has no link here");
            let finding = Finding::fault(Check::Receipts, what).at(spot.index);
            out.add(finding.against(self.home));
        }
    }

    fn is_linked(&self, federation: &Federation, peer: &Ministry) -> bool {
        let ends = [self.home, peer].map(|who| federation.by_domain(who));
        matches!(ends, [Some(here), Some(there)] if federation.linked(here, there))
    }
}
