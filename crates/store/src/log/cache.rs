//! What was read of late, kept in memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Things that were read, up to so many bytes of them. When it is full, what was read first goes.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    kept: HashMap<K, V>,
    order: VecDeque<(K, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl<K: Hash + Eq + Copy, V: Clone> Cache<K, V> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { kept: HashMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.kept.get(key).cloned()
    }

    /// Keeps a thing of so many bytes, the last one even if it is too large.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) {
        if self.kept.insert(key, value).is_some() {
            return;
        }
        self.order.push_back((key, bytes));
        self.bytes += bytes;
        while self.bytes > self.bytes_max && self.order.len() > 1 {
            let Some((oldest, bytes)) = self.order.pop_front() else { return };
            self.kept.remove(&oldest);
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_first_goes_when_there_is_too_much() {
        let mut cache = Cache::new(10);
        let kept = |cache: &Cache<u8, u8>| (0..9).filter(|i| cache.get(i).is_some()).collect();
        for i in 0..3 {
            cache.put(i, i, 5);
            // Two threads may read the same at the same time.
            cache.put(i, i, 5);
        }
        let now: Vec<u8> = kept(&cache);
        assert_eq!(now, [1, 2]);
        cache.put(7, 7, 11);
        let now: Vec<u8> = kept(&cache);
        assert_eq!(now, [7]);
        cache.put(8, 8, 1);
        let now: Vec<u8> = kept(&cache);
        assert_eq!(now, [8]);
    }
}
