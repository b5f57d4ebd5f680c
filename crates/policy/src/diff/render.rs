//! A comparison in plain lines.

use super::change::{Change, ChangeKind, PolicyDiff};
use crate::text::{Lang, pick};

impl PolicyDiff {
    /// Lines of plain text: whether the new policy widens, then every change, those that widen
    /// first and marked with `+`. Notes are in English.
    pub fn render(&self, lang: Lang) -> Vec<String> {
        let head = if self.is_empty() {
            SAME
        } else if self.widens {
            WIDENS
        } else {
            TIGHTENS
        };
        let mut lines = vec![pick(head, lang).to_owned()];
        for widens in [true, false] {
            let changes = self.changes.iter().filter(|change| change.widens == widens);
            lines.extend(changes.map(|change| change.line(lang)));
            let notes = self.notes.iter().filter(|note| note.widens == widens);
            lines.extend(notes.map(|note| format!("{} {}", sign(widens), note.text)));
        }
        if self.changes_left_out > 0 {
            lines.push(format!("… {} {}", self.changes_left_out, pick(MORE, lang)));
        }
        lines
    }
}

impl Change {
    /// One line of plain text, marked with `+` when it widens.
    pub fn line(&self, lang: Lang) -> String {
        let kind = match self.kind {
            ChangeKind::NewlyPermitted => PERMITTED,
            ChangeKind::NewlyDenied => DENIED,
            ChangeKind::Obligations => CHANGED,
        };
        let label = |values: &Vec<String>| match values.as_slice() {
            [] => self.level.clone(),
            values => format!("{} + {}", self.level, values.join(" + ")),
        };
        let labels: Vec<String> = self.labels.iter().map(label).collect();
        let via = self.via.as_ref().map_or(String::new(), |hub| format!(" via {hub}"));
        let (from, to) = (self.from.join(","), self.to.join(","));
        let mut line = format!(
            "{} {}: {} {} ({}), {from} → {to}{via}, {}",
            sign(self.widens),
            pick(kind, lang),
            self.policy,
            labels.join("; "),
            self.label_kinds,
            self.forms.join("/"),
        );
        if self.types.len() < 3 {
            line.push_str(&format!(", {}", self.types.join("/")));
        }
        for field in &self.fields {
            line.push_str(&format!("; {}: {} → {}", field.field, field.old, field.new));
        }
        line
    }
}

fn sign(widens: bool) -> &'static str {
    if widens { "+" } else { "-" }
}

const SAME: [&str; 3] = ["Ei eroja.", "Inga skillnader.", "No differences."];
const WIDENS: [&str; 3] = [
    "Uusi politiikka sallii enemmän: kaksi allekirjoittajaa.",
    "Den nya policyn tillåter mer: två undertecknare.",
    "The new policy permits more: two signers are needed.",
];
const TIGHTENS: [&str; 3] = [
    "Uusi politiikka ei salli mitään uutta: yksi allekirjoittaja riittää.",
    "Den nya policyn tillåter inget nytt: en undertecknare räcker.",
    "The new policy permits nothing new: one signer is enough.",
];
const PERMITTED: [&str; 3] = ["nyt sallittu", "nu tillåtet", "newly permitted"];
const DENIED: [&str; 3] = ["nyt kielletty", "nu nekat", "newly denied"];
const CHANGED: [&str; 3] = ["ehdot muuttuvat", "villkoren ändras", "terms change"];
const MORE: [&str; 3] = ["muutosta lisää", "ändringar till", "more changes"];
