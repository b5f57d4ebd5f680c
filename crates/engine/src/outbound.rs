//! Peers: what waits for them, what is under way, when to try again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use kuriiri_policy::Obligations;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Addressed, Digest, Lane, Ministry, ReceiptKind, Timestamp, Verdict,
    limits::{BATCH_MESSAGES_MAX, BATCHES_IN_FLIGHT_MAX},
};

use crate::{
    action::{Action, Load, PeerState, Waiting},
    engine::Engine,
    event::{BatchId, LinkId},
    held::{Held, Message},
    judge::{Need, Ruling, held},
    receipts::Negative,
    record::{QueueId, Seq},
    retry::Backoff,
    room::Room,
    view::ViewError,
    work::Work,
};

/// How long a lane rests after the peer said that a queue of its own is full.
const BUSY_REST: Duration = Duration::from_millis(500);

/// How long a lane rests whose next message must wait for people or hours when as many do as may.
const HOLDS_FULL_REST: Duration = Duration::from_secs(60);

/// What becomes of an item that could go out.
enum Loaded {
    /// It goes.
    Item(Box<Load>),
    /// It has ended here, or waits elsewhere.
    Gone,
    /// It stays, and the lane with it.
    Stays,
}

/// What becomes of a message in custody.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It goes on, under these terms.
    Go(Box<Obligations>),
    /// It waits for this.
    Wait(Need),
    /// It is over.
    End(Negative),
}

/// One peer.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    link: Option<LinkId>,
    dialling: bool,
    backoff: Backoff,
    problem: Option<String>,
    lanes: BTreeMap<Lane, PeerLane>,
}

/// What is under way to a peer in one lane.
#[derive(Debug, Default)]
struct PeerLane {
    next_batch: u64,
    in_flight: BTreeMap<BatchId, Vec<Seq>>,
    /// How often the peer said that it is full, on this link.
    epoch: u32,
    /// Was told so by a batch under way; the rest of those under way must come back first, so
    /// that the order holds.
    is_busy: bool,
    rests_until: Option<Timestamp>,
}

impl PeerLane {
    fn may_send(&self, now: Timestamp) -> bool {
        !self.is_busy
            && self.in_flight.len() < BATCHES_IN_FLIGHT_MAX
            && self.rests_until.is_none_or(|until| until <= now)
    }
}

/// A peer's statements that came with its verdicts, with the messages that each speaks of.
struct Proofs {
    statements: Vec<VerifiedReceipt>,
    /// Which statements speak of a message, and where in them.
    about: HashMap<Digest, Vec<(usize, usize)>>,
    /// Those that are kept.
    kept: BTreeSet<usize>,
}

impl Proofs {
    /// Those that are the peer's own.
    fn of(peer: &Ministry, receipts: Vec<VerifiedReceipt>) -> Self {
        let is_its = |receipt: &VerifiedReceipt| receipt.receipt().issuer == *peer;
        let statements: Vec<_> = receipts.into_iter().filter(is_its).collect();
        let mut about: HashMap<Digest, Vec<(usize, usize)>> = HashMap::new();
        for (number, statement) in statements.iter().enumerate() {
            for (place, told) in statement.receipt().subjects.iter().enumerate() {
                about.entry(told.subject.header).or_default().push((number, place));
            }
        }
        Self { statements, about, kept: BTreeSet::new() }
    }

    /// Those that say this of a message, for every recipient that this copy is for; none unless there
    /// is one for each.
    fn find(&self, message: &Message, kind: ReceiptKind) -> Vec<usize> {
        let Some(places) = self.about.get(&message.leaf()) else { return Vec::new() };
        let (subject, sender) = (message.subject(), &message.header().from);
        let mut found = Vec::new();
        for recipient in message.recipients() {
            let says = |(number, place): &&(usize, usize)| {
                self.statements.get(*number).map(VerifiedReceipt::receipt).is_some_and(|said| {
                    let is_it =
                        |told: &Addressed| told.subject == subject && told.recipient == *recipient;
                    let is_told = said.subjects.get(*place).is_some_and(is_it);
                    is_told && said.kind == kind && said.sender == *sender
                })
            };
            let Some((number, _)) = places.iter().find(says) else { return Vec::new() };
            if !found.contains(number) {
                found.push(*number);
            }
        }
        found
    }
}

impl Engine {
    /// A peer for which something waits is dialled, though it was no peer when the relay started.
    pub(crate) fn meet(&mut self, peer: Ministry) {
        self.peers.entry(peer).or_default();
    }

