//! After the rules have changed, and after a start: all that waits is decided again, a part of it
//! in each step.
//!
//! What may no longer go is withdrawn with a receipt to its sender, even if its peer is away; what
//! must now be released by people goes into a hold. What is under way is decided when it comes back.

use std::collections::VecDeque;

use kuriiri_types::Lane;

use crate::{
    commit::Write,
    engine::Engine,
    held::{Held, Message},
    judge::Need,
    lane::Loaded,
    outbound::Fate,
    receipts::{Negative, Sent},
    record::{PackKey, QueueId, Seq},
    view::ViewError,
    work::Work,
};

/// Packs looked at in one step: some megabytes at the most.
const PACKS_PER_STEP_MAX: usize = 64;

/// Where the review stands: lanes still to be looked at, the first from a number on.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// It begins with the next step, when all that was taken before is in its lanes.
    wanted: bool,
    lanes: VecDeque<(QueueId, Lane)>,
    from: Seq,
}

impl Review {
    /// A review that is still to begin.
    pub(crate) fn wanted() -> Self {
        Self { wanted: true, ..Self::default() }
    }

    /// A review of everything that waits now. What comes later is decided by the new rules anyway.
    fn of(lanes: VecDeque<(QueueId, Lane)>) -> Self {
        Self { wanted: false, lanes, from: 0 }
    }
}

impl Engine {
    /// Begins a review that is wanted. To be asked at the beginning of a step.
    pub(crate) fn begin_review(&mut self) {
        if self.review.wanted {
            self.review = Review::of(self.message_lanes());
        }
    }

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
        if item.is_some_and(|held| self.must_leave(work, queue, &held)) {
            self.queues.finish(queue, lane, seq);
        }
    }

    /// Goes on with the review. True when something ended that was only on disk.
    pub(crate) fn review(&mut self, work: &mut Work<'_>) -> Result<bool, ViewError> {
        let mut on_disk = false;
        if self.review.wanted {
            work.wake_at(work.now);
        }
        for _ in 0..PACKS_PER_STEP_MAX {
            let Some((queue, lane)) = self.review.lanes.front().cloned() else {
                return Ok(on_disk);
            };
            match self.queues.next_pack(&queue, lane, self.review.from, &work.reader)? {
                None => {
                    self.review.lanes.pop_front();
                    self.review.from = 0;
                }
                Some((first, pack)) => {
                    let key = PackKey { queue, lane, first };
                    on_disk |= self.review_pack(work, &key, pack);
                    self.review.from = first.saturating_add(1);
                }
            }
        }
        if !self.review.lanes.is_empty() {
            work.wake_at(work.now);
        }
        Ok(on_disk)
    }

    /// `pack` is there when the pack is only on disk.
    fn review_pack(&mut self, work: &mut Work<'_>, key: &PackKey, pack: Option<Loaded>) -> bool {
        let Some(mut pack) = pack else {
            let lane = self.queues.lane(&key.queue, key.lane);
            for (seq, held, _) in lane.and_then(|l| l.free_in(key.first)).unwrap_or_default() {
                if self.must_leave(work, &key.queue, &held) {
                    self.queues.finish(&key.queue, key.lane, seq);
                }
            }
            return false;
        };
        let open: Vec<(Seq, Held)> =
            pack.open(key.first).map(|(seq, held)| (seq, held.clone())).collect();
        let mut ended = 0;
        for (seq, held) in open {
            if self.must_leave(work, &key.queue, &held) {
                pack.end(key.first, seq);
                ended += 1;
            }
        }
        if ended == 0 {
            return false;
        }
        self.queues.finished_on_disk(&key.queue, key.lane, ended);
        self.end_pack(work, key, &pack);
        true
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
    fn must_leave(&mut self, work: &mut Work<'_>, queue: &QueueId, held: &Held) -> bool {
        let Held::Message(message) = held else { return false };
        let next = match queue {
            QueueId::Outbox(peer) => Some(peer),
            QueueId::Mailbox(_) | QueueId::Receipts(_) => None,
        };
        match self.may_go(work.now, message, next) {
            // Whoever waits only for the hour or for room waits where it is, in its order.
            Fate::Go(_) | Fate::Wait(Need::Later) => false,
            // Decided again at its next attempt.
            Fate::Wait(_) if self.holds.is_full() => false,
            Fate::Wait(need) => {
                self.hold_copy(work, message, next, &need);
                true
            }
            Fate::End(why) => {
                self.log_withdrawn(work, message, next, &why);
                self.withdraw(work, queue, message, &why);
                true
            }
        }
    }

    pub(crate) fn withdraw(
        &self,
        work: &mut Work<'_>,
        queue: &QueueId,
        message: &Message,
        why: &Negative,
    ) {
        match queue {
            QueueId::Mailbox(address) => {
                self.tell_negative(work, Sent::from(message), [address], why);
            }
            QueueId::Outbox(_) | QueueId::Receipts(_) => self.tell_failure(work, message, why),
        }
    }
}
