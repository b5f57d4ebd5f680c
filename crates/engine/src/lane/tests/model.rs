//! What a lane should hold: items with their states, and nothing clever.

use std::collections::BTreeMap;

use kuriiri_types::Timestamp;

use crate::Seq;

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Appended since the last end of a step: cannot be taken yet.
    Fresh,
    Waiting,
    Taken,
    Returned,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) id: u64,
    pub(super) expires: Timestamp,
    state: State,
}

/// The items that are not finished.
#[derive(Debug, Clone)]
pub(super) struct Model {
    items: BTreeMap<Seq, Item>,
    /// Number of the first fresh item, or of the next one if there is none.
    pub(super) next: Seq,
}

impl Model {
    pub(super) fn new(base: Seq) -> Self {
        Self { items: BTreeMap::new(), next: base }
    }

    /// The same after a restart: nothing is taken, and numbers go on from `base`.
    pub(super) fn restarted(&self, base: Seq) -> Self {
        let mut items = self.items.clone();
        items.values_mut().for_each(|item| item.state = State::Waiting);
        assert!(items.keys().all(|seq| *seq < base), "numbers repeat");
        Self { items, next: base }
    }

    // === changes ===

    pub(super) fn append(&mut self, id: u64, expires: Timestamp) {
        let seq = self.next + self.items.range(self.next..).count() as u64;
        let before = self.items.insert(seq, Item { id, expires, state: State::Fresh });
        assert!(before.is_none(), "numbers repeat");
    }

    pub(super) fn settle(&mut self) {
        self.next += self.in_state(State::Fresh).count() as u64;
        let fresh = self.items.values_mut().filter(|item| item.state == State::Fresh);
        fresh.for_each(|item| item.state = State::Waiting);
    }

    /// Takes an item and says which it is.
    pub(super) fn take(&mut self, seq: Seq) -> u64 {
        let item = self.items.get_mut(&seq).unwrap();
        assert!(matches!(item.state, State::Waiting | State::Returned), "given twice");
        item.state = State::Taken;
        item.id
    }

    pub(super) fn return_back(&mut self, seq: Seq) {
        self.items.get_mut(&seq).unwrap().state = State::Returned;
    }

    pub(super) fn finish(&mut self, seq: Seq) {
        self.items.remove(&seq).unwrap();
    }

    /// Finishes an item that is known by what it is.
    pub(super) fn finish_id(&mut self, id: u64) {
        let seq = self.free().find(|(_, item)| item.id == id).map(|(seq, _)| seq);
        self.finish(seq.unwrap_or_else(|| panic!("item {id} was not free")));
    }

    // === questions ===

    pub(super) fn len(&self) -> u64 {
        self.items.len() as u64
    }

    pub(super) fn state(&self, seq: Seq) -> State {
        self.items[&seq].state
    }

    pub(super) fn in_state(&self, state: State) -> impl Iterator<Item = (Seq, &Item)> {
        let items = self.items.iter().filter(move |(_, item)| item.state == state);
        items.map(|(seq, item)| (*seq, item))
    }

    /// A returned item first, else the next that was never taken.
    pub(super) fn next_to_take(&self) -> Option<Seq> {
        let mut next = self.in_state(State::Returned).chain(self.in_state(State::Waiting));
        next.next().map(|(seq, _)| seq)
    }

    /// Items that wait and are not taken, in order.
    pub(super) fn free(&self) -> impl Iterator<Item = (Seq, &Item)> {
        let is_free = |item: &Item| matches!(item.state, State::Waiting | State::Returned);
        let free = self.items.iter().filter(move |(_, item)| is_free(item));
        free.map(|(seq, item)| (*seq, item))
    }

    pub(super) fn taken_len(&self) -> usize {
        self.in_state(State::Taken).count()
    }

    /// A taken item by its place among them, counted round and round.
    pub(super) fn taken(&self, place: usize) -> Option<Seq> {
        let place = place.checked_rem(self.taken_len())?;
        self.in_state(State::Taken).nth(place).map(|(seq, _)| seq)
    }
}
