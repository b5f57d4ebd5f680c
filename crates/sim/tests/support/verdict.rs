//! What may be said of relays that are honest, and whether more was said.

use std::collections::BTreeMap;

use kuriiri_verify::{Check, ClaimKind, Findings, MessageBundle, Weight};

/// In which cases something may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Ever,
    /// A log was copied before another one that it is held against.
    Partial,
    /// A file of a copy is lost or changed.
    Damaged,
    /// Clocks were so wrong that relays refused what others made.
    FarApart,
    /// A relay lost its state, and has two logs.
    Renewed,
}

/// What of honest logs cannot be checked, in words that are in the finding, and when. Of two that were
/// copied in the end, by clocks that were more or less right, all can be checked.
const UNCHECKED: &[(When, &str)] = &[
    (
        When::Ever,
        "was pruned or erased, as the logs say; so the decisions on it were not taken again",
    ),
    (When::Partial, "for entries beyond the end of its log as it was given"),
    (When::Partial, "has not one of them and ends too early to say that they were omitted"),
    (When::Partial, "unless this is an older copy of it"),
    (When::Renewed, "which goes on from it; give that log too"),
    (When::Renewed, "the log that this one goes on from settles"),
    (When::Renewed, "the certificate of an officer who released it is not here"),
    (When::Renewed, "another relay speaks of a message that was never decided on here"),
    (When::Renewed, "the log tells the fate of a message that it never took"),
    (When::Renewed, "for entries of another log of it than"),
    (When::Renewed, "has not one of them and ends too early to say that they were omitted"),
    (When::FarApart, "one of the two clocks was wrong, and these times are not to be relied on"),
];

/// Findings on honest histories that are not as they should be, and known: each is a fault of the
/// verifier or of a relay, and leaves this list when it is mended.
const KNOWN: &[(When, &str)] = &[
    // An older copy whose clock was ahead seems to go on after what it does not have yet.
    (When::FarApart, "nothing that is signed tells which of the two logs is false"),
    (When::FarApart, "their headers are gone, so who sent them cannot be told"),
];

/// A verdict counts only if much was looked at by these.
const LOOKED_AT: [Check; 15] = [
    Check::Agreement,
    Check::Approvals,
    Check::Channels,
    Check::Decisions,
    Check::Entries,
    Check::Files,
    Check::Growth,
    Check::Headers,
    Check::Heads,
    Check::Messages,
    Check::Order,
    Check::Originators,
    Check::Receipts,
    Check::Root,
    Check::Witnessing,
];

/// Under which circumstances logs came about and were copied.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    pub is_partial: bool,
    pub is_damaged: bool,
    pub are_clocks_far_apart: bool,
    pub is_renewed: bool,
}

impl Circumstances {
    fn are(self, when: When) -> bool {
        match when {
            When::Ever => true,
            When::Partial => self.is_partial,
            When::Damaged => self.is_damaged,
            When::FarApart => self.are_clocks_far_apart,
            When::Renewed => self.is_renewed,
        }
    }

    /// What of a list is in a text, with anything for dots.
    fn find(self, list: &[(When, &'static str)], text: &str) -> Option<&'static str> {
        let mut list = list.iter().filter(|(when, _)| self.are(*when)).map(|(_, words)| *words);
        list.find(|words| words.split('…').all(|part| text.contains(part.trim())))
    }
}

/// What was said of the relays of one world or of several.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What should not have been said.
    pub wrong: Vec<String>,
    /// How often which was said that may be, or is known.
    pub said: BTreeMap<String, u64>,
    /// Checks made, by their word.
    pub done: BTreeMap<&'static str, u64>,
}

impl Verdict {
    /// Hears what came of an audit or a reconciliation.
    pub fn hear(&mut self, of: &str, findings: &Findings, circumstances: Circumstances) {
        for (check, tally) in findings.tallies() {
            *self.done.entry(check.as_str()).or_default() += tally.done;
        }
        for finding in findings.listed() {
            let what = &finding.what;
            let is_unchecked = finding.weight == Weight::Unchecked && finding.against.is_none();
            let unchecked = circumstances.find(UNCHECKED, what).filter(|_| is_unchecked);
            let word = if let Some(known) = circumstances.find(KNOWN, what) {
                format!("known: {known}")
            } else if let Some(unchecked) = unchecked {
                format!("unchecked: {unchecked}")
            } else if circumstances.is_damaged && finding.against.is_none() {
                format!("damaged: {:?} {}", finding.weight, finding.check)
            } else if finding.weight == Weight::Note && finding.against.is_none() {
                format!("note: {}", without_numbers(what))
            } else {
                self.wrong.push(format!("{of}: {:?}: {finding}", finding.weight));
                continue;
            };
            *self.said.entry(word).or_default() += 1;
        }
    }

    /// Sees a file of evidence.
    pub fn see(&mut self, of: &str, bundle: &MessageBundle, is_proved: bool) {
        let Some(claim) = &bundle.claim else {
            return self.wrong.push(format!("{of}: evidence without a claim"));
        };
        let kind = claim.kind.as_str();
        // That two ministries go by different rules can be proved, and is held against nobody.
        let is_fact = claim.kind == ClaimKind::PolicyDivergence && claim.against.is_none();
        if claim.against.is_some() || (is_proved && !is_fact) {
            self.wrong.push(format!("{of}: evidence of {kind}, proved: {is_proved}: {claim:?}"));
        }
        *self.said.entry(format!("evidence: {kind}, proved: {is_proved}")).or_default() += 1;
    }

    /// Takes over what was said of those of another world.
    pub fn merge(&mut self, of: &str, other: Self) {
        self.wrong.extend(other.wrong.into_iter().map(|wrong| format!("{of}: {wrong}")));
        for (word, count) in other.said {
            *self.said.entry(word).or_default() += count;
        }
        for (check, count) in other.done {
            *self.done.entry(check).or_default() += count;
        }
    }

    /// Nothing was said that should not have been, and much was looked at.
    pub fn is_acquittal(&self) {
        let some: Vec<&str> = self.wrong.iter().take(40).map(String::as_str).collect();
        assert!(some.is_empty(), "{} findings:\n{}", self.wrong.len(), some.join("\n"));
        for check in LOOKED_AT {
            let done = self.done.get(check.as_str()).copied().unwrap_or(0);
            assert!(done > 100, "{check} looked at {done} things");
        }
    }
}

/// The same words for whatever numbers and names are in them.
fn without_numbers(what: &str) -> String {
    let words = what.split(' ').map(|word| {
        let is_number = word.chars().any(|c| c.is_ascii_digit());
        if is_number || word.contains(".example") { "_" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
