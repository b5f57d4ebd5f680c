//! Systems that send: how they sign what they write, and see that it is taken.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kuriiri_engine::LinkId;
use kuriiri_merkle::leaf;
use kuriiri_seal::{Purpose, Signer};
use kuriiri_types::{
    Address, Digest, Envelope, Header, Lane, SpiffeId, Timestamp, Verdict,
    limits::BATCH_MESSAGES_MAX,
};
use kuriiri_wire::header;

use crate::rng::Rng;

/// Batches under way from one system in one lane, at most.
const UNDER_WAY_MAX: usize = 3;
/// Messages in one submission, at most; but for some, of a hundred, that take all that waits.
const SUBMISSION_MAX: usize = 5;
const LARGE_SUBMISSIONS: u64 = 40;

/// How long a lane rests after the relay said that it is full.
const BUSY_REST: Duration = Duration::from_millis(300);

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
    pub(crate) addresses: Vec<Address>,
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

    /// Signs with another certificate from now on.
    pub(crate) fn renew(&mut self, signer: Arc<Signer>) {
        self.signer = signer;
    }

    /// Signs drafts in batches of any size; they wait to be handed over.
    pub(crate) fn queue(&mut self, mut drafts: Vec<Draft>, rng: &mut Rng) -> Vec<Arc<Sent>> {
        let mut sent = Vec::new();
        while !drafts.is_empty() {
            let batch = drafts.drain(..rng.count(drafts.len())).collect();
            sent.extend(self.queue_together(batch));
        }
        sent
    }

    /// Signs drafts at once; they wait to be handed over.
    pub(crate) fn queue_together(&mut self, drafts: Vec<Draft>) -> Vec<Arc<Sent>> {
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

/// Another body of the same length.
fn spoilt(body: &Bytes) -> Bytes {
    body.iter().map(|byte| !byte).collect()
}
