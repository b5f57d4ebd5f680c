//! Systems that send: what they write, and how they see that it is taken.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_engine::LinkId;
use kuriiri_merkle::leaf;
use kuriiri_seal::{Purpose, Signer, commit};
use kuriiri_types::{
    Address, Digest, Envelope, Header, Lane, MessageId, MessageType, Precedence, Recipient, Role,
    SealKeyId, Sealing, SpiffeId, Timestamp, Verdict, WireLabel,
    limits::{BATCH_MESSAGES_MAX, BODY_INLINE_BYTES_MAX, BODY_SALT_BYTES, LANE_MEMORY_BYTES_MAX},
};
use kuriiri_wire::header;

use crate::{failure::Failure, rng::Rng};

/// Messages that one system writes at once, at most.
const FLURRY_MAX: usize = 6;
/// Batches under way from one system in one lane, at most.
const UNDER_WAY_MAX: usize = 3;
/// Messages in one submission, at most; but for some, of a hundred, that take all that waits.
const SUBMISSION_MAX: usize = 5;
const LARGE_SUBMISSIONS: u64 = 40;
/// Of a hundred times that a system writes, it writes a circular so often.
const CIRCULARS: u64 = 20;
/// How long a lane rests after the relay said that it is full.
const BUSY_REST: Duration = Duration::from_millis(300);

/// Messages of a flood: with the largest body that stands in a pack, more than a lane holds in
/// memory.
const FLOOD: usize = LANE_MEMORY_BYTES_MAX / BODY_INLINE_BYTES_MAX + 32;

/// Labels, and whether they ask for sealing: permitted, permitted to some, and forbidden.
const LABELS: [(&str, bool); 27] = [
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", false),
    ("FI JULK", true),
    ("FI JULK", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", true),
    ("FI SALP", false),
    ("FI SALP REL{VN}", true),
    ("FI TL4", true),
    ("FI TL4 COMPARTMENT{RAJA}", true),
    ("FI TL4 REL{PLM,SM}", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL3", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("FI TL2 REL{UM,PLM}", true),
    ("TLP GREEN", false),
    ("EU R-UE", true),
    ("FI UNHEARD-OF", false),
];
/// Ministries that may have what officers must release, by level and sender.
const CLEARED: [(&str, &str, &[&str]); 5] = [
    ("TL3", "sm.example", &["sm.example", "plm.example"]),
    ("TL3", "plm.example", &["plm.example", "sm.example", "um.example"]),
    ("TL3", "um.example", &["um.example", "plm.example"]),
    ("TL2", "plm.example", &["plm.example", "um.example"]),
    ("TL2", "um.example", &["um.example", "plm.example"]),
];
/// People who write messages; two of them are officers too.
const DRAFTERS: [&str; 3] = ["anna", "bertta", "maija"];
/// Recipients that do not exist.
const STRANGERS: [&str; 3] = ["nobody@um.example", "nobody@sm.example", "who@stranger.example"];

/// A message as its system signed it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Its place among all that its system wrote.
    pub(crate) index: u64,
    pub(crate) system: SpiffeId,
    pub(crate) header: Header,
    pub(crate) envelope: Envelope,
    pub(crate) leaf: Digest,
    /// Salt and body, as the system hands them over.
    pub(crate) body: Bytes,
    /// True when the body is not the one that the header commits to: nobody can show that it is genuine.
    pub(crate) is_spoilt: bool,
}

/// A message that is not signed yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) header: Header,
    /// Salt and body.
    pub(crate) body: Bytes,
    /// Another body is handed over with it in the end.
    pub(crate) is_spoilt: bool,
}

/// One system with what it has not yet seen taken.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) system: SpiffeId,
    pub(crate) link: Option<LinkId>,
    addresses: Vec<Address>,
    signer: Arc<Signer>,
    lanes: BTreeMap<Lane, SenderLane>,
    written: u64,
}

