//! From the engine's commit to one record of the journal, checked before anything is applied.

mod log;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use kuriiri_engine::{Commit, PackKey, Write};
use kuriiri_types::{Digest, limits::PACK_BYTES_MAX};
use serde::Serialize;

use crate::{
    emptying::Done,
    error::CommitError,
    journal,
    key::Key,
    log::{Going, Grown},
    records,
    sled_log::Mark,
    tree::Tree,
    value,
};

/// A commit that was checked and encoded; nothing of it is applied yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// All changes of records.
    pub(crate) changes: journal::Changes,
    /// Body files that nothing refers to once the batch is durable.
    pub(crate) dead: Vec<u64>,
    /// Entries of the log before this one leave with it, if any do.
    pub(crate) forgotten: Option<u64>,
    /// What leaves among the records of headers.
    pub(crate) emptied: EmptiedRecords,
}

/// Headers that leave and are among the records.
#[derive(Debug, Default)]
pub(crate) struct EmptiedRecords {
    /// The bundles beside which they stand.
    pub(crate) bundles: BTreeSet<u64>,
    /// Those that are erased.
    pub(crate) erased: Vec<Digest>,
}

/// What a commit makes of the log, and what is to be noted with it.
#[derive(Debug)]
pub(crate) struct LogChanges<'a> {
    /// What it grows by.
    pub(crate) grown: Option<&'a Grown>,
    /// Headers that leave with it.
    pub(crate) going: &'a Going,
    /// Prunings that have no effect besides.
    pub(crate) covered: Vec<u64>,
    /// Headers that no file has any more.
    pub(crate) done: Done,
    /// Entries before this one are durable in their files, and some are still among the records.
    pub(crate) durable: Option<u64>,
}

/// Checks and encodes a commit and gives it its number. Entries of the log that have become durable in
/// their files leave with it, if not too many do.
pub(crate) fn prepare(
    db: &Tree,
    commit: &Commit,
    number: u64,
    LogChanges { grown, going, covered, done, durable }: LogChanges<'_>,
) -> Result<Prepared, CommitError> {
    let mut changes = Changes { db, records: BTreeMap::new() };
    for write in &commit.writes {
        changes.add(write)?;
    }
    changes.note_done(done)?;
    changes.forget_prunings(&covered);
    let emptied = changes.empty_headers(going)?;
    let log = commit.log.as_ref().zip(grown);
    let added = log.map_or(Ok(0), |(append, grown)| changes.add_log(append, grown))?;
    let most = log::FORGOTTEN_MAX + added;
    // Last, because a record that leaves may have been changed.
    let forgotten = durable.map(|durable| changes.forget_entries(durable, most)).transpose()?;
    let dead = changes.count_bodies(commit)?;
    changes.put(&Key::Commits, &Mark::new(number))?;
    Ok(Prepared { changes: changes.records, dead, forgotten, emptied })
}

/// The changes of a commit in the making.
struct Changes<'a> {
    db: &'a Tree,
    records: journal::Changes,
}

impl Changes<'_> {
    fn add(&mut self, write: &Write) -> Result<(), CommitError> {
        match write {
            Write::PutPack(key, pack) => self.put(&Key::Pack(key.clone()), pack),
            Write::DeletePack(key) => self.delete_pack(key),
            Write::PutDone(key, done) => self.put(&Key::Done(key.clone()), done),
            Write::PutDue(at, key) => self.put(&Key::Due(*at, key.clone()), &()),
            Write::DeleteDue(at, key) => {
                self.delete(&Key::Due(*at, key.clone()));
                Ok(())
            }
            Write::PutSeen { bucket, run, marks } => {
                let (bucket, run) = (*bucket, *run);
                self.put(&Key::Seen { bucket, run }, marks)
            }
            Write::ForgetSeen { before } => self.delete_range(Key::seen_before(*before)),
            Write::PutHold(number, hold) => self.put(&Key::Hold(*number), hold),
            Write::DeleteHold(number) => {
                self.delete(&Key::Hold(*number));
                Ok(())
            }
            Write::PutCertificate(certificate) => {
                self.put(&Key::Certificate(certificate.fingerprint), &certificate.der)
            }
            Write::PutSeenLog(peer, seen) => self.put(&Key::SeenLog(peer.clone()), seen),
            Write::PutStart(starts) => self.put(&Key::Starts, starts),
        }
    }

    fn put<T: Serialize>(&mut self, key: &Key, record: &T) -> Result<(), CommitError> {
        let encoded = value::encode(record)
            .map_err(|error| CommitError::Inconsistent(format!("{key:?}: {error}")))?;
        if encoded.len() > PACK_BYTES_MAX {
            return Err(CommitError::TooLarge { key: format!("{key:?}"), bytes: encoded.len() });
        }
        self.records.insert(key.encode(), Some(encoded.into()));
        Ok(())
    }

    fn delete(&mut self, key: &Key) {
        self.records.insert(key.encode(), None);
    }

    /// Most packs never had a mark of what is done, and a look is cheaper than a removal.
    fn delete_pack(&mut self, key: &PackKey) -> Result<(), CommitError> {
        self.delete(&Key::Pack(key.clone()));
        let done = Key::Done(key.clone());
        let encoded = done.encode();
        let stored = self.db.contains_key(&encoded);
        if self.records.contains_key(&encoded) || stored.map_err(records::unreadable(&done))? {
            self.delete(&done);
        }
        Ok(())
    }

    fn delete_range(&mut self, range: Range<Vec<u8>>) -> Result<(), CommitError> {
        for (_, value) in self.records.range_mut(range.clone()) {
            *value = None;
        }
        for key in records::keys(self.db, range) {
            self.delete(&key?);
        }
        Ok(())
    }

    /// Brings the counts of references up to date. Returns the files that have none left.
    fn count_bodies(&mut self, commit: &Commit) -> Result<Vec<u64>, CommitError> {
        let mut counts = BTreeMap::new();
        if let Some(bodies) = &commit.bodies {
            counts.insert(bodies.file, bodies.references);
        }
        for retained in &commit.retained {
            let count = self.count(&counts, retained.file)?.filter(|count| *count > 0);
            let more = count.and_then(|count| count.checked_add(1));
            counts.insert(retained.file, more.ok_or_else(|| unreferenced(retained.file))?);
        }
        for released in &commit.released {
            let count = self.count(&counts, released.file)?;
            let less = count.and_then(|count| count.checked_sub(1));
            counts.insert(released.file, less.ok_or_else(|| unreferenced(released.file))?);
        }
        let mut dead = Vec::new();
        for (file, count) in counts {
            if count == 0 {
                self.delete(&Key::BodyFile(file));
                dead.push(file);
            } else {
                self.put(&Key::BodyFile(file), &count)?;
            }
        }
        Ok(dead)
    }

    /// How many references there are into a body file, with those of this commit so far.
    fn count(&self, counts: &BTreeMap<u64, u32>, file: u64) -> Result<Option<u32>, CommitError> {
        match counts.get(&file) {
            Some(count) => Ok(Some(*count)),
            None => Ok(records::record(self.db, &Key::BodyFile(file))?),
        }
    }
}

fn unreferenced(file: u64) -> CommitError {
    CommitError::Inconsistent(format!("body file {file} has no references"))
}
