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
    key::Key,
    log::{Emptied, Going, bundle_of},
    store::Disk,
    view,
};

/// Records of what was done that go with one commit.
const DONE_MAX: usize = 1024;

/// Whom to tell that no file has what left.
pub(crate) type Asked = oneshot::Sender<Result<(), ViewError>>;

/// What is done, for the next commit to note.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// When headers of bundles leave: a record that goes, and one that takes its place if any is left.
    pub(crate) kept: Vec<(Key, Option<Key>)>,
    /// Headers that no file has any more.
    pub(crate) finished: Going,
}

/// The work that is outstanding.
#[derive(Debug, Default)]
pub(crate) struct Emptying {
    /// What leaves.
    going: Going,
    /// Where the search is: bundles with this key and later ones were looked at.
    at: Option<Key>,
    done: Done,
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
            self.done.finished.erased.extend(before.map(|before| (*header, before)));
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

    /// What the next commit is to note; it must, or nothing may come after it.
    pub(crate) fn take_done(&mut self) -> Done {
        let most = self.done.kept.len().min(DONE_MAX);
        let kept = self.done.kept.drain(..most).collect();
        Done { kept, finished: std::mem::take(&mut self.done.finished) }
    }

    /// Looks at one bundle. Blocks on the disk.
    pub(crate) fn step(&mut self, disk: &Disk) {
        if !self.has_work() {
            return;
        }
        match self.next(&disk.db) {
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
    fn next(&self, db: &sled::Db) -> Result<Option<(Key, u64)>, ViewError> {
        let mut range = match self.going.until() {
            Some(until) if self.going.erased.is_empty() => Key::kept_through(until),
            _ => Key::kept(),
        };
        if let Some(at) = &self.at {
            range.end = range.end.min(at.encode());
        }
        let recorded = view::first_entry(db)?.unwrap_or(u64::MAX);
        for key in view::keys(db, range).rev() {
            let key = key?;
            let bundle = bundle_of(key.clone())?;
            if bundle < recorded / u64::from(TILE_WIDTH) {
                return Ok(Some((key, bundle)));
            }
        }
        Ok(None)
    }

    fn note(&mut self, disk: &Disk, key: Key, emptied: Emptied) {
        if let (Some(next), Key::Kept(_, bundle)) = (emptied.next, &key) {
            let next = next.map(|until| Key::Kept(until, *bundle));
            if next.as_ref() != Some(&key) {
                self.done.kept.push((key, next));
            }
        }
        for header in emptied.erased {
            let before = self.going.erased.remove(&header);
            let found = before.map(|before| (header, before));
            self.done.finished.erased.extend(found);
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
            self.done.finished.pruned.extend(rest.pruned);
            self.done.finished.erased.extend(rest.erased);
        }
        disk.log.forget_erased(&self.done.finished.erased);
        self.answer();
    }

    fn answer(&mut self) {
        for asked in self.asked.drain(..) {
            // The asker may be gone.
            let _ = asked.send(self.failed.clone().map_or(Ok(()), Err));
        }
    }
}
