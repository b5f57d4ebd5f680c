//! Headers leave their files between two commits, a bundle at a time, so that no message waits for the
//! years that a log can have.
//!
//! What leaves is noted with the commit that says so. The records know of each bundle when the first of
//! its headers leaves, so pruning reads no others; a search for one that is erased begins with those
//! that are kept longest, and ends where it is found. Whatever is cut off, a start does again.

use kuriiri_engine::ViewError;
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::Digest;
use tokio::sync::oneshot;

use crate::{
    disk::Disk,
    key::Key,
    log::{Emptied, Going, recorded},
    records::last_key,
    tree::Tree,
};

/// Records of what is finished that go with one commit.
const FINISHED_MAX: usize = 1024;

/// Whom to tell that no file has what left.
pub(crate) type Asked = oneshot::Sender<Result<(), ViewError>>;

/// What is finished, for the next commit to note.
#[derive(Debug, Default, Clone)]
pub(crate) struct Finished {
    /// When headers of bundles leave: a record that goes, and one that takes its place if any is left.
    pub(crate) kept: Vec<(Key, Option<Key>)>,
    /// Headers that no file has any more.
    pub(crate) gone: Going,
}

/// The work that is outstanding.
#[derive(Debug, Default)]
pub(crate) struct Emptying {
    /// What leaves.
    going: Going,
    /// Where the search is: bundles with this key and later ones were looked at.
    at: Option<Key>,
    finished: Finished,
    asked: Vec<Asked>,
    /// Why some of it has to wait for the next start.
    failed: Option<ViewError>,
}

impl Emptying {
    /// Goes on with what an earlier process left.
    pub(crate) fn new(outstanding: Going) -> Self {
        Self { going: outstanding, ..Self::default() }
    }

