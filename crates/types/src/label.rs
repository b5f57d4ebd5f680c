//! A security label as it was written: not yet known to mean anything.
//!
//! Only a catalogue can turn it into a label that a decision accepts; see `kuriiri-policy`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    limits::{LABEL_CATEGORIES_MAX, LABEL_ID_BYTES_MAX, LABEL_VALUES_MAX, PRIVACY_MARK_BYTES_MAX},
};

/// A label as the originator wrote it (RFC 2634 §3, ADatP-4774; model in `labels.md` §1.2).
///
/// Canonical: categories sorted by tag, values sorted within a tag, no tag twice, no empty list.
/// [`WireLabel::check`] holds a value against that; parsing text makes it so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WireLabel {
    /// The governing label policy: its name in the catalogue (`FI`) or its OID URN.
    pub policy: String,
    /// The level's id in that catalogue, such as `TL4`.
    pub level: String,
    /// Further divisions, one entry per tag.
    pub categories: Vec<Category>,
    /// The label that takes over at a given time, if the originator planned one.
    pub succession: Option<Box<(Timestamp, Self)>>,
    /// When the originator means to look at the label again. Warns, never decides.
    pub review_at: Option<Timestamp>,
    /// Free text for people; never part of a decision.
    pub privacy_mark: String,
}

/// All values of one tag in a label, such as `REL{PLM, SM}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Category {
    /// The kind of division, such as `REL`.
    pub tag: String,
    /// At least one value, sorted, none twice.
    pub values: Vec<String>,
}

/// The text or the value is not a well-formed label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed label: {0}; write it like `FI TL3 REL{{PLM,SM}}`")]
pub struct LabelError(&'static str);

impl WireLabel {
    /// A label with a level and no categories.
    pub fn plain(policy: &str, level: &str) -> Self {
        Self {
            policy: policy.into(),
            level: level.into(),
            categories: Vec::new(),
            succession: None,
            review_at: None,
            privacy_mark: String::new(),
        }
    }

    /// Holds the label against the canonical form and the limits.
    ///
    /// # Errors
    /// Which rule of the form is broken. The label may still mean nothing to a catalogue.
    pub fn check(&self) -> Result<(), LabelError> {
        self.check_flat()?;
        let Some(succession) = &self.succession else {
            return Ok(());
        };
        let next = &succession.1;
        if next.succession.is_some() || next.review_at.is_some() || next.policy != self.policy {
            return Err(LabelError("a successor has the same policy and no lifecycle of its own"));
        }
        next.check_flat()
    }

    fn check_flat(&self) -> Result<(), LabelError> {
        let policy = is_label_id(&self.policy) || self.policy.starts_with("urn:oid:");
        if !policy || self.policy.len() > LABEL_ID_BYTES_MAX || !is_label_id(&self.level) {
            return Err(LabelError("policy and level are ids of letters, digits and ._+/-"));
        }
        if self.privacy_mark.len() > PRIVACY_MARK_BYTES_MAX {
            return Err(LabelError("the privacy mark is too long"));
        }
        let values: usize = self.categories.iter().map(|c| c.values.len()).sum();
        if self.categories.len() > LABEL_CATEGORIES_MAX || values > LABEL_VALUES_MAX {
            return Err(LabelError("too many categories or values"));
        }
        if !self.categories.is_sorted_by(|a, b| a.tag < b.tag) {
            return Err(LabelError("tags must be sorted and none may stand twice"));
        }
        self.categories.iter().try_for_each(Category::check)
    }
}

impl Category {
    fn check(&self) -> Result<(), LabelError> {
        if self.values.is_empty() {
            return Err(LabelError("a tag without a value"));
        }
        if !self.values.is_sorted_by(|a, b| a < b) {
            return Err(LabelError("values must be sorted and none may stand twice"));
        }
        let ids = is_label_id(&self.tag) && self.values.iter().all(|v| is_label_id(v));
        ids.then_some(()).ok_or(LabelError("tags and values are ids of letters, digits and ._+/-"))
    }
}

/// Whether a text has the form of an id of a label: `[A-Za-z0-9][A-Za-z0-9 ._+/-]{0,63}`, with no space at its end,
/// which nobody would see. Every id in a catalogue has it.
pub fn is_label_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last() != Some(&b' ')
        && bytes.len() <= LABEL_ID_BYTES_MAX
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b" ._+/-".contains(b))
}

impl FromStr for WireLabel {
    type Err = LabelError;

    /// Reads `POLICY LEVEL TAG{value,value} …`. The order of tags and values is free; the result
    /// is canonical. A policy or a tag of several words stands in quotes: a policy ends at the first space, and the
    /// first tag begins after the last one, so without them two labels would read alike.
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let (policy, rest) = first_word(text.trim())
            .filter(|(_, rest)| !rest.is_empty())
            .ok_or(LabelError("a policy and a level are needed"))?;
        let (level, mut tail) = match rest.find('{') {
            None => (rest, ""),
            Some(brace) => rest.split_at(last_word(rest.split_at(brace).0)),
        };
        if level.trim().is_empty() {
            return Err(LabelError("a level is needed before the first tag"));
        }
        let mut label = Self::plain(policy, level.trim());
        while !tail.trim().is_empty() {
            let (tag, after) = tail.split_once('{').ok_or(LabelError("a tag needs {values}"))?;
            let (values, next) = after.split_once('}').ok_or(LabelError("a `}` is missing"))?;
            let apart = label.categories.is_empty() || tag.starts_with(' ');
            let word = first_word(tag.trim()).filter(|(_, rest)| rest.is_empty() && apart);
            let (tag, _) = word.ok_or(LabelError("a tag of several words stands in quotes"))?;
            let mut values: Vec<_> = values.split(',').map(|v| v.trim().to_owned()).collect();
            values.sort();
            label.categories.push(Category { tag: tag.into(), values });
            tail = next;
        }
        label.categories.sort();
        label.check()?;
        Ok(label)
    }
}

