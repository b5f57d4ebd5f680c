//! What the cases of a run touched, so that what they never touch can be seen.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::Policy;

/// How often each rule matched and each reason was given, over all cases of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Coverage {
    /// By the id of the rule, every rule of the policy; zero for one that no case matches.
    pub rules: BTreeMap<String, u32>,
    /// By the code without its subject: `next:RESTRICTIVE` stands for `next:RESTRICTIVE:REL`, and
    /// `APPROVALS` for `APPROVALS:0/1`. Zero for a code that a policy can give and no case got.
    pub reasons: BTreeMap<String, u32>,
}

/// What a decision can say, as counted here.
const CODES: [&str; 30] = [
    "UNVERIFIED",
    "UNLABELLED",
    "MALFORMED",
    "POLICY_UNKNOWN",
    "LEVEL_UNKNOWN",
    "CATEGORY_UNKNOWN",
    "TYPE_MISMATCH",
    "EXCLUDED_LEVEL",
    "EXCLUDED_CATEGORY",
    "REQUIRED_CATEGORY",
    "OBSOLETE",
    "SUCCESSION_UNCERTAIN",
    "NO_EQUIVALENCE",
    "TRANSLATION_REFUSED",
    "ALTERNATIVE_DISAGREES",
    "FORBIDDEN",
    "NO_RULE",
    "TRANSIT_FORBIDDEN",
    "SEAL_REQUIRED",
    "UNKNOWN_NODE",
    "TOO_BIG",
    "EXPIRED",
    "HOPS",
    "LOOP",
    "PRECEDENCE",
    "ONWARD_FORBIDDEN",
    "APPROVALS",
    "APPROVER_ROLE",
    "ORIGINATOR_CONSENT",
    "next:NOT_TRANSIT",
];
/// Gates and what can be lacking there.
const GATES: [&str; 4] = ["origin", "prev", "next", "dest"];
const LACKS: [&str; 4] = ["NO_CLEARANCE", "LEVEL", "RESTRICTIVE", "PERMISSIVE"];

impl Coverage {
    pub(crate) fn of(policy: &Policy) -> Self {
        let rules = policy.rules.iter().map(|rule| (rule.id().to_owned(), 0));
        let gates = GATES.iter().flat_map(|g| LACKS.iter().map(move |l| format!("{g}:{l}")));
        let codes = CODES.iter().map(|code| (*code).to_owned());
        Self { rules: rules.collect(), reasons: codes.chain(gates).map(|code| (code, 0)).collect() }
    }

    pub(crate) fn note_rule(&mut self, id: &str) {
        if let Some(count) = self.rules.get_mut(id) {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn note_reason(&mut self, code: &str) {
        let count = self.reasons.entry(family(code).into()).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Rules that no case matched.
    pub fn untouched_rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter(|(_, count)| **count == 0).map(|(id, _)| id.as_str())
    }

    /// Reason codes that no case got.
    pub fn untouched_reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().filter(|(_, count)| **count == 0).map(|(code, _)| code.as_str())
    }
}

/// The code without its subject.
fn family(code: &str) -> &str {
    let gate = code.split_once(':').filter(|(gate, _)| GATES.contains(gate) || *gate == "self");
    let (skip, rest) = gate.map_or((0, code), |(gate, rest)| (gate.len() + 1, rest));
    let end = rest.find(':').map_or(code.len(), |colon| skip + colon);
    code.get(..end).unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn a_code_is_counted_without_its_subject() {
        assert_eq!(family("next:RESTRICTIVE:REL"), "next:RESTRICTIVE");
        assert_eq!(family("APPROVALS:0/1"), "APPROVALS");
        assert_eq!(family("next:LEVEL"), "next:LEVEL");
        assert_eq!(family("NO_RULE"), "NO_RULE");
    }
}
