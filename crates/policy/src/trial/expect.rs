//! What a case expects, and how that is held against the answer.

use super::{
    Answer, Difference, TrialFault, Value,
    fields::{Fields, Read, flag, number, rate, size, span, text, texts},
    label::GivenLabel,
};
use crate::{
    report::Duties,
    units::{bytes, span as span_text},
};

/// What a case says of the answer. What it does not say may be anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    decision: Option<String>,
    reasons: Option<Vec<String>>,
    level: Option<String>,
    /// Compared in canonical form.
    label: Option<GivenLabel>,
    text: Option<String>,
    duties: Vec<Duty>,
}

/// One expected obligation.
#[derive(Debug, Clone, PartialEq)]
struct Duty {
    key: String,
    /// In the words of [`shown`].
    expected: String,
}

impl Expected {
    pub(crate) fn read(at: &str, value: &Value) -> Read<Self> {
        if let Value::Text(word) = value {
            let decision = Some(decision(at, word)?);
            return Ok(Self { decision, ..Self::default() });
        }
        let mut fields = Fields::of(at, value)?;
        let expected = Self::read_fields(&mut fields)?;
        fields.done()?;
        if expected.is_empty() {
            return Err(TrialFault::new(at, "expects nothing, so it would always hold"));
        }
        Ok(expected)
    }

    /// The short form: `expect` and `reasons` stand beside the inputs, which are given back.
    pub(crate) fn read_short(mut fields: Fields<'_>) -> Read<(Fields<'_>, Self)> {
        let at = fields.at("expect");
        let value = fields.need("expect")?;
        let mut expected = Self::read(&at, value)?;
        if fields.has("reasons") {
            if expected.reasons.is_some() {
                return Err(fields.fault("reasons", "stands twice"));
            }
            expected.reasons = Some(fields.texts(&["reasons"])?);
        }
        if fields.has("obligations") {
            expected.duties.extend(read_duties(&mut fields)?);
        }
        let level = fields.text(&["level"])?;
        expected.level = expected.level.or(level);
        Ok((fields, expected))
    }

    fn read_fields(fields: &mut Fields<'_>) -> Read<Self> {
        let at = fields.at("decision");
        let word = fields.text(&["decision"])?;
        let label = fields.take("label");
        let label = label.map(|value| GivenLabel::read(&fields.at("label"), value, ""));
        let reasons = fields.has("reasons").then(|| fields.texts(&["reasons"]));
        let expected = Self {
            decision: word.map(|word| decision(&at, &word)).transpose()?,
            reasons: reasons.transpose()?,
            level: fields.text(&["level", "effective_level"])?,
            label: label.transpose()?,
            text: fields.text(&["text", "marking"])?,
            duties: read_duties(fields)?,
        };
        Ok(expected)
    }

    fn is_empty(&self) -> bool {
        let texts = [&self.decision, &self.level, &self.text].into_iter().all(Option::is_none);
        texts && self.reasons.is_none() && self.label.is_none() && self.duties.is_empty()
    }

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

/// The words that a decision or an acceptance can be.
const DECISIONS: [&str; 12] = [
    "PERMIT",
    "HOLD",
    "DENY",
    "ACCEPT",
    "UNCHANGED",
    "SIGNATURE",
    "ROLLBACK",
    "EQUIVOCATION",
    "EXPIRED",
    "LINT",
    "TESTS",
    "SECOND_SIGNATURE",
];

fn decision(at: &str, word: &str) -> Read<String> {
    let capitals = word.to_ascii_uppercase();
    if DECISIONS.contains(&capitals.as_str()) {
        return Ok(capitals);
    }
    Err(TrialFault::new(at, format!("`{word}` is not one of {}", DECISIONS.join(", "))))
}

// === obligations ===

fn read_duties(fields: &mut Fields<'_>) -> Read<Vec<Duty>> {
    let Some(value) = fields.take("obligations") else {
        return Ok(Vec::new());
    };
    let at = fields.at("obligations");
    let Value::Map(map) = value else {
        return Err(TrialFault::new(at, format!("a table, not {}", value.kind())));
    };
    let read = |(key, value): (&String, &Value)| {
        let expected = read_duty(&format!("{at}.{key}"), key, value)?;
        Ok(Duty { key: key.clone(), expected })
    };
    map.iter().map(read).collect()
}

/// The expected value in the words of [`shown`].
fn read_duty(at: &str, key: &str, value: &Value) -> Read<String> {
    let absent = *value == Value::Null;
    let none = || Ok("none".to_owned());
    match key {
        "max_size" | "ttl" | "retain_max" | "retain_min" | "rate" | "rate_per_hour"
        | "seal_system"
            if absent =>
        {
            none()
        }
        "seal" => {
            let flag = || flag(at, value).map(|flag| flag.to_string());
            text(at, value).or_else(|_| flag())
        }
        "direct_only" => Ok(flag(at, value)?.to_string()),
        "seal_system" | "onward" | "receipt" => text(at, value),
        "precedence_max" => Ok(text(at, value)?.to_ascii_uppercase()),
        "max_size" => Ok(bytes(size(at, value)?)),
        "ttl" | "retain_max" | "retain_min" => Ok(span_text(span(at, value)?.as_secs())),
        "max_hops" | "approvals" => Ok(number::<u64>(at, value)?.to_string()),
        "rate" | "rate_per_hour" => Ok(rate(at, value)?.to_string()),
        "markers" | "marker" => {
            let mut rules = texts(at, value)?;
            rules.sort();
            Ok(rules.join(", "))
        }
        "approver_roles" | "approver_role" => {
            let mut roles = texts(at, value)?;
            roles.sort();
            Ok(roles.join(", "))
        }
        _ => Err(TrialFault::new(at, "is not an obligation that can be tested here")),
    }
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
