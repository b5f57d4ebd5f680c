//! Findings about rows, with the evidence for them, which is checked before it is written.

use std::{cell::OnceCell, collections::BTreeMap, fs, io, time::Duration};

use kuriiri_merkle::{consistency, root, verify_consistency};
use kuriiri_types::{Header, MessageId, Ministry};

use super::{
    beyond,
    context::Context,
    options::EVIDENCE_MAX,
    report::Row,
    survey::{Gap, Seen},
};
use crate::{
    bundle::{EVIDENCE_FORMAT, LogPart, MessageBundle, Sources, check_bundle, evidence},
    contradiction::{Claim, ClaimKind, GrowthProof},
    finding::{Check, Finding, Findings},
    found::found,
    kept_checkpoints::note_in,
    nodes::CachedNodes,
    scan::found_in,
    trace::beginning,
    trusted::Anchors,
};

/// The beginning of a header's leaf hash: names its message.
type Key = [u8; 16];

/// The message that a finding is about, if it is one, and entries of both sides about it.
type Of<'a> = (Option<Key>, &'a [(u8, u64)]);

/// What evidence comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Proved,
    Open,
    Refuted,
}

/// Counts rows, and writes findings and evidence.
pub(super) struct Teller<'a> {
    context: &'a Context<'a>,
    anchors: &'a Anchors,
    findings: &'a mut Findings,
    rows: &'a mut BTreeMap<Row, u64>,
    evidence: usize,
    /// Messages that were not checked because the log of a side ends too early.
    beyond: BTreeMap<(Row, u8), u64>,
    /// Findings for which no evidence was written any more.
    unwritten: u64,
    /// By side: where its log has what its entries are judged by.
    sources: [OnceCell<Option<Sources<'a>>>; 2],
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        anchors: &'a Anchors,
        findings: &'a mut Findings,
        rows: &'a mut BTreeMap<Row, u64>,
    ) -> Self {
        Self {
            context,
            anchors,
            findings,
            rows,
            evidence: 0,
            beyond: BTreeMap::new(),
            unwritten: 0,
            sources: Default::default(),
        }
    }

    /// Makes the folder for evidence.
    pub(super) fn prepare(&mut self) {
        self.findings.begin(Check::Agreement);
        if let Some(folder) = &self.context.options.evidence
            && let Err(error) = fs::create_dir_all(folder)
        {
            self.unreadable(&error);
        }
    }

    pub(super) fn look(&mut self) {
        self.findings.done(Check::Agreement, 1);
    }

    pub(super) fn count(&mut self, row: Row) {
        *self.rows.entry(row).or_default() += 1;
    }

    /// Counts a message that could not be checked, because the log of this side, as it was given, ends
    /// too early, or because its header is gone.
    pub(super) fn beyond(&mut self, row: Row, short: u8) {
        self.count(row);
        *self.beyond.entry((row, short)).or_default() += 1;
    }

    /// Says how many messages could not be checked, and why.
    pub(super) fn not_checked(&mut self) {
        for ((row, side), count) in std::mem::take(&mut self.beyond) {
            let (home, other) = (self.context.home(side), self.context.home(1 - side));
            let log = self.context.folder(side).checkpoint();
            let what = beyond::words(row, count, (home, other), log);
            let held = self.larger(side).map(|larger| {
                format!("; {other} holds a checkpoint that {home} signed, of {larger} entries")
            });
            let what = format!("{what}{}", held.unwrap_or_default());
            self.findings.add(Finding::unchecked(Check::Agreement, what));
        }
    }

    /// The largest tree beyond the log of this side, as it was given, of which the other holds a
    /// checkpoint that the log signed.
    fn larger(&self, side: u8) -> Option<u64> {
        let (holder, size) = (1 - side, self.context.folder(side).size());
        let seen = &self.context.surveys.get(usize::from(holder))?.seen;
        let mut larger = seen.iter().rev().take_while(|view| view.size > size);
        larger.find(|view| self.is_signed(holder, view)).map(|view| view.size)
    }

    /// Says for how many findings there is no file.
    pub(super) fn finish(&mut self) {
        if self.unwritten > 0 {
            let what = format!(
                "evidence is written for {EVIDENCE_MAX} findings; of {} more there is none",
                self.unwritten
            );
            self.findings.add(Finding::note(Check::Agreement, what));
        }
    }

    pub(super) fn unreadable(&mut self, error: &io::Error) {
        let what = format!("what is needed beside cannot be written or read: {error}");
        self.findings.add(Finding::unchecked(Check::Agreement, what));
    }

    // === rows ===

    pub(super) fn missing(&mut self, of: Key, (from, to): (u8, u8), receipt: u64, there: u64) {
        let issuer = self.context.home(to).clone();
        let entries = [(from, receipt), (to, there)];
        let kind = ClaimKind::MissingAtReceiver;
        let bundle = self.bundle(kind, Some(&issuer), String::new(), (Some(of), &entries));
        if bundle.is_none_or(|bundle| self.state(&bundle) != State::Proved) {
            let what = format!(
                "{} has a receipt in the name of {issuer} for an entry that is not in its log, and it is not \
                 known to be genuine",
                self.context.home(from)
            );
            self.count(Row::MissingAtReceiver);
            let message = self.message(Some(of), from, receipt);
            let finding = Finding::unchecked(Check::Agreement, what).at(receipt).of(message);
            return self.findings.add(finding);
        }
        let what = format!("{issuer} gave a receipt for an entry that is not in its log");
        self.red(
            Row::MissingAtReceiver,
            ClaimKind::MissingAtReceiver,
            Some(&issuer),
            what,
            (Some(of), &entries),
        );
    }

    pub(super) fn stalled(&mut self, of: Key, from: u8, sent: u64) {
        let home = self.context.home(from).clone();
        let what = format!(
            "{home} let it go, its time is over, and neither log says what became of it; nothing that is \
             signed tells where it was lost"
        );
        self.open(Row::Stalled, (ClaimKind::Stalled, None), what, (Some(of), &[(from, sent)]));
    }

    /// Whether it came from its sender at all: the signature tells. Who handed it over it does not tell.
    pub(super) fn extra(&mut self, of: Key, (from, to): (u8, u8), entries: Vec<u64>) {
        let header = entries.iter().find_map(|entry| self.header(of, to, *entry));
        let Some(origin) = header.map(|header| header.from.ministry().clone()) else {
            if !self.forged(of, to, &entries) {
                self.beyond(Row::HeaderGone, from);
            }
            return;
        };
        let parts: Vec<(u8, u64)> = entries.iter().map(|entry| (to, *entry)).collect();
        let kind = ClaimKind::Unaccounted;
        if self.forged(of, to, &entries) {
            return;
        }
        let (by, receiver) = (self.context.home(from), self.context.home(to));
        let what = format!(
            "{receiver} says that {by} handed it over, whose log does not say that it left. Its sender is \
             at {origin}; the log of {origin} and what the sender kept tell which way it went, and nothing \
             that is signed tells which of the two logs is false"
        );
        self.open(Row::Unaccounted, (kind, None), what, (Some(of), &parts));
    }

    /// Whether the receiver took it without its sender's signature; then that becomes a finding.
    pub(super) fn forged(&mut self, of: Key, to: u8, entries: &[u64]) -> bool {
        let receiver = self.context.home(to).clone();
        let parts: Vec<(u8, u64)> = entries.iter().map(|entry| (to, *entry)).collect();
        let (kind, of_it) = (ClaimKind::UnsignedExtra, (Some(of), parts.as_slice()));
        let bundle = self.bundle(kind, Some(&receiver), String::new(), of_it);
        let is_forged = bundle.is_some_and(|bundle| self.state(&bundle) == State::Proved);
        if is_forged {
            self.unsigned(of, to, &parts);
        }
        is_forged
    }

    fn unsigned(&mut self, of: Key, to: u8, parts: &[(u8, u64)]) {
        let receiver = self.context.home(to).clone();
        let what = format!("{receiver} took it without a genuine signature of its sender");
        let kind = ClaimKind::UnsignedExtra;
        self.red(Row::UnsignedExtra, kind, Some(&receiver), what, (Some(of), parts));
    }

    pub(super) fn duplicate(&mut self, of: Key, side: u8, entries: Vec<u64>) {
        let home = self.context.home(side).clone();
        let what = format!("{home} took it twice for the same recipient");
        let parts: Vec<(u8, u64)> = entries.into_iter().map(|entry| (side, entry)).collect();
        self.red(Row::Duplicate, ClaimKind::Duplicate, Some(&home), what, (Some(of), &parts));
    }

    pub(super) fn differs(&mut self, of: Key, entries: [(u8, u64); 2]) {
        let [(side, index), _] = entries;
        let origin = self.header(of, side, index).map(|header| header.from.ministry().clone());
        let Some(origin) = origin else { return };
        let kind = ClaimKind::ContentDiffers;
        let bundle = self.bundle(kind, Some(&origin), String::new(), (Some(of), &entries));
        match bundle.map_or(State::Refuted, |bundle| self.state(&bundle)) {
            State::Proved => {
                let what = format!("systems of {origin} signed two different messages of this id");
                self.red(Row::ContentDiffers, kind, Some(&origin), what, (Some(of), &entries));
            }
            State::Open => {
                let what = format!(
                    "two different messages of this id are signed in the name of {origin}, by the \
                     authorities that the logs name; a federation file that you believe would settle \
                     whether its systems signed them"
                );
                self.open(Row::ContentDiffers, (kind, Some(&origin)), what, (Some(of), &entries));
            }
            // One that is not signed is a row of its own.
            State::Refuted => {}
        }
    }

    pub(super) fn diverges(&mut self, of: Key, entries: [(u8, u64); 2]) {
        let [(from, _), (to, _)] = entries;
        let (one, two) = (self.context.home(from), self.context.home(to));
        let what = format!("{one} lets it go and {two} refuses it by the rules");
        self.count(Row::PolicyDivergence);
        let finding = Finding::note(Check::Agreement, what.clone());
        self.tell(finding, ClaimKind::PolicyDivergence, None, what, (Some(of), &entries));
    }

    pub(super) fn late(&mut self, of: Key, (side, sent): (u8, u64), took: Duration) {
        self.count(Row::Late);
        let what = format!("it took {} s by the clocks of the two", took.as_secs());
        let message = self.message(Some(of), side, sent);
        self.findings.add(Finding::note(Check::Agreement, what).at(sent).of(message));
    }

    pub(super) fn reordered(&mut self, to: u8, count: u64) {
        *self.rows.entry(Row::Reordered).or_default() += count;
        let home = self.context.home(to);
        let what = format!("{count} messages of one lane reached {home} after one that left later");
        self.findings.add(Finding::note(Check::Agreement, what));
    }

    pub(super) fn gap(&mut self, side: u8, gap: Gap) {
        let home = self.context.home(side).clone();
        let what = format!("a chain of {home} has a gap or a wrong link");
        let before = gap.before.map(|before| (side, before));
        let entries: Vec<(u8, u64)> = before.into_iter().chain([(side, gap.index)]).collect();
        self.red(Row::ChainGap, ClaimKind::ChainGap, Some(&home), what, (None, &entries));
    }

    /// Checkpoints of the other log that this side holds must be those of its tree.
    pub(super) fn views(&mut self, holder: u8, seen: &[Seen]) {
        let owner = 1 - holder;
        let folder = self.context.folder(owner);
        let nodes = CachedNodes::new(folder);
        for view in seen {
            self.findings.done(Check::Growth, 1);
            if view.size > folder.size() {
                let what = format!(
                    "{} holds a checkpoint of {} entries, and the log given has {}; a copy of all of \
                     them would settle whether they go on from it",
                    self.context.home(holder),
                    view.size,
                    folder.size()
                );
                self.findings.add(Finding::note(Check::Growth, what).at(view.index));
                continue;
            }
            match root(&nodes, view.size) {
                Ok(root) if root == view.root => {}
                Ok(root) if self.is_signed(holder, view) => self.split(holder, view, root),
                Ok(_) => {
                    let what = "a checkpoint of the other log here is not one that it signed";
                    self.findings.add(Finding::note(Check::Growth, what).at(view.index));
                }
                Err(error) => {
                    self.findings.add(Finding::unchecked(Check::Growth, error.to_string()));
                }
            }
        }
    }

    fn is_signed(&self, holder: u8, view: &Seen) -> bool {
        let note = self.note(holder, view.index);
        note.is_some_and(|note| self.anchors.trust.checkpoint(note.as_bytes()).is_ok())
    }

    fn note(&self, side: u8, index: u64) -> Option<String> {
        let entry = found((index, self.context.folder(side).entry(index).ok()?)).entry.ok()?;
        note_in(&entry.event).map(|note| String::from_utf8_lossy(&note).into_owned())
    }

    fn split(&mut self, holder: u8, view: &Seen, root: kuriiri_types::Digest) {
        let owner = 1 - holder;
        let (folder, home) = (self.context.folder(owner), self.context.home(owner).clone());
        let nodes = CachedNodes::new(folder);
        let (size, signed) = (folder.size(), folder.checkpoint().root);
        let proof = consistency(&nodes, view.size, size).unwrap_or_default();
        if !verify_consistency(view.size, root, size, signed, &proof) {
            let what = format!(
                "whether the {} entries that {home} showed {} are the beginning of its log was not looked at: the \
                 tiles of this copy do not lead to the root that was signed; another copy settles it",
                view.size,
                self.context.home(holder)
            );
            return self.findings.add(Finding::unchecked(Check::Growth, what).at(view.index));
        }
        let what = format!(
            "{home} showed {} a tree of {} entries that is not the beginning of its log",
            self.context.home(holder),
            view.size
        );
        let origin = folder.checkpoint().origin.clone();
        let part = |checkpoint: String| LogPart {
            origin: origin.clone(),
            checkpoint,
            entries: Vec::new(),
        };
        let bundle = self.note(holder, view.index).map(|note| MessageBundle {
            format: EVIDENCE_FORMAT.to_owned(),
            message: None,
            claim: Some(Claim {
                kind: ClaimKind::SplitView,
                against: Some(home.clone()),
                what: what.clone(),
                growth: Some(GrowthProof { root: vec![root], proof }),
            }),
            logs: vec![part(note), part(String::from_utf8_lossy(folder.note()).into_owned())],
            body: None,
        });
        self.count(Row::SplitView);
        let mut finding = Finding::fault(Check::Growth, what).against(&home);
        if self.may_write() {
            finding.evidence = bundle.and_then(|bundle| self.write(&bundle));
        }
        self.findings.add(finding);
    }

    // === evidence ===

    /// Something that does not fit, and that nothing signed explains. The claim may name somebody; the
    /// finding is against nobody.
    fn open(
        &mut self,
        row: Row,
        (kind, named): (ClaimKind, Option<&Ministry>),
        what: String,
        entries: Of<'_>,
    ) {
        self.count(row);
        let finding = Finding::unchecked(Check::Agreement, what.clone());
        self.tell(finding, kind, named, what, entries);
    }

    fn red(
        &mut self,
        row: Row,
        kind: ClaimKind,
        against: Option<&Ministry>,
        what: String,
        entries: Of<'_>,
    ) {
        self.count(row);
        let finding = Finding::fault(Check::Agreement, what.clone());
        let finding = match against {
            Some(against) => finding.against(against),
            None => finding,
        };
        self.tell(finding, kind, against, what, entries);
    }

    fn tell(
        &mut self,
        finding: Finding,
        kind: ClaimKind,
        against: Option<&Ministry>,
        what: String,
        (of, entries): Of<'_>,
    ) {
        let Some((side, index)) = entries.first().copied() else { return };
        let mut finding = finding.at(index).of(self.message(of, side, index));
        if self.may_write() {
            let bundle = self.bundle(kind, against, what, (of, entries));
            finding.evidence = bundle.and_then(|bundle| self.write(&bundle));
        }
        self.findings.add(finding);
    }

    fn bundle(
        &self,
        kind: ClaimKind,
        against: Option<&Ministry>,
        what: String,
        (of, entries): Of<'_>,
    ) -> Option<MessageBundle> {
        let message = entries.first().and_then(|(side, index)| self.message(of, *side, *index));
        let part = |side: u8| {
            let own = entries.iter().filter(|(s, _)| *s == side).map(|(_, index)| *index);
            self.sources(side)?.part(&own.collect::<Vec<u64>>(), message).ok()
        };
        let claim = Claim { kind, against: against.cloned(), what, growth: None };
        Some(evidence(claim, message, vec![part(0)?, part(1)?]))
    }

    /// What the entries of a side are judged by, which is looked for once.
    fn sources(&self, side: u8) -> Option<&Sources<'a>> {
        let sources = self.sources.get(usize::from(side))?;
        sources.get_or_init(|| Sources::of(self.context.folder(side)).ok()).as_ref()
    }

    fn state(&self, bundle: &MessageBundle) -> State {
        match check_bundle(bundle, self.anchors).claim {
            Some(claim) if claim.proved => State::Proved,
            Some(claim) if claim.open => State::Open,
            Some(_) | None => State::Refuted,
        }
    }

    /// Whether evidence is wanted and there is not too much of it yet, which is counted.
    fn may_write(&mut self) -> bool {
        let (is_wanted, is_full) =
            (self.context.options.evidence.is_some(), self.evidence >= EVIDENCE_MAX);
        self.unwritten += u64::from(is_wanted && is_full);
        is_wanted && !is_full
    }

    /// Writes evidence that proves its claim; gives its name.
    fn write(&mut self, bundle: &MessageBundle) -> Option<String> {
        let folder = self.context.options.evidence.as_ref()?;
        if self.state(bundle) == State::Refuted {
            return None;
        }
        self.evidence += 1;
        let kind = bundle.claim.as_ref().map_or("", |claim| claim.kind.as_str());
        let name = format!("{:04}-{kind}.json", self.evidence);
        match bundle.write(&folder.join(&name)) {
            Ok(()) => Some(name),
            Err(error) => {
                self.findings.add(Finding::unchecked(Check::Agreement, error.to_string()));
                None
            }
        }
    }

    /// The header of a message, if it is beside this entry.
    fn header(&self, of: Key, side: u8, index: u64) -> Option<Header> {
        let found = found_in(self.context.folder(side), index).ok()?;
        let mut headers = found.first_headers();
        headers.find(|(named, _)| beginning(named.header) == of)?.1
    }

    /// The id of a message, or of the one that an entry is about.
    fn message(&self, of: Option<Key>, side: u8, index: u64) -> Option<MessageId> {
        let found = found((index, self.context.folder(side).entry(index).ok()?));
        let Some(of) = of else { return found.message() };
        found.named().into_iter().find(|named| beginning(named.header) == of)?.message
    }
}
