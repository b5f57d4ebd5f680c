//! What is handed to peers.

use std::time::Duration;

use kuriiri_types::{Lane, Ministry, limits::BATCH_MESSAGES_MAX};

use super::{Peer, Peers, suspicion::Suspicion};
use crate::{
    action::{Action, Load},
    custody::Custody,
    event::{BatchId, LinkId},
    message::Message,
    queued::Queued,
    record::{QueueId, Seq},
    room::Room,
    rules::Ruling,
    step::Work,
    view::ViewError,
};

/// How long a lane rests whose next message must wait for people or hours when there is no room for it among
/// those that do.
const HOLDS_FULL_REST: Duration = Duration::from_secs(60);

/// What becomes of an item that could go out.
enum Loading {
    /// It goes.
    Item(Box<Load>),
    /// It has ended here, or waits elsewhere.
    Gone,
    /// It stays, and the lane with it.
    Stays,
}

impl Peers {
    /// Connects to peers that are due, and hands as much as may be under way to those connected.
    pub(crate) fn pump(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
    ) -> Result<(), ViewError> {
        for peer in custody.queues.new_outboxes() {
            self.0.entry(peer).or_default();
        }
        let peers: Vec<Ministry> = self.0.keys().cloned().collect();
        for peer in peers {
            match self.0.get(&peer).and_then(|p| p.link) {
                Some(link) => self.pump_link(custody, work, &peer, link)?,
                None => self.dial_if_due(work, &peer),
            }
        }
        Ok(())
    }

    fn dial_if_due(&mut self, work: &mut Work<'_>, peer: &Ministry) {
        let Some(state) = self.0.get_mut(peer).filter(|p| p.may_dial()) else {
            return;
        };
        if state.backoff.is_due(work.now) {
            state.dials = state.dials.saturating_add(1);
            state.is_hasty = false;
            work.actions.push(Action::Dial(peer.clone()));
        } else if let Some(next) = state.backoff.next() {
            work.wake_at(next);
        }
    }

    fn pump_link(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        link: LinkId,
    ) -> Result<(), ViewError> {
        self.take_up_again(custody, work, peer);
        let queue = QueueId::Outbox(peer.clone());
        for lane in Lane::BY_URGENCY {
            if custody.queues.waiting_in(&queue, lane) == 0 {
                continue;
            }
            while self.may_send(work, peer, lane) {
                let (seqs, load) = self.next_batch(custody, work, peer, &queue, lane)?;
                if load.is_empty() {
                    self.give_back_suspects(custody, work, peer, lane);
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

    fn may_send(&mut self, work: &Work<'_>, peer: &Ministry, lane: Lane) -> bool {
        let is_free = |state: &Peer| !state.is_careful() || state.has_nothing_under_way();
        self.0.get(peer).is_some_and(is_free)
            && self.lane_of(peer, lane).is_some_and(|l| l.may_send(work.now))
    }

    /// What is kept back in a lane is handed over again when nothing else waits there.
    fn give_back_suspects(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        lane: Lane,
    ) {
        let suspicion = self.0.get_mut(peer).and_then(|p| p.suspicions.get_mut(&lane));
        let kept_back = suspicion.map(Suspicion::give_back).unwrap_or_default();
        if !kept_back.is_empty() {
            work.wake_at(work.now);
        }
        for seq in kept_back {
            custody.give_back(work, &QueueId::Outbox(peer.clone()), lane, seq);
        }
    }

    /// Takes a batch from the outbox. What may no longer go ends here, with a receipt.
    fn next_batch(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        queue: &QueueId,
        lane: Lane,
    ) -> Result<(Vec<Seq>, Vec<Load>), ViewError> {
        let (mut seqs, mut load) = (Vec::new(), Vec::new());
        let suspicion = self.0.get(peer).and_then(|state| state.suspicions.get(&lane));
        let at_once = suspicion.map_or(BATCH_MESSAGES_MAX, Suspicion::at_once);
        let mut room = Room::for_items(at_once);
        while room.is_left() {
            let Some((seq, item)) = custody.queues.take(queue, lane, &work.reader)? else {
                break;
            };
            if !room.takes(&item) {
                custody.queues.put_back(queue, lane, seq);
                break;
            }
            match self.load(custody, work, peer, (queue, lane, seq), &item) {
                Loading::Item(one) => {
                    seqs.push(seq);
                    load.push(*one);
                    room.take(&item);
                }
                Loading::Gone => {}
                Loading::Stays => break,
            }
        }
        Ok((seqs, load))
    }

    /// Decides again, now, whether an item may go to this peer.
    fn load(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        (queue, lane, seq): (&QueueId, Lane, Seq),
        item: &Queued,
    ) -> Loading {
        let message = match item {
            Queued::Receipt(receipt) => {
                return Loading::Item(Box::new(Load::Receipt(receipt.out.clone())));
            }
            Queued::Message(message) => message,
        };
        match custody.may_go(work.now, message, Some(peer)) {
            Ruling::Go(_) => return Loading::Item(Box::new(parcel(custody.home(), message))),
            Ruling::Wait(_) if custody.holds.is_full() => {
                custody.queues.put_back(queue, lane, seq);
                if let Some(under_way) = self.lane_of(peer, lane) {
                    under_way.rests_until = Some(work.now.after(HOLDS_FULL_REST));
                }
                return Loading::Stays;
            }
            Ruling::Wait(need) => custody.hold_copy(work, message, Some(peer), &need),
            Ruling::End(why) => {
                custody.rules.log_withdrawn(work, message, Some(peer), &why);
                work.tell_failure(message, &why);
            }
        }
        custody.queues.finish(queue, lane, seq);
        Loading::Gone
    }
}

fn parcel(home: &Ministry, message: &Message) -> Load {
    let parcel = message.parcel();
    let path = parcel.path.iter().chain([home]).cloned().collect();
    let (dest, approvals) = (parcel.dest.clone(), parcel.approvals.clone());
    let (envelope, body) = (message.envelope(), parcel.body.clone());
    Load::Parcel { dest, path, envelope, approvals, body }
}
