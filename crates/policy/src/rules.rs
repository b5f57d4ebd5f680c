//! Handling rules as written: who they speak of, and what they ask.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kuriiri_types::{FileKind, MessageType, Onward, Precedence, Timestamp, is_label_id};
use serde::Deserialize;
use toml::value::Datetime;

use crate::{
    error::{Flaw, PolicyError},
    file::{OneOrMany, check_format, optional_instant, read},
    merge::{ReceiptDemand, Transit},
    text::Phrase,
    trial::{Trial, Value, read_embedded},
    units::{Rate, Size, Span},
    window::Window,
};

/// Rules in one file. More: the file is refused.
pub const RULES_MAX: usize = 1024;

/// One file of handling rules: the federation's own, or a ministry's local one. The order of the
/// rules means nothing.
#[derive(Debug, Clone)]
pub struct Rules {
    serial: u64,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    pub(crate) rules: Vec<WrittenRule>,
    pub(crate) tests: Arc<[Trial]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    serial: u64,
    issued: Option<Datetime>,
    expires: Option<Datetime>,
    #[serde(default)]
    rule: Vec<WrittenRule>,
    #[serde(default)]
    test: Vec<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenRule {
    pub(crate) id: String,
    // What it speaks of: every condition that is written must hold.
    pub(crate) policy: String,
    pub(crate) level: Option<String>,
    pub(crate) levels: Option<Vec<String>>,
    pub(crate) at_least: Option<String>,
    pub(crate) has: Option<OneOrMany>,
    pub(crate) any: Option<Vec<String>>,
    pub(crate) message_type: Option<OneOrMany>,
    pub(crate) from: Option<OneOrMany>,
    pub(crate) to: Option<OneOrMany>,
    // What it asks: what is not written asks nothing.
    #[serde(default)]
    pub(crate) forbid: bool,
    pub(crate) transit: Option<Transit>,
    pub(crate) seal: Option<Seal>,
    #[serde(default)]
    pub(crate) approvals: u8,
    pub(crate) approver_role: Option<OneOrMany>,
    pub(crate) onward: Option<Onward>,
    pub(crate) max_size: Option<Size>,
    pub(crate) ttl: Option<Span>,
    pub(crate) max_hops: Option<u16>,
    pub(crate) retain_max: Option<Span>,
    pub(crate) retain_min: Option<Span>,
    pub(crate) rate: Option<Rate>,
    pub(crate) precedence_max: Option<UpTo>,
    pub(crate) receipt: Option<ReceiptDemand>,
    pub(crate) marker: Option<Phrase>,
    pub(crate) window: Option<OneOrMany>,
}

/// `true`, `false`, or `approved:<id>` for a named encryptor.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seal {
    Plain(bool),
    Approved(Approved),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Approved(pub(crate) Box<str>);

impl TryFrom<String> for Approved {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let id = text.strip_prefix("approved:").filter(|id| is_label_id(id));
        id.map(|id| Self(id.into()))
            .ok_or_else(|| format!("`{text}` is not a seal; use true, false or approved:<id>"))
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct UpTo(pub(crate) Precedence);

impl TryFrom<String> for UpTo {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl Rules {
    /// Reads a `routing-policy/1` file.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let written: Written = read(FileKind::Rules, text)?;
        check_format(FileKind::Rules, &written.format)?;
        if written.rule.len() > RULES_MAX {
            return Err(wrong("its rules", Flaw::TooMany(RULES_MAX)));
        }
        let mut ids = BTreeSet::new();
        for rule in &written.rule {
            if !ids.insert(&rule.id) {
                return Err(wrong(rule.item(), Flaw::Duplicate(rule.id.clone())));
            }
            rule.check()?;
        }
        Ok(Self {
            serial: written.serial,
            issued: optional_instant(FileKind::Rules, "issued", written.issued.as_ref())?,
            expires: optional_instant(FileKind::Rules, "expires", written.expires.as_ref())?,
            tests: read_embedded(FileKind::Rules, &written.test)?,
            rules: written.rule,
        })
    }

    /// Rises with each issue.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The shortest time that any of its rules lets a message live, counted from its making or from its
    /// arrival: no message under them ends sooner, unless its sender said so.
    pub fn shortest_life(&self) -> Duration {
        let spans = self.rules.iter().flat_map(|rule| [&rule.ttl, &rule.retain_max]);
        spans.flatten().map(|span| span.0).min().unwrap_or(Duration::MAX)
    }

