//! What differs between two policies, as people and programs are told.

use serde::Serialize;

/// Combinations that are compared at most: about a second. Beyond it the comparison is given up
/// as incomplete and counts as widening.
pub const DIFF_WORK_MAX: u64 = 50_000_000;
/// Labels named in one change; the others are counted.
pub const DIFF_LABELS_MAX: usize = 8;
/// Changes listed; further ones are counted.
pub const DIFF_CHANGES_MAX: usize = 4096;

/// Everything that differs between two policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyDiff {
    /// The new policy permits something that the old one denies or holds, or asks less of
    /// something. Also true when that cannot be ruled out.
    pub widens: bool,
    /// Everything was compared. False only for policies too large for [`DIFF_WORK_MAX`].
    pub complete: bool,
    /// What decisions on messages come out differently.
    pub changes: Vec<Change>,
    /// Changes beyond [`DIFF_CHANGES_MAX`]: not listed, and counted in `widens`.
    pub changes_left_out: usize,
    /// What else changes.
    pub notes: Vec<Note>,
}

/// One difference for a set of messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What happens to them.
    pub kind: ChangeKind,
    /// It permits more, or asks less of anything.
    pub widens: bool,
    /// The label policy.
    pub policy: String,
    /// The level, as it is spelt in a label.
    pub level: String,
    /// The labels: the level with these values, and those that have more values and are treated
    /// alike. `KIDE|RAJA` means either. `[]` is the level alone.
    pub labels: Vec<Vec<String>>,
    /// How many kinds of labels are meant, those with more values included.
    pub label_kinds: usize,
    /// Ids of the nodes that send.
    pub from: Vec<String>,
    /// Ids of the nodes that receive.
    pub to: Vec<String>,
    /// The hub on the way; none for the direct way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// `sealed`, `clear`, or both.
    pub forms: Vec<&'static str>,
    /// The message types; all three when the type does not matter.
    pub types: Vec<&'static str>,
    /// What is asked differently; empty for what is newly permitted or denied.
    pub fields: Vec<FieldChange>,
}

/// What happens to the messages of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// They were denied whatever people did, and may now go, or wait for people.
    NewlyPermitted,
    /// They could go, and are now denied.
    NewlyDenied,
    /// They may go as before; what is asked of them differs.
    Obligations,
}

/// One term that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FieldChange {
    /// The field of the rules, such as `max_size`; `origination` for whether a new message may
    /// have the label at all.
    pub field: &'static str,
    /// What the old policy asks.
    pub old: String,
    /// What the new one asks.
    pub new: String,
    /// The new one asks less in some respect.
    pub looser: bool,
}

/// A change that is told by itself and not by the messages that it touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// It permits more, or it cannot be ruled out that it does.
    pub widens: bool,
    /// What changes, in English, with the names of the files.
    pub text: String,
}

impl PolicyDiff {
    /// True when nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.notes.is_empty() && self.complete
    }

    /// What may go that could not.
    pub fn newly_permitted(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::NewlyPermitted)
    }

    /// What may no longer go.
    pub fn newly_denied(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::NewlyDenied)
    }

    /// Of what something else is asked.
    pub fn changed_obligations(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::Obligations)
    }
}
