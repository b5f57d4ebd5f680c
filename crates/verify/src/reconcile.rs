//! The logs of two ministries held against each other.
//!
//! Each log is read once. Of every entry and message that it names a small record is kept, in files when
//! there are many; then the records of each message from both sides are looked at together. Minute by
//! minute, by the receiver's time, the sums that both logs have are compared, and both sides' sets of
//! messages by count and Merkle root: sums could be compared without showing any entry, and entries
//! prove more.
//!
//! Compared is what each says of messages whose next relay is the other: a message through a hub is
//! compared between each of the two and the hub.

mod beyond;
mod context;
mod join;
mod minutes;
mod options;
mod own;
mod records;
mod report;
mod survey;
mod tell;

use kuriiri_types::Ministry;

use self::{context::Context, join::Join, records::Records, survey::survey, tell::Teller};
pub use self::{
    options::{EVIDENCE_MAX, ReconcileOptions},
    report::{Minutes, ReconcileReport, Row, Side},
};
use crate::{
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    trusted::Anchors,
};

/// Holds two logs against each other. `progress` hears how many entries were read, of both.
pub fn reconcile(
    folders: [&LogFolder; 2],
    anchors: &Anchors,
    options: &ReconcileOptions,
    mut progress: impl FnMut(u64),
) -> ReconcileReport {
    let mut findings = Findings::new();
    let mut records = Records::new();
    let names = folders.map(|folder| kuriiri_tlog::ministry_of(&folder.checkpoint().origin));
    let mut report = ReconcileReport::default();
    let [Some(one), Some(two)] = names else {
        findings.add(Finding::fault(Check::Checkpoint, "one of the logs is no ministry's"));
        report.findings = findings;
        return report;
    };
    let homes = [one, two];
    let mut surveys = Vec::new();
    for (side, folder) in (0_u8..).zip(folders) {
        let ([one, two], [first, second]) = (&homes, folders.map(origin_of));
        let of = if side == 0 { (side, one, (two, second)) } else { (side, two, (one, first)) };
        let seen = survey(folder, anchors, of, &mut records, &mut findings, &mut progress);
        report.sides.push(Side {
            origin: folder.checkpoint().origin.clone(),
            size: folder.size(),
            period: seen.period,
        });
        surveys.push(seen);
    }
    let are_whole = surveys.iter().all(|survey| survey.is_whole);
    if is_comparable(&homes, are_whole, &mut findings) {
        let context = Context { folders, homes: &homes, surveys: &surveys, options };
        compare(&context, anchors, records, &mut findings, &mut report);
    }
    report.findings = findings;
    report
}

fn origin_of(folder: &LogFolder) -> &str {
    &folder.checkpoint().origin
}

/// Whether they are two sound logs of two ministries, in copies that lack nothing.
fn is_comparable(homes: &[Ministry; 2], are_whole: bool, findings: &mut Findings) -> bool {
    let [one, two] = homes;
    let checks = [Check::Checkpoint, Check::Root, Check::Entries];
    if one == two {
        findings.add(Finding::fault(Check::Agreement, "both are logs of the same ministry"));
        false
    } else if !are_whole || checks.into_iter().any(|check| findings.has(check)) {
        let what = "the logs are not sound in themselves, so they were not compared; `kuriiri-verify log` \
                    tells of each whether the log or only this copy is bad, and which entry";
        findings.add(Finding::unchecked(Check::Agreement, what));
        false
    } else {
        true
    }
}

fn compare(
    context: &Context<'_>,
    anchors: &Anchors,
    records: Records,
    findings: &mut Findings,
    report: &mut ReconcileReport,
) {
    let mut teller = Teller::new(context, anchors, findings, &mut report.rows);
    teller.prepare();
    let Records { minutes, ties, ids } = records;
    let compared = minutes::compare(context, minutes);
    match compared {
        Ok(minutes) => report.minutes = minutes,
        Err(error) => teller.unreadable(&error),
    }
    for (side, survey) in (0_u8..).zip(context.surveys) {
        for gap in &survey.gaps {
            teller.gap(side, *gap);
        }
        teller.views(side, &survey.seen);
    }
    let mut join = Join::new(context);
    if let Err(error) = join.run(ties, &mut teller) {
        teller.unreadable(&error);
    }
    if let Err(error) = join::same_ids(ids, &mut teller) {
        teller.unreadable(&error);
    }
    teller.finish();
}
