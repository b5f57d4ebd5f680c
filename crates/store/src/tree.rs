//! The records: what sled has, and above it what the journal has and sled has not yet.

use std::{
    ops::{Bound, Range},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use crate::{covers::Covers, journal::Changes, key::is_covered};

/// All records, read as one.
#[derive(Debug)]
pub(crate) struct Tree {
    db: sled::Db,
    covers: Arc<Covers>,
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

/// A record where it is.
struct Found {
    key: Vec<u8>,
    value: Value,
}

enum Value {
    /// Not in sled yet.
    Above(Bytes),
    /// As sled has it.
    Below(sled::IVec),
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// An end of a range.
#[derive(Debug, Clone, Copy)]
enum End {
    First,
    Last,
}

impl Tree {
    pub(crate) fn new(db: sled::Db, covers: Arc<Covers>) -> Self {
        Self { db, covers, above: RwLock::default() }
    }

    /// What is below.
    #[cfg(test)]
    pub(crate) fn db(&self) -> &sled::Db {
        &self.db
    }

    /// The keys of what is below.
    pub(crate) fn covers(&self) -> &Covers {
        &self.covers
    }

    // === reading ===

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> sled::Result<Option<Bytes>> {
        let above = self.read().find(key).cloned();
        if let Some(value) = above {
            return Ok(value);
        }
        let Some(stored) = self.db.get(key)? else { return Ok(None) };
        self.uncover(key, &stored)
    }

    /// What sled has, as it was put there.
    fn uncover(&self, key: &[u8], stored: &[u8]) -> sled::Result<Option<Bytes>> {
        if !is_covered(key) {
            return Ok(Some(Bytes::copy_from_slice(stored)));
        }
        match self.covers.uncover(key, stored) {
            Ok(value) => Ok(Some(value)),
            // Another version came, or the record went, between the look and this one.
            Err(_) if self.is_changed(key, stored)? => self.get(key),
            Err(error) => Err(sled::Error::Io(error)),
        }
    }

    fn is_changed(&self, key: &[u8], stored: &[u8]) -> sled::Result<bool> {
        if self.read().find(key).is_some() {
            return Ok(true);
        }
        Ok(self.db.get(key)?.is_none_or(|now| *now != *stored))
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
        self.found(range).filter_map(|found| found.and_then(|found| self.record(found)).transpose())
    }

    /// The keys of a range, in order.
    pub(crate) fn keys(
        &self,
        range: Range<Vec<u8>>,
    ) -> impl Iterator<Item = sled::Result<Vec<u8>>> {
        self.found(range).map(|found| found.map(|Found { key, .. }| key))
    }

    /// The last key of a range.
    pub(crate) fn last_key(&self, range: Range<Vec<u8>>) -> sled::Result<Option<Vec<u8>>> {
        let bounds = (Bound::Included(range.start), Bound::Excluded(range.end));
        Ok(self.outermost(bounds, End::Last)?.map(|Found { key, .. }| key))
    }

    fn found(&self, range: Range<Vec<u8>>) -> impl Iterator<Item = sled::Result<Found>> {
        let mut from = Bound::Included(range.start);
        let end = range.end;
        std::iter::from_fn(move || {
            let bounds = (from.clone(), Bound::Excluded(end.clone()));
            let found = self.outermost(bounds, End::First);
            if let Ok(Some(Found { key, .. })) = &found {
                from = Bound::Excluded(key.clone());
            }
            found.transpose()
        })
    }

    /// The record that was found, if it is still there.
    fn record(&self, Found { key, value }: Found) -> sled::Result<Option<Record>> {
        let value = match value {
            Value::Above(value) => Some(value),
            Value::Below(stored) => self.uncover(&key, &stored)?,
        };
        Ok(value.map(|value| (key, value)))
    }

    /// What stands at one end of what lies between bounds.
    fn outermost(&self, mut bounds: Bounds, end: End) -> sled::Result<Option<Found>> {
        while !is_empty(&bounds) {
            let mut below = self.db.range::<Vec<u8>, _>(bounds.clone());
            let below = end.of(&mut below).transpose()?;
            let above = self.read().outermost(&bounds, end);
            let (key, value) = match (above, below) {
                (Some((key, value)), below)
                    if below.as_ref().is_none_or(|(other, _)| !end.is_beyond(other, &key)) =>
                {
                    (key, value.map(Value::Above))
                }
                (_, Some((key, value))) => (key.to_vec(), Some(Value::Below(value))),
                (_, None) => return Ok(None),
            };
            match value {
                Some(value) => return Ok(Some(Found { key, value })),
                // Removed, and sled does not know it yet.
                None => end.leave_out(&mut bounds, key),
            }
        }
        Ok(None)
    }

    // === changing ===

    /// Takes over what a commit made durable.
    pub(crate) fn put(&self, changes: Changes) {
        self.write().fresh.extend(changes);
    }

    /// Has everything above go into sled; what comes from now on stays above. Nothing when the last
    /// has not got there yet.
    pub(crate) fn begin_settling(&self) -> Option<Arc<Changes>> {
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

    fn outermost(&self, bounds: &Bounds, end: End) -> Option<(Vec<u8>, Option<Bytes>)> {
        let key = |changes: &Changes| {
            end.of(&mut changes.range(bounds.clone())).map(|(key, _)| key.clone())
        };
        let keys = [key(&self.fresh), key(&self.settling)].into_iter().flatten();
        let key =
            keys.reduce(|one, other| if end.is_beyond(&one, &other) { one } else { other })?;
        let value = self.find(&key)?.clone();
        Some((key, value))
    }
}

impl End {
    fn of<I: DoubleEndedIterator>(self, items: &mut I) -> Option<I::Item> {
        match self {
            Self::First => items.next(),
            Self::Last => items.next_back(),
        }
    }

    /// Whether a key is nearer to this end than another.
    fn is_beyond(self, key: &[u8], other: &[u8]) -> bool {
        match self {
            Self::First => key < other,
            Self::Last => key > other,
        }
    }

    /// Has the bounds end before this key.
    fn leave_out(self, (from, to): &mut Bounds, key: Vec<u8>) {
        match self {
            Self::First => *from = Bound::Excluded(key),
            Self::Last => *to = Bound::Excluded(key),
        }
    }
}

/// A range that begins where it ends, or after; the maps would panic on some of them.
fn is_empty((from, end): &Bounds) -> bool {
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
            let (covers, _dir) = crate::covers::temporary();
            let (tree, mut model) = (Tree::new(db, covers), BTreeMap::new());
            for (changes, then) in commits {
                for (key, value) in &changes {
                    match value {
                        Some(value) => { model.insert(key.clone(), value.clone()); }
                        None => { model.remove(key); }
                    }
                }
                tree.put(changes.into_iter().collect());
                if then == 1 {
                    tree.begin_settling();
                } else if then == 2 && let Some(settling) = tree.begin_settling() {
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
                    let last = expected.last().map(|(key, _)| key.clone());
                    prop_assert_eq!(tree.last_key(start..end).unwrap(), last);
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