    pub(crate) fn on_link_up(&mut self, work: &mut Work<'_>, peer: Ministry, link: LinkId) {
        let state = self.peers.entry(peer.clone()).or_default();
        let before = state.link.replace(link);
        state.dialling = false;
        state.problem = None;
        state.backoff.reset();
        if before.is_some() {
            self.recall(work, &peer);
        }
    }

    pub(crate) fn on_link_down(
        &mut self,
        work: &mut Work<'_>,
        peer: Option<&Ministry>,
        link: LinkId,
        problem: String,
    ) {
        self.held_off.retain(|(held, _), _| *held != link);
        let Some(peer) = peer else { return };
        let Some(state) = self.peers.get_mut(peer).filter(|p| p.link == Some(link)) else {
            return;
        };
        state.link = None;
        state.problem = Some(problem);
        state.backoff.fail(work.now, work.random);
        self.recall(work, peer);
    }

    pub(crate) fn on_dial_failed(&mut self, work: &mut Work<'_>, peer: Ministry, problem: String) {
        let state = self.peers.entry(peer).or_default();
        if state.link.is_none() {
            state.dialling = false;
            state.problem = Some(problem);
            state.backoff.fail(work.now, work.random);
        }
    }

    /// A peer that makes contact is dialled at once, even beside a dial that is still trying: that
    /// one may be waiting for an answer to something sent while the peer was away.
    pub(crate) fn on_heard(&mut self, peer: Ministry) {
        let state = self.peers.entry(peer).or_default();
        if state.link.is_none() {
            state.dialling = false;
            state.backoff.reset();
        }
    }

    /// Takes back everything that is under way to a peer, to be sent again in the same order.
    fn recall(&mut self, work: &mut Work<'_>, peer: &Ministry) {
        let Some(state) = self.peers.get_mut(peer) else {
            return;
        };
        let queue = QueueId::Outbox(peer.clone());
        for (lane, under_way) in std::mem::take(&mut state.lanes) {
            for seq in under_way.in_flight.into_values().flatten() {
                self.give_back(work, &queue, lane, seq);
            }
        }
    }

    // === answers ===

    pub(crate) fn on_answered(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        link: LinkId,
        (lane, batch): (Lane, BatchId),
        verdicts: Vec<Verdict>,
        receipts: Vec<VerifiedReceipt>,
    ) -> Result<(), ViewError> {
        let state = self.peers.get_mut(peer).filter(|p| p.link == Some(link));
        let Some(under_way) = state.and_then(|p| p.lanes.get_mut(&lane)) else {
            return Ok(());
        };
        let Some(seqs) = under_way.in_flight.remove(&batch) else {
            return Ok(());
        };
        let answers = verdicts.into_iter().chain(std::iter::repeat(Verdict::Busy));
        let mut proofs = Proofs::of(peer, receipts);
        for (seq, verdict) in seqs.into_iter().zip(answers) {
            self.on_verdict(work, (peer, lane, seq), verdict, &mut proofs)?;
        }
        self.rest_if_busy(work, peer, lane);
        Ok(())
    }

    fn on_verdict(
        &mut self,
        work: &mut Work<'_>,
        (peer, lane, seq): (&Ministry, Lane, Seq),
        verdict: Verdict,
        proofs: &mut Proofs,
    ) -> Result<(), ViewError> {
        let queue = QueueId::Outbox(peer.clone());
        let item = self.queues.lane(&queue, lane).and_then(|l| l.item(seq));
        let message = match item {
            Some(Held::Message(message)) => Some(message),
            Some(Held::Receipt(_)) | None => None,
        };
        let kind = match verdict {
            Verdict::Accepted { .. } => Some(ReceiptKind::Relayed),
            Verdict::Refused(_) => Some(ReceiptKind::Refused),
            Verdict::Busy => None,
        };
        let proof = message.as_deref().zip(kind).map(|(message, kind)| proofs.find(message, kind));
        let proof = proof.unwrap_or_default();
        for number in &proof {
            // One statement speaks of many messages, and is kept once.
            if let Some(receipt) = proofs.statements.get(*number)
                && proofs.kept.insert(*number)
            {
                self.keep_proof(work, peer, receipt)?;
            }
        }
        match verdict {
            // Who cannot show that it has the message has not taken it from us.
            Verdict::Accepted { .. } if message.is_some() && proof.is_empty() => {
                self.come_again(work, peer, lane, seq);
            }
            Verdict::Busy => self.come_again(work, peer, lane, seq),
            Verdict::Accepted { .. } => {
                self.queues.finish(&queue, lane, seq);
            }
            Verdict::Refused(refusal) => {
                self.queues.finish(&queue, lane, seq);
                if let Some(message) = message {
                    self.tell_failure(work, &message, &Negative::refused(refusal));
                }
            }
        }
        Ok(())
    }

