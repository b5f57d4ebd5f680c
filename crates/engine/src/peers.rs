//! Peers: what waits for them, what is under way, when to try again.

mod answers;
mod proofs;
mod sending;
mod suspicion;

use std::collections::{BTreeMap, VecDeque};

use kuriiri_types::{Lane, Ministry, Timestamp, limits::BATCHES_IN_FLIGHT_MAX};

use self::suspicion::Suspicion;
use crate::{
    action::{PeerState, Waiting},
    custody::Custody,
    event::{BatchId, LinkId},
    record::{QueueId, Seq},
    retry::Backoff,
    step::Work,
    view::ViewError,
};

/// Dials to one peer that try at the same time.
const DIALS_MAX: u32 = 2;

/// One peer.
#[derive(Debug, Default)]
struct Peer {
    link: Option<LinkId>,
    /// Dials that are still trying.
    dials: u32,
    /// It made contact itself: one more dial may begin beside one that is still trying.
    is_hasty: bool,
    backoff: Backoff,
    problem: Option<String>,
    lanes: BTreeMap<Lane, PeerLane>,
    /// What the peer could not judge yet, and until when it is left alone.
    put_off: BTreeMap<Lane, VecDeque<(Timestamp, Seq)>>,
    /// Lanes in which a message is suspected to end the link.
    suspicions: BTreeMap<Lane, Suspicion>,
}

impl Peer {
    /// Whether batches go one by one over all lanes, so that it is clear which of them a link ends for.
    fn is_careful(&self) -> bool {
        self.suspicions.values().any(Suspicion::is_narrow)
    }

    /// Whether another dial may begin.
    fn may_dial(&self) -> bool {
        self.dials == 0 || (self.is_hasty && self.dials < DIALS_MAX)
    }

    fn has_nothing_under_way(&self) -> bool {
        self.lanes.values().all(|lane| lane.in_flight.is_empty())
    }
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

/// All peers, and those that are none any more for which something waits.
#[derive(Debug, Default)]
pub(crate) struct Peers(BTreeMap<Ministry, Peer>);

impl Peers {
    /// These, and those for which something waits, whatever the federation says now.
    pub(crate) fn new(peers: impl IntoIterator<Item = Ministry>) -> Self {
        Self(peers.into_iter().map(|peer| (peer, Peer::default())).collect())
    }

    pub(crate) fn on_link_up(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: Ministry,
        link: LinkId,
    ) {
        let state = self.0.entry(peer.clone()).or_default();
        let before = state.link.replace(link);
        state.dials = state.dials.saturating_sub(1);
        state.is_hasty = false;
        state.problem = None;
        state.backoff.reset();
        // On a new link it may be able to.
        let put_off = std::mem::take(&mut state.put_off);
        let queue = QueueId::Outbox(peer.clone());
        for (lane, items) in put_off {
            for (_, seq) in items {
                custody.give_back(work, &queue, lane, seq);
            }
        }
        if before.is_some() {
            self.recall(custody, work, &peer);
        }
    }

    pub(crate) fn on_link_down(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (peer, link): (Option<&Ministry>, LinkId),
        problem: String,
    ) {
        let Some(peer) = peer else { return };
        let Some(state) = self.0.get_mut(peer).filter(|p| p.link == Some(link)) else {
            return;
        };
        state.link = None;
        state.problem = Some(problem);
        state.backoff.fail(work.now, work.random);
        let mut given_back = Vec::new();
        for (lane, under_way) in &state.lanes {
            let Some((_, first)) = under_way.in_flight.first_key_value() else { continue };
            let freed = state.suspicions.entry(*lane).or_default().ended(first);
            given_back.extend(freed.into_iter().map(|seq| (*lane, seq)));
        }
        self.recall(custody, work, peer);
        let queue = QueueId::Outbox(peer.clone());
        for (lane, seq) in given_back {
            custody.give_back(work, &queue, lane, seq);
        }
    }

    pub(crate) fn on_dial_failed(&mut self, work: &mut Work<'_>, peer: Ministry, problem: String) {
        let state = self.0.entry(peer).or_default();
        state.dials = state.dials.saturating_sub(1);
        if state.link.is_none() {
            state.problem = Some(problem);
            state.backoff.fail(work.now, work.random);
        }
    }

    /// A peer that makes contact is dialled at once, even beside a dial that is still trying: that
    /// one may be waiting for an answer to something sent while the peer was away. However often it makes contact,
    /// no more than two try at a time.
    pub(crate) fn on_heard(&mut self, peer: Ministry) {
        let state = self.0.entry(peer).or_default();
        if state.link.is_none() {
            state.is_hasty = true;
            state.backoff.reset();
        }
    }

    /// Takes back everything that is under way to a peer, to be sent again in the same order.
    fn recall(&mut self, custody: &mut Custody, work: &mut Work<'_>, peer: &Ministry) {
        let Some(state) = self.0.get_mut(peer) else {
            return;
        };
        let queue = QueueId::Outbox(peer.clone());
        for (lane, under_way) in std::mem::take(&mut state.lanes) {
            for seq in under_way.in_flight.into_values().flatten() {
                let suspicion = state.suspicions.get(&lane);
                if !suspicion.is_some_and(|suspicion| suspicion.keeps_back(seq)) {
                    custody.give_back(work, &queue, lane, seq);
                }
            }
        }
    }

    /// Everything that is under way to peers.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (QueueId, Lane, Seq)> {
        self.0.iter().flat_map(|(peer, state)| {
            let queue = QueueId::Outbox(peer.clone());
            let in_flight = state.lanes.iter().flat_map(|(lane, under_way)| {
                under_way.in_flight.values().flatten().map(|seq| (*lane, *seq))
            });
            let kept_back = state.suspicions.iter().flat_map(|(lane, suspicion)| {
                suspicion.kept_back().iter().map(|seq| (*lane, *seq))
            });
            let put_off = state
                .put_off
                .iter()
                .flat_map(|(lane, put_off)| put_off.iter().map(|(_, seq)| (*lane, *seq)));
            let all = in_flight.chain(kept_back).chain(put_off);
            all.map(move |(lane, seq)| (queue.clone(), lane, seq))
        })
    }

    /// How it stands with each.
    pub(crate) fn states(
        &self,
        custody: &Custody,
        work: &Work<'_>,
    ) -> Result<Vec<PeerState>, ViewError> {
        let mut states = Vec::new();
        for (ministry, peer) in &self.0 {
            let queue = QueueId::Outbox(ministry.clone());
            let waiting = Waiting {
                name: ministry.to_string(),
                messages: custody.queues.waiting(&queue),
                oldest: custody.queues.oldest(&queue, &work.reader)?,
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

    fn lane_of(&mut self, peer: &Ministry, lane: Lane) -> Option<&mut PeerLane> {
        self.0.get_mut(peer).map(|p| p.lanes.entry(lane).or_default())
    }
}
