//! A label that means something: the catalogue has read it and found it valid.

use std::fmt;

use kuriiri_types::{
    WireLabel, is_label_id,
    limits::{LABEL_CATEGORIES_MAX, LABEL_VALUES_MAX, PRIVACY_MARK_BYTES_MAX},
};

use crate::bits::Bits;

/// A valid label of one catalogue. Only [`Catalogue::resolve`](crate::Catalogue::resolve) and what
/// is built on it make one.
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

    /// An error of everything that was found, if anything was.
    pub(crate) fn unless_empty(faults: Vec<LabelFault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
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

/// Names in one sentence; a label may have 256.
const NAMES_SHOWN_MAX: usize = 8;

pub(crate) fn list(mut names: Vec<String>) -> String {
    if names.len() > NAMES_SHOWN_MAX {
        names.truncate(NAMES_SHOWN_MAX);
        names.push("…".into());
    }
    names.join(", ")
}

/// The form that a label of any policy has. The order of its parts is not looked at.
pub(crate) fn check_form(wire: &WireLabel) -> Result<(), Invalid> {
    let policy = is_label_id(&wire.policy) || wire.policy.starts_with("urn:oid:");
    let count: usize = wire.categories.iter().map(|c| c.values.len()).sum();
    let categories = wire.categories.len() <= LABEL_CATEGORIES_MAX
        && count <= LABEL_VALUES_MAX
        && wire.categories.iter().all(|category| {
            let ids = is_label_id(&category.tag)
                && category.values.iter().all(|value| is_label_id(value));
            ids && !category.values.is_empty()
        });
    let sound = policy
        && is_label_id(&wire.level)
        && categories
        && wire.privacy_mark.len() <= PRIVACY_MARK_BYTES_MAX;
    if sound { Ok(()) } else { Err(LabelFault::Malformed.into()) }
}
