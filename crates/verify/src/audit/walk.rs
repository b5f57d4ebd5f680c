//! What is done with each entry in the order of the log.

mod end;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use kuriiri_tlog::TileEdge;
use kuriiri_types::{
    Decided, Digest, Entry, Fingerprint, LogEvent, Ministry, PolicyInForce, Receipt, Timestamp,
    limits::LOG_RETENTION_MIN,
};
use kuriiri_wire::WireError;

use super::{
    givers::Givers,
    gone::Leave,
    names::Names,
    options::AuditOptions,
    pool::{Item, Job, Pool, judge},
    recent::{Headers, Recent},
    releases::Releases,
    restored::{Elsewhere, Origin},
    signed_files::{Basis, SignedFiles},
    traces::Traces,
    ways::Ways,
    witnessed,
};
use crate::{
    check_entry::Spot,
    copy::{Bundle, Copy, Place},
    finding::{Check, Finding, Findings},
    found::{Beside, Found, Inner, is_onward},
    heads::Heads,
    kept_checkpoints::Known,
    order::Order,
    rules::{Compiled, Contents, InForce},
    scan::Scanned,
    timeline::Timeline,
    trace::{About, Abouts, Cause, Said, Trace},
    tree::check_tile,
    trusted::{Anchors, Keys, TrustHistory, Trusted},
};

/// Messages after which those that judge get what was gathered.
const JOB_MESSAGES: usize = 4096;

