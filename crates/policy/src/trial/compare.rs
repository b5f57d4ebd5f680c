//! What a case expects, held against the answer.

use super::{
    answer::{Answer, Difference},
    expect::{Duty, Expected},
    label::GivenLabel,
};
use crate::{
    report::Duties,
    units::{bytes, span as span_text},
};

impl Expected {
    /// Everything in which the answer is not the expected one.
    pub(crate) fn differences(&self, got: &Answer) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut compare = |field: &str, expected: String, got: String| {
            if expected != got {
                differences.push(Difference { field: field.into(), expected, got });
            }
        };
        let none = || "nothing".to_owned();
        if let Some(decision) = &self.decision {
            compare("decision", decision.clone(), got.decision.clone().unwrap_or_else(none));
        }
        if let Some(reasons) = &self.reasons {
            compare("reasons", reasons.join(", "), got.reasons.join(", "));
        }
        if let Some(level) = &self.level {
            compare("level", level.clone(), got.level.clone().unwrap_or_else(none));
        }
        if let Some(label) = &self.label {
            compare("label", canonical(label, got), got.label.clone().unwrap_or_else(none));
        }
        if let Some(text) = &self.text {
            compare("text", text.clone(), got.text.clone().unwrap_or_else(none));
        }
        for duty in &self.duties {
            let shown = got.obligations.as_ref().map_or_else(none, |d| shown(d, duty));
            compare(&format!("obligations.{}", duty.key), duty.expected.clone(), shown);
        }
        differences
    }
}

/// The expected label as the catalogue would write it, under the policy's name in the answer when
/// the case does not name it.
fn canonical(label: &GivenLabel, got: &Answer) -> String {
    let mut wire = label.wire.clone();
    if wire.policy.is_empty() {
        let policy = got.label.as_deref().and_then(|text| text.split_once(' '));
        wire.policy = policy.map_or("", |(policy, _)| policy).into();
    }
    for category in &mut wire.categories {
        category.values.sort();
    }
    wire.categories.sort();
    wire.to_string()
}

/// One obligation as text; `none` where nothing is asked.
fn shown(duties: &Duties, duty: &Duty) -> String {
    let none = || "none".to_owned();
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts.join(", ")
    };
    match duty.key.as_str() {
        "seal" => match &duties.seal_system {
            Some(system) if duty.expected != "true" => format!("approved:{system}"),
            Some(_) | None => duties.seal.to_string(),
        },
        "direct_only" => duties.direct_only.to_string(),
        "seal_system" => duties.seal_system.clone().unwrap_or_else(none),
        "onward" => duties.onward.as_str().into(),
        "receipt" => duties.receipt.as_str().into(),
        "precedence_max" => duties.precedence_max.into(),
        "max_size" => duties.max_size.map_or_else(none, bytes),
        "ttl" => duties.ttl_s.map_or_else(none, span_text),
        "retain_max" => duties.retain_max_s.map_or_else(none, span_text),
        "retain_min" => duties.retain_min_s.map_or_else(none, span_text),
        "max_hops" => duties.max_hops.to_string(),
        "approvals" => duties.approvals.to_string(),
        "rate" | "rate_per_hour" => duties.rate_per_hour.map_or_else(none, |rate| rate.to_string()),
        "markers" | "marker" => sorted(duties.markers.iter().map(|m| m.rule.clone()).collect()),
        "approver_roles" | "approver_role" => sorted(duties.approver_roles.clone()),
        _ => none(),
    }
}
