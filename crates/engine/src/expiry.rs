//! Expiry: what was not delivered in time ends with a negative receipt.

use std::time::Duration;

use kuriiri_types::Timestamp;

use crate::{
    commit::Write,
    custody::Custody,
    queued::Queued,
    record::{PackKey, Seq},
    stating::{Failure, Sent},
    step::Work,
    view::ViewError,
};

/// Notes of expiry handled in one step; more wait for the next, which comes at once.
const DUE_PER_STEP_MAX: usize = 64;
/// When a pack is looked at again whose expired items are under way: their fate is not ours yet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// When something expires next.
#[derive(Debug)]
pub(crate) struct Expiry {
    /// The earliest note of expiry, as far as known.
    next_due: Option<Timestamp>,
    /// True when `next_due` must be looked up.
    look_for_due: bool,
}

impl Expiry {
    /// Of a relay that has just started.
    pub(crate) fn unknown() -> Self {
        Self { next_due: None, look_for_due: true }
    }

    /// Ends what has expired by now. True when some of it was only on disk.
    pub(crate) fn expire(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
    ) -> Result<bool, ViewError> {
        if self.next_due.is_none_or(|due| due > work.now) {
            return Ok(false);
        }
        let mut on_disk = false;
        let due = work.reader.view.due(work.now, DUE_PER_STEP_MAX)?;
        let all = due.len() < DUE_PER_STEP_MAX;
        for (at, key) in due {
            work.commit.writes.push(Write::DeleteDue(at, key.clone()));
            on_disk |= expire_pack(custody, work, &key)?;
        }
        self.next_due = if all { None } else { Some(work.now) };
        self.look_for_due = all;
        Ok(on_disk)
    }

    /// Wakes in time for the next expiry.
    pub(crate) fn plan(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        if std::mem::take(&mut self.look_for_due) {
            let stored = work.reader.view.next_due()?;
            self.next_due = self.next_due.into_iter().chain(stored).min();
        }
        self.next_due = self.next_due.into_iter().chain(work.earliest_due()).min();
        if let Some(due) = self.next_due {
            work.wake_at(due);
        }
        Ok(())
    }
}

fn expire_pack(
    custody: &mut Custody,
    work: &mut Work<'_>,
    key: &PackKey,
) -> Result<bool, ViewError> {
    let lane = custody.queues.lane(&key.queue, key.lane);
    match lane.and_then(|lane| lane.free_in(key.first)) {
        Some(free) => expire_in_memory(custody, work, key, free).map(|()| false),
        None => expire_on_disk(custody, work, key).map(|()| true),
    }
}

fn expire_in_memory(
    custody: &mut Custody,
    work: &mut Work<'_>,
    key: &PackKey,
    free: Vec<(Seq, Queued, Timestamp)>,
) -> Result<(), ViewError> {
    let now = work.now;
    for (seq, item, _) in free.into_iter().filter(|(_, _, at)| *at <= now) {
        custody.queues.finish(&key.queue, key.lane, seq);
        tell_expired(work, key, &item);
    }
    let Some(lane) = custody.queues.lane_mut(&key.queue, key.lane) else {
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

fn expire_on_disk(
    custody: &mut Custody,
    work: &mut Work<'_>,
    key: &PackKey,
) -> Result<(), ViewError> {
    let Some((mut pack, _)) = work.reader.pack(key)? else {
        return Ok(());
    };
    let ended = pack.end_expired(key.first, work.now);
    custody.queues.finished_on_disk(key, &ended);
    for item in &ended {
        tell_expired(work, key, item);
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
fn tell_expired(work: &mut Work<'_>, key: &PackKey, item: &Queued) {
    let Queued::Message(message) = item else { return };
    match key.queue.recipient() {
        Some(address) => {
            work.tell_negative(Sent::from(&**message), [address], &Failure::expired());
        }
        None => work.tell_failure(message, &Failure::expired()),
    }
}
