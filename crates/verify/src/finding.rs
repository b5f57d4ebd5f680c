//! What a check comes to: how much was looked at, and what was found.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use kuriiri_types::{MessageId, Ministry};
use serde::{Deserialize, Serialize};

/// Findings that are listed, of each weight; further ones are counted only. About 300 bytes each.
pub const FINDINGS_MAX: usize = 10_000;

/// Something that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The log signed its checkpoint, and enough witnesses cosigned it.
    Checkpoint,
    /// The root that was signed is that of the entries.
    Root,
    /// The files are exactly those of the tree.
    Files,
    /// The log grew out of every earlier checkpoint that is known.
    Growth,
    /// Every entry is readable, in its one encoding.
    Entries,
    /// Times and starts only go forward.
    Order,
    /// The chains of all messages between two relays have no gap.
    Channels,
    /// What the log sums up of its minutes is what its entries say.
    Heads,
    /// The headers beside the log are those that its entries name, and none is missing without leave.
    Headers,
    /// Systems of their ministries signed the messages.
    Originators,
    /// Officers signed their words.
    Approvals,
    /// Other relays' receipts are in their logs.
    Receipts,
    /// Every message that was accepted has one fate, or is open.
    Messages,
    /// Every decision follows from the rules in force.
    Decisions,
    /// The files in force are signed, and follow each other.
    SignedFiles,
    /// Checkpoints that this relay witnessed.
    Witnessing,
    /// Bodies are those that their headers commit to.
    Bodies,
    /// Entries are in the log that is named, by their proofs.
    Proofs,
    /// The two logs say the same of the same messages.
    Agreement,
}

impl Check {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Root => "root",
            Self::Files => "files",
            Self::Growth => "growth",
            Self::Entries => "entries",
            Self::Order => "order",
            Self::Channels => "channels",
            Self::Heads => "heads",
            Self::Headers => "headers",
            Self::Originators => "originators",
            Self::Approvals => "approvals",
            Self::Receipts => "receipts",
            Self::Messages => "messages",
            Self::Decisions => "decisions",
            Self::SignedFiles => "signed-files",
            Self::Witnessing => "witnessing",
            Self::Bodies => "bodies",
            Self::Proofs => "proofs",
            Self::Agreement => "agreement",
        }
    }

    /// Whether what it finds about an entry follows from entries before that.
    const fn rests_on_earlier(self) -> bool {
        match self {
            Self::Order
            | Self::Channels
            | Self::Heads
            | Self::Originators
            | Self::Approvals
            | Self::Receipts
            | Self::Decisions
            | Self::SignedFiles
            | Self::Witnessing => true,
            Self::Checkpoint
            | Self::Root
            | Self::Files
            | Self::Growth
            | Self::Entries
            | Self::Headers
            | Self::Messages
            | Self::Bodies
            | Self::Proofs
            | Self::Agreement => false,
        }
    }

    /// What is counted by it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Checkpoint => "signatures of the log and of witnesses on the checkpoint",
            Self::Root => "entries hashed to the root that was signed",
            Self::Files => "files of the log held against its tree",
            Self::Growth => "earlier checkpoints that the log must have grown out of",
            Self::Entries => "entries read in their one encoding",
            Self::Order => "times and starts that only go forward",
            Self::Channels => "links of chains between relays",
            Self::Heads => "sums of minutes made again from the entries",
            Self::Headers => "headers held against the entries that name them",
            Self::Originators => "messages held against the signatures of their systems",
            Self::Approvals => "signatures of officers",
            Self::Receipts => "receipts of other relays held against their logs",
            Self::Messages => "messages and recipients with one fate at most",
            Self::Decisions => "decisions taken again under the rules in force",
            Self::SignedFiles => "signatures and serials of files that came into force",
            Self::Witnessing => "checkpoints of others that this relay witnessed",
            Self::Bodies => "bodies held against their headers",
            Self::Proofs => "entries proved to be in their logs",
            Self::Agreement => "messages that two logs speak of",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something is wrong.
    Fault,
    /// It could not be checked: what it would be held against is not known.
    Unchecked,
    /// It is not so yet and may become so: too few witnesses have cosigned.
    NotYet,
    /// Good to know, and no fault.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// By which check.
    pub check: Check,
    /// How much it weighs.
    pub weight: Weight,
    /// The entry that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The message that it is about, if it is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub message: Option<MessageId>,
    /// Against whom it is evidence, if against anybody.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub against: Option<Ministry>,
    /// In words.
    pub what: String,
    /// The evidence file that was written about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// It would not be so if the log had another entry somewhere.
    #[serde(skip)]
    pub(crate) needs_all: bool,
}

