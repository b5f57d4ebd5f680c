//! Decisions as they are written down: for rehearsals, and for the log.

use kuriiri_policy::{Decision, Facts, NodeId, Record, Route, SEMANTICS};
use kuriiri_types::{Decided, Digest, LoggedRuling, SignedApproval, Timestamp};

use super::{Case, Judge, Onward};

/// What the log writes for a node that the federation does not know; no node has this name.
const NOBODY: &str = "?";

impl Judge {
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

    /// A decision as the log keeps it: with everything that it rested on besides the rules, their
    /// digest and the submitter's clearances for the caller to fill in.
    pub(crate) fn decided(
        &self,
        at: Timestamp,
        case: &Case<'_>,
        onward: Onward<'_>,
        approvals: &[SignedApproval],
    ) -> Decided {
        let originating = case.path.is_empty() && case.submitter.is_some();
        self.with_facts(case, originating, |facts| {
            let next = match onward {
                Onward::Considered => self.next_considered(at, &facts),
                Onward::To(next) => Some(self.node(next)),
                Onward::Nowhere => None,
            };
            let decision = self.policy.decide(at, &Facts { next, ..facts });
            Decided {
                subject: case.subject,
                envelope: None,
                dest: case.dest.clone(),
                path: case.path.to_vec(),
                submitter: case.submitter.cloned(),
                clearances: None,
                approvals: approvals.to_vec(),
                next: next.map(|next| self.name(next)),
                policy: Digest([0; 32]),
                semantics: SEMANTICS,
                ruling: match decision {
                    Decision::Permit(_) => LoggedRuling::Permit,
                    Decision::Hold(..) => LoggedRuling::Hold,
                    Decision::Deny(_) => LoggedRuling::Deny,
                },
                reasons: decision.codes(),
            }
        })
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

    fn name(&self, node: NodeId) -> String {
        self.policy.federation().get(node).map_or(NOBODY, |node| node.id()).to_owned()
    }
}
