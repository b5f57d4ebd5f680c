//! The decision: permit, hold or deny.

use std::sync::Arc;

use kuriiri_types::{Code, Onward, Timestamp};

use crate::{
    catalogue::Catalogue,
    facts::Facts,
    label::{Label, LabelFault},
    merge::{Terms, Transit},
    node_id::NodeId,
    obligations::Obligations,
    plan::Compiled,
    policy::Policy,
    reason::{Missing, Reason, coarse},
};

/// The answer to [`Facts`]. Deny beats hold beats permit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may go, if the obligations are met.
    Permit(Obligations),
    /// It may not go yet: people have to act first. Only ever at the origin.
    Hold(Obligations, Vec<Missing>),
    /// It may not go. Every failed check, in the order of the gates.
    Deny(Vec<Reason>),
}

impl Decision {
    /// The coarse number, or nothing for a permit.
    pub fn coarse(&self) -> Option<Code> {
        match self {
            Self::Permit(_) => None,
            Self::Hold(..) => Some(Code::NEEDS_RELEASE),
            Self::Deny(reasons) => Some(coarse(reasons)),
        }
    }

    /// The obligations of a permit or a hold.
    pub fn obligations(&self) -> Option<&Obligations> {
        match self {
            Self::Permit(obligations) | Self::Hold(obligations, _) => Some(obligations),
            Self::Deny(_) => None,
        }
    }
}

impl Policy {
    /// Decides whether a message may take its next step.
    ///
    /// Pure and total: the same policy, time and facts give the same decision, everywhere. It is
    /// taken by every relay, and again at every attempt to send. A permit says nothing about the
    /// next relay.
    pub fn decide(&self, now: Timestamp, facts: &Facts<'_>) -> Decision {
        match self.effective(now, facts) {
            Ok(label) => self.decide_resolved(now, facts, &label),
            Err(reasons) => Decision::Deny(reasons),
        }
    }

    /// The same for a label from [`effective`](Self::effective), which holds until the policy
    /// changes, or the label does at a planned time.
    pub fn decide_resolved(&self, now: Timestamp, facts: &Facts<'_>, label: &Label) -> Decision {
        if !facts.verified {
            return Decision::Deny(vec![Reason::Unverified]);
        }
        let Some((place, catalogue)) = self.home_of(label) else {
            return Decision::Deny(vec![LabelFault::PolicyUnknown("?".into()).into()]);
        };
        let terms = self.terms(place, facts, label);
        let mut reasons = Vec::new();
        check_handling(facts, catalogue, label, &terms, &mut reasons);
        self.check_gates(facts, catalogue, label, &mut reasons);
        check_limits(now, facts, &terms, &mut reasons);
        if !reasons.is_empty() {
            return Decision::Deny(reasons);
        }
        self.conclude(now, facts, label, &terms)
    }

    /// The catalogue that made a label, with its position.
    pub(crate) fn home_of(&self, label: &Label) -> Option<(usize, &Catalogue)> {
        self.catalogues.iter().enumerate().find(|(_, c)| c.key == label.catalogue)
    }

    /// What all rules together ask of a message with this effective label.
    pub(crate) fn terms(&self, place: usize, facts: &Facts<'_>, label: &Label) -> Terms {
        let plan = self.plans.get(place).and_then(Option::as_ref);
        plan.map_or(Terms::NEUTRAL, |plan| {
            plan.terms(label, facts.message_type, facts.origin, facts.dest)
        })
    }

    /// The rules that speak of a message with this effective label.
    pub(crate) fn matching(
        &self,
        facts: &Facts<'_>,
        label: &Label,
    ) -> impl Iterator<Item = &Compiled> {
        let place = self.catalogues.iter().position(|c| c.key == label.catalogue);
        let (label, kind, from, to) = (*label, facts.message_type, facts.origin, facts.dest);
        let under = self.rules.iter().filter(move |rule| Some(rule.catalogue) == place);
        under.filter(move |rule| rule.matches(&label, kind, from, to))
    }

    fn conclude(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        label: &Label,
        terms: &Terms,
    ) -> Decision {
        let missing = self.missing(now, facts, terms);
        if missing.is_empty() {
            return Decision::Permit(Obligations::new(*label, terms, in_transit(facts)));
        }
        if facts.at == facts.origin {
            return Decision::Hold(Obligations::new(*label, terms, in_transit(facts)), missing);
        }
        Decision::Deny(missing.into_iter().map(Reason::Missing).collect())
    }
}

/// What the rules say of the way and the form of the message.
fn check_handling(
    facts: &Facts<'_>,
    catalogue: &Catalogue,
    label: &Label,
    terms: &Terms,
    reasons: &mut Vec<Reason>,
) {
    let level = || catalogue.level(label).map(|level| Arc::clone(&level.marking));
    if terms.forbid {
        reasons.extend(level().map(Reason::Forbidden));
    }
    if !terms.covered {
        reasons.extend(level().map(Reason::NoRule));
    }
    let transit = terms.transit();
    let passes = terms.covered && in_transit(facts);
    if passes && transit == Transit::No {
        reasons.extend(level().map(Reason::TransitForbidden));
    }
    let seal = terms.seal || (passes && transit == Transit::Sealed);
    if seal && !facts.sealed {
        reasons.push(Reason::SealRequired);
    }
}

fn check_limits(now: Timestamp, facts: &Facts<'_>, terms: &Terms, reasons: &mut Vec<Reason>) {
    if facts.size > terms.max_size {
        let (size, max) = (facts.size, terms.max_size);
        reasons.push(Reason::TooBig { size, max });
    }
    let too_old = now > facts.created.after(terms.ttl);
    if too_old || facts.expires.is_some_and(|expires| now > expires) {
        reasons.push(Reason::Expired);
    }
    if passed(facts).len() > usize::from(terms.max_hops) {
        reasons.push(Reason::Hops);
    }
    if loops(facts) {
        reasons.push(Reason::Loop);
    }
    if facts.precedence > terms.precedence_max {
        reasons.push(Reason::Precedence(facts.precedence));
    }
    if facts.onward && terms.onward == Onward::Never {
        reasons.push(Reason::OnwardForbidden);
    }
}

/// True when a hub has the message, has had it, or is to have it.
pub(crate) fn in_transit(facts: &Facts<'_>) -> bool {
    let end = |node: NodeId| node == facts.origin || node == facts.dest;
    let next = facts.next.is_some_and(|next| next != facts.dest);
    let prev = facts.prev.is_some_and(|prev| prev != facts.origin);
    next || prev || !end(facts.at) || !facts.path.iter().all(|node| end(*node))
}

/// The relays that the message has passed. The last is not one of them: nothing leaves it.
pub(crate) fn passed<'a>(facts: &Facts<'a>) -> &'a [NodeId] {
    match facts.path.split_last() {
        Some((last, before)) if facts.at == facts.dest && *last == facts.at => before,
        Some(_) | None => facts.path,
    }
}

/// True when some relay is passed twice. Strangers on the path are not told apart, so they do
/// not count.
fn loops(facts: &Facts<'_>) -> bool {
    let known = |node: &NodeId| *node != NodeId::UNKNOWN;
    let returns =
        facts.next.filter(known).is_some_and(|next| next == facts.at || facts.path.contains(&next));
    let mut path = facts.path.iter().enumerate().filter(|(_, node)| known(node));
    returns || path.any(|(place, node)| facts.path.iter().skip(place + 1).any(|n| n == node))
}
