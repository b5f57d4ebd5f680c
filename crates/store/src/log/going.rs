//! Which headers leave the log, and which have left.
//!
//! What a commit says of it stays among the records: so a header that is missing for no reason is told
//! from one that left, and a start goes on with what was cut off.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_engine::{Commit, ViewError};
use kuriiri_merkle::leaf;
use kuriiri_types::{Digest, Timestamp};

use super::beside::Headed;
use crate::{key::Key, records, tree::Tree};

/// Headers that leave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Going {
    /// Those whose time is over: beside entries before a place, and kept until this time at most. No
    /// later one covers an earlier one.
    pub(crate) pruned: BTreeMap<u64, Timestamp>,
    /// Those that are erased, beside entries before a place.
    pub(crate) erased: BTreeMap<Digest, u64>,
}

impl Going {
    /// What leaves with a commit whose first entry has this place: nothing that comes with or after the
    /// entry that says so.
    pub(crate) fn with(commit: &Commit, before: u64) -> Self {
        let pruned = commit.pruned.map(|until| (before, until));
        let erased = commit.erased_headers.iter().map(|header| (*header, before));
        Self { pruned: pruned.into_iter().collect(), erased: erased.collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pruned.is_empty() && self.erased.is_empty()
    }

    /// Adds what leaves later. Gives the places of the prunings that have no effect besides it.
    pub(crate) fn add(&mut self, later: Self) -> Vec<u64> {
        let covers = |before: u64, until: Timestamp| {
            later.pruned.iter().any(|(last, most)| before < *last && until <= *most)
        };
        let covered = self.pruned.iter().filter(|(before, until)| covers(**before, **until));
        let covered: Vec<u64> = covered.map(|(before, _)| *before).collect();
        self.pruned.retain(|before, _| !covered.contains(before));
        self.pruned.extend(later.pruned);
        self.erased.extend(later.erased);
        covered
    }

    /// The latest time at which a header that leaves has its end; nothing when none leaves by its time.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.pruned.values().max().copied()
    }

    /// Whether the time of the headers beside an entry is over.
    pub(crate) fn prunes(&self, index: u64, keep_until: Timestamp) -> bool {
        self.pruned.iter().any(|(before, until)| index < *before && keep_until <= *until)
    }

    /// Whether a header beside an entry is erased.
    pub(crate) fn erases(&self, index: u64, header: &Digest) -> bool {
        self.erased.get(header).is_some_and(|before| index < *before)
    }

    /// Whether a header beside an entry leaves, for either reason.
    pub(crate) fn takes(&self, index: u64, keep_until: Timestamp, header: &Digest) -> bool {
        self.prunes(index, keep_until) || self.erases(index, header)
    }

    /// The digest of a header if it is erased.
    pub(crate) fn erased_one(&self, index: u64, header: &Bytes) -> Option<Digest> {
        if self.erased.is_empty() {
            return None;
        }
        Some(leaf(header)).filter(|digest| self.erases(index, digest))
    }

    /// Whether any header beside an entry leaves.
    pub(crate) fn touches(&self, index: u64, headed: &Headed) -> bool {
        if self.prunes(index, headed.keep_until) {
            return headed.left() > 0;
        }
        headed.headers.iter().flatten().any(|header| self.erased_one(index, header).is_some())
    }

    /// Empties the places of headers that leave. Gives the digests of those that are erased.
    pub(crate) fn empty(&self, index: u64, headed: &mut Headed) -> Vec<Digest> {
        let mut erased = Vec::new();
        let is_over = self.prunes(index, headed.keep_until);
        for place in &mut headed.headers {
            let digest = place.as_ref().and_then(|header| self.erased_one(index, header));
            if is_over || digest.is_some() {
                *place = None;
            }
            erased.extend(digest);
        }
        erased
    }
}

/// What the records say of headers that leave.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// All that were pruned, and those that were erased and may still be in a file.
    pub(crate) gone: Going,
    /// Those that may still be in a file.
    pub(crate) outstanding: Going,
}

impl Left {
    pub(crate) fn load(db: &Tree) -> Result<Self, ViewError> {
        let mut left = Self::default();
        for key in records::keys(db, Key::pruned()) {
            let key = key?;
            let Key::Pruned(before) = key else { continue };
            let noted: Option<(Timestamp, bool)> = records::record(db, &key)?;
            let Some((until, done)) = noted else { continue };
            left.gone.pruned.insert(before, until);
            if !done {
                left.outstanding.pruned.insert(before, until);
            }
        }
        for key in records::keys(db, Key::erased()) {
            let key = key?;
            let Key::Erased(header) = key else { continue };
            if let Some((before, false)) = records::record(db, &key)? {
                left.outstanding.erased.insert(header, before);
            }
        }
        left.gone.erased.clone_from(&left.outstanding.erased);
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn pruning(before: u64, until: i64) -> Going {
        Going { pruned: [(before, time(until))].into(), ..Going::default() }
    }

    #[test]
    fn of_prunings_only_those_stay_that_no_later_one_covers() {
        let mut going = pruning(10, 100);
        assert_eq!(going.add(pruning(20, 50)), [0; 0]);
        assert_eq!(going.add(pruning(30, 70)), [20]);
        for (index, keep_until, leaves) in
            [(9, 100, true), (10, 100, false), (10, 70, true), (29, 71, false), (30, 0, false)]
        {
            assert_eq!(going.prunes(index, time(keep_until)), leaves, "{index} {keep_until}");
        }
        assert_eq!(going.until(), Some(time(100)));
        assert_eq!(going.add(pruning(40, 100)), [10, 30]);
        assert_eq!(going.pruned.len(), 1);
    }

    #[test]
    fn what_leaves_is_empty_and_the_rest_is_as_it_was() {
        let [one, two] = ["one", "two"].map(|text| Bytes::from_static(text.as_bytes()));
        let headed =
            Headed { keep_until: time(5), headers: vec![Some(one), None, Some(two.clone())] };
        let erasing = |text: &str, before| Going {
            erased: [(leaf(text.as_bytes()), before)].into(),
            ..Going::default()
        };
        for (going, left, found) in [
            (erasing("one", 8), vec![None, None, Some(two)], vec![leaf(b"one")]),
            (pruning(8, 5), vec![None; 3], vec![]),
        ] {
            let mut emptied = headed.clone();
            assert!(going.touches(7, &emptied));
            assert_eq!(going.empty(7, &mut emptied), found);
            assert_eq!(emptied.headers, left);
            assert!(!going.touches(7, &emptied));
        }
        for going in [erasing("one", 7), erasing("three", 8), pruning(7, 5), pruning(8, 4)] {
            let mut same = headed.clone();
            assert!(!going.touches(7, &same));
            assert!(going.empty(7, &mut same).is_empty());
            assert_eq!(same, headed);
        }
    }
}
