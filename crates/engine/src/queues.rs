//! All durable queues of a relay by name.

use std::collections::{BTreeMap, BTreeSet};

use kuriiri_types::{
    Lane as LaneName, Ministry, Timestamp,
    limits::{LANE_MEMORY_BYTES_MAX, LANE_MEMORY_BYTES_MIN, QUEUES_MEMORY_BYTES_MAX},
};

use crate::{
    lane::Lane,
    loaded::Loaded,
    queued::Queued,
    reader::Reader,
    record::{PackKey, QueueId, Seq},
    shares::Shares,
    step::Work,
    view::ViewError,
};

type Lanes = BTreeMap<LaneName, Lane>;

/// The queues. A lane is there once it has held something.
#[derive(Debug)]
pub(crate) struct Queues {
    queues: BTreeMap<QueueId, Lanes>,
    /// Where the lanes that have held nothing yet begin to count.
    base: Seq,
    /// Lanes that changed since they were settled last.
    changed: BTreeSet<(QueueId, LaneName)>,
    /// Lanes of which something ended that was only on disk, in the step before.
    ended_on_disk: BTreeSet<(QueueId, LaneName)>,
    /// Bytes of packs that all lanes have in memory.
    memory: usize,
    /// Who has how much in them.
    shares: Shares,
    /// Peers whose outbox is new since somebody asked.
    new_outboxes: Vec<Ministry>,
}

impl Queues {
    /// The queues as they were left behind.
    pub(crate) fn restore(base: Seq, reader: &Reader<'_>) -> Result<Self, ViewError> {
        let mut queues: BTreeMap<QueueId, Lanes> = BTreeMap::new();
        for span in reader.view.lanes()? {
            let (queue, name) = (span.queue.clone(), span.lane);
            let lane = Lane::restore(span, base, reader.view)?;
            queues.entry(queue).or_default().insert(name, lane);
        }
        let (changed, ended_on_disk) = (BTreeSet::new(), BTreeSet::new());
        let new_outboxes = queues.keys().filter_map(outbox_of).cloned().collect();
        let shares = Shares::default();
        Ok(Self { queues, base, changed, ended_on_disk, memory: 0, shares, new_outboxes })
    }

    /// The names of all queues that ever held something in this run.
    pub(crate) fn names(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.keys()
    }

    /// The peers whose outbox is new since this was asked last, all at a start: they are to be dialled,
    /// whatever the federation says now.
    pub(crate) fn new_outboxes(&mut self) -> Vec<Ministry> {
        std::mem::take(&mut self.new_outboxes)
    }

    /// How many items wait in a queue, over its lanes of messages.
    pub(crate) fn waiting(&self, queue: &QueueId) -> u64 {
        let Some(lanes) = self.queues.get(queue) else {
            return 0;
        };
        lanes
            .iter()
            .filter(|(name, _)| **name != LaneName::Receipts)
            .map(|(_, l)| l.waiting())
            .sum()
    }

    /// Who has how much in them.
    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    /// How many items wait in one lane.
    pub(crate) fn waiting_in(&self, queue: &QueueId, name: LaneName) -> u64 {
        self.lane(queue, name).map_or(0, Lane::waiting)
    }

    /// The lane, if it has ever held something in this run.
    pub(crate) fn lane(&self, queue: &QueueId, name: LaneName) -> Option<&Lane> {
        self.queues.get(queue)?.get(&name)
    }

    /// The number that the next item of a lane will get.
    pub(crate) fn next(&self, queue: &QueueId, name: LaneName) -> Seq {
        self.lane(queue, name).map_or(self.base, Lane::next)
    }

    /// Puts an item at the end of a lane.
    pub(crate) fn append(&mut self, queue: &QueueId, name: LaneName, item: Queued) {
        if let Queued::Message(message) = &item {
            self.shares.add(queue, message);
        }
        self.lane_or_new(queue, name).append(item);
        self.changed.insert((queue.clone(), name));
    }

    /// Takes the next item of a lane; see [`Lane::take`].
    pub(crate) fn take(
        &mut self,
        queue: &QueueId,
        name: LaneName,
        reader: &Reader<'_>,
    ) -> Result<Option<(Seq, Queued)>, ViewError> {
        let most = self.lane_memory_max();
        let Some(lane) = self.queues.get_mut(queue).and_then(|lanes| lanes.get_mut(&name)) else {
            return Ok(None);
        };
        let before = lane.memory();
        let taken = lane.take(reader, most)?;
        self.memory = self.memory.saturating_sub(before).saturating_add(lane.memory());
        if taken.is_none() && lane.seems_to_have_more(most) {
            self.ended_on_disk.insert((queue.clone(), name));
        }
        Ok(taken)
    }

    /// Frees a taken item.
    pub(crate) fn put_back(&mut self, queue: &QueueId, name: LaneName, seq: Seq) {
        if let Some(lane) = self.lane_mut(queue, name) {
            lane.put_back(seq);
        }
    }