    /// Everything that is under way to peers.
    pub(crate) fn under_way_to_peers(&self) -> impl Iterator<Item = (QueueId, Lane, Seq)> {
        self.peers.iter().flat_map(|(peer, state)| {
            let queue = QueueId::Outbox(peer.clone());
            state.lanes.iter().flat_map(move |(lane, under_way)| {
                let (lane, queue) = (*lane, queue.clone());
                let seqs = under_way.in_flight.values().flatten();
                seqs.map(move |seq| (queue.clone(), lane, *seq))
            })
        })
    }

    fn come_again(&mut self, work: &mut Work<'_>, peer: &Ministry, lane: Lane, seq: Seq) {
        self.give_back(work, &QueueId::Outbox(peer.clone()), lane, seq);
        if let Some(under_way) = self.peers.get_mut(peer).and_then(|p| p.lanes.get_mut(&lane)) {
            under_way.is_busy = true;
        }
    }

    /// Keeps what the next relay states about messages. That it has them goes on to a sender at home;
    /// that it would not take them, the sender hears from us.
    fn keep_proof(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        receipt: &VerifiedReceipt,
    ) -> Result<(), ViewError> {
        let said = receipt.receipt();
        let is_home = *said.sender.ministry() == *self.home();
        let passes_on = said.kind == ReceiptKind::Relayed && is_home;
        self.keep_receipt(work, peer, receipt, passes_on).map(drop)
    }

    /// Once all that was under way in a busy lane has come back, it rests and begins anew.
    fn rest_if_busy(&mut self, work: &mut Work<'_>, peer: &Ministry, lane: Lane) {
        let Some(under_way) = self.peers.get_mut(peer).and_then(|p| p.lanes.get_mut(&lane)) else {
            return;
        };
        if under_way.is_busy && under_way.in_flight.is_empty() {
            under_way.is_busy = false;
            under_way.epoch = under_way.epoch.saturating_add(1);
            under_way.rests_until = Some(work.now.after(BUSY_REST));
        }
    }

    // === sending ===

    /// Connects to peers that are due, and hands as much as may be under way to those connected.
    pub(crate) fn pump_peers(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        let peers: Vec<Ministry> = self.peers.keys().cloned().collect();
        for peer in peers {
            match self.peers.get(&peer).and_then(|p| p.link) {
                Some(link) => self.pump_link(work, &peer, link)?,
                None => self.dial_if_due(work, &peer),
            }
        }
        Ok(())
    }

    fn dial_if_due(&mut self, work: &mut Work<'_>, peer: &Ministry) {
        let Some(state) = self.peers.get_mut(peer).filter(|p| !p.dialling) else {
            return;
        };
        if state.backoff.is_due(work.now) {
            state.dialling = true;
            work.actions.push(Action::Dial(peer.clone()));
        } else if let Some(next) = state.backoff.next() {
            work.wake_at(next);
        }
    }

    fn pump_link(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        link: LinkId,
    ) -> Result<(), ViewError> {
        let queue = QueueId::Outbox(peer.clone());
        for lane in Lane::BY_URGENCY {
            if self.queues.waiting_in(&queue, lane) == 0 {
                continue;
            }
            while self.lane_of(peer, lane).is_some_and(|l| l.may_send(work.now)) {
                let (seqs, load) = self.next_batch(work, peer, &queue, lane)?;
                if load.is_empty() {
                    break;
                }
                let Some(under_way) = self.lane_of(peer, lane) else {
                    break;
                };
                let batch = BatchId(under_way.next_batch);
                under_way.next_batch = under_way.next_batch.saturating_add(1);
                under_way.in_flight.insert(batch, seqs);
                let (peer, epoch) = (peer.clone(), under_way.epoch);
                work.actions.push(Action::Transmit { peer, link, lane, batch, epoch, load });
            }
            let rests_until = self.lane_of(peer, lane).and_then(|l| l.rests_until);
            if let Some(until) = rests_until.filter(|until| *until > work.now) {
                work.wake_at(until);
            }
        }
        Ok(())
    }

