//! What is done with each entry in the order of the log.

mod begin;
mod end;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use kuriiri_tlog::{Checkpoint, TileEdge};
use kuriiri_types::{
    Code, Decided, Entry, Fingerprint, LogEvent, Ministry, Receipt, Timestamp,
    limits::CLOCK_SKEW_MAX,
};
use kuriiri_wire::WireError;

use super::{
    AuditOptions,
    pool::{Item, Job, Pool, judge},
};
use crate::{
    acts::Acts,
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    genuine::Spot,
    heads::Heads,
    known::Known,
    lives::{About, Said, Trace},
    order::Order,
    pruned::Pruning,
    rules::{Contents, InForce},
    scan::{Chunk, Found, Inner},
    scene::{Anchors, History, Keys, Scene},
    spill::Spill,
    timeline::Timeline,
    tree::check_tile,
};

/// Times of cosignatures are in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// A log on the way from its first entry to its last.
pub(super) struct Walk<'a> {
    folder: &'a LogFolder,
    anchors: &'a Anchors,
    pool: Pool,
    known: Known,
    contents: Contents,
    tree: TileEdge,
    order: Order,
    heads: Heads,
    scene: Arc<Scene>,
    history: History,
    admitted: HashSet<Fingerprint>,
    waiting: Vec<(Spot, Item)>,
    traces: Spill<Trace>,
    kinds: BTreeMap<&'static str, u64>,
    timeline: Timeline,
    period: Option<(Timestamp, Timestamp)>,
    broken: bool,
    pruning: Pruning,
    acts: Acts,
    /// It goes on from a log that was lost.
    is_restored: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        folder: &'a LogFolder,
        anchors: &'a Anchors,
        home: Ministry,
        options: AuditOptions,
        pool: Pool,
    ) -> Self {
        let AuditOptions { mut known, replay } = options;
        known.prepare();
        let pruning = Pruning::new(home.clone(), folder);
        let scene = Arc::new(Scene::first(home.clone(), anchors, pruning.is_pruned()));
        let mut history = History::default();
        history.push(0, Arc::clone(&scene));
        Self {
            folder,
            anchors,
            pool,
            known,
            contents: replay,
            tree: TileEdge::new(),
            order: Order::new(home.clone()),
            heads: Heads::new(home.clone()),
            scene,
            history,
            admitted: HashSet::new(),
            waiting: Vec::new(),
            traces: Spill::new(),
            kinds: BTreeMap::new(),
            timeline: Timeline::default(),
            period: None,
            broken: false,
            acts: Acts::new(home),
            is_restored: false,
            pruning,
        }
    }

    /// How many entries were read.
    pub(super) fn read(&self) -> u64 {
        self.tree.size().saturating_sub(self.pruning.first())
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
            for (tile, tree) in self.tree.push(found.leaf) {
                check_tile(self.folder, tile, &tree, findings);
            }
            self.entry(found, findings);
        }
        self.flush();
        true
    }

    fn entry(&mut self, found: Found, findings: &mut Findings) {
        let Found { index, leaf, entry, inner, about, .. } = found;
        let Some(entry) = self.readable(index, entry, findings) else { return };
        if self.period.is_none() && self.pruning.is_pruned() {
            self.acts.begin(entry.at);
        }
        self.period = Some((self.period.map_or(entry.at, |(first, _)| first), entry.at));
        let came = match &inner {
            Inner::Receipt(receipt) => Some(receipt.kind),
            Inner::Nothing | Inner::Header(_) | Inner::Unreadable(_) => None,
        };
        self.timeline.count(&entry, came);
        self.order.next(index, leaf, &entry, findings);
        self.heads.next(index, (&entry, &inner), &self.order, findings);
        self.event(Spot { index, at: entry.at }, entry, (inner, about), findings);
    }

    fn readable(
        &mut self,
        index: u64,
        entry: Result<Entry, WireError>,
        findings: &mut Findings,
    ) -> Option<Entry> {
        findings.done(Check::Entries, 1);
        match entry {
            Ok(entry) => {
                *self.kinds.entry(entry.event.kind()).or_default() += 1;
                Some(entry)
            }
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                findings.add(Finding::fault(Check::Entries, what).at(index));
                None
            }
        }
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
                self.acts.act(&approval);
                self.admit(spot, approval.proof.signer);
                self.heavy(spot, Item::Approval(subject, approval), findings);
            }
            LogEvent::Erased { subject, .. } => {
                self.trace(Trace::erased(spot.index, spot.at, subject), findings);
            }
            LogEvent::PeerCheckpoint { checkpoint } => {
                self.witnessed(spot, &checkpoint, findings);
            }
            event @ (LogEvent::Certificate { .. }
            | LogEvent::FilePart(_)
            | LogEvent::PolicyChanged(_)
            | LogEvent::ClockStepped { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Pruned { .. }) => self.ground(spot, event, findings),
            LogEvent::TurnedAway { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Exported { .. } => {}
        }
    }

    /// What later entries are judged by.
    fn ground(&mut self, spot: Spot, event: LogEvent, findings: &mut Findings) {
        if let LogEvent::Certificate { der } = event {
            self.scene.certificates.add(spot.index, &der);
        } else if let LogEvent::FilePart(part) = event {
            if let Err(what) = self.contents.add_part(&part) {
                findings.add(Finding::fault(Check::Decisions, what).at(spot.index));
            }
        } else if let LogEvent::PolicyChanged(policy) = event {
            let rules = InForce::of(&policy, &self.contents);
            self.contents.settle(&policy);
            let keys = Keys::of(rules.federation.as_ref(), self.anchors);
            self.change(spot.index, Arc::new(rules), keys);
        } else if let LogEvent::ClockStepped { .. } = event {
            // Times fall, so what was good when it was first looked at must be looked at again.
            let rules = Arc::clone(&self.scene.rules);
            let keys = Keys::of(rules.federation.as_ref(), self.anchors);
            self.change(spot.index, rules, keys);
        } else if let LogEvent::Restored { checkpoint } = event {
            self.restored(spot, &checkpoint, findings);
        } else if let LogEvent::Pruned { before, .. } = event {
            self.pruning.tell(spot.index, before, findings);
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
        self.acts.decided(spot, &decided, out);
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
    fn restored(&mut self, spot: Spot, note: &[u8], findings: &mut Findings) {
        findings.done(Check::Growth, 1);
        self.acts.begin(spot.at);
        self.is_restored = true;
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
        let Some(key) = keys.witness(&self.scene.home) else { return };
        if let Ok(Some(signed)) = read.verify(key) {
            let far = signed.time.and_then(|time| far(time, spot.at, &self.scene.home));
            if let Some(far) = far {
                findings.add(far.at(spot.index));
            }
        } else {
            let what = "this relay's cosignature is not on what it says it cosigned";
            findings.add(Finding::fault(Check::Witnessing, what).at(spot.index));
        }
    }
}

/// A cosignature and the entry that tells of it are of one moment and one clock.
fn far(time: u64, at: Timestamp, home: &Ministry) -> Option<Finding> {
    let cosigned = i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000);
    let cosigned = Timestamp::from_millis(cosigned);
    let apart = at.since(cosigned).max(cosigned.since(at));
    let what = format!("it was cosigned at {cosigned} by this relay, as it says at {at}");
    if apart > CLOCK_SKEW_MAX {
        Some(Finding::fault(Check::Witnessing, what).against(home))
    } else {
        (apart > SECOND).then(|| Finding::note(Check::Witnessing, what))
    }
}
