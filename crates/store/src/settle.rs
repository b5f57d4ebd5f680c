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
    disk::Disk,
    error::{CommitError, OpenError},
    folder::db_path,
    journal::{self, Changes, Fault, Journal, Recorded},
    key::Key,
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
    under_way: Option<JoinHandle<Result<(), CommitError>>>,
}

impl Settling {
    /// Begins a journal after the commit of this number, which sled has.
    pub(crate) fn begin(disk: &Disk, last: u64) -> Result<Self, OpenError> {
        let dir = disk.journal_path();
        let journal = Journal::begin(&dir, last, disk.synced).map_err(OpenError::io(dir))?;
        Ok(Self { journal, under_way: None })
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
        let failed = CommitError::io(disk.journal_path());
        self.journal.append(number, &changes).map_err(failed)?;
        if disk.synced {
            disk.barriers.fetch_add(1, Ordering::Relaxed);
        }
        disk.tree.put(changes);
        Ok(())
    }

    /// Has the commits so far go into sled, if they are many. `last` is the number of the last one.
    pub(crate) fn after(&mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        if !self.journal.is_full() {
            return Ok(());
        }
        // Whoever writes faster than sled takes waits here, or the journal would grow without end.
        self.join()?;
        self.start(disk, last)
    }

    /// Waits until sled has everything, and ends the journal.
    pub(crate) fn finish(mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        self.join()?;
        if !self.journal.is_empty() {
            self.start(disk, last)?;
            self.join()?;
        }
        disk.flush()?;
        let path = disk.journal_path();
        fs::remove_dir_all(&path).map_err(CommitError::io(path))
    }

    fn start(&mut self, disk: &Arc<Disk>, last: u64) -> Result<(), CommitError> {
        let Some(changes) = disk.tree.begin_settling() else { return Ok(()) };
        let old = self.journal.turn(last).map_err(CommitError::io(disk.journal_path()))?;
        let taker = Arc::clone(disk);
        let work = move || settle(&taker, &changes, &old);
        let thread = thread::Builder::new().name("kuriiri-settle".into()).spawn(work);
        self.under_way = Some(thread.map_err(CommitError::io(disk.db_path()))?);
        Ok(())
    }

    fn join(&mut self) -> Result<(), CommitError> {
        let Some(thread) = self.under_way.take() else { return Ok(()) };
        thread.join().unwrap_or(Err(CommitError::Stopped))
    }
}

fn settle(disk: &Disk, changes: &Changes, old: &Path) -> Result<(), CommitError> {
    apply(&disk.db, changes).map_err(CommitError::io(disk.db_path()))?;
    disk.flush()?;
    disk.tree.settled();
    journal::end(old).map_err(CommitError::io(old))
}

/// Puts changes into sled, the number of the last commit with the last of them: sled keeps the order of
/// batches, so where that number is, all else is. The batches before it repeat the number that sled
/// has, because a log whose last segments are lost is found out by the numbers in the others.
///
/// sled writes each batch before it gets the next. Its few threads write segments, and cut the file where its
/// last segments are free; with as many segments to write as there are threads, all of them can wait for
/// one that waits for the cut, for ever. It also finds free segments only among those that it has written.
fn apply(db: &sled::Db, changes: &Changes) -> io::Result<()> {
    let number = Key::Commits.encode();
    let mut before = settled(db)?;
    let (mut batch, mut bytes) = (sled::Batch::default(), 0);
    for (key, value) in changes.iter().filter(|(key, _)| **key != number) {
        put(&mut batch, key, value.as_deref());
        bytes += key.len() + value.as_ref().map_or(GONE_BYTES, bytes::Bytes::len);
        if bytes >= BATCH_BYTES {
            before = before.again();
            let again = value::encode(&before).map_err(io::Error::other)?;
            put(&mut batch, &number, Some(&again));
            db.apply_batch(std::mem::take(&mut batch)).map_err(io::Error::from)?;
            db.flush().map_err(io::Error::from)?;
            bytes = 0;
        }
    }
    if let Some(value) = changes.get(&number) {
        put(&mut batch, &number, value.as_deref());
    }
    db.apply_batch(batch).map_err(io::Error::from)
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

/// Puts what the journal has into sled, and gives the number of the last commit. Durable it is when the
/// caller makes it so; only then may the journal go.
pub(crate) fn take_up(
    db: &sled::Db,
    dir: &Path,
    settled: u64,
    acknowledged: u64,
) -> Result<u64, OpenError> {
    let recorded =
        journal::read(&dir.join(journal::DIR), settled, acknowledged).map_err(refused)?;
    let last = recorded.last().map_or(settled, |recorded| recorded.number);
    let mut changes = Changes::new();
    recorded.into_iter().for_each(|Recorded { changes: more, .. }| changes.extend(more));
    if !changes.is_empty() {
        apply(db, &changes).map_err(OpenError::io(db_path(dir)))?;
    }
    Ok(last)
}

/// Removes the journal: sled has all of it durably.
pub(crate) fn clear(dir: &Path) -> Result<(), OpenError> {
    let journal: PathBuf = dir.join(journal::DIR);
    match fs::remove_dir_all(&journal) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(journal)(error)),
        _ => Ok(()),
    }
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
        apply(&db, &changes).unwrap();
        // Each batch but the last repeats the mark of the commit that sled has.
        assert_eq!(settled(&db).unwrap(), Mark::new(0).again().again().again());
    }
}
