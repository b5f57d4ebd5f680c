//! A label that means something: the catalogue has read it and found it valid.

use std::{fmt, time::Duration};

use kuriiri_types::{
    Timestamp, WireLabel,
    limits::{LABEL_CATEGORIES_MAX, LABEL_VALUES_MAX, PRIVACY_MARK_BYTES_MAX},
};

use crate::{
    bits::Bits,
    catalogue::{Catalogue, TagKind},
    names::is_id,
};

/// A valid label of one catalogue. Only [`Catalogue::resolve`] and what is built on it make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    pub(crate) catalogue: u64,
    pub(crate) level: u8,
    pub(crate) values: Bits,
}

/// Why a label is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// It is being put on something new: what is obsolete, and every alias, is refused.
    Origination,
    /// It came with something that exists.
    Carriage,
}

/// The label is not one of the catalogue. Lists everything that is wrong, each kind once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid label: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct Invalid(Vec<LabelFault>);

/// One thing that is wrong with a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFault {
    /// Broken form, or a form that could be read in two ways.
    Malformed,
    /// The label is of another policy than the catalogue.
    PolicyUnknown(String),
    /// No such level.
    LevelUnknown(String),
    /// No such tag or value; it might be restrictive, so it cannot be passed over.
    CategoryUnknown(String),
    /// A foreign format states another kind of tag than the catalogue.
    TypeMismatch(String),
    /// A value that may not stand with the level.
    ExcludedLevel(String),
    /// Values that may not stand together.
    ExcludedCategory(String),
    /// A tag that the level asks for is missing.
    RequiredCategory(String),
    /// Something that is no longer put on new content.
    Obsolete(String),
    /// The planned change of the label is so near that clocks may disagree, and the two labels
    /// have no common reading.
    SuccessionUncertain,
}

impl Invalid {
    /// What is wrong, in a fixed order of kinds.
    pub fn faults(&self) -> &[LabelFault] {
        &self.0
    }

    pub(crate) fn into_faults(self) -> Vec<LabelFault> {
        self.0
    }
}

impl From<LabelFault> for Invalid {
    fn from(fault: LabelFault) -> Self {
        Self(vec![fault])
    }
}

impl LabelFault {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::PolicyUnknown(_) => "POLICY_UNKNOWN",
            Self::LevelUnknown(_) => "LEVEL_UNKNOWN",
            Self::CategoryUnknown(_) => "CATEGORY_UNKNOWN",
            Self::TypeMismatch(_) => "TYPE_MISMATCH",
            Self::ExcludedLevel(_) => "EXCLUDED_LEVEL",
            Self::ExcludedCategory(_) => "EXCLUDED_CATEGORY",
            Self::RequiredCategory(_) => "REQUIRED_CATEGORY",
            Self::Obsolete(_) => "OBSOLETE",
            Self::SuccessionUncertain => "SUCCESSION_UNCERTAIN",
        }
    }

    /// The names that it is about; empty when there are none.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Malformed | Self::SuccessionUncertain => "",
            Self::PolicyUnknown(text)
            | Self::LevelUnknown(text)
            | Self::CategoryUnknown(text)
            | Self::TypeMismatch(text)
            | Self::ExcludedLevel(text)
            | Self::ExcludedCategory(text)
            | Self::RequiredCategory(text)
            | Self::Obsolete(text) => text,
        }
    }
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        if self.subject().is_empty() {
            return Ok(());
        }
        write!(f, " {}", self.subject())
    }
}

/// The one label of an object in a format that has room for several. More than one is malformed,
/// also when they agree (RFC 2634 §3.1.1, RFC 7444 §3: zero or one).
///
/// # Errors
/// [`LabelFault::Malformed`] when there are several.
pub fn sole_label(labels: &[WireLabel]) -> Result<Option<&WireLabel>, Invalid> {
    match labels {
        [] => Ok(None),
        [label] => Ok(Some(label)),
        [_, _, ..] => Err(LabelFault::Malformed.into()),
    }
}

