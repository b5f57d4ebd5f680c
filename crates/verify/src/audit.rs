//! One log from its first entry to its last.
//!
//! What grows with the log: one small record for each entry and message that it names, which beyond
//! [`SPILL_BYTES_MAX`](crate::SPILL_BYTES_MAX) goes to files; the certificates and signed files that
//! it shows, each once; and the findings, up to [`FINDINGS_MAX`](crate::FINDINGS_MAX).

mod gone;
mod later;
mod pool;
mod recent;
mod walk;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kuriiri_tlog::{Cosigned, ministry_of};
use kuriiri_types::Timestamp;
use serde::Serialize;

pub use self::gone::Gone;
use crate::{
    audit::walk::Walk,
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    found::found,
    known::Known,
    lives::Fates,
    rules::Contents,
    scan::scan,
    scene::Anchors,
    timeline::Timeline,
};

/// Findings whose messages are looked up, because each is another reading.
pub(crate) const NAMED_MAX: usize = 1000;

/// What an audit goes by besides the log and whom to believe.
#[derive(Debug, Default)]
pub struct AuditOptions {
    /// Checkpoints that somebody kept.
    pub known: Known,
    /// Signed files that the log may lack.
    pub replay: Contents,
}

/// What an audit of one log came to.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// Which log.
    pub origin: String,
    /// How many entries its checkpoint speaks of.
    pub size: u64,
    /// The root that it signed, in hexadecimal.
    pub root: String,
    /// The witnesses that cosigned, with their times in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// Whether they are enough by the policy.
    pub quorum: bool,
    /// When the first entry was written, and the last.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Entries by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What became of messages, one for each recipient.
    pub fates: Fates,
    /// Where the authorities of certificates were taken from.
    pub authorities: String,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
    /// How much happened when.
    #[serde(skip)]
    pub timeline: Timeline,
    /// Entries that were read.
    pub read: u64,
    /// Messages that were decided on, once for each decision.
    pub messages: u64,
    /// Headers that are missing with leave.
    pub gone: Gone,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl LogReport {
    /// What the checkpoint says, before an entry was read.
    fn of(folder: &LogFolder, cosigned: Option<(Vec<Cosigned>, bool)>) -> Self {
        Self {
            origin: folder.checkpoint().origin.clone(),
            size: folder.size(),
            root: folder.checkpoint().root.to_string(),
            quorum: cosigned.as_ref().is_some_and(|(_, met)| *met),
            cosigned: names(cosigned),
            period: None,
            kinds: BTreeMap::new(),
            fates: Fates::default(),
            authorities: String::new(),
            findings: Findings::new(),
            timeline: Timeline::default(),
            read: 0,
            messages: 0,
            gone: Gone::default(),
            took: Duration::ZERO,
        }
    }

    /// Entries a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn rate(&self) -> f64 {
        self.read as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Checks one log. `progress` hears now and then how many entries were read.
pub fn audit(
    folder: &LogFolder,
    anchors: &Anchors,
    options: AuditOptions,
    mut progress: impl FnMut(u64),
) -> LogReport {
    let begun = Instant::now();
    let mut findings = Findings::new();
    let cosigned = check_checkpoint(folder, anchors, &mut findings);
    let mut report = LogReport::of(folder, cosigned);
    let Some(home) = ministry_of(&report.origin) else {
        let what = format!("`{}` is not the log of a ministry", report.origin);
        findings.add(Finding::fault(Check::Checkpoint, what));
        report.findings = findings;
        return report;
    };
    pool::with(|pool| {
        let mut walk = Walk::new(folder, anchors, home, options, pool);
        let goes_on = |chunk| {
            let goes_on = walk.chunk(chunk, &mut findings);
            progress(walk.read());
            goes_on
        };
        scan(folder, |found| found, goes_on);
        walk.finish(&mut findings, &mut report);
    })
    .into_iter()
    .for_each(|found| findings.merge(found));
    name_messages(folder, &mut findings);
    report.findings = findings;
    report.took = begun.elapsed();
    report
}

/// Signature, cosignatures and quorum.
pub(crate) fn check_checkpoint(
    folder: &LogFolder,
    anchors: &Anchors,
    findings: &mut Findings,
) -> Option<(Vec<Cosigned>, bool)> {
    findings.done(Check::Checkpoint, 1);
    match anchors.trust.checkpoint(folder.note()) {
        Ok((_, quorum)) => {
            if !quorum.met {
                let names: Vec<&str> = quorum.by.iter().map(|by| by.witness.as_str()).collect();
                let what = format!(
                    "too few witnesses of the policy cosigned the checkpoint: {} ({})",
                    names.len(),
                    names.join(", ")
                );
                findings.add(Finding::fault(Check::Checkpoint, what));
            }
            Some((quorum.by, quorum.met))
        }
        Err(error) => {
            findings.add(Finding::fault(Check::Checkpoint, error.to_string()));
            None
        }
    }
}

fn names(cosigned: Option<(Vec<Cosigned>, bool)>) -> Vec<(String, u64)> {
    let all = cosigned.map(|(by, _)| by).unwrap_or_default();
    all.into_iter().map(|by| (by.witness, by.time)).collect()
}

/// Findings that name an entry and no message get the message that the entry is about, if it is one.
fn name_messages(folder: &LogFolder, findings: &mut Findings) {
    for finding in findings.listed_mut().iter_mut().take(NAMED_MAX) {
        let Some(index) = finding.entry.filter(|_| finding.message.is_none()) else { continue };
        let entry = folder.entry(index).ok();
        finding.message = entry.and_then(|bytes| found((index, bytes)).message());
    }
}
