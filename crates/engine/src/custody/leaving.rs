//! What may no longer stay where it is.

use std::collections::VecDeque;

use kuriiri_types::Lane;

use crate::{
    commit::Write,
    custody::Custody,
    loaded::Loaded,
    message::Message,
    queued::Queued,
    record::{PackKey, QueueId, Seq},
    rules::{Need, Ruling},
    stating::{Failure, Sent},
    step::Work,
};

/// Says whether an item that waits ends where it is, having dealt with it.
type Ends<'a> = dyn FnMut(&mut Custody, &mut Work<'_>, (Seq, &Queued)) -> bool + 'a;

impl Custody {
    /// All lanes in which messages can wait.
    pub(crate) fn message_lanes(&self) -> VecDeque<(QueueId, Lane)> {
        let messages = |queue: &&QueueId| !matches!(queue, QueueId::Receipts(_));
        let lanes = self.queues.names().filter(messages).flat_map(|queue| {
            let lanes = Lane::BY_URGENCY.into_iter().filter(|lane| *lane != Lane::Receipts);
            lanes.map(|lane| (queue.clone(), lane))
        });
        lanes.collect()
    }

    /// Frees an item that was under way, and decides on it again: the rules may have changed.
    pub(crate) fn give_back(&mut self, work: &mut Work<'_>, queue: &QueueId, lane: Lane, seq: Seq) {
        self.queues.put_back(queue, lane, seq);
        let item = self.queues.lane(queue, lane).and_then(|lane| lane.item(seq));
        if item.is_some_and(|item| self.must_leave(work, queue, &item)) {
            self.queues.finish(queue, lane, seq);
        }
    }

    /// Writes what is done of a pack that is only on disk; when all of it is, the pack goes.
    pub(crate) fn end_pack(&self, work: &mut Work<'_>, key: &PackKey, pack: &Loaded) {
        if pack.open(key.first).next().is_none() {
            work.commit.released.extend(pack.body_refs());
            work.commit.writes.push(Write::DeletePack(key.clone()));
        } else {
            work.commit.writes.push(Write::PutDone(key.clone(), pack.done()));
        }
    }

    /// Decides on an item. True when it may not stay where it is; then it is dealt with.
    pub(crate) fn must_leave(
        &mut self,
        work: &mut Work<'_>,
        queue: &QueueId,
        item: &Queued,
    ) -> bool {
        let Queued::Message(message) = item else { return false };
        let next = queue.peer();
        match self.may_go(work.now, message, next) {
            // Whoever waits only for the hour or for room waits where it is, in its order.
            Ruling::Go(_) | Ruling::Wait(Need::Later) => false,
            // Decided again at its next attempt.
            Ruling::Wait(_) if self.holds.is_full() => false,
            Ruling::Wait(need) => {
                self.hold_copy(work, message, next, &need);
                true
            }
            Ruling::End(why) => {
                self.rules.log_withdrawn(work, message, next, &why);
                self.withdraw(work, queue, message, &why);
                true
            }
        }
    }

    /// States that a copy does not go on.
    pub(crate) fn withdraw(
        &self,
        work: &mut Work<'_>,
        queue: &QueueId,
        message: &Message,
        why: &Failure,
    ) {
        match queue.recipient() {
            Some(address) => work.tell_negative(Sent::from(message), [address], why),
            None => work.tell_failure(message, why),
        }
    }

    /// Ends those items of a pack that wait and of which this says so; it deals with them. `on_disk` is there
    /// when the pack is only on disk. True when something ended that was.
    pub(crate) fn end_where(
        &mut self,
        work: &mut Work<'_>,
        key: &PackKey,
        on_disk: Option<Loaded>,
        ends: &mut Ends<'_>,
    ) -> bool {
        let Some(mut pack) = on_disk else {
            let lane = self.queues.lane(&key.queue, key.lane);
            for (seq, item, _) in lane.and_then(|l| l.free_in(key.first)).unwrap_or_default() {
                if ends(self, work, (seq, &item)) {
                    self.queues.finish(&key.queue, key.lane, seq);
                }
            }
            return false;
        };
        let open: Vec<(Seq, Queued)> =
            pack.open(key.first).map(|(seq, item)| (seq, item.clone())).collect();
        let mut ended = Vec::new();
        for (seq, item) in open {
            if ends(self, work, (seq, &item)) {
                pack.end(key.first, seq);
                ended.push(item);
            }
        }
        if ended.is_empty() {
            return false;
        }
        self.queues.finished_on_disk(key, &ended);
        self.end_pack(work, key, &pack);
        true
    }
}
