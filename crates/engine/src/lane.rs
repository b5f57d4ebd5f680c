//! One lane of a durable queue: the head in memory, the rest on disk.
//!
//! Items are appended during a step and packed at its end. Taking gives them out in order;
//! what was taken is later finished for good or returned to be taken again.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use kuriiri_seal::gather;
use kuriiri_types::{
    Lane as LaneName, Timestamp,
    limits::{PACK_BYTES_MAX, PACK_MESSAGES_MAX},
};

use crate::{
    commit::Write,
    loaded::{Loaded, PACK_FIXED_BYTES},
    queued::Queued,
    reader::Reader,
    record::{BodyRef, Pack, PackKey, QueueId, Seq},
    view::{LaneSpan, View, ViewError},
};

/// One lane of one queue.
#[derive(Debug)]
pub(crate) struct Lane {
    queue: QueueId,
    name: LaneName,
    /// Packs in memory, by the number of their first item.
    packs: BTreeMap<Seq, Loaded>,
    /// Weight of the packs in memory.
    memory: usize,
    /// Packs that are only on disk: all of them stand after those in memory.
    unread: Option<Unread>,
    /// Appended in this step and not packed yet.
    fresh: Vec<Queued>,
    /// Number of the next item to be appended.
    next: Seq,
    /// Number of the next item to be taken.
    cursor: Seq,
    /// Taken once and free again, before the cursor.
    returned: BTreeSet<Seq>,
    /// Packs in memory of which something was finished in this step.
    dirty: BTreeSet<Seq>,
    /// How many items the lane ever took, and how many wait.
    appended: u64,
    waiting: u64,
}

#[derive(Debug, Clone, Copy)]
struct Unread {
    from: Seq,
    last: Seq,
}

/// What a step changes, for the lane's part of the commit.
#[derive(Debug, Default)]
pub(crate) struct LaneChanges {
    pub(crate) writes: Vec<Write>,
    pub(crate) released: Vec<BodyRef>,
    pub(crate) earliest_due: Option<Timestamp>,
    /// True when packs were written that the next step must read back to go on.
    pub(crate) read_back: bool,
}

impl Lane {
    /// An empty lane that counts from `base`.
    pub(crate) fn new(queue: QueueId, name: LaneName, base: Seq) -> Self {
        Self {
            queue,
            name,
            packs: BTreeMap::new(),
            memory: 0,
            unread: None,
            fresh: Vec::new(),
            next: base,
            cursor: base,
            returned: BTreeSet::new(),
            dirty: BTreeSet::new(),
            appended: 0,
            waiting: 0,
        }
    }

    /// The lane as it was left behind: everything on disk, counting on from `base`.
    pub(crate) fn restore(span: LaneSpan, base: Seq, view: &dyn View) -> Result<Self, ViewError> {
        let LaneSpan { queue, lane, first, last } = span;
        let read = |first: Seq| {
            let key = PackKey { queue: queue.clone(), lane, first };
            view.pack(&key)?.ok_or_else(|| ViewError(format!("{key:?} is listed but not there")))
        };
        let ((head, done), (tail, _)) = (read(first)?, read(last)?);
        let mut restored = Self::new(queue.clone(), lane, base);
        restored.appended = tail.before.saturating_add(tail.items.len() as u64);
        restored.waiting = restored
            .appended
            .saturating_sub(head.before)
            .saturating_sub(u64::from(done.count_ones()));
        restored.cursor = first;
        restored.unread = Some(Unread { from: first, last });
        Ok(restored)
    }