#[derive(Debug, Default)]
struct SenderLane {
    waiting: BTreeMap<u64, Arc<Sent>>,
    under_way: BTreeMap<u64, Vec<Arc<Sent>>>,
    next_number: u64,
    epoch: u32,
    is_busy: bool,
    rests_until: Option<Timestamp>,
}

/// A batch that a system hands over.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) lane: Lane,
    pub(crate) number: u64,
    pub(crate) epoch: u32,
    pub(crate) messages: Vec<Arc<Sent>>,
}

impl Sender {
    pub(crate) fn new(system: SpiffeId, addresses: Vec<Address>, signer: Arc<Signer>) -> Self {
        Self { system, link: None, addresses, signer, lanes: BTreeMap::new(), written: 0 }
    }

    /// Writes some messages and signs them in batches of any size.
    pub(crate) fn compose(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
    ) -> Result<Vec<Arc<Sent>>, Failure> {
        if rng.chance(CIRCULARS) {
            let drafts = self.circular(now, rng, everybody)?;
            return Ok(self.queue_together(drafts));
        }
        let mut drafts = Vec::new();
        for _ in 0..rng.count(FLURRY_MAX) {
            drafts.push(self.draft(now, rng, everybody)?);
        }
        Ok(self.queue(drafts, rng))
    }

    /// A message of any kind.
    pub(crate) fn draft(
        &self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
    ) -> Result<Draft, Failure> {
        let body = body(rng);
        Ok(Draft { header: self.header(now, rng, everybody, &body)?, body, is_spoilt: false })
    }

    /// Writes more large messages to one mailbox than a relay keeps in memory.
    pub(crate) fn flood(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        to: &Address,
    ) -> Result<Vec<Arc<Sent>>, Failure> {
        let mut drafts = Vec::new();
        for _ in 0..FLOOD {
            let body = salted(rng, BODY_INLINE_BYTES_MAX - BODY_SALT_BYTES);
            let header = self.header(now, rng, std::slice::from_ref(to), &body)?;
            let label = Some(WireLabel::plain("FI", "JULK"));
            let precedence = Precedence::Routine;
            let header = Header { label, precedence, expires: None, ..header };
            drafts.push(Draft { header, body, is_spoilt: false });
        }
        Ok(self.queue(drafts, rng))
    }

    /// Signs drafts in batches of any size; they wait to be handed over.
    fn queue(&mut self, mut drafts: Vec<Draft>, rng: &mut Rng) -> Vec<Arc<Sent>> {
        let mut sent = Vec::new();
        while !drafts.is_empty() {
            let batch = drafts.drain(..rng.count(drafts.len())).collect();
            sent.extend(self.queue_together(batch));
        }
        sent
    }

    /// Signs drafts at once; they wait to be handed over.
    fn queue_together(&mut self, drafts: Vec<Draft>) -> Vec<Arc<Sent>> {
        let sent = self.sign(drafts);
        for message in &sent {
            let lane = self.lanes.entry(message.header.lane()).or_default();
            lane.waiting.insert(message.index, Arc::clone(message));
        }
        sent
    }

    fn sign(&mut self, batch: Vec<Draft>) -> Vec<Arc<Sent>> {
        let encoded: Vec<Bytes> = batch.iter().map(|draft| header::encode(&draft.header)).collect();
        let leaves: Vec<Digest> = encoded.iter().map(|bytes| leaf(bytes)).collect();
        let proofs = self.signer.sign(Purpose::Messages, &leaves);
        let signed = batch.into_iter().zip(encoded).zip(leaves).zip(proofs);
        let mut sent = Vec::new();
        for (((Draft { header, body, is_spoilt }, bytes), leaf), proof) in signed {
            self.written = self.written.saturating_add(1);
            let (index, system) = (self.written, self.system.clone());
            let envelope = Envelope { header: bytes, proof };
            let body = if is_spoilt { spoilt(&body) } else { body };
            sent.push(Arc::new(Sent { index, system, header, envelope, leaf, body, is_spoilt }));
        }
        sent
    }