    /// Ends an item's time in a lane. False when it is not there or ended before.
    pub(crate) fn finish(&mut self, queue: &QueueId, name: LaneName, seq: Seq) -> bool {
        let item = self.lane(queue, name).and_then(|lane| lane.item(seq));
        let finished = self.lane_mut(queue, name).is_some_and(|lane| lane.finish(seq));
        if finished {
            self.changed.insert((queue.clone(), name));
            self.is_gone(queue, seq, item.iter());
        }
        finished
    }

    /// Counts what leaves a queue. What was found at the start was not counted.
    fn is_gone<'a>(&mut self, queue: &QueueId, seq: Seq, items: impl Iterator<Item = &'a Queued>) {
        if seq < self.base {
            return;
        }
        for item in items {
            if let Queued::Message(message) = item {
                self.shares.take(queue, message);
            }
        }
    }

    /// Accounts for items of a pack on disk that were finished without being read in.
    pub(crate) fn finished_on_disk(&mut self, key: &PackKey, items: &[Queued]) {
        if let Some(lane) = self.lane_mut(&key.queue, key.lane) {
            lane.finished_on_disk(items.len() as u64);
            self.ended_on_disk.insert((key.queue.clone(), key.lane));
            self.is_gone(&key.queue, key.first, items.iter());
        }
    }

    /// Looks whether lanes of which something ended on disk have anything left there. To be asked
    /// at the beginning of a step, when all that was written is committed.
    pub(crate) fn look_again(&mut self, reader: &Reader<'_>) -> Result<(), ViewError> {
        for (queue, name) in std::mem::take(&mut self.ended_on_disk) {
            if let Some(lane) = self.lane_mut(&queue, name) {
                lane.look_again(reader)?;
            }
        }
        Ok(())
    }

    /// The first pack of a lane whose number is `from` or higher: with its content when it is only
    /// on disk.
    pub(crate) fn next_pack(
        &self,
        queue: &QueueId,
        name: LaneName,
        from: Seq,
        reader: &Reader<'_>,
    ) -> Result<Option<(Seq, Option<Loaded>)>, ViewError> {
        self.lane(queue, name).map_or(Ok(None), |lane| lane.next_pack(from, reader))
    }

    /// A lane to change.
    pub(crate) fn lane_mut(&mut self, queue: &QueueId, name: LaneName) -> Option<&mut Lane> {
        self.queues.get_mut(queue)?.get_mut(&name)
    }

    /// Writes all changes into the commit.
    pub(crate) fn settle(&mut self, work: &mut Work<'_>) {
        for (queue, name) in std::mem::take(&mut self.changed) {
            let most = self.lane_memory_max();
            let Some(lane) = self.lane_mut(&queue, name) else {
                continue;
            };
            let before = lane.memory();
            let changes = lane.settle(work.now, most);
            let after = lane.memory();
            self.memory = self.memory.saturating_sub(before).saturating_add(after);
            work.commit.writes.extend(changes.writes);
            work.commit.released.extend(changes.released);
            work.note_due(changes.earliest_due);
            if changes.read_back {
                work.wake_at(work.now);
            }
        }
    }

    /// When the oldest message of a queue was taken into custody.
    pub(crate) fn oldest(
        &self,
        queue: &QueueId,
        reader: &Reader<'_>,
    ) -> Result<Option<Timestamp>, ViewError> {
        let Some(lanes) = self.queues.get(queue) else {
            return Ok(None);
        };
        let oldest = lanes.values().map(|lane| lane.oldest(reader));
        Ok(oldest.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().min())
    }

    /// Bytes that a lane may keep in memory now.
    fn lane_memory_max(&self) -> usize {
        let is_full = self.memory >= QUEUES_MEMORY_BYTES_MAX;
        if is_full { LANE_MEMORY_BYTES_MIN } else { LANE_MEMORY_BYTES_MAX }
    }

    fn lane_or_new(&mut self, queue: &QueueId, name: LaneName) -> &mut Lane {
        if !self.queues.contains_key(queue) {
            self.queues.insert(queue.clone(), Lanes::new());
            self.new_outboxes.extend(outbox_of(queue).cloned());
        }
        let base = self.base;
        let lanes = self.queues.entry(queue.clone()).or_default();
        lanes.entry(name).or_insert_with(|| Lane::new(queue.clone(), name, base))
    }
}

fn outbox_of(queue: &QueueId) -> Option<&Ministry> {
    match queue {
        QueueId::Outbox(peer) => Some(peer),
        QueueId::Mailbox(_)
        | QueueId::Receipts(_)
        | QueueId::MailboxAside(_)
        | QueueId::OutboxAside(_) => None,
    }
}

#[cfg(test)]
impl Queues {
    pub(crate) fn count_as(&mut self, queue: &QueueId, ministry: &str, messages: u64) {
        self.shares.count_as(queue, ministry, messages);
    }
}

#[cfg(test)]
mod tests;