    /// How many items wait, those under way included.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The number that the next appended item will get.
    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    /// Puts an item at the end. It can be taken after this step.
    pub(crate) fn append(&mut self, item: Queued) {
        self.fresh.push(item);
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Items appended in this step so far, with the numbers that they will have.
    pub(crate) fn fresh(&self) -> impl Iterator<Item = (Seq, &Queued)> {
        (self.next..).zip(&self.fresh)
    }

    /// Takes the next item: a returned one first, else the one at the cursor, read from disk if need be,
    /// as long as the lane has less than `most` bytes in memory. Nothing when it has no more.
    pub(crate) fn take(
        &mut self,
        reader: &Reader<'_>,
        most: usize,
    ) -> Result<Option<(Seq, Queued)>, ViewError> {
        while let Some(seq) = self.returned.pop_first() {
            if let Some(item) = self.item(seq) {
                return Ok(Some((seq, item)));
            }
        }
        loop {
            if let Some(seq) = self.advance() {
                return Ok(self.item(seq).map(|item| (seq, item)));
            }
            if !self.read_on(reader, most)? {
                return Ok(None);
            }
        }
    }

    /// Frees an item that was taken, to be taken again before later ones.
    pub(crate) fn put_back(&mut self, seq: Seq) {
        if self.item(seq).is_some() {
            self.returned.insert(seq);
        }
    }

    /// Ends an item's time in this lane. False when it is not there or ended before.
    pub(crate) fn finish(&mut self, seq: Seq) -> bool {
        let Some((first, pack)) = self.packs.range_mut(..=seq).next_back() else {
            return false;
        };
        if !pack.end(*first, seq) {
            return false;
        }
        self.dirty.insert(*first);
        self.returned.remove(&seq);
        self.waiting = self.waiting.saturating_sub(1);
        true
    }

    /// The items of a pack in memory that wait and are not taken, each with its time of expiry.
    pub(crate) fn free_in(&self, first: Seq) -> Option<Vec<(Seq, Queued, Timestamp)>> {
        let pack = self.packs.get(&first)?;
        let free = |seq: Seq| seq >= self.cursor || self.returned.contains(&seq);
        let open = pack.open(first).filter(|(seq, _)| free(*seq));
        Some(open.map(|(seq, item)| (seq, item.clone(), item.expires(pack.packed()))).collect())
    }

    /// The first pack whose number is `from` or higher: with its content when it is only on disk.
    pub(crate) fn next_pack(
        &self,
        from: Seq,
        reader: &Reader<'_>,
    ) -> Result<Option<(Seq, Option<Loaded>)>, ViewError> {
        if let Some((first, _)) = self.packs.range(from..).next() {
            return Ok(Some((*first, None)));
        }
        let Some(unread) = self.unread else { return Ok(None) };
        let packs = reader.packs(&self.queue, self.name, from.max(unread.from), 0)?;
        Ok(packs.into_iter().next().map(|(first, pack)| (first, Some(pack))))
    }

    /// When the first unfinished item of a pack in memory expires.
    pub(crate) fn expiry_of(&self, first: Seq) -> Option<Timestamp> {
        self.packs.get(&first).and_then(|pack| pack.expiry(first))
    }

    /// Notes when a pack in memory is to be looked at again. False when it is not in memory.
    pub(crate) fn set_due(&mut self, first: Seq, due: Timestamp) -> bool {
        self.packs.get_mut(&first).map(|pack| pack.set_due(due)).is_some()
    }

    /// Accounts for items of a pack on disk that were finished without being read in.
    pub(crate) fn finished_on_disk(&mut self, items: u64) {
        self.waiting = self.waiting.saturating_sub(items);
    }

    /// When the oldest waiting item was taken into custody, if any waits.
    pub(crate) fn oldest(&self, reader: &Reader<'_>) -> Result<Option<Timestamp>, ViewError> {
        let in_memory = self.packs.iter().find_map(|(first, pack)| pack.open(*first).next());
        if let Some((_, item)) = in_memory {
            return Ok(item.accepted());
        }
        let Some(unread) = self.unread else {
            return Ok(None);
        };
        let packs = reader.packs(&self.queue, self.name, unread.from, 1)?;
        Ok(packs
            .iter()
            .find_map(|(first, pack)| pack.open(*first).next())
            .and_then(|(_, i)| i.accepted()))
    }

    // === the end of a step ===

    /// Packs what was appended and writes down what was finished. Of the packs it keeps `most` bytes in
    /// memory.
    pub(crate) fn settle(&mut self, now: Timestamp, most: usize) -> LaneChanges {
        let mut changes = LaneChanges::default();
        for first in mem::take(&mut self.dirty) {
            self.settle_done(first, &mut changes);
        }
        let mut pack: Vec<Queued> = Vec::new();
        let mut weight = PACK_FIXED_BYTES;
        for item in mem::take(&mut self.fresh) {
            let mut more = item.weight_behind(pack.last());
            let full = weight + more > PACK_BYTES_MAX || pack.len() == PACK_MESSAGES_MAX;
            if full && !pack.is_empty() {
                self.settle_pack(mem::take(&mut pack), (now, most), &mut changes);
                weight = PACK_FIXED_BYTES;
                more = item.weight_behind(None);
            }
            weight += more;
            pack.push(item);
        }
        if !pack.is_empty() {
            self.settle_pack(pack, (now, most), &mut changes);
        }
        changes
    }

    fn settle_done(&mut self, first: Seq, changes: &mut LaneChanges) {
        let key = self.key(first);
        let Some(pack) = self.packs.get(&first) else {
            return;
        };
        if pack.open(first).next().is_some() {
            changes.writes.push(Write::PutDone(key, pack.done()));
            return;
        }
        changes.released.extend(pack.body_refs());
        changes.writes.push(Write::DeleteDue(pack.due(), key.clone()));
        changes.writes.push(Write::DeletePack(key));
        self.memory = self.memory.saturating_sub(pack.weight());
        self.packs.remove(&first);
    }

    fn settle_pack(
        &mut self,
        items: Vec<Queued>,
        (now, most): (Timestamp, usize),
        changes: &mut LaneChanges,
    ) {
        let first = self.next;
        let count = items.len() as u64;
        let loaded = Loaded::new(items, now, 0, first);
        let due = loaded.due();
        let proofs = loaded.items().iter().filter_map(Queued::proof);
        let parts = gather(proofs, |proof| *proof, |_, _| true).into_iter().map(|(part, _)| part);
        let items = loaded.items().iter().map(Queued::to_record).collect();
        let (before, parts) = (self.appended, parts.collect());
        let pack = Pack { before, packed: now, parts, items };
        changes.writes.push(Write::PutPack(self.key(first), pack));
        changes.writes.push(Write::PutDue(due, self.key(first)));
        changes.earliest_due = changes.earliest_due.into_iter().chain([due]).min();
        self.next = first.saturating_add(count);
        self.appended = self.appended.saturating_add(count);
        if let Some(unread) = &mut self.unread {
            unread.last = first;
            changes.read_back = true;
        } else if self.memory + loaded.weight() > most {
            self.unread = Some(Unread { from: first, last: first });
            changes.read_back = true;
        } else {
            self.keep(first, loaded);
        }
    }

    // === inside ===

    fn key(&self, first: Seq) -> PackKey {
        PackKey { queue: self.queue.clone(), lane: self.name, first }
    }

    fn keep(&mut self, first: Seq, pack: Loaded) {
        self.memory = self.memory.saturating_add(pack.weight());
        self.packs.insert(first, pack);
    }

    /// The item with this number, if it is in memory and not finished.
    pub(crate) fn item(&self, seq: Seq) -> Option<Queued> {
        let (first, pack) = self.packs.range(..=seq).next_back()?;
        pack.item(*first, seq).cloned()
    }

    /// Moves the cursor past the next unfinished item in memory and gives its number.
    fn advance(&mut self) -> Option<Seq> {
        let here = self.packs.range(..=self.cursor).next_back().map(|(first, _)| *first);
        let from = here.unwrap_or(self.cursor);
        let found = self
            .packs
            .range(from..)
            .flat_map(|(first, pack)| pack.open(*first).map(|(seq, _)| seq))
            .find(|seq| *seq >= self.cursor)?;
        self.cursor = found.saturating_add(1);
        Some(found)
    }

    /// Reads the next packs from disk into memory. False when there is nothing to read.
    fn read_on(&mut self, reader: &Reader<'_>, most: usize) -> Result<bool, ViewError> {
        let Some(unread) = self.unread else {
            return Ok(false);
        };
        let room = most.saturating_sub(self.memory);
        if room == 0 {
            return Ok(false);
        }
        let packs = reader.packs(&self.queue, self.name, unread.from, room)?;
        if packs.is_empty() {
            return Ok(false);
        }
        let mut last = unread.from;
        for (first, pack) in packs {
            last = first;
            self.keep(first, pack);
        }
        self.unread = (last < unread.last)
            .then(|| Unread { from: last.saturating_add(1), last: unread.last });
        if self.unread.is_none() {
            self.recount();
        }
        Ok(true)
    }
}

impl Lane {
    /// True when there is room to read more in, and more is thought to be on disk.
    pub(crate) fn seems_to_have_more(&self, most: usize) -> bool {
        self.unread.is_some() && self.memory < most
    }

    /// Bytes of its packs in memory.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Notes that nothing is left on disk, if so.
    pub(crate) fn look_again(&mut self, reader: &Reader<'_>) -> Result<(), ViewError> {
        if let Some(Unread { from, .. }) = self.unread
            && reader.view.packs(&self.queue, self.name, from, 0)?.is_empty()
        {
            self.unread = None;
            self.recount();
        }
        Ok(())
    }

    /// Counts what waits, now that all of it is in memory.
    fn recount(&mut self) {
        let open = self.packs.iter().map(|(first, pack)| pack.open(*first).count() as u64);
        self.waiting = open.sum::<u64>().saturating_add(self.fresh.len() as u64);
    }
}

#[cfg(test)]
mod tests;
