//! Reading the fields of one table, each by its name, until none is left unread.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a field must not be is everything that it may not be, now and later"
)]

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use kuriiri_types::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::value::Value;
use crate::units::{Rate, Size, Span};

/// A field of a test case that is not understood. Such a case neither holds nor fails: it says
/// nothing until it is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialFault {
    field: String,
    what: String,
}

impl TrialFault {
    pub(crate) fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into() }
    }

    /// The way to the field, such as `in.approvals[1].until`; empty for the case as a whole.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for TrialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.what),
            field => write!(f, "`{field}`: {}", self.what),
        }
    }
}

impl std::error::Error for TrialFault {}

pub(crate) type Read<T> = Result<T, TrialFault>;

/// The fields of one table that are not read yet.
pub(crate) struct Fields<'a> {
    path: String,
    map: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(path: impl Into<String>, value: &'a Value) -> Read<Self> {
        let path = path.into();
        match value {
            Value::Map(map) => {
                let given = map.iter().filter(|(_, value)| **value != Value::Null);
                Ok(Self { path, map: given.map(|(key, value)| (key.as_str(), value)).collect() })
            }
            other => Err(TrialFault::new(path, format!("a table, not {}", other.kind()))),
        }
    }

    /// The way to a field of this table.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn fault(&self, key: &str, what: impl Into<String>) -> TrialFault {
        TrialFault::new(self.at(key), what)
    }

    /// The value under the first of these names that stands here. Two of them at once are a fault:
    /// they could say two things.
    pub(crate) fn take_any(&mut self, keys: &[&str]) -> Read<Option<(String, &'a Value)>> {
        let mut found: Option<(String, &'a Value)> = None;
        for key in keys {
            if let Some(value) = self.map.remove(*key) {
                if let Some((other, _)) = &found {
                    let what = format!("says the same as `{other}`; write one of them");
                    return Err(self.fault(key, what));
                }
                found = Some((self.at(key), value));
            }
        }
        Ok(found)
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.map.remove(key)
    }

    pub(crate) fn need(&mut self, key: &str) -> Read<&'a Value> {
        self.take(key).ok_or_else(|| self.fault(key, "is missing"))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn text(&mut self, keys: &[&str]) -> Read<Option<String>> {
        self.take_any(keys)?.map(|(at, value)| text(&at, value)).transpose()
    }

    pub(crate) fn need_text(&mut self, keys: &[&str]) -> Read<String> {
        let first = keys.first().copied().unwrap_or("");
        self.text(keys)?.ok_or_else(|| self.fault(first, "is missing"))
    }

    pub(crate) fn flag(&mut self, keys: &[&str], otherwise: bool) -> Read<bool> {
        self.take_any(keys)?.map_or(Ok(otherwise), |(at, value)| flag(&at, value))
    }

    pub(crate) fn instant(&mut self, keys: &[&str]) -> Read<Option<Timestamp>> {
        self.take_any(keys)?.map(|(at, value)| instant(&at, value)).transpose()
    }

    pub(crate) fn number<T: TryFrom<i128>>(&mut self, keys: &[&str]) -> Read<Option<T>> {
        self.take_any(keys)?.map(|(at, value)| number(&at, value)).transpose()
    }

    pub(crate) fn size(&mut self, keys: &[&str]) -> Read<Option<u64>> {
        self.take_any(keys)?.map(|(at, value)| size(&at, value)).transpose()
    }

    pub(crate) fn span(&mut self, keys: &[&str]) -> Read<Option<Duration>> {
        self.take_any(keys)?.map(|(at, value)| span(&at, value)).transpose()
    }

    pub(crate) fn texts(&mut self, keys: &[&str]) -> Read<Vec<String>> {
        self.take_any(keys)?.map_or_else(|| Ok(Vec::new()), |(at, value)| texts(&at, value))
    }

    pub(crate) fn word<T: FromStr<Err = String>>(&mut self, keys: &[&str]) -> Read<Option<T>> {
        let found = self.take_any(keys)?;
        found.map(|(at, value)| word(&at, value)).transpose()
    }

    /// Fails when a field was not read: it would be ignored, and a test must not hold by accident.
    pub(crate) fn done(self) -> Read<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(key) => Err(self.fault(key, "is not understood here")),
        }
    }
}

// === single values ===

fn unlike(at: &str, wanted: &str, value: &Value) -> TrialFault {
    TrialFault::new(at, format!("{wanted}, not {}", value.kind()))
}

pub(crate) fn text(at: &str, value: &Value) -> Read<String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => Err(unlike(at, "a text", other)),
    }
}

pub(crate) fn flag(at: &str, value: &Value) -> Read<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        other => Err(unlike(at, "true or false", other)),
    }
}

pub(crate) fn number<T: TryFrom<i128>>(at: &str, value: &Value) -> Read<T> {
    match value {
        Value::Int(number) => T::try_from(*number)
            .map_err(|_| TrialFault::new(at, format!("{number} is out of range"))),
        other => Err(unlike(at, "a whole number", other)),
    }
}

/// A time: seconds since 1970 as in the vectors, or RFC 3339.
pub(crate) fn instant(at: &str, value: &Value) -> Read<Timestamp> {
    match value {
        Value::Text(text) => OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
            .map(Timestamp::from_millis)
            .ok_or_else(|| TrialFault::new(at, format!("`{text}` is not a time with a zone"))),
        Value::Int(_) => {
            let seconds: i64 = number(at, value)?;
            Ok(Timestamp::from_millis(seconds.saturating_mul(1000)))
        }
        other => Err(unlike(at, "a time", other)),
    }
}

/// Bytes: a number, or as in the rules.
pub(crate) fn size(at: &str, value: &Value) -> Read<u64> {
    match value {
        Value::Text(text) => {
            let size = Size::try_from(text.clone());
            size.map(|size| size.0).map_err(|what| TrialFault::new(at, what))
        }
        other => number(at, other),
    }
}

/// A length of time: seconds, or as in the rules.
pub(crate) fn span(at: &str, value: &Value) -> Read<Duration> {
    match value {
        Value::Text(text) => {
            let span = Span::try_from(text.clone());
            span.map(|span| span.0).map_err(|what| TrialFault::new(at, what))
        }
        other => number(at, other).map(Duration::from_secs),
    }
}

/// Messages per hour: a number, or as in the rules.
pub(crate) fn rate(at: &str, value: &Value) -> Read<u64> {
    match value {
        Value::Text(text) => {
            let rate = Rate::try_from(text.clone());
            rate.map(|rate| rate.0).map_err(|what| TrialFault::new(at, what))
        }
        other => number(at, other),
    }
}

/// One text or a list of them.
pub(crate) fn texts(at: &str, value: &Value) -> Read<Vec<String>> {
    match value {
        Value::Text(text) => Ok(vec![text.clone()]),
        Value::List(list) => each(at, list, text),
        other => Err(unlike(at, "a list of texts", other)),
    }
}

pub(crate) fn word<T: FromStr<Err = String>>(at: &str, value: &Value) -> Read<T> {
    text(at, value)?.parse().map_err(|what: String| TrialFault::new(at, what))
}

pub(crate) fn list<'a>(at: &str, value: &'a Value) -> Read<&'a [Value]> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(unlike(at, "a list", other)),
    }
}

/// Reads each entry of a list; an error names its place.
pub(crate) fn each<T>(
    at: &str,
    list: &[Value],
    read: impl Fn(&str, &Value) -> Read<T>,
) -> Read<Vec<T>> {
    list.iter().enumerate().map(|(place, value)| read(&format!("{at}[{place}]"), value)).collect()
}
