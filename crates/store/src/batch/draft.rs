//! The changes of a commit in the making.

use std::{collections::BTreeMap, ops::Range};

use kuriiri_engine::{Commit, PackKey, Write};
use kuriiri_types::limits::PACK_BYTES_MAX;
use serde::Serialize;

use crate::{error::CommitError, journal::Changes, key::Key, records, tree::Tree, value};

/// The changes of a commit in the making.
pub(super) struct Draft<'a> {
    pub(super) db: &'a Tree,
    pub(super) records: Changes,
}

impl<'a> Draft<'a> {
    /// No changes yet, on the state in this tree.
    pub(super) fn new(db: &'a Tree) -> Self {
        Self { db, records: Changes::new() }
    }

    pub(super) fn add(&mut self, write: &Write) -> Result<(), CommitError> {
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

    pub(super) fn put<T: Serialize>(&mut self, key: &Key, record: &T) -> Result<(), CommitError> {
        let encoded = value::encode(record)
            .map_err(|error| CommitError::Inconsistent(format!("{key:?}: {error}")))?;
        if encoded.len() > PACK_BYTES_MAX {
            return Err(CommitError::TooLarge { key: format!("{key:?}"), bytes: encoded.len() });
        }
        self.records.insert(key.encode(), Some(encoded.into()));
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &Key) {
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
    pub(super) fn count_bodies(&mut self, commit: &Commit) -> Result<Vec<u64>, CommitError> {
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