    fn header(
        &self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
        body: &Bytes,
    ) -> Result<Header, Failure> {
        let from = rng.pick(&self.addresses).cloned();
        let (label, seal) = rng.pick(&LABELS).copied().unwrap_or(("FI JULK", false));
        let label: WireLabel = label.parse().map_err(Failure::setup)?;
        let cleared = self.cleared(&label.level, everybody);
        let to = if cleared.is_empty() || rng.chance(15) {
            recipients(rng, everybody, 8)?
        } else {
            recipients(rng, &cleared, 0)?
        };
        let needs_officers = !cleared.is_empty();
        let is_signed = rng.chance(if needs_officers { 80 } else { 20 });
        let drafter = rng.pick(&DRAFTERS).filter(|_| is_signed).map(|name| (*name).to_owned());
        let from = from.ok_or_else(|| Failure::setup("a system without an address"))?;
        let mut random = [0; 10];
        rng.fill(&mut random);
        Ok(Header {
            id: MessageId::new(now, random),
            sealing: (seal && rng.chance(90)).then(|| sealing(&from, &to)),
            from,
            to: to.into_iter().map(|address| Recipient { address, role: Role::Action }).collect(),
            label: (!rng.chance(2)).then_some(label),
            precedence: precedence(rng),
            message_type: MessageType::Operation,
            created: now,
            expires: expires(now, rng),
            content_type: "text/plain".into(),
            body_size: (body.len() - BODY_SALT_BYTES) as u64,
            body_commitment: commit(body).ok_or_else(|| Failure::setup("a body without salt"))?,
            subject: String::new(),
            conversation: None,
            in_reply_to: None,
            obsoletes: None,
            drafter,
        })
    }

    /// The addresses that may have what officers must release; none when they need not.
    pub(crate) fn cleared(&self, level: &str, everybody: &[Address]) -> Vec<Address> {
        let home = self.system.ministry().as_str();
        let here = CLEARED.iter().find(|(at, from, _)| *at == level && *from == home);
        let cleared = here.map_or(&[][..], |(_, _, cleared)| cleared);
        let may_have = |address: &&Address| cleared.contains(&address.ministry().as_str());
        everybody.iter().filter(may_have).cloned().collect()
    }

    // === handing over ===

    /// The batches that may go now, and when to ask again if a lane rests.
    pub(crate) fn submissions(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
    ) -> (Vec<Submission>, Option<Timestamp>) {
        let (mut submissions, mut again) = (Vec::new(), None::<Timestamp>);
        for (name, lane) in &mut self.lanes {
            if let Some(until) = lane.rests_until.filter(|until| *until > now) {
                again = again.into_iter().chain([until]).min();
                continue;
            }
            while !lane.is_busy && lane.under_way.len() < UNDER_WAY_MAX && !lane.waiting.is_empty()
            {
                let is_large = rng.chance(LARGE_SUBMISSIONS);
                let count = if is_large { BATCH_MESSAGES_MAX } else { rng.count(SUBMISSION_MAX) };
                submissions.push(lane.submit(*name, count));
            }
        }
        (submissions, again)
    }

    /// Deals with the verdicts of a batch; gives each message with its own. What is `forgotten`
    /// is handed over again, as if the answer had been lost.
    pub(crate) fn on_answer(
        &mut self,
        now: Timestamp,
        (lane, number): (Lane, u64),
        verdicts: Vec<Verdict>,
        mut forgotten: impl FnMut() -> bool,
    ) -> Vec<(Arc<Sent>, Verdict)> {
        let Some(lane) = self.lanes.get_mut(&lane) else {
            return Vec::new();
        };
        let messages = lane.under_way.remove(&number).unwrap_or_default();
        let answered: Vec<_> = messages.into_iter().zip(verdicts).collect();
        for (message, verdict) in &answered {
            let is_busy = *verdict == Verdict::Busy;
            lane.is_busy |= is_busy;
            let is_taken = matches!(verdict, Verdict::Accepted { .. });
            if is_busy || (is_taken && forgotten()) {
                lane.waiting.insert(message.index, Arc::clone(message));
            }
        }
        if lane.is_busy && lane.under_way.is_empty() {
            lane.is_busy = false;
            lane.epoch = lane.epoch.saturating_add(1);
            lane.rests_until = Some(now.after(BUSY_REST));
        }
        answered
    }

