//! Decisions as they are written down: for rehearsals, and for the log.

use kuriiri_policy::{Decision, Facts, NodeId, Reason, Record, Route};
use kuriiri_types::{LoggedRuling, Ministry, Timestamp};

use super::{Onward, Rules, Ruling, Way};
use crate::case::Case;

/// What the log writes for a node that the federation does not know; no node has this name.
const NOBODY: &str = "?";

/// A decision as the log keeps it, without what it rested on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruled {
    /// The ministry that the copy is for.
    pub(crate) dest: Ministry,
    /// The next relay, as the federation names it.
    pub(crate) next: Option<String>,
    pub(crate) ruling: LoggedRuling,
    /// The stable codes of the reasons.
    pub(crate) reasons: Vec<String>,
}

impl Ruled {
    fn permit(dest: &Ministry, next: Option<String>) -> Self {
        let (dest, ruling, reasons) = (dest.clone(), LoggedRuling::Permit, Vec::new());
        Self { dest, next, ruling, reasons }
    }
}

impl Rules {
    /// A decision as a record of it: what the rules in force say of the facts of that time, on the
    /// way that [`route`](Self::route) takes or would have to take.
    pub(crate) fn record(&self, at: Timestamp, case: &Case<'_>) -> Record {
        let originating = case.path.is_empty() && case.submitter.is_some();
        self.with_facts(case, originating, |facts| {
            let facts = Facts { next: self.next_considered(at, &facts), ..facts };
            let decision = self.policy.decide(at, &facts);
            Record::of(&self.policy, case.header.id.to_string(), at, &facts, &decision)
        })
    }

    /// What becomes of a message that comes in, and the decision as the log keeps it.
    pub(crate) fn rule_on(&self, now: Timestamp, case: &Case<'_>) -> (Ruling<Way>, Ruled) {
        let originating = case.path.is_empty() && case.submitter.is_some();
        let (ruling, ruled) = self.with_facts(case, originating, |facts| {
            if let Some(why) = self.may_not_take(now, &facts) {
                let refusal = self.denied(&why, case.header, case.dest);
                return (Ruling::End(refusal), self.ruled_on(now, case.dest, &facts, None));
            }
            let route = self.policy.next_hop(now, &facts);
            let ruled = match &route {
                Ok(Route::Forward(next, _)) => {
                    Ruled::permit(case.dest, Some(self.node_name(*next)))
                }
                Ok(Route::Arrived(_)) => Ruled::permit(case.dest, None),
                Ok(Route::Hold(..)) | Err(_) => {
                    let next = self.next_considered(now, &facts);
                    self.ruled_on(now, case.dest, &facts, next)
                }
            };
            (self.way(now, (case.header, case.dest), route), ruled)
        });
        let lapsed = case.submitter.and_then(|_| self.lapsed(now, case.header.label.as_ref()));
        (lapsed.map_or(ruling, Ruling::End), ruled)
    }

    /// Why this relay may not take a message that it would hand on for others. Whoever handed it over may have
    /// asked that by other rules, or not at all.
    fn may_not_take(&self, now: Timestamp, facts: &Facts<'_>) -> Option<Vec<Reason>> {
        if facts.prev.is_none() || facts.at == facts.dest {
            return None;
        }
        match self.policy.decide(now, &Facts { next: None, ..*facts }) {
            Decision::Deny(why) => Some(why),
            Decision::Permit(_) | Decision::Hold(..) => None,
        }
    }

    /// A decision on a message in custody as the log keeps it.
    pub(crate) fn ruled(&self, now: Timestamp, case: &Case<'_>, onward: Onward<'_>) -> Ruled {
        let originating = case.path.is_empty() && case.submitter.is_some();
        self.with_facts(case, originating, |facts| {
            let next = match onward {
                Onward::Considered => self.next_considered(now, &facts),
                Onward::To(next) => Some(self.node(next)),
                Onward::Nowhere => None,
            };
            self.ruled_on(now, case.dest, &facts, next)
        })
    }

    fn ruled_on(
        &self,
        now: Timestamp,
        dest: &Ministry,
        facts: &Facts<'_>,
        next: Option<NodeId>,
    ) -> Ruled {
        let decision = self.policy.decide(now, &Facts { next, ..*facts });
        Ruled {
            dest: dest.clone(),
            next: next.map(|next| self.node_name(next)),
            ruling: match decision {
                Decision::Permit(_) => LoggedRuling::Permit,
                Decision::Hold(..) => LoggedRuling::Hold,
                Decision::Deny(_) => LoggedRuling::Deny,
            },
            reasons: decision.codes(),
        }
    }

    /// The next relay on the way that a message takes, or would have to take.
    fn next_considered(&self, at: Timestamp, facts: &Facts<'_>) -> Option<NodeId> {
        let (federation, dest) = (self.policy.federation(), facts.dest);
        match self.policy.next_hop(at, facts) {
            Ok(Route::Forward(next, _)) => Some(next),
            Ok(Route::Arrived(_)) => None,
            Ok(Route::Hold(..)) | Err(_) if facts.at == dest => None,
            Ok(Route::Hold(..)) | Err(_) if federation.linked(facts.at, dest) => Some(dest),
            Ok(Route::Hold(..)) | Err(_) => {
                let joins = |hub: &NodeId| federation.linked(*hub, dest);
                federation.hubs().find(joins).or(Some(dest))
            }
        }
    }

    fn node_name(&self, node: NodeId) -> String {
        self.policy.federation().get(node).map_or(NOBODY, |node| node.id()).to_owned()
    }
}
