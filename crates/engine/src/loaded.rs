//! A pack in memory.

use kuriiri_types::Timestamp;

use crate::{
    queued::Queued,
    record::{BodyRef, Done, Seq},
};

/// Bytes of a pack that are not items: counters and lengths.
pub(crate) const PACK_FIXED_BYTES: usize = 64;

/// A pack in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    items: Vec<Queued>,
    packed: Timestamp,
    done: Done,
    /// When its note of expiry stands.
    due: Timestamp,
    /// Bytes in memory, roughly.
    weight: usize,
}

impl Loaded {
    pub(crate) fn new(items: Vec<Queued>, packed: Timestamp, done: Done, first: Seq) -> Self {
        let weight = PACK_FIXED_BYTES + items.iter().map(Queued::memory_bytes).sum::<usize>();
        let mut pack = Self { items, packed, done, due: packed, weight };
        pack.due = pack.expiry(first).unwrap_or(packed);
        pack
    }

    /// The items that are not finished, with their numbers.
    pub(crate) fn open(&self, first: Seq) -> impl Iterator<Item = (Seq, &Queued)> {
        (first..).zip(&self.items).filter(move |(seq, _)| self.done & bit(first, *seq) == 0)
    }

    /// Finishes the items that have expired and gives them.
    pub(crate) fn end_expired(&mut self, first: Seq, now: Timestamp) -> Vec<Queued> {
        let expired = |item: &Queued| item.expires(self.packed) <= now;
        let ended: Vec<(Seq, Queued)> =
            self.open(first).filter(|(_, i)| expired(i)).map(|(s, i)| (s, i.clone())).collect();
        for (seq, _) in &ended {
            self.done |= bit(first, *seq);
        }
        ended.into_iter().map(|(_, item)| item).collect()
    }

    /// An item, if it is here and not finished.
    pub(crate) fn item(&self, first: Seq, seq: Seq) -> Option<&Queued> {
        let item = self.items.get(usize::try_from(seq.checked_sub(first)?).ok()?)?;
        (self.done & bit(first, seq) == 0).then_some(item)
    }

    /// Finishes one item. False when it is not here or was finished before.
    pub(crate) fn end(&mut self, first: Seq, seq: Seq) -> bool {
        let is_open = self.item(first, seq).is_some();
        if is_open {
            self.done |= bit(first, seq);
        }
        is_open
    }

    /// All items, finished or not.
    pub(crate) fn items(&self) -> &[Queued] {
        &self.items
    }

    /// When the pack was made.
    pub(crate) fn packed(&self) -> Timestamp {
        self.packed
    }

    /// Bytes that it takes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// When its note of expiry stands.
    pub(crate) fn due(&self) -> Timestamp {
        self.due
    }

    /// Notes when it is to be looked at again.
    pub(crate) fn set_due(&mut self, due: Timestamp) {
        self.due = due;
    }

    /// Which items are finished.
    pub(crate) fn done(&self) -> Done {
        self.done
    }

    /// The places in body files that its items refer to.
    pub(crate) fn body_refs(&self) -> impl Iterator<Item = BodyRef> {
        self.items.iter().filter_map(Queued::body_ref)
    }

    /// When the first of them expires.
    pub(crate) fn expiry(&self, first: Seq) -> Option<Timestamp> {
        self.open(first).map(|(_, item)| item.expires(self.packed)).min()
    }
}

/// The bit of an item in its pack's record of what is done.
fn bit(first: Seq, seq: Seq) -> Done {
    let at = u32::try_from(seq.saturating_sub(first)).unwrap_or(u32::MAX);
    1u64.checked_shl(at).unwrap_or(0)
}
