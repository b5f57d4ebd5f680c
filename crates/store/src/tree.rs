//! The records: what sled has, and above it what the journal has and sled has not yet.

use std::{
    ops::{Bound, Range},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use crate::journal::Changes;

/// All records, read as one.
#[derive(Debug)]
pub(crate) struct Tree {
    db: sled::Db,
    above: RwLock<Above>,
}

/// Changes that sled does not have yet; what is newer counts.
#[derive(Debug, Default)]
struct Above {
    fresh: Changes,
    /// On their way into sled.
    settling: Arc<Changes>,
}

/// A key and its value.
pub(crate) type Record = (Vec<u8>, Bytes);

impl Tree {
    pub(crate) fn new(db: sled::Db) -> Self {
        Self { db, above: RwLock::default() }
    }

    /// What is below.
    #[cfg(test)]
    pub(crate) fn db(&self) -> &sled::Db {
        &self.db
    }

    // === reading ===

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> sled::Result<Option<Bytes>> {
        let above = self.read().find(key).cloned();
        match above {
            Some(value) => Ok(value),
            None => Ok(self.db.get(key)?.map(|value| Bytes::copy_from_slice(&value))),
        }
    }

    /// Whether there is a value.
    pub(crate) fn contains_key(&self, key: &[u8]) -> sled::Result<bool> {
        let above = self.read().find(key).map(Option::is_some);
        above.map_or_else(|| self.db.contains_key(key), Ok)
    }

    /// The records of a range, in order.
    pub(crate) fn range(
        &self,
        range: Range<Vec<u8>>,
    ) -> impl Iterator<Item = sled::Result<Record>> {
        let mut from = Bound::Included(range.start);
        let end = range.end;
        std::iter::from_fn(move || {
            let found = self.first((from.clone(), Bound::Excluded(end.clone())));
            if let Ok(Some((key, _))) = &found {
                from = Bound::Excluded(key.clone());
            }
            found.transpose()
        })
    }

    /// The last record of a range.
    pub(crate) fn last(&self, range: Range<Vec<u8>>) -> sled::Result<Option<Record>> {
        let (start, mut end) = (range.start, Bound::Excluded(range.end));
        loop {
            let bounds = (Bound::Included(start.clone()), end.clone());
            if is_empty(&bounds) {
                return Ok(None);
            }
            let below = self.db.range::<Vec<u8>, _>(bounds.clone()).next_back().transpose()?;
            let above = self.read().last(&bounds);
            let below_key = below.as_ref().map(|(key, _)| key.to_vec());
            match (above, below_key) {
                (None, None) => return Ok(None),
                (Some((key, value)), below) if below.as_ref().is_none_or(|below| *below <= key) => {
                    match value {
                        Some(value) => return Ok(Some((key, value))),
                        None => end = Bound::Excluded(key),
                    }
                }
                (_, Some(key)) => {
                    let value = below.map(|(_, value)| Bytes::copy_from_slice(&value));
                    return Ok(value.map(|value| (key, value)));
                }
                (Some(_), None) => return Ok(None),
            }
        }
    }

    /// The first record between bounds.
    fn first(&self, bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> sled::Result<Option<Record>> {
        let (mut from, end) = bounds;
        loop {
            let bounds = (from.clone(), end.clone());
            if is_empty(&bounds) {
                return Ok(None);
            }
            let below = self.db.range::<Vec<u8>, _>(bounds.clone()).next().transpose()?;
            let above = self.read().first(&bounds);
            let below_key = below.as_ref().map(|(key, _)| key.to_vec());
            match (above, below_key) {
                (None, None) => return Ok(None),
                (Some((key, value)), below) if below.as_ref().is_none_or(|below| *below >= key) => {
                    match value {
                        Some(value) => return Ok(Some((key, value))),
                        None => from = Bound::Excluded(key),
                    }
                }
                (_, Some(key)) => {
                    let value = below.map(|(_, value)| Bytes::copy_from_slice(&value));
                    return Ok(value.map(|value| (key, value)));
                }
                (Some(_), None) => return Ok(None),
            }
        }
    }

    // === changing ===

    /// Takes over what a commit made durable.
    pub(crate) fn put(&self, changes: Changes) {
        self.write().fresh.extend(changes);
    }

    /// Has everything above go into sled; what comes from now on stays above. Nothing when the last
    /// has not got there yet.
    pub(crate) fn settle(&self) -> Option<Arc<Changes>> {
        let mut above = self.write();
        if !above.settling.is_empty() {
            return None;
        }
        above.settling = Arc::new(std::mem::take(&mut above.fresh));
        Some(Arc::clone(&above.settling))
    }

    /// Sled has it, durably.
    pub(crate) fn settled(&self) {
        self.write().settling = Arc::default();
    }

    /// The guards, also after a panic elsewhere: what is above is whole between any two calls.
    fn read(&self) -> RwLockReadGuard<'_, Above> {
        self.above.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Above> {
        self.above.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Above {
    /// What is said of a key, if anything is.
    fn find(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.fresh.get(key).or_else(|| self.settling.get(key))
    }

    fn first(&self, bounds: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Option<(Vec<u8>, Option<Bytes>)> {
        let key =
            |changes: &Changes| changes.range(bounds.clone()).next().map(|(key, _)| key.clone());
        let first = [key(&self.fresh), key(&self.settling)].into_iter().flatten().min()?;
        let value = self.find(&first)?.clone();
        Some((first, value))
    }

    fn last(&self, bounds: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Option<(Vec<u8>, Option<Bytes>)> {
        let key = |changes: &Changes| {
            changes.range(bounds.clone()).next_back().map(|(key, _)| key.clone())
        };
        let last = [key(&self.fresh), key(&self.settling)].into_iter().flatten().max()?;
        let value = self.find(&last)?.clone();
        Some((last, value))
    }
}

/// A range that begins where it ends, or after; the maps would panic on some of them.
fn is_empty((from, end): &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> bool {
    match (from, end) {
        (Bound::Included(from), Bound::Excluded(end)) => from >= end,
        (Bound::Excluded(from), Bound::Excluded(end)) => from >= end,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Change = (Vec<u8>, Option<Bytes>);

    fn change() -> impl Strategy<Value = Change> {
        let key = prop::collection::vec(0_u8..4, 1..3);
        (key, prop::option::of(any::<u8>().prop_map(|byte| Bytes::from(vec![byte]))))
    }

    /// Changes, and what is done after them.
    fn commits() -> impl Strategy<Value = Vec<(Vec<Change>, u8)>> {
        prop::collection::vec((prop::collection::vec(change(), 0..6), 0_u8..4), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is where, it reads as one map.
        #[test]
        fn it_reads_as_one_map(commits in commits()) {
            let db = sled::Config::new().temporary(true).flush_every_ms(None).open().unwrap();
            let (tree, mut model) = (Tree::new(db), BTreeMap::new());
            for (changes, then) in commits {
                for (key, value) in &changes {
                    match value {
                        Some(value) => { model.insert(key.clone(), value.clone()); }
                        None => { model.remove(key); }
                    }
                }
                tree.put(changes.into_iter().collect());
                if then == 1 {
                    tree.settle();
                } else if then == 2 && let Some(settling) = tree.settle() {
                    for (key, value) in settling.iter() {
                        match value {
                            Some(value) => drop(tree.db().insert(key, value.as_ref()).unwrap()),
                            None => drop(tree.db().remove(key).unwrap()),
                        }
                    }
                    tree.settled();
                }
                for (start, end) in [(vec![], vec![9]), (vec![1], vec![2, 3]), (vec![3], vec![3])] {
                    let expected: Vec<_> = model
                        .range::<Vec<u8>, _>((Bound::Included(start.clone()), Bound::Unbounded))
                        .filter(|(key, _)| **key < end)
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    let found: Vec<_> =
                        tree.range(start.clone()..end.clone()).map(Result::unwrap).collect();
                    prop_assert_eq!(&found, &expected);
                    prop_assert_eq!(tree.last(start..end).unwrap(), expected.last().cloned());
                }
                for first in 0..4_u8 {
                    let expected = model.get(&vec![first]).cloned();
                    prop_assert_eq!(tree.contains_key(&[first]).unwrap(), expected.is_some());
                    prop_assert_eq!(tree.get(&[first]).unwrap(), expected);
                }
            }
        }
    }
}
