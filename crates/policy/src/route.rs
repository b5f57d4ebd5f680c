//! Which way a message goes: directly, or through one hub.

use kuriiri_types::Timestamp;

use crate::{
    decide::Decision,
    facts::Facts,
    label::Label,
    node_id::NodeId,
    obligations::Obligations,
    policy::Policy,
    reason::{Missing, Reason},
};

/// The next step of a message that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Route {
    /// To this relay.
    Forward(NodeId, Obligations),
    /// It is where it should be.
    Arrived(Obligations),
    /// People have to act first; the way is chosen when they have.
    Hold(Obligations, Vec<Missing>),
}

impl Policy {
    /// The next step: the direct link if there is one and it is permitted, else the first hub, in
    /// the order of the federation file, that is linked to both ends and permitted.
    /// `facts.next` is not looked at.
    ///
    /// # Errors
    /// Every reason against the direct link; where there is none, against the hub that comes
    /// closest, which is the one with the fewest.
    pub fn next_hop(&self, now: Timestamp, facts: &Facts<'_>) -> Result<Route, Vec<Reason>> {
        let label = self.effective(now, facts)?;
        if facts.at == facts.dest {
            return match self.attempt(now, facts, &label, None) {
                Decision::Permit(obligations) => Ok(Route::Arrived(obligations)),
                Decision::Hold(obligations, missing) => Ok(Route::Hold(obligations, missing)),
                Decision::Deny(reasons) => Err(reasons),
            };
        }
        let mut search = Search::default();
        if self.federation.get(facts.dest).is_none() {
            // There is no way to look for; the gates say what else is wrong.
            search.note(facts.dest, self.attempt(now, facts, &label, Some(facts.dest)));
        }
        if self.federation.linked(facts.at, facts.dest) {
            search.note(facts.dest, self.attempt(now, facts, &label, Some(facts.dest)));
            search.is_final = true;
        }
        for hub in self.federation.hubs_between(facts.at, facts.dest) {
            if search.found.is_some() {
                break;
            }
            search.note(hub, self.attempt(now, facts, &label, Some(hub)));
        }
        search.conclude()
    }

    fn attempt(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        label: &Label,
        next: Option<NodeId>,
    ) -> Decision {
        self.decide_resolved(now, &Facts { next, ..*facts }, label)
    }
}

/// What was found while trying one way after the other.
#[derive(Default)]
struct Search {
    found: Option<Route>,
    held: Option<Route>,
    /// The reasons to report; fewest first unless they are final.
    against: Option<Vec<Reason>>,
    is_final: bool,
}

impl Search {
    fn note(&mut self, next: NodeId, decision: Decision) {
        match decision {
            Decision::Permit(obligations) => self.found = Some(Route::Forward(next, obligations)),
            Decision::Hold(obligations, missing) => {
                self.held.get_or_insert(Route::Hold(obligations, missing));
            }
            Decision::Deny(reasons) => {
                let fewer = |known: &Vec<Reason>| reasons.len() < known.len();
                if self.against.as_ref().is_none_or(fewer) && !self.is_final {
                    self.against = Some(reasons);
                }
            }
        }
    }

    fn conclude(self) -> Result<Route, Vec<Reason>> {
        let none = || vec![Reason::NoRoute];
        let against = self.against;
        self.found.or(self.held).ok_or_else(|| against.unwrap_or_else(none))
    }
}
