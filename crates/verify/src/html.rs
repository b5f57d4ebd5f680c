//! Reports as one page that needs nothing else: no script, no font and no picture from outside.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    audit::LogReport,
    finding::{Finding, Findings, Weight},
    histories::Fates,
    reconcile::ReconcileReport,
    timeline::{Span, Timeline},
};

/// Findings that a page shows; the counts are of all.
const SHOWN_MAX: usize = 2000;
/// Width and height of the timeline, in its own units.
const CHART: (i64, i64) = (1000, 160);

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1d21;--soft:#667;--line:#d8dce2;--card:#f6f7f9;\
--good:#1a7f4b;--bad:#b3261e;--maybe:#8a6100;--a:#3567b0;--b:#8aa9d6}\
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e8ea;--soft:#9aa3ad;--line:#333a42;\
--card:#1d2126;--good:#5cc48d;--bad:#ff8a80;--maybe:#e0b450;--a:#7fabf0;--b:#46628c}}\
body{background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;max-width:70rem;\
margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;\
border-bottom:1px solid var(--line);vertical-align:top}td.n{text-align:right;\
font-variant-numeric:tabular-nums}.verdict{padding:1rem;border-radius:.5rem;background:var(--card);\
border-left:.4rem solid var(--good);font-weight:600}.verdict.fault{border-color:var(--bad)}\
.verdict.unchecked{border-color:var(--maybe)}.fault{color:var(--bad)}.unchecked{color:var(--maybe)}\
.good{color:var(--good)}.soft,.note{color:var(--soft)}code{font-size:.85em;word-break:break-all}\
svg{width:100%;height:auto;background:var(--card);border-radius:.5rem}";

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new(title: &str, findings: &Findings, verdict: &str) -> Self {
        let class = worst(findings);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1>\
             <p class=\"verdict {class}\">{1}</p>",
            escaped(title),
            escaped(verdict)
        ))
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.put(format_args!("<h2>{}</h2>", escaped(text)));
    }

    /// Two columns.
    pub(crate) fn facts(&mut self, facts: &[(&str, String)]) {
        self.0.push_str("<table>");
        for (name, value) in facts {
            let (name, value) = (escaped(name), escaped(value));
            self.put(format_args!("<tr><th>{name}</th><td><code>{value}</code></td></tr>"));
        }
        self.0.push_str("</table>");
    }

    pub(crate) fn checks(&mut self, findings: &Findings) {
        self.heading("Checks");
        self.0.push_str(
            "<table><tr><th>Check</th><th>What</th><th>Looked at</th><th>Result</th></tr>",
        );
        for (check, tally) in findings.tallies() {
            let (class, result) = match (tally.faults, tally.unchecked, tally.not_yet) {
                (0, 0, 0) if tally.done == 0 => ("note", "nothing to check".to_owned()),
                (0, 0, 0) => ("good", "all good".to_owned()),
                (0, 0, n) => ("unchecked", format!("{n} not yet")),
                (0, n, _) => ("unchecked", format!("{n} not checked")),
                (n, _, _) => ("fault", format!("{n} wrong")),
            };
            self.put(format_args!(
                "<tr><td><a href=\"#check-{check}\">{check}</a></td><td>{}</td>\
                 <td class=\"n\">{}</td><td class=\"{class}\">{result}</td></tr>",
                escaped(check.title()),
                tally.done
            ));
        }
        self.0.push_str("</table>");
    }

    pub(crate) fn findings(&mut self, findings: &Findings) {
        self.heading("Findings");
        let listed = findings.listed();
        if listed.is_empty() {
            self.0.push_str("<p class=\"soft\">None.</p>");
            return;
        }
        self.0.push_str(
            "<table><tr><th>Weight</th><th>Check</th><th>Entry</th><th>What</th>\
             <th>Evidence</th></tr>",
        );
        let (mut checks, mut entries) = (BTreeSet::new(), BTreeSet::new());
        for finding in listed.iter().take(SHOWN_MAX) {
            let is_first_of_check = checks.insert(finding.check);
            let is_first_of_entry = finding.entry.is_some_and(|entry| entries.insert(entry));
            self.finding(finding, is_first_of_check, is_first_of_entry);
        }
        self.0.push_str("</table>");
        let more = listed.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            self.put(format_args!("<p class=\"soft\">And {more} more.</p>"));
        }
    }

    fn finding(&mut self, finding: &Finding, is_first_of_check: bool, is_first_of_entry: bool) {
        let (class, word) = match finding.weight {
            Weight::Fault => ("fault", "wrong"),
            Weight::Unchecked => ("unchecked", "not checked"),
            Weight::NotYet => ("unchecked", "not yet"),
            Weight::Note => ("note", "to know"),
        };
        let anchor = if is_first_of_check {
            format!(" id=\"check-{}\"", finding.check)
        } else {
            String::new()
        };
        let entry = finding.entry.map_or_else(String::new, |entry| {
            let id =
                if is_first_of_entry { format!(" id=\"entry-{entry}\"") } else { String::new() };
            format!("<a{id} href=\"#entry-{entry}\">{entry}</a>")
        });
        let message = finding.message.map(|id| format!("<br><code>{id}</code>"));
        let against = finding.against.as_ref();
        let against = against.map(|who| format!("<br>against {}", escaped(who.as_str())));
        let evidence = finding
            .evidence
            .as_ref()
            .map_or_else(String::new, |file| format!("<a href=\"{0}\">{0}</a>", escaped(file)));
        self.put(format_args!(
            "<tr{anchor}><td class=\"{class}\">{word}</td><td>{}</td><td class=\"n\">{entry}</td>\
             <td>{}{}{}</td><td>{evidence}</td></tr>",
            finding.check,
            escaped(&finding.what),
            message.unwrap_or_default(),
            against.unwrap_or_default()
        ));
    }

    /// Bars of all entries, and within them of decisions.
    pub(crate) fn timeline(&mut self, timeline: &Timeline) {
        let ends = timeline.spans.keys().next().zip(timeline.spans.keys().next_back());
        let Some((first, last)) = ends else { return };
        let span = timeline.span_ms.max(1);
        let columns = (last - first) / span + 1;
        let most = timeline.spans.values().map(|s| s.entries).max().unwrap_or(1).max(1);
        self.heading("Timeline");
        let (width, height) = CHART;
        self.put(format_args!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"Entries over time\">"
        ));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        for (at, counted) in &timeline.spans {
            let left = (at - first) / span * width / columns;
            self.bar(*at, counted, (left, (width / columns).max(1)), most);
        }
        let unit = match span {
            60_000 => "a minute",
            3_600_000 => "an hour",
            86_400_000 => "a day",
            _ => "longer than a day",
        };
        self.put(format_args!(
            "</svg><p class=\"soft\">All entries, decisions, and denials among them; a bar is \
             {unit}.</p>"
        ));
    }

    /// The bars of one span, at this place and of this width.
    fn bar(&mut self, at: i64, counted: &Span, (left, wide): (i64, i64), most: i64) {
        let height = CHART.1;
        let decided = counted.permitted + counted.held + counted.denied;
        let title = format!(
            "{}: {} entries, {} permitted, {} held, {} denied, {} delivered",
            kuriiri_types::Timestamp::from_millis(at),
            counted.entries,
            counted.permitted,
            counted.held,
            counted.denied,
            counted.delivered
        );
        self.put(format_args!("<g><title>{}</title>", escaped(&title)));
        for (n, colour) in
            [(counted.entries, "var(--b)"), (decided, "var(--a)"), (counted.denied, "var(--bad)")]
        {
            let tall = i64::try_from(n).unwrap_or(i64::MAX).saturating_mul(height - 10) / most;
            let top = height - tall;
            self.put(format_args!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{tall}\" \
                 fill=\"{colour}\"/>"
            ));
        }
        self.0.push_str("</g>");
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("</body></html>\n");
        self.0
    }

    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(what);
    }
}