pub(crate) fn as_text<T: fmt::Display, S: serde::Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

impl Finding {
    /// Something wrong.
    pub fn fault(check: Check, what: impl Into<String>) -> Self {
        Self::new(check, Weight::Fault, what)
    }

    /// Something that could not be checked.
    pub fn unchecked(check: Check, what: impl Into<String>) -> Self {
        Self::new(check, Weight::Unchecked, what)
    }

    /// Something that is not so yet.
    pub fn not_yet(check: Check, what: impl Into<String>) -> Self {
        Self::new(check, Weight::NotYet, what)
    }

    /// Something good to know.
    pub fn note(check: Check, what: impl Into<String>) -> Self {
        Self::new(check, Weight::Note, what)
    }

    fn new(check: Check, weight: Weight, what: impl Into<String>) -> Self {
        let (entry, message, against, evidence) = (None, None, None, None);
        let needs_all = false;
        Self { check, weight, entry, message, against, what: what.into(), evidence, needs_all }
    }

    /// The same as something that is so only if no entry is missing.
    #[must_use]
    pub(crate) fn needing_all(mut self) -> Self {
        self.needs_all = true;
        self
    }

    /// The same of a copy that lacks entries from this one on.
    fn of_a_copy_that_lacks(mut self, first: u64) -> Self {
        let rests = self.check.rests_on_earlier() && self.entry.is_none_or(|entry| entry > first);
        if self.weight == Weight::Fault && (rests || self.needs_all) {
            (self.weight, self.against) = (Weight::Unchecked, None);
            self.what.push_str("; entries that this copy lacks may explain it");
        }
        self
    }

    /// The same about an entry.
    #[must_use]
    pub fn at(mut self, entry: u64) -> Self {
        self.entry = Some(entry);
        self
    }

    /// The same about a message.
    #[must_use]
    pub fn of(mut self, message: impl Into<Option<MessageId>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same as evidence against a ministry.
    #[must_use]
    pub fn against(mut self, ministry: &Ministry) -> Self {
        self.against = Some(ministry.clone());
        self
    }
}

/// One line for people.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.check)?;
        if let Some(entry) = self.entry {
            write!(f, " @{entry}")?;
        }
        if let Some(message) = self.message {
            write!(f, " {message}")?;
        }
        write!(f, ": {}", printable(&self.what))?;
        if let Some(against) = &self.against {
            write!(f, " [against {against}]")?;
        }
        if let Some(evidence) = &self.evidence {
            write!(f, " [evidence {}]", printable(evidence))?;
        }
        Ok(())
    }
}

/// The text with its control characters, and those that turn the direction of writing, escaped: what
/// others wrote must not move a terminal's cursor. Line breaks are such characters too.
pub fn printable(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// What one check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// How many things were looked at.
    pub done: u64,
    /// How many were wrong.
    pub faults: u64,
    /// How many could not be checked.
    pub unchecked: u64,
    /// How many are not so yet.
    pub not_yet: u64,
    /// How many were good to know.
    pub notes: u64,
}

/// The first entry that a copy of a log lacks, if it lacks any; known to all who check that copy.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstMissing(Arc<OnceLock<u64>>);

impl FirstMissing {
    /// This entry is missing, and any before it that was is known.
    pub(crate) fn tell(&self, entry: u64) {
        self.0.get_or_init(|| entry);
    }
}

/// All that was found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    tallies: BTreeMap<Check, Tally>,
    listed: Vec<Finding>,
    missing: FirstMissing,
}

impl Findings {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet of a copy that may lack entries: what these may explain is no fault.
    pub(crate) fn of_a_copy(missing: &FirstMissing) -> Self {
        Self { missing: missing.clone(), ..Self::default() }
    }

    /// Says that a check was made, whatever it comes to.
    pub fn begin(&mut self, check: Check) {
        self.tallies.entry(check).or_default();
    }