    /// Adds what left with a commit that is durable; these headers were found already. The search begins
    /// again.
    pub(crate) fn add(&mut self, mut going: Going, found: &[Digest]) {
        for header in found {
            let before = going.erased.remove(header);
            self.finished.gone.erased.extend(before.map(|before| (*header, before)));
        }
        if !going.is_empty() {
            self.going.add(going);
            (self.at, self.failed) = (None, None);
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.going.is_empty()
    }

    /// Tells somebody once all is done.
    pub(crate) fn tell(&mut self, asked: Asked) {
        self.asked.push(asked);
        if !self.has_work() {
            self.answer();
        }
    }

    /// What the next commit is to note.
    pub(crate) fn finished(&self) -> Finished {
        let kept = self.finished.kept.iter().take(FINISHED_MAX).cloned().collect();
        Finished { kept, gone: self.finished.gone.clone() }
    }

    /// The commit that noted it is durable.
    pub(crate) fn noted(&mut self) {
        let most = self.finished.kept.len().min(FINISHED_MAX);
        self.finished.kept.drain(..most);
        self.finished.gone = Going::default();
    }

    /// Looks at one bundle. Blocks on the disk.
    pub(crate) fn step(&mut self, disk: &Disk) {
        if !self.has_work() {
            return;
        }
        match self.next(&disk.tree) {
            Ok(Some((key, bundle))) => {
                self.at = Some(key.clone());
                match disk.log.empty(bundle, &self.going) {
                    Ok(emptied) => self.note(disk, key, emptied),
                    Err(fault) => self.fail(fault.into()),
                }
            }
            Ok(None) => self.finish(disk),
            Err(error) => {
                self.fail(error);
                self.finish(disk);
            }
        }
    }

    fn fail(&mut self, error: ViewError) {
        tracing::error!(%error, "headers that left the log are still in its files; the next start tries again");
        self.failed = Some(error);
    }

    /// The next bundle that may have headers that leave, and whose entries have left the records: of the
    /// others the commit itself saw to.
    fn next(&self, db: &Tree) -> Result<Option<(Key, u64)>, ViewError> {
        let mut range = match self.going.until() {
            Some(until) if self.going.erased.is_empty() => Key::kept_through(until),
            _ => Key::kept(),
        };
        if let Some(at) = &self.at {
            range.end = range.end.min(at.encode());
        }
        let recorded = recorded::first_entry(db)?.unwrap_or(u64::MAX);
        while let Some(key) = last_key(db, range.clone())? {
            let bundle = recorded::bundle_of(key.clone())?;
            if bundle < recorded / u64::from(TILE_WIDTH) {
                return Ok(Some((key, bundle)));
            }
            range.end = key.encode();
        }
        Ok(None)
    }

    fn note(&mut self, disk: &Disk, key: Key, emptied: Emptied) {
        if let (Some(next), Key::Kept(_, bundle)) = (emptied.next, &key) {
            let next = next.map(|until| Key::Kept(until, *bundle));
            if next.as_ref() != Some(&key) {
                self.finished.kept.push((key, next));
            }
        }
        for header in emptied.erased {
            let before = self.going.erased.remove(&header);
            let found = before.map(|before| (header, before));
            self.finished.gone.erased.extend(found);
        }
        if !self.has_work() {
            self.finish(disk);
        }
    }

    /// Nothing is left to look at. What failed is tried again at the next start alone.
    fn finish(&mut self, disk: &Disk) {
        let rest = std::mem::take(&mut self.going);
        self.at = None;
        if self.failed.is_none() {
            self.finished.gone.pruned.extend(rest.pruned);
            self.finished.gone.erased.extend(rest.erased);
        }
        disk.log.forget_erased(&self.finished.gone.erased);
        self.answer();
    }

    fn answer(&mut self) {
        for asked in self.asked.drain(..) {
            // The asker may be gone.
            let _ = asked.send(self.failed.clone().map_or(Ok(()), Err));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kuriiri_engine::{Commit, LogAppend, LogHead};
    use kuriiri_merkle::{Frontier, leaf};
    use kuriiri_types::Timestamp;

    use super::*;
    use crate::{
        Named, Options, Store,
        records::{keys, record},
    };

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1000 * seconds)
    }

    /// Each entry is the header that stands beside it; its first byte says for how many seconds.
    fn named(entry: &Bytes) -> Option<Named> {
        let keep_until = second(entry[0].into());
        Some(Named { keep_until, headers: vec![leaf(entry)] })
    }

    fn commit(frontier: &mut Frontier, seconds: &[u8]) -> Commit {
        let first = frontier.size();
        let entry = |(index, seconds): (u64, &u8)| {
            Bytes::from([[*seconds].as_slice(), &index.to_be_bytes()].concat())
        };
        let entries: Vec<Bytes> = (first..).zip(seconds).map(entry).collect();
        let leaves: Vec<Digest> = entries.iter().map(|entry| leaf(entry)).collect();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let nodes = frontier.nodes().to_vec();
        let head = LogHead { size: frontier.size(), frontier: nodes, ..LogHead::default() };
        let log = LogAppend {
            first,
            headers: (first..).zip(&entries).map(|(at, entry)| (at, vec![entry.clone()])).collect(),
            entries,
            leaves,
            channels: Vec::new(),
            head,
            checkpoint: Bytes::from_static(b"checkpoint"),
            news: true,
        };
        Commit { log: Some(log), ..Commit::default() }
    }

    /// When headers leave of bundles, as the records have it.
    fn kept(store: &Store) -> Vec<(Timestamp, u64)> {
        let time = |key| match key {
            Ok(Key::Kept(until, bundle)) => (until, bundle),
            other => panic!("{other:?}"),
        };
        keys(store.tree(), Key::kept()).map(time).collect()
    }

    #[tokio::test]
    async fn a_pruning_reads_only_bundles_of_which_headers_leave() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default().entries(named).unsynced_entries(256);
        let store = Store::open(dir.path(), options.danger_without_barrier()).unwrap();
        let mut frontier = Frontier::new();
        // The last is the bundle that is not full, which stays among the records.
        for seconds in [[9, 3], [4, 4], [2, 7], [1, 1]] {
            let seconds = seconds.into_iter().flat_map(|seconds| [seconds; 127]);
            let bundle: Vec<u8> = seconds.chain([9, 9]).collect();
            store.commit(commit(&mut frontier, &bundle)).await.unwrap();
        }
        store.commit(commit(&mut frontier, &[5; 3])).await.unwrap();
        let at = |seconds, bundle| (second(seconds), bundle);
        // Times fall with the entries of one commit that are kept less long.
        assert_eq!(kept(&store), [at(1, 3), at(2, 2), at(3, 0), at(4, 1), at(5, 4), at(9, 0)]);
        store.publish().await.unwrap().unwrap();
        for _ in 0..4 {
            store.commit(commit(&mut frontier, &[5])).await.unwrap();
        }
        for (until, left) in [
            (2, vec![at(3, 0), at(4, 1), at(5, 4), at(7, 2), at(9, 0), at(9, 3)]),
            (4, vec![at(5, 4), at(7, 2), at(9, 0), at(9, 1), at(9, 3)]),
            (9, vec![at(5, 4)]),
        ] {
            let pruned = Some(second(until));
            store.commit(Commit { pruned, ..commit(&mut frontier, &[200]) }).await.unwrap();
            store.emptied().await.unwrap();
            store.commit(commit(&mut frontier, &[200])).await.unwrap();
            assert_eq!(kept(&store), left, "{until}");
        }
        let prunings: Vec<Key> =
            keys(store.tree(), Key::pruned()).collect::<Result<_, _>>().unwrap();
        assert_eq!(prunings.len(), 1, "one covers the others");
        assert_eq!(record(store.tree(), &prunings[0]), Ok(Some((second(9), true))));
    }
}
