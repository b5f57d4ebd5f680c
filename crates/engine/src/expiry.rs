//! Expiry: what was not delivered in time ends with a negative receipt.

use std::time::Duration;

use kuriiri_types::Timestamp;

use crate::{
    commit::Write,
    engine::Engine,
    held::Held,
    receipts::{Negative, Sent},
    record::{PackKey, QueueId, Seq},
    view::ViewError,
    work::Work,
};

/// Notes of expiry handled in one step; more wait for the next, which comes at once.
const DUE_PER_STEP_MAX: usize = 64;
/// When a pack is looked at again whose expired items are under way: their fate is not ours yet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Ends what has expired by now. True when some of it was only on disk.
    pub(crate) fn expire(&mut self, work: &mut Work<'_>) -> Result<bool, ViewError> {
        if self.next_due.is_none_or(|due| due > work.now) {
            return Ok(false);
        }
        let mut on_disk = false;
        let due = work.reader.view.due(work.now, DUE_PER_STEP_MAX)?;
        let all = due.len() < DUE_PER_STEP_MAX;
        for (at, key) in due {
            work.commit.writes.push(Write::DeleteDue(at, key.clone()));
            on_disk |= self.expire_pack(work, &key)?;
        }
        self.next_due = if all { None } else { Some(work.now) };
        self.look_for_due = all;
        Ok(on_disk)
    }

    fn expire_pack(&mut self, work: &mut Work<'_>, key: &PackKey) -> Result<bool, ViewError> {
        let lane = self.queues.lane(&key.queue, key.lane);
        match lane.and_then(|lane| lane.free_in(key.first)) {
            Some(free) => self.expire_in_memory(work, key, free).map(|()| false),
            None => self.expire_on_disk(work, key).map(|()| true),
        }
    }

    fn expire_in_memory(
        &mut self,
        work: &mut Work<'_>,
        key: &PackKey,
        free: Vec<(Seq, Held, Timestamp)>,
    ) -> Result<(), ViewError> {
        let now = work.now;
        for (seq, held, _) in free.into_iter().filter(|(_, _, at)| *at <= now) {
            self.queues.finish(&key.queue, key.lane, seq);
            self.tell_expired(work, key, &held);
        }
        let Some(lane) = self.queues.lane_mut(&key.queue, key.lane) else {
            return Ok(());
        };
        if let Some(next) = lane.expiry_of(key.first) {
            let due = if next <= work.now { work.now.after(LOOK_AGAIN) } else { next };
            lane.set_due(key.first, due);
            work.commit.writes.push(Write::PutDue(due, key.clone()));
            work.note_due(Some(due));
        }
        Ok(())
    }

    fn expire_on_disk(&mut self, work: &mut Work<'_>, key: &PackKey) -> Result<(), ViewError> {
        let Some((mut pack, _)) = work.reader.pack(key)? else {
            return Ok(());
        };
        let ended = pack.end_expired(key.first, work.now);
        self.queues.finished_on_disk(&key.queue, key.lane, ended.len() as u64);
        for held in &ended {
            self.tell_expired(work, key, held);
        }
        match pack.expiry(key.first) {
            None => {
                work.commit.released.extend(pack.body_refs());
                work.commit.writes.push(Write::DeletePack(key.clone()));
            }
            Some(next) => {
                work.commit.writes.push(Write::PutDone(key.clone(), pack.done()));
                work.commit.writes.push(Write::PutDue(next, key.clone()));
                work.note_due(Some(next));
            }
        }
        Ok(())
    }

    /// A message that expired in a mailbox or an outbox is told of; an old receipt just goes.
    fn tell_expired(&self, work: &mut Work<'_>, key: &PackKey, held: &Held) {
        let Held::Message(message) = held else { return };
        match &key.queue {
            QueueId::Mailbox(address) => {
                self.tell_negative(work, Sent::from(&**message), [address], &Negative::expired());
            }
            QueueId::Outbox(_) | QueueId::Receipts(_) => {
                self.tell_failure(work, message, &Negative::expired());
            }
        }
    }
}