/// The word at the beginning of a text, which has several where it stands in quotes, and what follows it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').filter(|(word, _)| word.contains(' '))?,
        None => text.split_once(' ').unwrap_or((text, "")),
    };
    (!word.is_empty()).then_some((word, rest.trim()))
}

/// Where the word at the end of a text begins.
fn last_word(text: &str) -> usize {
    let quote = text.strip_suffix('"').and_then(|quoted| quoted.rfind('"'));
    quote.or_else(|| text.rfind(' ')).unwrap_or(0)
}

/// A policy or a tag in the text of a label.
struct Word<'a>(&'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains(' ') { "\"" } else { "" };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

impl fmt::Display for WireLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Word(&self.policy), self.level)?;
        for category in &self.categories {
            write!(f, " {}{{{}}}", Word(&category.tag), category.values.join(","))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_becomes_the_one_canonical_form() {
        let label: WireLabel = "FI TL3 REL{SM, PLM} COMPARTMENT{RAJA}".parse().unwrap();
        assert_eq!(label.to_string(), "FI TL3 COMPARTMENT{RAJA} REL{PLM,SM}");
        assert_eq!("FI TL4".parse::<WireLabel>().unwrap(), WireLabel::plain("FI", "TL4"));
        let spaced: WireLabel = "NATO-EX COSMIC TOP SECRET REL{A}".parse().unwrap();
        assert_eq!(spaced.level, "COSMIC TOP SECRET");
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for bad in [
            "",
            "FI",
            "FI ",
            "FI TL3 REL{}",
            "FI TL3 REL{A,A}",
            "FI TL3 REL{A} REL{B}",
            "FI TL3 REL{A",
            "FI REL{A}",
            "FI TL3 {A}",
            "FI TL3 REL",
            " ",
            "FI TL3 REL{A} x",
            "FI TÄ",
        ] {
            let parsed = bad.parse::<WireLabel>();
            assert!(parsed.is_err() || parsed.unwrap().level == "TL3 REL", "{bad}");
        }
    }

    #[test]
    fn two_labels_never_read_alike() {
        let category = |tag: &str| Category { tag: tag.into(), values: vec!["PLM".into()] };
        let with = |level: &str, tag: &str| WireLabel {
            categories: vec![category(tag)],
            ..WireLabel::plain("FI", level)
        };
        assert_eq!(with("TL4", "TOP REL").to_string(), "FI TL4 \"TOP REL\"{PLM}");
        assert_eq!(with("TL4 TOP", "REL").to_string(), "FI TL4 TOP REL{PLM}");
        assert_eq!(WireLabel::plain("FI EU", "TL4").to_string(), "\"FI EU\" TL4");
        assert_eq!(WireLabel::plain("FI", "EU TL4").to_string(), "FI EU TL4");
        let bad = [
            "FI TL4 REL{A} TOP REX{A}",
            "FI TL4 REL{A}REX{A}",
            "FI TL4 \"REL\"{A}",
            "\"FI\" TL4",
            "FI TL4 \"TOP REL\" X{A}",
        ];
        for bad in bad {
            assert!(bad.parse::<WireLabel>().is_err(), "{bad}");
        }
    }

    /// Labels of all parts that a wire can bring.
    fn any_label() -> impl Strategy<Value = WireLabel> {
        let id = || "[A-Za-z0-9 ._+/-]{1,5}";
        let values = || prop::collection::btree_set(id(), 1..3);
        let categories = prop::collection::btree_map(id(), values(), 0..3);
        (id(), id(), categories).prop_map(|(policy, level, categories)| {
            let category = |(tag, values): (String, std::collections::BTreeSet<String>)| Category {
                tag,
                values: values.into_iter().collect(),
            };
            let categories = categories.into_iter().map(category).collect();
            WireLabel { categories, ..WireLabel::plain(&policy, &level) }
        })
    }

    proptest! {
        /// Whoever reads the text of a label that came over a wire reads that label.
        #[test]
        fn a_label_that_passes_its_check_comes_back_from_its_text(label in any_label()) {
            if label.check().is_ok() {
                let text = label.to_string();
                prop_assert_eq!(text.parse::<WireLabel>(), Ok(label), "{}", text);
            }
        }

        #[test]
        fn parsing_never_panics_and_printing_comes_back(text in ".{0,80}") {
            if let Ok(label) = text.parse::<WireLabel>() {
                prop_assert_eq!(label.to_string().parse::<WireLabel>().unwrap(), label);
            }
        }
    }
}
