//! What a case expects.

use super::{
    fields::{Fields, Read, TrialFault, flag, number, rate, size, span, text, texts},
    label::GivenLabel,
    value::Value,
};
use crate::units::{bytes, span as span_text};

/// What a case says of the answer. What it does not say may be anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(super) decision: Option<String>,
    pub(super) reasons: Option<Vec<String>>,
    pub(super) level: Option<String>,
    /// Compared in canonical form.
    pub(super) label: Option<GivenLabel>,
    pub(super) text: Option<String>,
    pub(super) duties: Vec<Duty>,
}

/// One expected obligation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Duty {
    pub(super) key: String,
    /// In the words in which the answer is shown.
    pub(super) expected: String,
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

/// The expected value in the words in which the answer is shown.
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