impl Catalogue {
    /// Reads a label: the only way from what was written to a [`Label`].
    ///
    /// When the label has a successor, the one in force at `now` is returned; `skew` is how far
    /// clocks may differ. A successor that asks less takes over only when its time has surely
    /// come, one that asks more as soon as it may have.
    ///
    /// The order of tags and values is free here: it changes no meaning. Whoever decodes signed
    /// bytes holds them against the canonical form with [`WireLabel::check`].
    ///
    /// # Errors
    /// Everything that is wrong. Malformed labels are not looked at further.
    pub fn resolve(
        &self,
        wire: &WireLabel,
        use_: Use,
        now: Timestamp,
        skew: Duration,
    ) -> Result<Label, Invalid> {
        check_form(wire)?;
        if !self.is_called(&wire.policy) {
            return Err(LabelFault::PolicyUnknown(wire.policy.clone()).into());
        }
        match &wire.succession {
            None => self.resolve_flat(wire, use_),
            Some(succession) => {
                let (at, successor) = (succession.0, &succession.1);
                let old = self.resolve_flat(wire, use_)?;
                let new = self.resolve_successor(successor, use_)?;
                self.in_force(old, at, new, now, skew)
            }
        }
    }

    /// For formats that write the kind of a tag into the label, such as ADatP-4774: the catalogue
    /// says what a tag is, and a label that claims otherwise is refused.
    ///
    /// # Errors
    /// [`LabelFault::TypeMismatch`], or [`LabelFault::CategoryUnknown`] when there is no such tag.
    pub fn check_kind(&self, tag: &str, claimed: TagKind) -> Result<(), Invalid> {
        match self.find_tag(tag) {
            Some((_, found)) if found.kind == claimed => Ok(()),
            Some(_) => Err(LabelFault::TypeMismatch(tag.into()).into()),
            None => Err(LabelFault::CategoryUnknown(tag.into()).into()),
        }
    }

    /// The label that unlabelled content gets, if the catalogue names one.
    pub fn default_label(&self) -> Option<Label> {
        let label = |level| Label { catalogue: self.key, level, values: Bits::EMPTY };
        self.default.map(label)
    }

    fn resolve_successor(&self, wire: &WireLabel, use_: Use) -> Result<Label, Invalid> {
        check_form(wire)?;
        let plain = wire.succession.is_none() && wire.review_at.is_none();
        if !plain || !self.is_called(&wire.policy) {
            return Err(LabelFault::Malformed.into());
        }
        self.resolve_flat(wire, use_)
    }

    fn resolve_flat(&self, wire: &WireLabel, use_: Use) -> Result<Label, Invalid> {
        let mut notes = Notes::default();
        let level = self.level_names.find(&wire.level);
        match level {
            None => notes.level = Some(wire.level.clone()),
            Some(found) if found.alias => notes.aliases.push(wire.level.clone()),
            Some(_) => {}
        }
        let (tags, values) = self.read_categories(wire, &mut notes)?;
        let label =
            Label { catalogue: self.key, level: level.map_or(0, |found| found.index), values };
        self.judge(label, tags, use_, notes).map(|()| label)
    }

    /// The tags and the values that the label names; a name read twice is malformed, also when
    /// the two spellings differ.
    fn read_categories(
        &self,
        wire: &WireLabel,
        notes: &mut Notes,
    ) -> Result<(Bits, Bits), Invalid> {
        let (mut tags, mut values) = (Bits::EMPTY, Bits::EMPTY);
        for category in &wire.categories {
            let Some((index, tag)) = self.find_tag(&category.tag) else {
                notes.unknown.push(category.tag.clone());
                continue;
            };
            if tags.has(index) {
                return Err(LabelFault::Malformed.into());
            }
            tags = tags.or(Bits::one(index));
            for value in &category.values {
                match tag.names.find(value) {
                    None => notes.unknown.push(format!("{}:{value}", category.tag)),
                    Some(found) if values.has(found.index) => {
                        return Err(LabelFault::Malformed.into());
                    }
                    Some(found) => {
                        values = values.or(Bits::one(found.index));
                        if found.alias {
                            notes.aliases.push(format!("{}:{value}", category.tag));
                        }
                    }
                }
            }
        }
        Ok((tags, values))
    }

