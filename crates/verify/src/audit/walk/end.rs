//! What can be said of a log once all of it was read.

use std::time::Duration;

use kuriiri_types::{
    Entry, LogEvent, Timestamp,
    limits::{CLOCK_SKEW_MAX, MESSAGE_REACH},
};

use super::Walk;
use crate::{
    audit::LogReport,
    finding::{Check, Finding, Findings},
    genuine::Spot,
    lives::{Fates, FlawKind, Trace, follow},
    scan::{Inner, found},
    spill::{Spill, groups},
    tree::{check_files, check_tile},
};

/// Clocks that differ by more are told of.
const SKEW_TOLD: Duration = Duration::from_secs(10);

impl Walk<'_> {
    /// What can be said once all was read.
    pub(in crate::audit) fn finish(mut self, findings: &mut Findings, report: &mut LogReport) {
        self.flush();
        for (tile, tree) in self.tree.partial() {
            if !self.broken {
                check_tile(self.folder, tile, tree, findings);
            }
        }
        self.known.check(&self.tree, &self.anchors.trust, findings);
        self.pruning.finish(findings);
        if !self.broken {
            check_files(self.folder, &self.tree, findings);
            if let Some(what) = self.known.unprotected(self.tree.size()) {
                findings.add(Finding::note(Check::Growth, what));
            }
            self.known.finish(&self.tree, &self.anchors.trust, findings);
            self.check_times(&report.cosigned, findings);
        }
        self.heads.finish(findings);
        self.check_root(findings);
        report.read = self.read();
        (report.pruned, report.kept) = (self.pruning.first(), self.pruning.kept());
        report.period = self.period;
        report.authorities = self.authorities();
        report.kinds = std::mem::take(&mut self.kinds);
        report.timeline = std::mem::take(&mut self.timeline);
        report.fates = self.lives(findings);
    }

    /// Nobody can cosign what is yet to be written.
    fn check_times(&self, cosigned: &[(String, u64)], findings: &mut Findings) {
        let Some((_, last)) = self.period else { return };
        for (witness, time) in cosigned {
            let time = i64::try_from(*time).unwrap_or(i64::MAX).saturating_mul(1000);
            let time = Timestamp::from_millis(time);
            let what = format!("{witness} cosigned at {time}, and the last entry is of {last}");
            if last.since(time) > CLOCK_SKEW_MAX {
                let what = format!("{what}: one of the two times is not so");
                findings.add(Finding::fault(Check::Checkpoint, what));
            } else if last.since(time) > SKEW_TOLD {
                findings.add(Finding::note(Check::Checkpoint, what));
            }
        }
    }

    fn check_root(&self, findings: &mut Findings) {
        let (read, said) = (self.tree.size(), self.folder.checkpoint());
        findings.done(Check::Root, self.read());
        if read != said.size {
            let what = format!("{read} entries can be read of {}", said.size);
            findings.add(Finding::fault(Check::Root, what));
        } else if self.tree.root() != said.root {
            let what = format!("the entries have the root {}", self.tree.root());
            findings.add(Finding::fault(Check::Root, what));
        }
    }

    fn authorities(&self) -> String {
        if let Some(pinned) = &self.anchors.pinned {
            return format!("from the federation file given, serial {}", pinned.serial());
        }
        match &self.scene.rules.federation {
            Some(federation) => {
                format!("from the federation files in the log, last serial {}", federation.serial())
            }
            None => "none known".into(),
        }
    }

    fn lives(&mut self, findings: &mut Findings) -> Fates {
        let traces = std::mem::replace(&mut self.traces, Spill::new());
        let mut fates = Fates::default();
        let sorted = traces.sorted(|traces| {
            groups(traces, |trace| trace.message, |traces| self.life(traces, &mut fates, findings));
        });
        if let Err(error) = sorted {
            let what = format!("records cannot be read again: {error}");
            findings.add(Finding::unchecked(Check::Messages, what));
        }
        findings.done(Check::Messages, fates.accepted + fates.turned_down);
        fates
    }

    fn life(&self, traces: &[Trace], fates: &mut Fates, findings: &mut Findings) {
        // A log whose beginning is in another one, or is not there any more.
        let goes_on = self.pruning.is_pruned() || self.is_restored;
        let begins = self.period.map(|(first, _)| first).filter(|_| goes_on);
        let reaches = |index| {
            let at = traces.iter().find(|trace| trace.index == index).map(|trace| trace.at);
            let at = at.map(Timestamp::from_millis);
            at.zip(begins).is_some_and(|(at, begins)| at <= begins.after(MESSAGE_REACH))
        };
        let life = follow(traces);
        fates.add(&life.fates);
        for flaw in life.flaws {
            let what = flaw.kind.text();
            let finding = match flaw.kind {
                // What it lacks may be among what was pruned, or in the log before.
                kind if kind.is_of_something_missing() && reaches(flaw.index) => {
                    Finding::note(Check::Messages, what)
                }
                FlawKind::BothTold => Finding::note(Check::Messages, what),
                FlawKind::NeverSent => Finding::fault(Check::Receipts, what),
                FlawKind::NoHeader
                | FlawKind::NoDecision
                | FlawKind::Twice
                | FlawKind::NeverTaken
                | FlawKind::TwoFates => {
                    Finding::fault(Check::Messages, what).against(&self.scene.home)
                }
            };
            findings.add(finding.at(flaw.index));
        }
        for (header, decision) in life.deferred {
            self.deferred(header, decision, findings);
        }
    }

    /// A decision whose header stands in an earlier entry.
    fn deferred(&self, header: u64, decision: u64, findings: &mut Findings) {
        let read = |index| self.folder.entry(index).ok().map(|bytes| found((index, bytes)));
        let Some((Inner::Header(header), late)) =
            read(header).map(|found| found.inner).zip(read(decision))
        else {
            return;
        };
        let Ok(Entry { at, event: LogEvent::Decided(decided), .. }) = late.entry else { return };
        let spot = Spot { index: decision, at };
        let Some(scene) = self.history.at(decision) else {
            let what = "too many changes of signed files came after it";
            return findings.add(Finding::unchecked(Check::Decisions, what).at(decision));
        };
        scene.check_decision(spot, &header, &decided, findings);
        for signed in &decided.approvals {
            scene.check_approval(spot, signed, Some(&header), decided.subject, findings);
        }
    }
}
