//! From the engine's commit to one atomic batch of sled, checked before anything is applied.

use std::{collections::BTreeMap, ops::Range};

use kuriiri_engine::{ChannelEnd, Commit, LogAppend, PackKey, Write};
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::limits::PACK_BYTES_MAX;
use serde::Serialize;

use crate::{
    error::CommitError,
    key::Key,
    log::{LogPack, LogStart},
    sled_log::Mark,
    value, view,
};

/// Packs of entries that leave the records with one commit, beside as many as come: removals take
/// time, and up to 65,536 packs become durable at once. Two bundles have at least one whole among
/// so many.
const FORGOTTEN_MAX: usize = 2 * TILE_WIDTH as usize;
/// Bytes of a length in front of an entry.
const LENGTH_BYTES: usize = 3;
/// Bytes of entries in one value, with room for what stands in front of them.
const ENTRIES_BYTES_MAX: usize = PACK_BYTES_MAX - 64;

/// A commit that was checked and encoded; nothing of it is applied yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// All changes of records.
    pub(crate) batch: sled::Batch,
    /// Body files that nothing refers to once the batch is durable.
    pub(crate) dead: Vec<u64>,
    /// Entries of the log before this one leave with it, if any do.
    pub(crate) forgotten: Option<u64>,
}

/// Checks and encodes a commit and gives it its number. Entries of the log that have become
/// `durable` in their files leave with it, if not too many do. The log begins at `start` after it, if
/// given.
pub(crate) fn prepare(
    db: &sled::Db,
    commit: &Commit,
    number: u64,
    durable: Option<u64>,
    start: Option<&LogStart>,
) -> Result<Prepared, CommitError> {
    let mut changes = Changes { db, records: BTreeMap::new() };
    for write in &commit.writes {
        changes.add(write)?;
    }
    let packs = commit.log.as_ref().map_or(Ok(0), |append| changes.add_log(append))?;
    let most = FORGOTTEN_MAX + packs;
    let forgotten = durable.map(|durable| changes.forget_entries(durable, most)).transpose()?;
    let dead = changes.count_bodies(commit)?;
    if let Some(start) = start {
        changes.put(&Key::LogStart, start)?;
    }
    changes.put(&Key::Commits, &Mark::new(number))?;
    Ok(Prepared { batch: changes.into_batch(), dead, forgotten })
}

/// What becomes of each record: its new value, or nothing for a removal.
struct Changes<'a> {
    db: &'a sled::Db,
    records: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
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

    /// Entries stand in packs, none of which reaches over the end of a bundle. Returns how many.
    fn add_log(&mut self, append: &LogAppend) -> Result<usize, CommitError> {
        let (mut first, mut pack, mut bytes) = (append.first, LogPack::new(), 0);
        let mut packs = 0;
        for (place, entry) in (append.first..).zip(&append.entries) {
            let is_full = bytes + entry.len() > ENTRIES_BYTES_MAX;
            if !pack.is_empty() && (is_full || place.is_multiple_of(TILE_WIDTH.into())) {
                self.put(&Key::Entries(first), &std::mem::take(&mut pack))?;
                (first, bytes, packs) = (place, 0, packs + 1);
            }
            bytes += entry.len() + LENGTH_BYTES;
            pack.push(entry.clone());
        }
        if !pack.is_empty() {
            self.put(&Key::Entries(first), &pack)?;
            packs += 1;
        }
        for ChannelEnd { peer, direction, next, last } in &append.channels {
            self.put(&Key::ChannelEnd(peer.clone(), *direction), &(next, last))?;
        }
        self.put(&Key::LogHead, &append.head)?;
        self.put(&Key::LogNote, &append.checkpoint)?;
        Ok(packs)
    }

    /// Removes packs of entries before a place, so many at most, and only such that the first that
    /// stays begins a bundle: from there a start goes on. Returns where that is.
    fn forget_entries(&mut self, durable: u64, most: usize) -> Result<u64, CommitError> {
        let mut leaving = Vec::new();
        let mut until = durable;
        for key in view::keys(self.db, Key::entries_before(durable)) {
            let Key::Entries(first) = key? else { continue };
            if leaving.len() == most {
                until = first - first % u64::from(TILE_WIDTH);
                break;
            }
            leaving.push(first);
        }
        leaving.retain(|first| *first < until);
        leaving.into_iter().for_each(|first| self.delete(&Key::Entries(first)));
        Ok(until)
    }

    fn put<T: Serialize>(&mut self, key: &Key, record: &T) -> Result<(), CommitError> {
        let encoded = value::encode(record)
            .map_err(|error| CommitError::Inconsistent(format!("{key:?}: {error}")))?;
        if encoded.len() > PACK_BYTES_MAX {
            return Err(CommitError::TooLarge { key: format!("{key:?}"), bytes: encoded.len() });
        }
        self.records.insert(key.encode(), Some(encoded));
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
        if self.records.contains_key(&encoded) || stored.map_err(view::unreadable(&done))? {
            self.delete(&done);
        }
        Ok(())
    }

    fn delete_range(&mut self, range: Range<Vec<u8>>) -> Result<(), CommitError> {
        for (_, value) in self.records.range_mut(range.clone()) {
            *value = None;
        }
        for key in view::keys(self.db, range) {
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
            None => Ok(view::record(self.db, &Key::BodyFile(file))?),
        }
    }

    fn into_batch(self) -> sled::Batch {
        let mut batch = sled::Batch::default();
        for (key, value) in self.records {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }
}

fn unreferenced(file: u64) -> CommitError {
    CommitError::Inconsistent(format!("body file {file} has no references"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forget(packs: &[u64], durable: u64, most: usize) -> (u64, Vec<u64>) {
        let db = sled::Config::new().temporary(true).flush_every_ms(None).open().unwrap();
        for first in packs {
            db.insert(Key::Entries(*first).encode(), &[]).unwrap();
        }
        let mut changes = Changes { db: &db, records: BTreeMap::new() };
        let until = changes.forget_entries(durable, most).unwrap();
        db.apply_batch(changes.into_batch()).unwrap();
        let left = packs.iter().copied();
        let left = left.filter(|at| db.contains_key(Key::Entries(*at).encode()).unwrap());
        (until, left.collect())
    }

    /// Where the first that stays does not begin a bundle, no start could go on from there.
    #[test]
    fn packs_leave_in_whole_bundles_and_not_too_many_at_once() {
        let packs = [0, 100, 200, 256, 512, 600, 768, 800, 1024];
        let left = |count: usize| packs[packs.len() - count..].to_vec();
        for (durable, most, until, stay) in [
            (768, 9, 768, 3),
            (768, 6, 768, 3),
            (768, 5, 512, 5),
            (768, 4, 512, 5),
            (768, 3, 256, 6),
            (1024, 9, 1024, 1),
            (0, 9, 0, 9),
        ] {
            assert_eq!(forget(&packs, durable, most), (until, left(stay)), "{durable} {most}");
        }
        // One entry in each pack: as many as a bundle can have are always let go.
        let packs: Vec<u64> = (0..2000).collect();
        assert_eq!(forget(&packs, 1792, FORGOTTEN_MAX).0, 512);
        assert_eq!(forget(&packs[512..], 1792, FORGOTTEN_MAX).0, 1024);
    }
}