    /// Counts things that were looked at.
    pub fn done(&mut self, check: Check, count: u64) {
        self.tallies.entry(check).or_default().done += count;
    }

    /// Adds what was found. Beyond [`FINDINGS_MAX`] of a weight it is only counted.
    pub fn add(&mut self, finding: Finding) {
        let finding = match self.missing.0.get() {
            Some(first) => finding.of_a_copy_that_lacks(*first),
            None => finding,
        };
        let tally = self.tallies.entry(finding.check).or_default();
        match finding.weight {
            Weight::Fault => tally.faults += 1,
            Weight::Unchecked => tally.unchecked += 1,
            Weight::NotYet => tally.not_yet += 1,
            Weight::Note => tally.notes += 1,
        }
        if self.count(finding.weight) <= FINDINGS_MAX as u64 {
            self.listed.push(finding);
        }
    }

    /// Adds all that somebody else found.
    pub fn merge(&mut self, other: Self) {
        for (check, tally) in other.tallies {
            let own = self.tallies.entry(check).or_default();
            own.done += tally.done;
            own.faults += tally.faults;
            own.unchecked += tally.unchecked;
            own.not_yet += tally.not_yet;
            own.notes += tally.notes;
        }
        self.listed.extend(other.listed);
        self.listed.truncate(4 * FINDINGS_MAX);
    }

    /// How many findings of a weight there are, listed or not.
    pub fn count(&self, weight: Weight) -> u64 {
        let of = |tally: &Tally| match weight {
            Weight::Fault => tally.faults,
            Weight::Unchecked => tally.unchecked,
            Weight::NotYet => tally.not_yet,
            Weight::Note => tally.notes,
        };
        self.tallies.values().map(of).sum()
    }

    /// Each check that was made, with what it came to.
    pub fn tallies(&self) -> &BTreeMap<Check, Tally> {
        &self.tallies
    }

    /// The findings, worst first, then by check and entry.
    pub fn listed(&self) -> Vec<&Finding> {
        let mut listed: Vec<&Finding> = self.listed.iter().collect();
        listed.sort_by_key(|finding| (finding.weight, finding.check, finding.entry));
        listed
    }

    /// The findings as they came, to be completed.
    pub(crate) fn listed_mut(&mut self) -> &mut Vec<Finding> {
        &mut self.listed
    }

    /// Whether a check found a fault.
    pub fn has(&self, check: Check) -> bool {
        self.tallies.get(&check).is_some_and(|tally| tally.faults > 0)
    }

    /// What a program says with its exit: 0 for all good, 1 for a fault, 2 for what could not be
    /// checked or is not so yet.
    pub fn exit(&self) -> u8 {
        if self.count(Weight::Fault) > 0 {
            1
        } else if self.count(Weight::Unchecked) + self.count(Weight::NotYet) > 0 {
            2
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_how_a_program_exits() {
        let mut findings = Findings::new();
        findings.done(Check::Root, 3);
        findings.add(Finding::note(Check::Files, "more"));
        assert_eq!(findings.exit(), 0);
        let mut waiting = findings.clone();
        waiting.add(Finding::not_yet(Check::Checkpoint, "too few witnesses"));
        assert_eq!(waiting.exit(), 2);
        findings.add(Finding::unchecked(Check::Decisions, "no rules"));
        assert_eq!(findings.exit(), 2);
        findings.add(Finding::fault(Check::Root, "other").at(7));
        assert_eq!(findings.exit(), 1);
        assert_eq!(findings.listed()[0].to_string(), "root @7: other");
        assert!(findings.has(Check::Root) && !findings.has(Check::Files));
    }

    #[test]
    fn what_others_wrote_does_not_steer_a_terminal() {
        let finding = Finding::fault(Check::Files, "tile/\u{1b}[2J\n\u{202e}ä");
        assert_eq!(finding.to_string(), "files: tile/\\u{1b}[2J\\u{a}\\u{202e}ä");
    }

    #[test]
    fn there_is_an_end_to_what_is_listed_and_none_to_what_is_counted() {
        let mut findings = Findings::new();
        let count = FINDINGS_MAX + 5;
        (0..count).for_each(|_| findings.add(Finding::fault(Check::Order, "back")));
        assert_eq!(findings.listed().len(), FINDINGS_MAX);
        assert_eq!(findings.count(Weight::Fault), count as u64);
    }
}