    /// Holds a label that was computed, not read, against the rules of the catalogue.
    pub(crate) fn check(&self, label: Label) -> Result<Label, Invalid> {
        let with_value = (0..).zip(&self.tags);
        let tags = with_value.filter(|(_, tag)| tag.values.meets(label.values));
        let tags = tags.map(|(index, _)| index).collect();
        self.judge(label, tags, Use::Carriage, Notes::default()).map(|()| label)
    }

    fn judge(&self, label: Label, tags: Bits, use_: Use, notes: Notes) -> Result<(), Invalid> {
        let mut faults = Vec::new();
        let known = notes.level.is_none();
        faults.extend(notes.level.map(LabelFault::LevelUnknown));
        faults.extend(joined(notes.unknown, LabelFault::CategoryUnknown));
        if let Some(level) = self.level(&label).filter(|_| known) {
            let excluded = level.excluded.and(label.values);
            if !excluded.is_empty() {
                faults.extend(joined(self.written(excluded), LabelFault::ExcludedLevel));
            }
            self.judge_together(label, &mut faults);
            let missing = level.required.iter().filter(|tag| !tags.has(**tag));
            let missing = missing.filter_map(|tag| self.tags.get(usize::from(*tag)));
            let missing: Vec<String> = missing.map(|tag| tag.id.to_string()).collect();
            faults.extend(joined(missing, LabelFault::RequiredCategory));
            if use_ == Use::Origination {
                let mut obsolete = self.written(label.values.and(self.obsolete));
                obsolete.extend(level.obsolete.then(|| level.id.to_string()));
                obsolete.extend(notes.aliases);
                faults.extend(joined(obsolete, LabelFault::Obsolete));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Invalid(faults)) }
    }

    fn judge_together(&self, label: Label, faults: &mut Vec<LabelFault>) {
        let excluded = self.values(label.values).map(|value| value.excludes);
        let together = excluded.fold(Bits::EMPTY, Bits::or).and(label.values);
        if !together.is_empty() {
            faults.extend(joined(self.written(together), LabelFault::ExcludedCategory));
        }
    }
}

/// What was noticed while reading, before the label is judged.
#[derive(Default)]
struct Notes {
    level: Option<String>,
    unknown: Vec<String>,
    aliases: Vec<String>,
}

/// Names in one sentence; a label may have 256.
const NAMES_SHOWN_MAX: usize = 8;

fn joined(names: Vec<String>, fault: impl Fn(String) -> LabelFault) -> Option<LabelFault> {
    (!names.is_empty()).then(|| fault(list(names)))
}

pub(crate) fn list(mut names: Vec<String>) -> String {
    if names.len() > NAMES_SHOWN_MAX {
        names.truncate(NAMES_SHOWN_MAX);
        names.push("…".into());
    }
    names.join(", ")
}

/// The form that a label of any policy has. The order of its parts is not looked at.
pub(crate) fn check_form(wire: &WireLabel) -> Result<(), Invalid> {
    let policy = is_id(&wire.policy) || wire.policy.starts_with("urn:oid:");
    let count: usize = wire.categories.iter().map(|c| c.values.len()).sum();
    let categories = wire.categories.len() <= LABEL_CATEGORIES_MAX
        && count <= LABEL_VALUES_MAX
        && wire.categories.iter().all(|category| {
            let ids = is_id(&category.tag) && category.values.iter().all(|value| is_id(value));
            ids && !category.values.is_empty()
        });
    let sound = policy
        && is_id(&wire.level)
        && categories
        && wire.privacy_mark.len() <= PRIVACY_MARK_BYTES_MAX;
    if sound { Ok(()) } else { Err(LabelFault::Malformed.into()) }
}
