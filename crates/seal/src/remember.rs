//! A bounded memory that forgets what was not asked for lately.

use std::{collections::HashMap, hash::Hash, mem};

/// Up to a number of values by key. When it is full, the half that was longest unused goes.
///
/// Two generations instead of a list of uses: what is asked for moves to the young one, and when
/// that is full it becomes the old one and the old one is dropped. Every call takes constant time,
/// spread over calls.
pub(crate) struct Remembered<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation: usize,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// An empty memory for at most `capacity` values.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation: capacity / 2 }
    }

    /// The value of a key, if it is still known.
    pub(crate) fn recall(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.remember(key, value.clone());
        Some(value)
    }

    /// Keeps a value, at the cost of the oldest.
    pub(crate) fn remember(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_used() {
        let mut memory = Remembered::new(100);
        memory.remember(0, "in use");
        for key in 1..10_000 {
            memory.remember(key, "passing");
            assert_eq!(memory.recall(&0), Some("in use"));
            assert_eq!(memory.recall(&key), Some("passing"));
            assert!(memory.young.len() + memory.old.len() <= 100);
        }
        assert_eq!(memory.recall(&1), None);
    }
}
