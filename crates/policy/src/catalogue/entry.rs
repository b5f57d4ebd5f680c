//! What stands in a catalogue: levels, tags and values.

use std::sync::Arc;

use crate::{bits::Bits, names::Names, text::Phrase};

#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) id: Box<str>,
    pub(crate) marking: Arc<Phrase>,
    pub(super) short: Option<Box<str>>,
    pub(super) colour: Option<Box<str>>,
    pub(crate) obsolete: bool,
    /// Values that may not stand with this level.
    pub(crate) excluded: Bits,
    /// Tags that must stand with this level, by position.
    pub(crate) required: Box<[u8]>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) id: Box<str>,
    pub(crate) kind: TagKind,
    pub(super) prefix: Option<Phrase>,
    pub(super) separator: Box<str>,
    pub(crate) values: Bits,
    pub(crate) names: Names,
}

#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) id: Box<str>,
    pub(super) marking: Option<Phrase>,
    pub(crate) tag: u8,
    /// Values that may not stand beside this one.
    pub(crate) excludes: Bits,
    /// The groups that this value is in, and the groups of those.
    pub(crate) groups: Bits,
}

/// What the values of a tag ask of a clearance (ADatP-4774.1 §3.11.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// The clearance must hold all values in the label.
    Restrictive,
    /// The clearance must hold at least one value in the label.
    Permissive,
    /// Nothing: the values inform people and may select handling rules.
    Informative,
}