    /// The link is gone: what was not answered is to be handed over again, in its order.
    pub(crate) fn on_link_down(&mut self) {
        self.link = None;
        for lane in self.lanes.values_mut() {
            let SenderLane { mut waiting, under_way, .. } = std::mem::take(lane);
            waiting.extend(under_way.into_values().flatten().map(|m| (m.index, m)));
            lane.waiting = waiting;
        }
    }

    /// True when every message has its verdict.
    pub(crate) fn is_done(&self) -> bool {
        self.lanes.values().all(|lane| lane.waiting.is_empty() && lane.under_way.is_empty())
    }
}

impl SenderLane {
    fn submit(&mut self, lane: Lane, count: usize) -> Submission {
        let (number, epoch) = (self.next_number, self.epoch);
        self.next_number = self.next_number.saturating_add(1);
        let messages: Vec<_> =
            std::iter::from_fn(|| self.waiting.pop_first()).take(count).map(|(_, m)| m).collect();
        self.under_way.insert(number, messages.clone());
        Submission { lane, number, epoch, messages }
    }
}

// === chance ===

/// Salt and body: mostly small, some too large for a pack.
fn body(rng: &mut Rng) -> Bytes {
    let size = match rng.below(10) {
        0..=5 => rng.between(10, 200),
        6..=7 => rng.between(200, 16 * 1024),
        _ => rng.between(16 * 1024, 40 * 1024),
    };
    salted(rng, usize::try_from(size).unwrap_or(0))
}

fn salted(rng: &mut Rng, size: usize) -> Bytes {
    let mut bytes = vec![0; BODY_SALT_BYTES + size];
    rng.fill(&mut bytes);
    bytes.into()
}

/// Another body of the same length.
fn spoilt(body: &Bytes) -> Bytes {
    body.iter().map(|byte| !byte).collect()
}

/// Some of these, and in so many of a hundred cases somebody who does not exist.
fn recipients(
    rng: &mut Rng,
    everybody: &[Address],
    strangers: u64,
) -> Result<Vec<Address>, Failure> {
    let mut to: Vec<Address> = Vec::new();
    for _ in 0..rng.count(3) {
        to.extend(rng.pick(everybody).cloned());
    }
    if rng.chance(strangers) {
        let stranger = rng.pick(&STRANGERS).copied().unwrap_or_default();
        to.push(stranger.parse().map_err(Failure::setup)?);
    }
    to.sort();
    to.dedup();
    Ok(to)
}

/// Mostly one precedence, so that there is an order to keep.
fn precedence(rng: &mut Rng) -> Precedence {
    match rng.below(8) {
        0 => Precedence::Deferred,
        1 => Precedence::Immediate,
        2 => Precedence::Flash,
        _ => Precedence::Routine,
    }
}

fn expires(now: Timestamp, rng: &mut Rng) -> Option<Timestamp> {
    let seconds = match rng.below(10) {
        0..=4 => return None,
        5..=7 => rng.between(1, 30),
        _ => rng.between(30, 600),
    };
    Some(now.after(Duration::from_secs(seconds)))
}

/// Looks like sealing to the recipients and the sender's officers, and seals nothing: relays cannot
/// tell.
pub(crate) fn sealing(from: &Address, to: &[Address]) -> Sealing {
    let key = |address: &Address| {
        let ministry = address.ministry().clone();
        SealKeyId { key: leaf(ministry.as_str().as_bytes()), ministry }
    };
    let officers = SealKeyId { key: leaf(b"officers"), ministry: from.ministry().clone() };
    let mut keys: Vec<SealKeyId> = to.iter().map(key).chain([officers]).collect();
    keys.sort();
    keys.dedup();
    Sealing { suite: 1, keys, content: leaf(b"content") }
}