/// A page about one log.
pub fn log_page(report: &LogReport, verdict: &str) -> String {
    let mut page = Page::new(&format!("Log {}", report.origin), &report.findings, verdict);
    let mut facts = vec![
        ("Entries", report.size.to_string()),
        ("Entries that could be read", report.read.to_string()),
        ("Root", report.root.clone()),
        (
            "Authorities",
            format!("{}; revocation is not in a log and not looked at", report.authorities),
        ),
    ];
    if let Some((first, last)) = report.period {
        facts.push(("Period", format!("{first} to {last}")));
    }
    if report.gone.any() {
        facts.push(("Headers that are gone", report.gone.to_string()));
    }
    let by: Vec<&str> = report.cosigned.iter().map(|(name, _)| name.as_str()).collect();
    facts.push(("Cosigned by", if by.is_empty() { "nobody".into() } else { by.join(", ") }));
    page.facts(&facts);
    page.timeline(&report.timeline);
    page.checks(&report.findings);
    page.heading("Messages");
    page.facts(&fates(&report.fates));
    page.heading("Entries by kind");
    let kinds: Vec<_> = report.kinds.iter().map(|(kind, n)| (*kind, n.to_string())).collect();
    page.facts(&kinds);
    page.findings(&report.findings);
    page.finish()
}

