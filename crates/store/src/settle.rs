//! From the journal into sled: many commits at once, beside those that come.
//!
//! A file of the journal stays until sled has all of it durably, so whatever is cut off in between a
//! start does again. sled gets what the commits came to, not each of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use kuriiri_types::limits::PACK_BYTES_MAX;

use crate::{
    covers::{self, Covers},
    disk::Disk,
    error::{CommitError, OpenError},
    folder::db_path,
    journal::{self, Changes, Failed, Fault, Journal, Recorded},
    key::{Key, is_covered},
    sled_log::Mark,
    value,
};

/// Bytes of one batch for sled, which holds its log while it takes one; and few enough that a number of a
/// commit stands in every segment of that log.
const BATCH_BYTES: usize = 256 * 1024;
/// What a record that goes counts for: sled keeps what it replaces until all of the batch is applied.
const GONE_BYTES: usize = PACK_BYTES_MAX;

/// The journal, and what is on its way into sled.
#[derive(Debug)]
pub(crate) struct Settling {
    journal: Journal,
    under_way: Option<UnderWay>,
    /// Something was erased that may still stand in the journal.
    is_erased: bool,
}

/// What is on its way into sled.
#[derive(Debug)]
struct UnderWay {
    work: Work,
    /// None when there was no room for it, so that it waits for some.
    thread: Option<JoinHandle<Result<(), CommitError>>>,
}

/// What is to go into sled.
#[derive(Debug, Clone)]
struct Work {
    changes: Arc<Changes>,
    /// The file of the journal that has it.
    file: PathBuf,
    /// Whether the file is to be overwritten.
    is_erased: bool,
}

impl Settling {
    /// Begins a journal after the commit of this number, which sled has.
    pub(crate) fn begin(disk: &Disk, last: u64) -> Result<Self, OpenError> {
        let dir = disk.journal_path();
        let journal = Journal::begin(&dir, last, disk.synced).map_err(OpenError::io(dir))?;
        Ok(Self { journal, under_way: None, is_erased: false })
    }

    /// Commits go to a file of the caller's.
    #[cfg(test)]
    pub(crate) fn redirect(&mut self, file: fs::File) {
        self.journal.redirect(file);
    }

    /// Makes a commit durable. It is read from now on.
    pub(crate) fn append(
        &mut self,
        disk: &Disk,
        number: u64,
        changes: Changes,
    ) -> Result<(), CommitError> {
        let failed = |failed: Failed| match failed {
            Failed::Before(error) => CommitError::not_now(disk.journal_path())(error),
            Failed::Torn(error) => CommitError::io(disk.journal_path())(error),
        };
        self.journal.append(number, &changes).map_err(failed)?;
        if disk.synced {
            disk.barriers.fetch_add(1, Ordering::Relaxed);
        }
        disk.tree.put(changes);
        Ok(())
    }

    /// The last commit erased something: what the journal has of it is overwritten as soon as sled has all.
    pub(crate) fn erased(&mut self) {
        self.is_erased = true;
    }

    /// Has the commits so far go into sled, if they are many or something was erased. `last` is the number of
    /// the last one.
    ///
    /// # Errors
    /// When sled cannot take them. Where it is [`CommitError::NotNow`], all is as it was, and no further commit
    /// may come before it succeeds: the journal would grow without end.
    pub(crate) fn advance(&mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        if !self.journal.is_full() && (!self.is_erased || self.journal.is_empty()) {
            return Ok(());
        }
        // Whoever writes faster than sled takes waits here.
        self.join(disk)?;
        self.start(disk, last)
    }

    /// Waits until sled has everything, and ends the journal. Where there is no room for that, it stays, and
    /// the next start has what is in it.
    pub(crate) fn finish(mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        match self.empty(disk, last) {
            Err(error @ CommitError::NotNow { .. }) => {
                tracing::warn!(%error, code = %error.code(), "the journal stays for the next start");
                return Ok(());
            }
            other => other?,
        }
        disk.flush()?;
        let path = disk.journal_path();
        fs::remove_dir_all(&path).map_err(CommitError::io(path))
    }

    fn empty(&mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        self.join(disk)?;
        if !self.journal.is_empty() {
            self.start(disk, last)?;
            self.join(disk)?;
        }
        Ok(())
    }

    fn start(&mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        let is_erased = std::mem::take(&mut self.is_erased);
        let file = self.journal.turn(last, is_erased).map_err(|error| {
            self.is_erased = is_erased;
            CommitError::not_now(disk.journal_path())(error)
        })?;
        let Some(changes) = disk.tree.begin_settling() else { return Ok(()) };
        let work = Work { changes, file, is_erased };
        let (taker, given) = (Arc::clone(disk), work.clone());
        let thread = thread::Builder::new().name("kuriiri-settle".into());
        let thread = thread.spawn(move || settle(&taker, &given));
        let thread = Some(thread.map_err(CommitError::io(disk.db_path()))?);
        self.under_way = Some(UnderWay { work, thread });
        Ok(())
    }

    /// Waits until sled has what is under way. What had no room is tried once more.
    fn join(&mut self, disk: &Disk) -> Result<(), CommitError> {
        let Some(UnderWay { work, thread }) = self.under_way.take() else { return Ok(()) };
        let done = thread.map(|thread| thread.join().unwrap_or(Err(CommitError::Stopped)));
        let done = match done {
            None | Some(Err(CommitError::NotNow { .. })) => settle(disk, &work),
            Some(done) => done,
        };
        if let Err(CommitError::NotNow { .. }) = done {
            self.under_way = Some(UnderWay { work, thread: None });
        }
        done
    }
}

