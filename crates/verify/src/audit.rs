//! One log from its first entry to its last.
//!
//! What grows with the log: one small record for each entry and message that it names, which beyond
//! [`SPILL_BYTES_MAX`](crate::SPILL_BYTES_MAX) goes to files; the certificates and signed files that
//! it shows, each once; and the findings, up to [`FINDINGS_MAX`](crate::FINDINGS_MAX).

mod givers;
mod gone;
mod ids;
mod later;
mod named;
mod names;
mod options;
mod pool;
mod recent;
mod releases;
mod report;
mod restored;
mod signed_files;
mod traces;
mod walk;
mod ways;
mod witnessed;

use std::time::Instant;

use kuriiri_tlog::{Cosigned, ministry_of};

pub use self::{gone::Gone, options::AuditOptions, report::LogReport};
use self::{names::with_names, walk::Walk};
use crate::{
    copy::Copy,
    finding::{Check, Finding, Findings, FirstMissing},
    folder::LogFolder,
    scan::scan,
    trusted::Anchors,
};

/// Checks one log. `progress` hears now and then how many entries were read.
pub fn audit(
    folder: &LogFolder,
    anchors: &Anchors,
    options: AuditOptions,
    mut progress: impl FnMut(u64),
) -> LogReport {
    let begun = Instant::now();
    let missing = FirstMissing::default();
    let mut findings = Findings::of_a_copy(&missing);
    let cosigned = check_checkpoint(folder, anchors, &mut findings);
    let mut report = LogReport::of(folder, cosigned);
    let Some(home) = ministry_of(&report.origin) else {
        let what = format!("`{}` is not the log of a ministry", report.origin);
        findings.add(Finding::fault(Check::Checkpoint, what));
        report.findings = findings;
        return report;
    };
    pool::with(&missing, |pool| {
        let copy = Copy::of(folder, &missing);
        let mut walk = Walk::new((copy, anchors), home, options, pool);
        let goes_on = |chunk| {
            let goes_on = walk.chunk(chunk, &mut findings);
            progress(walk.passed());
            goes_on
        };
        scan(folder, with_names, goes_on);
        walk.finish(&mut findings, &mut report);
    })
    .into_iter()
    .for_each(|found| findings.merge(found));
    named::name_messages(folder, &mut findings);
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
                    "too few witnesses of the policy cosigned the checkpoint so far, besides the log's \
                     own: {} ({}); a later copy may have more",
                    names.len(),
                    names.join(", ")
                );
                findings.add(Finding::not_yet(Check::Checkpoint, what));
            }
            Some((quorum.by, quorum.met))
        }
        Err(error) => {
            findings.add(Finding::fault(Check::Checkpoint, error.to_string()));
            None
        }
    }
}
