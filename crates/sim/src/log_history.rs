//! What the log of one relay was before: what copies of it that were made then still show.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_types::Timestamp;

/// The headers beside entries, by the entries' places; nothing where one was pruned or erased.
pub(crate) type Headers = BTreeMap<u64, Vec<Option<Bytes>>>;

/// The checkpoint of each commit, and the headers that have left.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogHistory {
    signed: BTreeMap<u64, (Timestamp, Bytes)>,
    /// By entry and place beside it: how many entries the log had when the header left.
    left: BTreeMap<(u64, usize), (u64, Bytes)>,
}

impl LogHistory {
    /// A commit leaves so many entries, the last of this time, under this checkpoint.
    pub(crate) fn sign(&mut self, size: u64, at: Timestamp, checkpoint: Bytes) {
        self.signed.insert(size, (at, checkpoint));
    }

    /// A header leaves that stands in this place beside an entry.
    pub(crate) fn leave(&mut self, place: (u64, usize), size: u64, header: Bytes) {
        self.left.insert(place, (size, header));
    }

    /// The sizes that were ever signed, smallest first.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.signed.keys().copied()
    }

    /// The checkpoint of a size, and the time of its last entry.
    pub(crate) fn checkpoint(&self, size: u64) -> Option<&(Timestamp, Bytes)> {
        self.signed.get(&size)
    }

    /// The headers as they were when the log had so many entries, of those that there are now.
    pub(crate) fn headers_at(&self, size: u64, now: &Headers) -> Headers {
        let mut then: Headers = now.range(..size).map(|(at, all)| (*at, all.clone())).collect();
        for ((index, place), (left_at, header)) in self.left.range(..(size, 0)) {
            let beside = then.get_mut(index).and_then(|all| all.get_mut(*place));
            if let Some(beside) = beside.filter(|_| size < *left_at) {
                *beside = Some(header.clone());
            }
        }
        then
    }
}
