//! What is done with each entry in the order of the log.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use kuriiri_tlog::{Checkpoint, TILE_WIDTH};
use kuriiri_types::{Code, Decided, Entry, Fingerprint, LogEvent, Ministry, Receipt, Timestamp};

use super::{
    AuditOptions, LogReport,
    pool::{Item, Job, Pool, judge},
};
use crate::{
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    genuine::Spot,
    known::Known,
    lives::{About, Fates, FlawKind, Said, Trace, follow},
    order::Order,
    rules::{Contents, InForce},
    scan::{Chunk, Found, Inner, found},
    scene::{Anchors, Certificates, History, Keys, Scene},
    spill::{Spill, groups},
    timeline::Timeline,
    tree::{Rebuilt, check_files, check_tile, root_at},
};

/// A log on the way from its first entry to its last.
pub(super) struct Walk<'a> {
    folder: &'a LogFolder,
    anchors: &'a Anchors,
    pool: Pool,
    known: Known,
    contents: Contents,
    tree: Rebuilt,
    order: Order,
    scene: Arc<Scene>,
    history: History,
    admitted: HashSet<Fingerprint>,
    waiting: Vec<(Spot, Item)>,
    traces: Spill<Trace>,
    kinds: BTreeMap<&'static str, u64>,
    timeline: Timeline,
    period: Option<(Timestamp, Timestamp)>,
    broken: bool,
    /// The first entry that is there.
    first: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        folder: &'a LogFolder,
        anchors: &'a Anchors,
        home: Ministry,
        options: AuditOptions,
        pool: Pool,
    ) -> Self {
        let AuditOptions { mut known, replay, pruned_to } = options;
        known.prepare();
        let scene = Arc::new(Scene {
            home: home.clone(),
            keys: Arc::new(Keys::of(None, anchors)),
            rules: Arc::new(InForce::nothing()),
            certificates: Arc::new(Certificates::default()),
            is_pruned: pruned_to >= u64::from(TILE_WIDTH),
        });
        let mut history = History::default();
        history.push(0, Arc::clone(&scene));
        Self {
            folder,
            anchors,
            pool,
            known,
            contents: replay,
            tree: Rebuilt::default(),
            order: Order::new(home),
            scene,
            history,
            admitted: HashSet::new(),
            waiting: Vec::new(),
            traces: Spill::new(),
            kinds: BTreeMap::new(),
            timeline: Timeline::default(),
            period: None,
            broken: false,
            first: 0,
        }
    }

    /// Goes on from so many bundles that are not there.
    pub(super) fn prune(&mut self, bundles: u64, findings: &mut Findings) {
        if bundles == 0 {
            return;
        }
        self.order.prune();
        match Rebuilt::resume(self.folder, bundles) {
            Ok(tree) => {
                self.tree = tree;
                self.first = self.tree.size();
                self.known.skip_to(self.first);
                let what = format!("the first {} entries were pruned; only their root", self.first);
                findings.add(Finding::note(Check::Files, format!("{what} was looked at")));
            }
            Err(error) => findings.add(Finding::fault(Check::Files, error.to_string())),
        }
    }

    /// How many entries were read.
    pub(super) fn read(&self) -> u64 {
        self.tree.size() - self.first
    }

    /// Takes the next bundle. False when the log cannot be followed any further.
    pub(super) fn chunk(&mut self, chunk: Chunk, findings: &mut Findings) -> bool {
        let entries = match chunk {
            Ok(entries) => entries,
            Err(error) => {
                findings.add(Finding::fault(Check::Files, error.to_string()));
                self.broken = true;
                return false;
            }
        };
        findings.done(Check::Files, 1);
        for found in entries {
            self.known.check(&self.tree, &self.anchors.trust, findings);
            for expected in self.tree.push(found.leaf) {
                check_tile(self.folder, &expected, findings);
            }
            self.entry(found, findings);
        }
        self.flush();
        true
    }

    fn entry(&mut self, found: Found, findings: &mut Findings) {
        findings.done(Check::Entries, 1);
        let Found { index, leaf, entry, inner, about, .. } = found;
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                return findings.add(Finding::fault(Check::Entries, what).at(index));
            }
        };
        *self.kinds.entry(entry.event.kind()).or_default() += 1;
        self.period = Some((self.period.map_or(entry.at, |(first, _)| first), entry.at));
        let came = match &inner {
            Inner::Receipt(receipt) => Some(receipt.kind),
            Inner::Nothing | Inner::Header(_) | Inner::Unreadable(_) => None,
        };
        self.timeline.count(&entry, came);
        self.order.next(index, leaf, &entry, findings);
        self.event(Spot { index, at: entry.at }, entry, (inner, about), findings);
    }

    fn event(
        &mut self,
        spot: Spot,
        entry: Entry,
        (inner, about): (Inner, About),
        findings: &mut Findings,
    ) {
        match entry.event {
            LogEvent::Decided(decided) => self.decided(spot, decided, (inner, about), findings),
            LogEvent::Receipt(receipt) => {
                let unknown = receipt.code == Some(Code::UNKNOWN_RECIPIENT);
                let said = Said::Own(receipt.kind, unknown);
                self.trace(Trace::receipt(spot.index, spot.at, &receipt, about, said), findings);
            }
            LogEvent::ReceiptIn { receipt, .. } => {
                let said = self.came(spot, (inner, about), findings);
                self.waiting.push((spot, Item::Receipt(receipt, said)));
            }
            LogEvent::Approved { subject, approval } => {
                self.admit(spot, approval.proof.signer);
                self.heavy(spot, Item::Approval(subject, approval), findings);
            }
            LogEvent::Certificate { der } => {
                self.scene.certificates.add(spot.index, &der);
            }
            LogEvent::FilePart(part) => {
                if let Err(what) = self.contents.add_part(&part) {
                    findings.add(Finding::fault(Check::Decisions, what).at(spot.index));
                }
            }
            LogEvent::PolicyChanged(policy) => {
                let rules = InForce::of(&policy, &self.contents);
                self.contents.settle(&policy);
                let keys = Keys::of(rules.federation.as_ref(), self.anchors);
                self.change(spot.index, Arc::new(rules), keys);
            }
            // Times fall, so what was good when it was first looked at must be looked at again.
            LogEvent::ClockStepped { .. } => {
                let rules = Arc::clone(&self.scene.rules);
                let keys = Keys::of(rules.federation.as_ref(), self.anchors);
                self.change(spot.index, rules, keys);
            }
            LogEvent::Erased { subject, .. } => {
                self.trace(Trace::erased(spot.index, spot.at, subject), findings);
            }
            LogEvent::Restored { checkpoint } => self.restored(spot, &checkpoint, findings),
            LogEvent::PeerCheckpoint { checkpoint } => {
                self.witnessed(spot, &checkpoint, findings);
            }
            LogEvent::TurnedAway { .. } | LogEvent::Booted { .. } | LogEvent::Acted { .. } => {}
        }
    }

    fn decided(
        &mut self,
        spot: Spot,
        decided: Box<Decided>,
        (inner, about): (Inner, About),
        out: &mut Findings,
    ) {
        self.trace(Trace::decided(spot.index, spot.at, &decided, about), out);
        match inner {
            Inner::Header(header) => {
                let signers = decided.envelope.iter().map(|envelope| envelope.proof.signer);
                let officers = decided.approvals.iter().map(|signed| signed.proof.signer);
                let signers: Vec<Fingerprint> = signers.chain(officers).collect();
                let mut all = true;
                for signer in signers {
                    all &= self.admit(spot, signer);
                }
                let item = Item::Message(decided, header);
                if all {
                    self.waiting.push((spot, item));
                } else {
                    self.heavy(spot, item, out);
                }
            }
            Inner::Unreadable(error) => {
                let what = format!("the signed header cannot be read: {error}");
                out.add(Finding::fault(Check::Originators, what).at(spot.index));
            }
            // The header stands in an earlier entry: it is looked for afterwards.
            Inner::Nothing | Inner::Receipt(_) => {}
        }
    }

    fn came(
        &mut self,
        spot: Spot,
        (inner, about): (Inner, About),
        findings: &mut Findings,
    ) -> Option<Box<Receipt>> {
        match inner {
            Inner::Receipt(receipt) => {
                let is_home = *receipt.sender.ministry() == self.scene.home;
                let said = Said::Came(receipt.kind, is_home);
                self.trace(Trace::receipt(spot.index, spot.at, &receipt, about, said), findings);
                return Some(receipt);
            }
            Inner::Unreadable(error) => {
                let what = format!("the receipt that came in cannot be read: {error}");
                findings.add(Finding::fault(Check::Receipts, what).at(spot.index));
            }
            Inner::Nothing | Inner::Header(_) => {}
        }
        None
    }

    /// Admits a signer when it is first needed. True when there is nothing to wait for.
    fn admit(&mut self, spot: Spot, signer: Fingerprint) -> bool {
        if self.admitted.contains(&signer) {
            return true;
        }
        let admitted = self.scene.admit(spot, signer);
        if admitted {
            self.admitted.insert(signer);
        }
        admitted
    }

    /// What must be judged before anything after it: a certificate that is not good yet may be
    /// good later.
    fn heavy(&mut self, spot: Spot, item: Item, findings: &mut Findings) {
        judge(&self.scene, spot, &item, findings);
    }

    fn flush(&mut self) {
        let (scene, items) = (Arc::clone(&self.scene), std::mem::take(&mut self.waiting));
        self.pool.give(Job { scene, items });
    }

    fn change(&mut self, index: u64, rules: Arc<InForce>, keys: Keys) {
        self.flush();
        self.admitted.clear();
        let certificates = Arc::clone(&self.scene.certificates);
        let (home, is_pruned) = (self.scene.home.clone(), self.scene.is_pruned);
        let keys = Arc::new(keys);
        self.scene = Arc::new(Scene { home, keys, rules, certificates, is_pruned });
        self.history.push(index, Arc::clone(&self.scene));
    }

    fn trace(&mut self, trace: Trace, findings: &mut Findings) {
        if let Err(error) = self.traces.push(trace) {
            let what = format!("records cannot be written beside: {error}");
            findings.add(Finding::unchecked(Check::Messages, what));
        }
    }

    /// What a log begun anew says of the one before.
    fn restored(&self, spot: Spot, note: &[u8], findings: &mut Findings) {
        findings.done(Check::Growth, 1);
        let before = crate::known::parsed(note);
        let genuine = before.as_ref().and_then(|before| {
            let key =
                self.scene.keys.log(&before.origin).or_else(|| {
                    self.anchors.trust.log(&before.origin).map(|log| log.key().clone())
                })?;
            Checkpoint::verify(note, &key).ok()
        });
        let finding = match (before, genuine) {
            (_, Some(before)) => Finding::note(
                Check::Growth,
                format!("this log goes on from {} with {} entries", before.origin, before.size),
            ),
            (Some(before), None) => Finding::unchecked(
                Check::Growth,
                format!("no key is known of {}, which this log goes on from", before.origin),
            ),
            (None, None) => {
                Finding::fault(Check::Growth, "what this log goes on from is no checkpoint")
            }
        };
        findings.add(finding.at(spot.index));
    }

    /// The signature of the log that was witnessed, and this relay's own.
    fn witnessed(&self, spot: Spot, note: &[u8], findings: &mut Findings) {
        let keys = &self.scene.keys;
        let Some(seen) = crate::known::parsed(note) else { return };
        let Ok(read) = kuriiri_tlog::Note::parse(note) else { return };
        if let Some(key) = keys.log(&seen.origin)
            && Checkpoint::in_note(&read, &key).is_err()
        {
            let what = format!("{} did not sign what was cosigned", seen.origin);
            findings.add(Finding::fault(Check::Witnessing, what).at(spot.index));
        }
        if let Some(key) = keys.witness(&self.scene.home)
            && !matches!(read.verify(key), Ok(Some(_)))
        {
            let what = "this relay's cosignature is not on what it says it cosigned";
            findings.add(Finding::fault(Check::Witnessing, what).at(spot.index));
        }
    }

    // === the end ===

    /// What can be said once all was read.
    pub(super) fn finish(mut self, findings: &mut Findings, report: &mut LogReport) {
        self.flush();
        for expected in self.tree.partial() {
            if !self.broken {
                check_tile(self.folder, &expected, findings);
            }
        }
        self.known.check(&self.tree, &self.anchors.trust, findings);
        if !self.broken {
            check_files(self.folder, &self.tree, findings);
            if let Some(what) = self.known.unprotected(self.tree.size()) {
                findings.add(Finding::note(Check::Growth, what));
            }
            self.known.finish(&self.tree, &self.anchors.trust, findings);
        }
        self.check_root(findings);
        report.read = self.read();
        report.period = self.period;
        report.authorities = self.authorities();
        report.kinds = std::mem::take(&mut self.kinds);
        report.timeline = std::mem::take(&mut self.timeline);
        report.fates = self.lives(findings);
    }

    fn check_root(&self, findings: &mut Findings) {
        let (read, said) = (self.tree.size(), self.folder.checkpoint());
        findings.done(Check::Root, self.read());
        if read != said.size {
            let what = format!("{read} entries can be read of {}", said.size);
            findings.add(Finding::fault(Check::Root, what));
        } else if root_at(&self.tree) != said.root {
            let what = format!("the entries have the root {}", root_at(&self.tree));
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
        let life = follow(traces);
        fates.add(&life.fates);
        for flaw in life.flaws {
            let what = flaw.kind.text();
            let finding = match flaw.kind {
                // What it lacks may be among what was pruned.
                FlawKind::NeverSent
                | FlawKind::NoHeader
                | FlawKind::NoDecision
                | FlawKind::NeverTaken
                    if self.first > 0 =>
                {
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