/// A log on the way from its first entry to its last.
pub(super) struct Walk<'a> {
    copy: Copy<'a>,
    anchors: &'a Anchors,
    pool: Pool,
    known: Known,
    contents: Contents,
    signed_files: SignedFiles,
    /// Nothing but certificates and files was written since the relay started.
    is_start: bool,
    compiled: Compiled,
    tree: TileEdge,
    order: Order,
    heads: Heads,
    trusted: Arc<Trusted>,
    history: TrustHistory,
    admitted: HashSet<Fingerprint>,
    waiting: Vec<(Spot, Item)>,
    /// How many messages these are about.
    weight: usize,
    recent: Recent,
    traces: Traces,
    kinds: BTreeMap<&'static str, u64>,
    timeline: Timeline,
    period: Option<(Timestamp, Timestamp)>,
    broken: bool,
    leave: Leave,
    messages: u64,
    releases: Releases,
    givers: Givers,
    /// What it lacks with leave, if it goes on from a log that was lost.
    elsewhere: Option<Elsewhere>,
    /// The shortest life that rules in force so far gave a message.
    life: Duration,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        (copy, anchors): (Copy<'a>, &'a Anchors),
        home: Ministry,
        options: AuditOptions,
        pool: Pool,
    ) -> Self {
        let AuditOptions { mut known, replay } = options;
        known.prepare();
        let trusted = Arc::new(Trusted::first(home.clone(), anchors));
        let mut history = TrustHistory::default();
        history.push((0, Timestamp::from_millis(i64::MIN)), Arc::clone(&trusted));
        let origin = &copy.folder.checkpoint().origin;
        Self {
            order: Order::new(home.clone(), origin),
            copy,
            anchors,
            pool,
            known,
            contents: replay,
            signed_files: SignedFiles::default(),
            is_start: false,
            compiled: Compiled::default(),
            tree: TileEdge::new(),
            heads: Heads::new(home.clone()),
            trusted,
            history,
            admitted: HashSet::new(),
            waiting: Vec::new(),
            weight: 0,
            recent: Recent::new(),
            traces: Traces::new(),
            kinds: BTreeMap::new(),
            timeline: Timeline::default(),
            period: None,
            broken: false,
            leave: Leave::new(home.clone()),
            messages: 0,
            givers: Givers::new(home.clone()),
            releases: Releases::new(home),
            elsewhere: None,
            life: Duration::MAX,
        }
    }

    /// How many entries were read, or are known to be missing.
    pub(super) fn passed(&self) -> u64 {
        self.tree.size()
    }

    /// Takes the next bundle. False when the log cannot be followed any further.
    pub(super) fn chunk(
        &mut self,
        chunk: Scanned<(Found, Vec<Names>)>,
        findings: &mut Findings,
    ) -> bool {
        let places = match self.copy.take(self.tree.size(), chunk, findings) {
            Bundle::Entries(places) => places,
            Bundle::Missing(root) => {
                self.known.check(&self.tree, &self.anchors.trust, findings);
                return self.tree.push_full(root);
            }
            Bundle::Unknown => {
                self.broken = true;
                return false;
            }
        };
        self.recent.turn();
        for place in places {
            match place {
                Place::Missing(leaf) => self.leaf(leaf, findings),
                Place::Entry(entry) => {
                    let (found, names) = *entry;
                    self.leaf(found.leaf, findings);
                    self.traces.names(&found, &names, findings);
                    self.entry(found, findings);
                }
            }
        }
        self.flush();
        true
    }

    fn leaf(&mut self, leaf: Digest, findings: &mut Findings) {
        self.known.check(&self.tree, &self.anchors.trust, findings);
        for (tile, tree) in self.tree.push(leaf) {
            check_tile(self.copy.folder, tile, &tree, findings);
        }
    }

    fn entry(&mut self, found: Found, findings: &mut Findings) {
        let Found { index, leaf, entry, inner, about, headers, .. } = found;
        let Some(entry) = self.readable(index, entry, findings) else { return };
        self.period = Some((self.period.map_or(entry.at, |(first, _)| first), entry.at));
        let came = match &inner {
            Inner::Receipt(receipt) => Some(&**receipt),
            Inner::Nothing | Inner::Unreadable(_) => None,
        };
        self.timeline.count(&entry, came);
        self.order.next(index, leaf, (&entry, came), findings);
        self.heads.next(index, (&entry, came), &self.order, findings);
        if index == 0 {
            let is_restored = matches!(entry.event, LogEvent::Restored { .. });
            self.origin().check_first(is_restored, findings);
        }
        let spot = Spot { index, at: entry.at };
        let is_start = matches!(entry.event, LogEvent::Booted { .. });
        self.is_start = is_start || (self.is_start && is_ground(&entry.event));
        if let LogEvent::Decided(decided) = entry.event {
            let goes = is_onward(&entry.channels);
            self.ways(spot).check_onward(spot, (&entry.channels, &decided), findings);
            self.decided(spot, decided, (headers, &about, goes), findings);
        } else {
            self.event(spot, entry.event, (inner, &about), findings);
        }
    }

    fn ways(&self, spot: Spot) -> Ways<'_> {
        Ways::at(spot, &self.trusted.home, &self.history)
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
        event: LogEvent,
        (inner, about): (Inner, &Abouts),
        findings: &mut Findings,
    ) {
        match event {
            LogEvent::Receipt(receipt) => {
                self.givers.stated(spot, &receipt, findings);
                let said = Said::Own(receipt.kind, Cause::of(&receipt));
                self.traces.stated(spot, (&receipt, about), said, findings);
            }
            LogEvent::ReceiptIn { from, receipt } => {
                self.ways(spot).check_receipt(spot, &from, findings);
                let said = self.came(spot, (inner, about), findings);
                self.wait(spot, Item::Receipt(receipt, said), 1);
            }
            LogEvent::Approved { subject, approval } => {
                self.releases.add(&approval);
                self.admit(spot, approval.proof.signer);
                self.heavy(spot, &Item::Approval(subject, approval), findings);
            }
            LogEvent::Erased { subject, header, .. } => {
                let at = (spot.index, spot.at);
                let trace = Trace::new(at, subject, About::default(), Said::Erased(header));
                self.traces.keep(trace, findings);
            }
            LogEvent::PeerCheckpoint { checkpoint } => {
                witnessed::check(&self.trusted, spot, &checkpoint, findings);
            }
            event @ (LogEvent::Certificate { .. }
            | LogEvent::FilePart(_)
            | LogEvent::PolicyChanged(_)
            | LogEvent::ClockStepped { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Pruned { .. }) => self.ground(spot, event, findings),
            LogEvent::Decided(_)
            | LogEvent::TurnedAway { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Exported { .. } => {}
        }
    }

    /// What later entries are judged by.
    fn ground(&mut self, spot: Spot, event: LogEvent, findings: &mut Findings) {
        if let LogEvent::Certificate { der } = event {
            self.trusted.certificates.add(spot.index, &der);
        } else if let LogEvent::FilePart(part) = event {
            if let Err(what) = self.contents.add_part(&part) {
                findings.add(Finding::fault(Check::Decisions, what).at(spot.index));
            }
        } else if let LogEvent::PolicyChanged(policy) = event {
            self.policy(spot, &policy, findings);
        } else if let LogEvent::ClockStepped { .. } = event {
            // Times fall, so what was good when it was first looked at must be looked at again.
            let rules = Arc::clone(&self.trusted.rules);
            let keys = Keys::of(rules.federation.as_ref(), self.anchors);
            self.change(spot, rules, keys);
        } else if let LogEvent::Restored { checkpoint } = event {
            self.restored(spot, &checkpoint, findings);
        } else if let LogEvent::Pruned { until, headers, .. } = event {
            self.leave.tell(spot, (until, headers), findings);
        }
    }

    fn decided(
        &mut self,
        spot: Spot,
        decided: Box<Decided>,
        (beside, about, goes): (Beside, &Abouts, bool),
        out: &mut Findings,
    ) {
        self.releases.decided(spot, &decided, out);
        self.givers.decided(spot, &decided, out);
        self.messages += decided.subjects.len() as u64;
        let (decided, about) = (Arc::from(decided), about.of(0));
        let is_known = beside != Beside::Unknown;
        let headers = self.headers(&decided, beside);
        self.kept_long_enough(spot, &decided, out);
        self.traces.decided(spot, (&decided, about, goes), (&headers, is_known), out);
        if decided.batch.is_none() && headers.iter().all(Option::is_none) {
            // They are looked for when all was read.
            return;
        }
        let signers = decided.batch.iter().map(|batch| batch.signer);
        let officers = decided.approvals.iter().map(|signed| signed.proof.signer);
        let signers: Vec<Fingerprint> = signers.chain(officers).collect();
        let mut all = true;
        for signer in signers {
            all &= self.admit(spot, signer);
        }
        let weight = decided.subjects.len();
        let item = Item::Class(decided, headers);
        if all {
            self.wait(spot, item, weight);
        } else {
            self.heavy(spot, &item, out);
        }
    }

    fn kept_long_enough(&self, spot: Spot, decided: &Decided, out: &mut Findings) {
        if decided.keep_until.is_some_and(|until| until < spot.at.after(LOG_RETENTION_MIN)) {
            let what = "its headers are said to be kept for less than a hundred days";
            let finding = Finding::fault(Check::Headers, what).at(spot.index);
            out.add(finding.against(&self.trusted.home));
        }
    }

    /// The headers that are at hand: those beside an entry that names messages first, and for others
    /// those of entries that were read not long ago.
    fn headers(&mut self, decided: &Arc<Decided>, beside: Beside) -> Headers {
        let named = decided.subjects.iter();
        match beside {
            Beside::Headers(headers) => {
                let headers = Headers::from(headers);
                self.recent.add(decided, &headers);
                headers
            }
            Beside::Nothing | Beside::Unknown if decided.batch.is_some() => {
                named.map(|_| None).collect()
            }
            Beside::Nothing | Beside::Unknown => {
                named.map(|subject| self.recent.find(subject.header)).collect()
            }
        }
    }

    fn came(
        &mut self,
        spot: Spot,
        (inner, about): (Inner, &Abouts),
        findings: &mut Findings,
    ) -> Option<Box<Receipt>> {
        match inner {
            Inner::Receipt(receipt) => {
                let is_home = *receipt.sender.ministry() == self.trusted.home;
                self.traces.stated(
                    spot,
                    (&receipt, about),
                    Said::Came(receipt.kind, is_home),
                    findings,
                );
                return Some(receipt);
            }
            Inner::Unreadable(error) => {
                let what = format!("the receipt that came in cannot be read: {error}");
                findings.add(Finding::fault(Check::Receipts, what).at(spot.index));
            }
            Inner::Nothing => {}
        }
        None
    }

    /// Admits a signer when it is first needed. True when there is nothing to wait for.
    fn admit(&mut self, spot: Spot, signer: Fingerprint) -> bool {
        if self.admitted.contains(&signer) {
            return true;
        }
        let admitted = self.trusted.admit(spot, signer);
        if admitted {
            self.admitted.insert(signer);
        }
        admitted
    }

    /// What must be judged before anything after it: a certificate that is not good yet may be
    /// good later.
    fn heavy(&mut self, spot: Spot, item: &Item, findings: &mut Findings) {
        judge(&self.trusted, spot, item, findings);
    }

    /// What can be judged while others are read.
    fn wait(&mut self, spot: Spot, item: Item, weight: usize) {
        self.waiting.push((spot, item));
        self.weight += weight;
        if self.weight >= JOB_MESSAGES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.weight = 0;
        let (trusted, items) = (Arc::clone(&self.trusted), std::mem::take(&mut self.waiting));
        self.pool.give(Job { trusted, items });
    }

    fn policy(&mut self, spot: Spot, policy: &PolicyInForce, findings: &mut Findings) {
        let rules = self.compiled.of(policy, &self.contents);
        let basis = Basis {
            contents: &self.contents,
            certificates: &self.trusted.certificates,
            anchors: self.anchors,
            is_start: self.is_start,
            before: &self.trusted,
            after: &rules,
        };
        self.signed_files.change(spot, policy, &basis, findings);
        self.contents.settle(policy);
        let keys = Keys::of(rules.federation.as_ref(), self.anchors);
        self.change(spot, rules, keys);
    }

    fn change(&mut self, spot: Spot, rules: Arc<InForce>, keys: Keys) {
        self.flush();
        self.life = self.life.min(rules.shortest_life);
        self.admitted.clear();
        let certificates = Arc::clone(&self.trusted.certificates);
        let (home, keys) = (self.trusted.home.clone(), Arc::new(keys));
        // A step of the clock changes no key.
        let before = match Arc::ptr_eq(&rules, &self.trusted.rules) {
            true => self.trusted.before.clone(),
            false => Some((spot.at, Arc::clone(&self.trusted.keys))),
        };
        self.trusted = Arc::new(Trusted { home, keys, rules, certificates, before });
        self.history.push((spot.index, spot.at), Arc::clone(&self.trusted));
    }

    /// What a log that goes on from another one says of it.
    fn restored(&mut self, spot: Spot, note: &[u8], findings: &mut Findings) {
        let (origin, trust) = (self.origin(), (&*self.trusted, &self.known));
        if let Some(elsewhere) = origin.restored(spot, note, trust, findings) {
            self.releases.begin(elsewhere);
            self.elsewhere = Some(elsewhere);
        }
    }

    fn origin(&self) -> Origin<'a> {
        Origin { origin: &self.copy.folder.checkpoint().origin, anchors: self.anchors }
    }
}

/// What a relay writes of the files in force.
fn is_ground(event: &LogEvent) -> bool {
    matches!(
        event,
        LogEvent::Certificate { .. } | LogEvent::FilePart(_) | LogEvent::PolicyChanged(_)
    )
}
