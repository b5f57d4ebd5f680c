//! What commands say: data on standard output, progress and failures on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use kuriiri_verify::{Findings, Weight, printable};
use serde::Serialize;
use serde_json::{Value, json};

/// Findings of each weight that are printed as text; `--json` has all that are listed.
const SHOWN_MAX: usize = 50;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The result: one object, or the text for people.
    pub(crate) fn data(self, object: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            serde_json::to_string(object).unwrap_or_else(|error| error.to_string())
        } else {
            lines(&text())
        };
        // Whoever closed the pipe does not want the rest.
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    #[expect(clippy::print_stderr, reason = "the one place that reports failures to people")]
    pub(crate) fn failure(self, error: &anyhow::Error) {
        if self.json {
            eprintln!("{}", json!({ "error": format!("{error:#}") }));
        } else {
            eprintln!("error: {}", lines(&format!("{error:#}")));
        }
    }

    /// A bar for whoever watches, and nothing for programs.
    pub(crate) fn progress(self, entries: u64) -> ProgressBar {
        if self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(entries);
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} entries, {per_sec}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// The text with nothing in it that steers a terminal besides its line breaks.
fn lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The findings as a program reads them.
pub(crate) fn findings_json(findings: &Findings) -> Value {
    let checks = findings.tallies().iter().map(|(check, tally)| {
        json!({ "check": check, "done": tally.done, "faults": tally.faults,
            "unchecked": tally.unchecked, "not_yet": tally.not_yet, "notes": tally.notes })
    });
    json!({ "checks": checks.collect::<Vec<_>>(), "findings": findings.listed() })
}

/// The table of checks and the findings, as a person reads them.
pub(crate) fn findings_text(findings: &Findings) -> String {
    let mut text = String::new();
    for (check, tally) in findings.tallies() {
        let state = match (tally.faults, tally.unchecked, tally.not_yet) {
            (0, 0, 0) if tally.done == 0 => "nothing to check".to_owned(),
            (0, 0, 0) => "ok".to_owned(),
            (0, 0, waiting) => format!("{waiting} not yet"),
            (0, unchecked, _) => format!("{unchecked} not checked"),
            (faults, 0, _) => format!("{faults} WRONG"),
            (faults, unchecked, _) => format!("{faults} WRONG, {unchecked} not checked"),
        };
        let (name, title) = (check.as_str(), check.title());
        text.push_str(&format!("  {name:<12} {:>10}  {state:<16} {title}\n", tally.done));
    }
    let weights = [
        (Weight::Fault, "wrong"),
        (Weight::Unchecked, "not checked"),
        (Weight::NotYet, "not yet"),
        (Weight::Note, "to know"),
    ];
    for (weight, title) in weights {
        let all = findings.listed();
        let mut of_it = all.iter().filter(|finding| finding.weight == weight);
        for finding in of_it.by_ref().take(SHOWN_MAX) {
            text.push_str(&format!("  {title}: {finding}\n"));
        }
        let more = findings.count(weight).saturating_sub(SHOWN_MAX as u64);
        if more > 0 {
            text.push_str(&format!("  {title}: and {more} more\n"));
        }
    }
    text
}

/// One line that sums up what was found.
pub(crate) fn verdict(what: &str, findings: &Findings) -> String {
    let what = printable(what);
    let (faults, unchecked) = (findings.count(Weight::Fault), findings.count(Weight::Unchecked));
    match (faults, unchecked) {
        (0, 0) if findings.count(Weight::NotYet) > 0 => {
            format!("NOT CHECKED: {what}: not yet witnessed")
        }
        (0, 0) => format!("GOOD: {what}"),
        (0, unchecked) => format!("NOT CHECKED: {what}: {unchecked} things, for the reasons above"),
        (faults, 0) => format!("WRONG: {what}: {faults} findings"),
        (faults, unchecked) => {
            format!("WRONG: {what}: {faults} findings, and {unchecked} could not be checked")
        }
    }
}