    /// When this serial was issued, if the file says.
    pub fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// When a newer serial should long be in force, if the file says. Not enforced by decisions.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl Rules {
    /// Takes a rule out; tells how many had this id.
    pub(crate) fn drop_rule(&mut self, id: &str) -> usize {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        before - self.rules.len()
    }
}

impl WrittenRule {
    pub(crate) fn item(&self) -> String {
        format!("rule `{}`", self.id)
    }

    /// True when it says how a level is handled, so that the level may move at all.
    pub(crate) fn names_level(&self) -> bool {
        self.level.is_some() || self.levels.is_some() || self.at_least.is_some()
    }

    /// The message types that it speaks of, one bit each; all when it does not say.
    pub(crate) fn message_types(&self) -> Result<u8, PolicyError> {
        let Some(written) = &self.message_type else {
            return Ok(u8::MAX);
        };
        written.as_slice().iter().try_fold(0, |types, name| {
            let bit = match name.as_str() {
                "operation" => type_bit(MessageType::Operation),
                "exercise" => type_bit(MessageType::Exercise),
                "drill" => type_bit(MessageType::Drill),
                _ => return Err(wrong(self.item(), Flaw::Unknown(name.clone()))),
            };
            Ok(types | bit)
        })
    }

    pub(crate) fn windows(&self) -> Result<Vec<Window>, PolicyError> {
        let written = self.window.as_ref().map_or(&[][..], OneOrMany::as_slice);
        let parse = |text: &String| {
            let window = text.parse::<Window>();
            window.map_err(|error| wrong(self.item(), Flaw::Conflict(error.to_string())))
        };
        written.iter().map(parse).collect()
    }

    fn check(&self) -> Result<(), PolicyError> {
        if !is_label_id(&self.id) {
            return Err(wrong(self.item(), Flaw::NotAnId));
        }
        let lists = [&self.has, &self.message_type, &self.from, &self.to];
        let lists = lists.into_iter().chain([&self.window, &self.approver_role]);
        let empty = lists.flatten().any(|list| list.as_slice().is_empty());
        let vectors = [&self.levels, &self.any];
        if empty || vectors.into_iter().flatten().any(Vec::is_empty) {
            return Err(wrong(self.item(), Flaw::Empty));
        }
        if self.approver_role.is_some() && self.approvals == 0 {
            let flaw = Flaw::Conflict("approver_role needs approvals of at least 1".into());
            return Err(wrong(self.item(), flaw));
        }
        self.message_types()?;
        self.windows().map(|_| ())
    }
}

pub(crate) fn type_bit(message_type: MessageType) -> u8 {
    match message_type {
        MessageType::Operation => 1,
        MessageType::Exercise => 2,
        MessageType::Drill => 4,
    }
}

pub(crate) fn wrong(item: impl Into<String>, flaw: Flaw) -> PolicyError {
    PolicyError::content(FileKind::Rules, item, flaw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(rule: &str) -> Result<Rules, String> {
        let text = format!("format='routing-policy/1'\nserial=1\n[[rule]]\npolicy='FI'\n{rule}");
        Rules::parse(&text)
            .map_err(|error| format!("{error} {:?}", std::error::Error::source(&error)))
    }

    #[test]
    fn a_rule_that_could_be_misread_is_refused() {
        assert!(parse("id='a'\nlevel='X'\nseal='approved:box-1'\nhas=['T:V']").is_ok());
        for (rule, words) in [
            ("id='a'\nlevles=['X']", "unknown field"),
            ("id='a'\nlevels=[]", "empty"),
            ("id='a'\nany=[]", "empty"),
            ("id='a'\nto=[]", "empty"),
            ("id='a'\nseal='yes'", "cannot be read"),
            ("id='a'\ntransit='maybe'", "unknown variant"),
            ("id='a'\nmax_size='64 MB'", "not a size"),
            ("id='a'\nttl=72", "cannot be read"),
            ("id='a'\nmessage_type='war'", "`war` is not defined"),
            ("id='a'\nprecedence_max='SUPER'", "not a precedence"),
            ("id='a'\nwindow='Mon'", "not a window"),
            ("id='a'\napprover_role='chief'", "approvals"),
            ("id='ä'", "an id has"),
            ("id='a'\n[[rule]]\nid='a'\npolicy='FI'", "twice"),
        ] {
            let error = parse(rule).unwrap_err();
            assert!(error.contains(words), "{rule}\n{error}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "(?s).{0,200}", cut in 0_usize..2200) {
            let whole = include_str!("../../../tests/vectors/labels/policy.toml");
            let part: String = whole.chars().take(cut).chain(text.chars()).collect();
            let _ = Rules::parse(&part);
            let _ = Rules::parse(&text);
        }
    }
}