    fn lane_of(&mut self, peer: &Ministry, lane: Lane) -> Option<&mut PeerLane> {
        self.peers.get_mut(peer).map(|p| p.lanes.entry(lane).or_default())
    }

    /// Takes a batch from the outbox. What may no longer go ends here, with a receipt.
    fn next_batch(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        queue: &QueueId,
        lane: Lane,
    ) -> Result<(Vec<Seq>, Vec<Load>), ViewError> {
        let (mut seqs, mut load) = (Vec::new(), Vec::new());
        let mut room = Room::for_items(BATCH_MESSAGES_MAX);
        while room.is_left() {
            let Some((seq, held)) = self.queues.take(queue, lane, &work.reader)? else {
                break;
            };
            if !room.takes(&held) {
                self.queues.put_back(queue, lane, seq);
                break;
            }
            match self.load(work, peer, queue, lane, seq, &held) {
                Loaded::Item(item) => {
                    seqs.push(seq);
                    load.push(*item);
                    room.take(&held);
                }
                Loaded::Gone => {}
                Loaded::Stays => break,
            }
        }
        Ok((seqs, load))
    }

    /// Decides again, now, whether an item may go to this peer.
    fn load(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        queue: &QueueId,
        lane: Lane,
        seq: Seq,
        held: &Held,
    ) -> Loaded {
        let message = match held {
            Held::Receipt(receipt) => {
                return Loaded::Item(Box::new(Load::Receipt(receipt.out.clone())));
            }
            Held::Message(message) => message,
        };
        match self.may_go(work.now, message, Some(peer)) {
            Fate::Go(_) => return Loaded::Item(Box::new(self.parcel(message))),
            Fate::Wait(_) if self.holds.is_full() => {
                self.queues.put_back(queue, lane, seq);
                if let Some(under_way) = self.lane_of(peer, lane) {
                    under_way.rests_until = Some(work.now.after(HOLDS_FULL_REST));
                }
                return Loaded::Stays;
            }
            Fate::Wait(need) => self.hold_copy(work, message, Some(peer), &need),
            Fate::End(why) => {
                self.log_withdrawn(work, message, Some(peer), &why);
                self.tell_failure(work, message, &why);
            }
        }
        self.queues.finish(queue, lane, seq);
        Loaded::Gone
    }

    fn parcel(&self, message: &Message) -> Load {
        let parcel = message.parcel();
        let path = parcel.path.iter().chain([self.home()]).cloned().collect();
        let (dest, approvals) = (parcel.dest.clone(), parcel.approvals.clone());
        let (envelope, body) = (message.envelope(), parcel.body.clone());
        Load::Parcel { dest, path, envelope, approvals, body }
    }

    /// Whether a message in custody may still go on: to a peer, or into the hands of a system.
    pub(crate) fn may_go(
        &self,
        now: Timestamp,
        message: &Message,
        next: Option<&Ministry>,
    ) -> Fate {
        let parcel = message.parcel();
        if parcel.expires <= now {
            return Fate::End(Negative::expired());
        }
        match self.judge.still_allows(now, &message.case(), next) {
            Ruling::Go(terms) => Fate::Go(Box::new(terms)),
            // A mailbox is no place to wait for people: they have had their say.
            Ruling::Wait(Need::People(missing)) if next.is_none() => {
                Fate::End(Negative::refused(held(&missing)))
            }
            Ruling::Wait(need) => Fate::Wait(need),
            Ruling::End(refusal) => Fate::End(Negative::refused(refusal)),
        }
    }

    // === status ===

    pub(crate) fn peer_states(&self, work: &Work<'_>) -> Result<Vec<PeerState>, ViewError> {
        let mut states = Vec::new();
        for (ministry, peer) in &self.peers {
            let queue = QueueId::Outbox(ministry.clone());
            let waiting = Waiting {
                name: ministry.to_string(),
                messages: self.queues.waiting(&queue),
                oldest: self.queues.oldest(&queue, &work.reader)?,
            };
            states.push(PeerState {
                ministry: ministry.clone(),
                connected: peer.link.is_some(),
                waiting,
                next_try: peer.backoff.next().filter(|_| peer.link.is_none()),
                problem: peer.problem.clone().filter(|_| peer.link.is_none()),
            });
        }
        Ok(states)
    }
}