/// A page about two logs.
pub fn reconcile_page(report: &ReconcileReport, verdict: &str) -> String {
    let names: Vec<&str> = report.sides.iter().map(|side| side.origin.as_str()).collect();
    let mut page = Page::new(&names.join(" and "), &report.findings, verdict);
    let mut facts = Vec::new();
    for side in &report.sides {
        let period = side.period.map(|(first, last)| format!(", {first} to {last}"));
        let value = format!("{} entries{}", side.size, period.unwrap_or_default());
        facts.push((side.origin.as_str(), value));
    }
    let minutes = report.minutes;
    facts.push(("Minutes that agree", format!("{} of {}", minutes.agreed, minutes.compared)));
    let by_heads = format!("{} of {}", minutes.agreed_by_heads, minutes.with_heads);
    facts.push(("By the sums of both logs", by_heads));
    facts.push(("Looked at entry by entry", minutes.by_entries.to_string()));
    page.facts(&facts);
    page.heading("Messages");
    let rows: Vec<(String, String)> = report
        .rows
        .iter()
        .map(|(row, count)| {
            let name = serde_json::to_value(row).unwrap_or_default();
            (name.as_str().unwrap_or_default().to_owned(), count.to_string())
        })
        .collect();
    let rows: Vec<(&str, String)> =
        rows.iter().map(|(name, count)| (name.as_str(), count.clone())).collect();
    page.facts(&rows);
    page.checks(&report.findings);
    page.findings(&report.findings);
    page.finish()
}

/// The fates as pairs of name and number.
pub fn fates(fates: &Fates) -> Vec<(&'static str, String)> {
    [
        ("messages", fates.messages),
        ("accepted or received", fates.accepted),
        ("delivered", fates.delivered),
        ("refused afterwards", fates.refused),
        ("expired", fates.expired),
        ("held", fates.held),
        ("with the next relay", fates.passed_on),
        ("in flight", fates.in_flight),
        ("turned down at once", fates.turned_down),
        ("erased", fates.erased),
    ]
    .map(|(name, number)| (name, number.to_string()))
    .into()
}

fn worst(findings: &Findings) -> &'static str {
    match findings.exit() {
        0 => "good",
        1 => "fault",
        _ => "unchecked",
    }
}

/// Text that is nothing but text in a page, also within quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other if other.is_control() && other != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Check;

    #[test]
    fn nothing_that_a_log_says_becomes_part_of_the_page() {
        let mut findings = Findings::new();
        let evil = "<script>alert(\"1\")</script>'&\u{7}";
        let mut finding = Finding::fault(Check::Order, evil).at(3);
        finding.evidence = Some("a\" onclick=\"b".into());
        findings.add(finding);
        let mut page = Page::new(evil, &findings, evil);
        page.facts(&[("x", evil.into())]);
        page.checks(&findings);
        page.findings(&findings);
        let text = page.finish();
        assert!(!text.contains("<script") && !text.contains("onclick=\"b"));
        assert!(text.contains("&lt;script&gt;") && text.contains("id=\"entry-3\""));
        assert!(!text.contains("http"), "nothing comes from outside");
    }
}
