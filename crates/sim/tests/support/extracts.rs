//! Parts of the logs for somebody who may not see the rest, and what somebody makes of them.

use std::path::{Path, PathBuf};

use kuriiri_types::{Channel, Entry, LogEvent, MessageId, Timestamp};
use kuriiri_verify::{
    MessageBundle, Selection, bundle_of, check_bundle, check_export, check_receipt, export, prove,
};

use super::{Auditor, Folder, Verdict, choice};

/// Messages that are asked for at each log.
const MESSAGES: u64 = 2;
/// Of so many receipts one is given away.
const RECEIPT_EVERY: usize = 29;

/// From when to when.
type Period = (Option<Timestamp>, Option<Timestamp>);

/// Gives parts of a log away, and what all logs say of some of its messages.
pub fn extract(
    auditor: &mut Auditor,
    log: &Folder,
    all: &[Folder],
    seed: u64,
    verdict: &mut Verdict,
) {
    let entries = log.entries();
    for selection in selections(&entries, seed) {
        let place = auditor.export(log, &selection);
        auditor.check_export(log, &place, verdict);
    }
    for message in messages(&entries, seed) {
        for logs in [all, std::slice::from_ref(log)] {
            auditor.check_bundle(&auditor.bundle(message, logs), logs, verdict);
        }
    }
    let receipts = (0..).zip(&entries).filter(|(_, e)| matches!(e.event, LogEvent::Receipt(_)));
    for (index, _) in receipts.step_by(RECEIPT_EVERY) {
        auditor.receipt(log, index, verdict);
    }
}

/// All of a log, a period between two entries, and one in which its clock was set; and of the last of these
/// the channels with one peer.
fn selections(entries: &[Entry], seed: u64) -> Vec<Selection> {
    let time = |number| choice(entries, seed, number).at;
    let mut periods = vec![(None, None), period(time(0), time(1))];
    periods.extend(entries.iter().find_map(across_a_step));
    let of_all = periods.iter().map(|(from, to)| Selection { from: *from, to: *to, peer: None });
    let mut selections: Vec<Selection> = of_all.collect();
    let links: Vec<&Channel> = entries.iter().flat_map(|entry| &entry.channels).collect();
    if let Some(last) = selections.last().cloned().filter(|_| !links.is_empty()) {
        let peer = Some(choice(&links, seed, 2).peer.clone());
        selections.push(Selection { peer, ..last });
    }
    selections
}

/// What the clock showed before it was set and what it showed after, in their order in time: when it was
/// set back it showed this time twice.
fn across_a_step(entry: &Entry) -> Option<Period> {
    let LogEvent::ClockStepped { from } = &entry.event else { return None };
    Some(period(*from, entry.at))
}

fn period(one: Timestamp, other: Timestamp) -> Period {
    (Some(one.min(other)), Some(one.max(other)))
}

/// Some of the messages that a log decides on.
pub fn messages(entries: &[Entry], seed: u64) -> Vec<MessageId> {
    let decided = entries.iter().filter_map(|entry| {
        let LogEvent::Decided(decided) = &entry.event else { return None };
        Some(&decided.subjects)
    });
    let all: Vec<MessageId> = decided.flatten().map(|subject| subject.message).collect();
    let some = (0..MESSAGES).filter(|_| !all.is_empty());
    some.map(|number| *choice(&all, seed, number)).collect()
}

impl Auditor {
    /// Gives a part of a log away, and says where.
    pub fn export(&mut self, log: &Folder, selection: &Selection) -> PathBuf {
        let place = self.place();
        export(&log.log, selection, &place).unwrap();
        place
    }

    /// Checks a part of a log.
    pub fn check_export(&self, of: &Folder, place: &Path, verdict: &mut Verdict) {
        let report = check_export(place, &self.anchors).unwrap();
        let name = format!("export of {} with {:?}", of.name, report.manifest.selection);
        verdict.hear(&name, &report.findings, self.circumstances([of]));
    }

    /// Gathers what logs say of a message.
    pub fn bundle(&self, message: MessageId, logs: &[Folder]) -> MessageBundle {
        let folders: Vec<_> = logs.iter().map(|log| &log.log).collect();
        bundle_of(message, &folders, None).unwrap()
    }

    /// Checks what logs say of a message, as a file.
    pub fn check_bundle(&self, bundle: &MessageBundle, of: &[Folder], verdict: &mut Verdict) {
        let bundle = MessageBundle::parse(&bundle.to_bytes()).unwrap();
        let report = check_bundle(&bundle, &self.anchors);
        let names: Vec<&str> = of.iter().map(|log| &*log.name).collect();
        let name = format!("bundle of {:?} from {}", bundle.message, names.join(", "));
        verdict.hear(&name, &report.findings, self.circumstances(of));
    }

    /// Proves a receipt of a log, as a file.
    fn receipt(&self, log: &Folder, index: u64, verdict: &mut Verdict) {
        let file = prove(&log.log, index).unwrap();
        let report = check_receipt(&file, &self.anchors).unwrap();
        let name = format!("receipt {index} of {}", log.name);
        verdict.hear(&name, &report.findings, self.circumstances([log]));
    }
}
