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

mod join;
mod minutes;
mod own;
mod records;
mod survey;
mod tell;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use kuriiri_types::{Ministry, Timestamp};
use serde::Serialize;

use self::{
    join::Join,
    records::Records,
    survey::{Survey, survey},
    tell::Teller,
};
use crate::{
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    scene::Anchors,
};

/// Evidence files that are written; further ones are not, and their rows are counted only.
pub const EVIDENCE_MAX: usize = 200;

/// What is compared, and what is late.
#[derive(Debug, Clone)]
pub struct ReconcileOptions {
    /// Only what happened from this time on.
    pub from: Option<Timestamp>,
    /// Only what happened up to this time.
    pub to: Option<Timestamp>,
    /// After this a message that left and of which nothing was heard has stalled, if it did not expire
    /// before.
    pub deadline: Duration,
    /// After this a message that arrived was late.
    pub late: Duration,
    /// Where evidence is written.
    pub evidence: Option<PathBuf>,
}

impl Default for ReconcileOptions {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            deadline: Duration::from_secs(24 * 3600),
            late: Duration::from_secs(15 * 60),
            evidence: None,
        }
    }
}

/// What a message comes to between two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Row {
    /// Both say the same: it left, it is there at the receipt's place.
    Matched,
    /// It ended before it left, or the receiver refused it, and both know.
    Ended,
    /// It is there, and the receipt is on its way.
    ReceiptUnderWay,
    /// It left not long ago.
    InFlight,
    /// The other log, as it was given, ends before it could speak of it.
    BeyondOtherLog,
    /// Its receipt names an entry beyond the end of the other log, as it was given: not checked.
    ReceiptBeyondLog,
    /// The receiver has it, and the sender's log, as it was given, ends too early to say whether it
    /// was omitted: not checked.
    UnknownToSender,
    /// The receiver has it and not its header any more, and the log that it came from does not speak of
    /// it: who sent it cannot be told.
    HeaderGone,
    /// It left, its time is over, and the receiver's log, as it was given, ends too early to say what
    /// became of it: not checked.
    UnknownToReceiver,
    /// A receipt names an entry that is not there.
    MissingAtReceiver,
    /// It left, and its time is over.
    Stalled,
    /// The receiver has it with its sender's signature, and the log that it came from has not.
    OmittedBySender,
    /// The receiver took it without its sender's signature.
    UnsignedExtra,
    /// Two messages of one id.
    ContentDiffers,
    /// Taken twice.
    Duplicate,
    /// One lets it go and the other refuses it.
    PolicyDivergence,
    /// It arrived late.
    Late,
    /// It overtook another in its lane.
    Reordered,
    /// A gap in a chain.
    ChainGap,
    /// Two histories.
    SplitView,
}

/// Minutes of the receiver's time in which messages went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Minutes {
    /// In how many a log has entries about messages.
    pub compared: u64,
    /// In how many of those compared both have the same messages, by their entries.
    pub agreed: u64,
    /// How many both logs have sums of.
    pub with_heads: u64,
    /// In how many of these each has one, and the same, so that it needs no entry to be compared.
    pub agreed_by_heads: u64,
    /// How many of those compared had to be compared by their entries, because there are no sums,
    /// several, or others.
    pub by_entries: u64,
}

/// One of the two logs.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The times of the first entry and the last.
    pub period: Option<(Timestamp, Timestamp)>,
}

/// What a reconciliation came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReconcileReport {
    /// The two logs.
    pub sides: Vec<Side>,
    /// Messages by row, one for each message and direction.
    pub rows: BTreeMap<Row, u64>,
    /// Minutes compared.
    pub minutes: Minutes,
    /// What was found.
    #[serde(skip)]
    pub findings: Findings,
}

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
        let [one, two] = &homes;
        let of = if side == 0 { (side, one, two) } else { (side, two, one) };
        let seen = survey(folder, anchors, of, &mut records, &mut findings, &mut progress);
        report.sides.push(Side {
            origin: folder.checkpoint().origin.clone(),
            size: folder.size(),
            period: seen.period,
        });
        surveys.push(seen);
    }
    if is_comparable(&homes, &mut findings) {
        let context = Context { folders, homes: &homes, surveys: &surveys, options };
        compare(&context, anchors, records, &mut findings, &mut report);
    }
    report.findings = findings;
    report
}

/// Whether they are two sound logs of two ministries.
fn is_comparable(homes: &[Ministry; 2], findings: &mut Findings) -> bool {
    let [one, two] = homes;
    let checks = [Check::Checkpoint, Check::Root, Check::Entries];
    if one == two {
        findings.add(Finding::fault(Check::Agreement, "both are logs of the same ministry"));
        false
    } else if checks.into_iter().any(|check| findings.has(check)) {
        let what = "the logs are not sound in themselves, so they were not compared";
        findings.add(Finding::unchecked(Check::Agreement, what));
        false
    } else {
        true
    }
}

/// Both logs, as they were found.
#[derive(Clone, Copy)]
struct Context<'a> {
    folders: [&'a LogFolder; 2],
    homes: &'a [Ministry; 2],
    surveys: &'a [Survey],
    options: &'a ReconcileOptions,
}

impl<'a> Context<'a> {
    fn folder(&self, side: u8) -> &'a LogFolder {
        let [one, two] = self.folders;
        if side == 0 { one } else { two }
    }

    fn home(&self, side: u8) -> &'a Ministry {
        let [one, two] = self.homes;
        if side == 0 { one } else { two }
    }

    /// When the last entry of a log was written.
    fn last(&self, side: u8) -> Option<Timestamp> {
        self.surveys.get(usize::from(side)).and_then(|s| s.period).map(|(_, last)| last)
    }

    /// Whether a time is among those that are compared.
    fn is_within(&self, at: i64) -> bool {
        let at = Timestamp::from_millis(at);
        self.options.from.is_none_or(|from| from <= at) && self.options.to.is_none_or(|to| at <= to)
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
