//! What can be said of a log once all of it was read.

use std::time::Duration;

use kuriiri_tlog::{Witness, witnesses_needed};
use kuriiri_types::{MessageId, Timestamp, limits::CLOCK_SKEW_MAX};

use super::Walk;
use crate::{
    audit::{
        gone::Gone,
        ids::Shared,
        later::{Late, Later},
        named::NAMED_MAX,
        report::LogReport,
        restored::May,
    },
    finding::{Check, Finding, Findings},
    flaws::{Flaw, FlawKind},
    found::found,
    histories::{self, Fates, follow},
    spill::{Spill, groups},
    trace::{Trace, beginning, stand_in_for},
    tree::{check_files, check_tile},
};

/// Clocks that differ by more are a finding.
const SKEW_TOLD: Duration = Duration::from_secs(10);

impl Walk<'_> {
    /// What can be said once all was read.
    pub(in crate::audit) fn finish(mut self, findings: &mut Findings, report: &mut LogReport) {
        self.flush();
        for (tile, tree) in self.tree.partial() {
            if !self.broken {
                check_tile(self.copy.folder, tile, tree, findings);
            }
        }
        self.known.check(&self.tree, &self.anchors.trust, findings);
        self.leave.settle();
        if !self.broken {
            check_files(self.copy.folder, &self.tree, findings);
            if let Some(what) = self.known.unprotected(self.tree.size()) {
                findings.add(Finding::note(Check::Growth, what));
            }
            self.known.finish(&self.tree, &self.anchors.trust, findings);
            self.check_times(&report.cosigned, findings);
            self.check_witnesses(&report.cosigned, findings);
        }
        self.heads.finish(findings);
        self.signed_files.finish(self.anchors, findings);
        self.order.finish(findings);
        self.check_root(findings);
        (report.read, report.messages) = (self.copy.read, self.messages);
        report.period = self.period;
        report.authorities = self.authorities();
        report.kinds = std::mem::take(&mut self.kinds);
        report.timeline = std::mem::take(&mut self.timeline);
        let histories = self.histories(findings);
        self.leave.finish(&histories.gone, findings);
        (report.fates, report.gone) = (histories.fates, histories.gone);
    }

    /// Whether so many of those that can witness this log did that no second view of it can have been shown
    /// to the others, unless more than a third of them help.
    fn check_witnesses(&self, cosigned: &[(String, u64)], findings: &mut Findings) {
        let did = |witness: &Witness| cosigned.iter().any(|(name, _)| *name == witness.name());
        let witnesses = self.anchors.trust.witnesses().iter();
        let can = witnesses.filter(|witness| did(witness) || self.can_witness(witness));
        let (can, did) = (can.count(), cosigned.len());
        let needed = witnesses_needed(can);
        if can == 0 {
            let what = "the policy names no witness of this log but its own: that nobody was shown another \
                        view of it is taken on faith";
            findings.add(Finding::note(Check::Checkpoint, what));
        } else if did < needed {
            let what = format!(
                "{did} of the {can} witnesses of the policy that can see this log cosigned the checkpoint; \
                 {needed} are needed, or the others may have been shown another view"
            );
            findings.add(Finding::not_yet(Check::Checkpoint, what));
        }
    }

    /// Whether a witness is another's and can see this log: relays witness over their links, and whoever is
    /// no relay of the federation is asked by other means.
    fn can_witness(&self, witness: &Witness) -> bool {
        let Some(ministry) = witness.ministry() else { return true };
        if ministry == self.trusted.home {
            return false;
        }
        let Some(federation) = &self.trusted.rules.federation else { return true };
        let ends = [&self.trusted.home, &ministry].map(|who| federation.by_domain(who));
        let [Some(here), Some(there)] = ends else { return true };
        federation.linked(here, there)
    }

    /// Nobody can cosign what is yet to be written. That clocks differ proves nothing against anybody.
    fn check_times(&self, cosigned: &[(String, u64)], findings: &mut Findings) {
        let Some((_, last)) = self.period else { return };
        for (witness, time) in cosigned {
            let time = i64::try_from(*time).unwrap_or(i64::MAX).saturating_mul(1000);
            let time = Timestamp::from_millis(time);
            let what = format!("{witness} cosigned at {time}, and the last entry is of {last}");
            if last.since(time) > CLOCK_SKEW_MAX {
                let what = format!(
                    "{what}: one of the two clocks was wrong; the logs of other witnesses tell which"
                );
                findings.add(Finding::unchecked(Check::Checkpoint, what));
            } else if last.since(time) > SKEW_TOLD {
                findings.add(Finding::note(Check::Checkpoint, what));
            }
        }
    }

    fn check_root(&self, findings: &mut Findings) {
        let (read, said) = (self.tree.size(), self.copy.folder.checkpoint());
        findings.done(Check::Root, self.copy.read);
        if read != said.size {
            let what = format!("{read} entries can be read of {}", said.size);
            findings.add(Finding::fault(Check::Root, what));
        } else if self.tree.root() != said.root {
            let what = format!(
                "the entries have the root {}, and the tiles do not lead to the root that was signed either: what \
                 of this copy is as it was signed cannot be told",
                self.tree.root()
            );
            findings.add(Finding::fault(Check::Root, what));
        }
    }

    fn authorities(&self) -> String {
        match &self.trusted.rules.federation {
            Some(federation) => {
                format!("from the federation files in the log, last serial {}", federation.serial())
            }
            None => "none known".into(),
        }
    }

    fn histories(&mut self, findings: &mut Findings) -> Histories {
        let (traces, ids) = self.traces.take();
        let shared = Shared::among(ids);
        let shared = shared.unwrap_or_else(|error| {
            let what = format!("records cannot be read again: {error}");
            findings.add(Finding::unchecked(Check::Messages, what));
            Shared::default()
        });
        let mut histories = Histories::new(shared);
        let sorted = traces.sorted(|traces| {
            groups(
                traces,
                |trace| trace.message,
                |traces| self.message_history(traces, &mut histories, findings),
            );
        });
        let later = Later::new(self.copy.folder, &self.history, &self.pool);
        let late = std::mem::replace(&mut histories.late, Spill::new());
        let ran = sorted.and_then(|()| later.run(late, findings));
        match ran {
            Ok(without) => histories.gone.decisions += without,
            Err(error) => {
                let what = format!("records cannot be read again: {error}");
                findings.add(Finding::unchecked(Check::Messages, what));
            }
        }
        histories.shared.finish(findings);
        findings.done(Check::Messages, histories.fates.accepted + histories.fates.turned_down);
        histories
    }

    fn message_history(
        &self,
        traces: &[Trace],
        histories: &mut Histories,
        findings: &mut Findings,
    ) {
        let history = follow(traces, (stand_in_for(&self.trusted.home), self.life));
        histories.fates.add(&history.fates);
        for flaw in history.flaws {
            let id = histories.name(self, traces, flaw.index);
            findings.add(self.flaw(traces, &flaw, id).at(flaw.index).of(id));
        }
        for gone in history.gone {
            let id = |histories: &mut Histories| histories.name(self, traces, gone.index);
            if let Some(finding) = self.gone(gone, &mut histories.gone) {
                findings.add(finding.at(gone.index).of(id(histories)));
            }
        }
        let Some(message) = traces.first().map(|trace| trace.message) else { return };
        if history.fates.accepted > 0 {
            histories.shared.taken(message);
        }
        for (first, decision) in history.deferred {
            if let Err(error) = histories.late.push(Late { decision, first, message }) {
                let what = format!("records cannot be written beside: {error}");
                findings.add(Finding::unchecked(Check::Decisions, what).at(decision));
            }
        }
    }

    fn flaw(&self, traces: &[Trace], flaw: &Flaw, id: Option<MessageId>) -> Finding {
        // What it lacks may be in the log before.
        let may = match flaw.kind.is_of_something_missing() {
            true => self.may_be_elsewhere(traces, flaw, id),
            false => May::Not,
        };
        let finding = may.weigh(Check::Messages, flaw.kind.text(), || self.fault(flaw.kind));
        match flaw.kind.needs_all() {
            true => finding.needing_all(),
            false => finding,
        }
    }

    fn fault(&self, kind: FlawKind) -> Finding {
        let what = kind.text();
        match kind {
            FlawKind::BothTold => Finding::note(Check::Messages, what),
            // What another relay signed is no evidence against this one, which wrote it down.
            FlawKind::NeverSent | FlawKind::HeardUntaken | FlawKind::NotLeft => {
                Finding::fault(Check::Receipts, what)
            }
            FlawKind::NoHeader
            | FlawKind::NoDecision
            | FlawKind::Twice
            | FlawKind::NeverTaken
            | FlawKind::TwoFates
            | FlawKind::OtherRecipients
            | FlawKind::NotPermitted
            | FlawKind::EndedEarly
            | FlawKind::NotDenied
            | FlawKind::ErasedNothing => {
                Finding::fault(Check::Messages, what).against(&self.trusted.home)
            }
        }
    }

    /// Whether an entry about a message may rest on the log that this one goes on from.
    fn may_be_elsewhere(&self, traces: &[Trace], flaw: &Flaw, id: Option<MessageId>) -> May {
        let Some(elsewhere) = self.elsewhere else { return May::Not };
        let trace = traces.iter().find(|trace| trace.index == flaw.index);
        let may = trace.map(|trace| elsewhere.may_have(Timestamp::from_millis(trace.at), id));
        match may.unwrap_or(May::Not) {
            // Nobody could read the name of what is erased.
            May::Unclear if flaw.kind == FlawKind::ErasedNothing => May::Be,
            may @ (May::Be | May::Unclear | May::Not) => may,
        }
    }

    /// A header that is missing: counted if the log gives leave for it, else a fault.
    fn gone(&self, gone: histories::Gone, counted: &mut Gone) -> Option<Finding> {
        let keep_until = Timestamp::from_millis(gone.keep_until);
        let count = if gone.is_erased {
            &mut counted.erased
        } else if self.leave.covers(gone.index, keep_until) {
            &mut counted.pruned
        } else {
            let what = format!(
                "its header, to be kept until {keep_until}, is missing, and the log does not say \
                 that it was pruned after that time or erased"
            );
            // Headers are no part of what is signed: whoever made the copy may have left it out.
            return Some(Finding::fault(Check::Headers, what).needing_all());
        };
        *count += 1;
        counted.decisions += 1;
        None
    }
}

/// What became of all messages.
struct Histories {
    fates: Fates,
    gone: Gone,
    late: Spill<Late>,
    shared: Shared,
    /// Findings that may still get the name of their message, because each is another reading.
    names: usize,
}

impl Histories {
    fn new(shared: Shared) -> Self {
        let (fates, gone) = (Fates::default(), Gone::default());
        Self { fates, gone, late: Spill::new(), shared, names: NAMED_MAX }
    }

    /// The id of a message, from an entry that names it.
    fn name(&mut self, walk: &Walk<'_>, traces: &[Trace], index: u64) -> Option<MessageId> {
        self.names = self.names.checked_sub(1)?;
        let message = traces.first()?.message;
        let named = found((index, walk.copy.folder.entry(index).ok()?)).named();
        named.into_iter().find(|named| beginning(named.header) == message)?.message
    }
}
