//! What only people can supply: releases by officers, and the originator's consent.

use kuriiri_types::{Onward, Timestamp};

use crate::{
    facts::{APPROVALS_MAX, Approval, Facts},
    merge::Terms,
    policy::Policy,
    reason::Missing,
};

impl Policy {
    /// What people have still to do before the message may leave.
    pub(crate) fn missing(&self, now: Timestamp, facts: &Facts<'_>, terms: &Terms) -> Vec<Missing> {
        let mut missing = Vec::new();
        let need = usize::from(terms.approvals);
        if need > 0 {
            let have = counted(now, facts).count();
            if have < need {
                missing.push(Missing::Approvals { have, need });
            }
            let held = |role| counted(now, facts).any(|approval| approval.roles.contains(&role));
            let roles = self.roles(terms.roles).filter(|role| !held(role));
            missing.extend(roles.map(|role| Missing::ApproverRole(role.into())));
        }
        if facts.onward && terms.onward == Onward::OriginatorConsent && !facts.consent {
            missing.push(Missing::OriginatorConsent);
        }
        missing
    }
}

/// The approvals that count, one per person: of this very content, by officers of the originating
/// node, still valid, and not by whoever wrote it.
pub(crate) fn counted<'a>(
    now: Timestamp,
    facts: &Facts<'a>,
) -> impl Iterator<Item = &'a Approval<'a>> {
    let Facts { approvals, origin, digest, drafter, .. } = *facts;
    let counts = move |approval: &Approval<'_>| {
        approval.node == origin
            && Some(approval.digest) == digest
            && approval.until.is_none_or(|until| now <= until)
            && Some(approval.officer) != drafter
    };
    let seen = approvals.iter().take(APPROVALS_MAX).enumerate();
    seen.filter(move |(place, approval)| {
        let mut earlier = approvals.iter().take(*place);
        let again = earlier.any(|other| counts(other) && other.officer == approval.officer);
        counts(approval) && !again
    })
    .map(|(_, approval)| approval)
}