fn settle(disk: &Disk, work: &Work) -> Result<(), CommitError> {
    apply((&disk.db, disk.tree.covers()), &work.changes, || disk.keep_room_for_sled()).map_err(
        |failed| match failed {
            Failed::Before(error) => CommitError::not_now(disk.db_path())(error),
            Failed::Torn(error) => CommitError::io(disk.db_path())(error),
        },
    )?;
    disk.flush()?;
    disk.tree.settled();
    disk.tree.covers().settled().map_err(CommitError::io(disk.covers_path()))?;
    journal::end(&work.file, work.is_erased).map_err(CommitError::io(&work.file))
}

/// Puts changes into sled, the number of the last commit with the last of them: sled keeps the order of
/// batches, so where that number is, all else is. The batches before it repeat the number that sled
/// has, because a log whose last segments are lost is found out by the numbers in the others.
///
/// sled writes each batch before it gets the next. Its few threads write segments, and cut the file where its
/// last segments are free; with as many segments to write as there are threads, all of them can wait for
/// one that waits for the cut, for ever. It also finds free segments only among those that it has written.
///
/// A write for which there is no room would end sled, so there is some before each batch, or none of it begins.
fn apply(
    (db, covers): (&sled::Db, &Covers),
    changes: &Changes,
    keep_room: impl Fn() -> io::Result<()>,
) -> Result<(), Failed> {
    covers.prepare(db, changes).map_err(Failed::Before)?;
    let number = Key::Commits.encode();
    let mut before = settled(db).map_err(Failed::Torn)?;
    let (mut batch, mut bytes) = (sled::Batch::default(), 0);
    for (key, value) in changes.iter().filter(|(key, _)| **key != number) {
        let covered = match value {
            Some(value) if is_covered(key) => Some(covers.cover(key, value)),
            Some(_) | None => None,
        };
        let covered = covered.transpose().map_err(Failed::Torn)?;
        put(&mut batch, key, covered.as_deref().or(value.as_deref()));
        bytes += key.len() + value.as_ref().map_or(GONE_BYTES, bytes::Bytes::len);
        if bytes >= BATCH_BYTES {
            before = before.again();
            let again =
                value::encode(&before).map_err(|error| Failed::Torn(io::Error::other(error)))?;
            put(&mut batch, &number, Some(&again));
            keep_room().map_err(Failed::Before)?;
            let taken = db.apply_batch(std::mem::take(&mut batch)).and_then(|()| db.flush());
            taken.map_err(|error| Failed::Torn(error.into()))?;
            bytes = 0;
        }
    }
    if let Some(value) = changes.get(&number) {
        put(&mut batch, &number, value.as_deref());
    }
    keep_room().map_err(Failed::Before)?;
    db.apply_batch(batch).map_err(|error| Failed::Torn(error.into()))
}

/// The mark of the last commit that sled has.
fn settled(db: &sled::Db) -> io::Result<Mark> {
    let Some(stored) = db.get(Key::Commits.encode()).map_err(io::Error::from)? else {
        return Ok(Mark::new(0));
    };
    value::decode(&Key::Commits, &stored).map_err(io::Error::other)
}

fn put(batch: &mut sled::Batch, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => batch.insert(key, value),
        None => batch.remove(key),
    }
}

// === at a start ===

/// From which commit on the journal in a state folder goes; nothing without one.
pub(crate) fn journal_begins(dir: &Path) -> Result<Option<u64>, OpenError> {
    journal::begins(&dir.join(journal::DIR)).map_err(refused)
}

/// Has the journal in a state folder take no more room than what is in it.
pub(crate) fn give_room_back(dir: &Path) -> Result<(), OpenError> {
    journal::give_room_back(&dir.join(journal::DIR)).map_err(refused)
}

/// Puts what the journal has into sled, and gives the number of the last commit. Durable it is when the
/// caller makes it so; only then may the journal go.
pub(crate) fn take_up(
    (db, covers): (&sled::Db, &Covers),
    dir: &Path,
    settled: u64,
    acknowledged: u64,
) -> Result<u64, OpenError> {
    let recorded =
        journal::read(&dir.join(journal::DIR), settled, acknowledged).map_err(refused)?;
    let last = recorded.last().map_or(settled, |recorded| recorded.number);
    let mut changes = Changes::new();
    recorded.into_iter().for_each(|Recorded { changes: more, .. }| changes.extend(more));
    let names = journal::names(&dir.join(journal::DIR)).map_err(refused)?;
    covers.doubt(db, &names).map_err(OpenError::io(dir.join(covers::NAME)))?;
    if !changes.is_empty() {
        apply((db, covers), &changes, || Ok(())).map_err(|failed| match failed {
            Failed::Before(error) | Failed::Torn(error) => OpenError::io(db_path(dir))(error),
        })?;
    }
    Ok(last)
}

/// Removes the journal: sled has all of it durably.
pub(crate) fn clear(dir: &Path) -> Result<(), OpenError> {
    let journal: PathBuf = dir.join(journal::DIR);
    journal::clear(&journal).map_err(OpenError::io(journal))
}

fn refused(fault: Fault) -> OpenError {
    match fault {
        Fault::Io(path, error) => OpenError::io(path)(error),
        Fault::Damaged(path, what) => OpenError::corrupt(path, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_go_fill_a_batch_though_their_keys_are_small() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let gone = 3 * u64::try_from(BATCH_BYTES / GONE_BYTES + 1).unwrap() + 1;
        let changes: Changes = (0..gone).map(|key| (key.to_be_bytes().into(), None)).collect();
        let (covers, _dir) = covers::temporary();
        apply((&db, &covers), &changes, || Ok(())).unwrap();
        // Each batch but the last repeats the mark of the commit that sled has.
        assert_eq!(settled(&db).unwrap(), Mark::new(0).again().again().again());
    }
}
