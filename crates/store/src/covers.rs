//! Covers: what can be erased goes into sled under a key of its own.
//!
//! sled never writes over what was there. The page of a record that is gone stays in `db` until its segment is
//! used again, which may be never. So a record with bodies or headers of messages is encrypted on its way into
//! sled (AES-256-GCM, NIST SP 800-38D), and the keys stand in a file of slots that are written over in place. When
//! sled durably has another version of the record, or has it no more, its slot is overwritten, and what the old
//! page says nobody can read.
//!
//! A slot is 48 bytes: the key, and the beginning of a digest of the record's name, by which a start after a crash
//! finds the keys that an earlier process gave and did not overwrite. A slot of zeros is free. In sled a covered
//! record is the number of its slot (4 bytes, little-endian), the ciphertext, and its tag. Each key serves once, so
//! the nonce is zero; the record's name is authenticated with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};

use crate::{durable, journal::Changes, key};

/// The file in a state folder.
pub(crate) const NAME: &str = "covers";

const KEY_BYTES: usize = 32;
const NAME_BYTES: usize = 16;
const SLOT_BYTES: usize = KEY_BYTES + NAME_BYTES;
/// Bytes of a slot's number in front of what it covers.
const NUMBER_BYTES: usize = 4;
/// Slots by which the file grows.
const MORE_SLOTS: u32 = 1024;

const FREE: [u8; SLOT_BYTES] = [0; SLOT_BYTES];

type CoverKey = [u8; KEY_BYTES];

/// The file of keys.
#[derive(Debug)]
pub(crate) struct Covers {
    file: File,
    /// False leaves out every sync.
    synced: bool,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    /// How many the file has.
    count: u32,
    free: BTreeSet<u32>,
    /// Those of records that are on their way into sled.
    given: BTreeMap<Vec<u8>, (u32, CoverKey)>,
    /// Those of versions that sled will not have any more.
    over: BTreeSet<u32>,
}

impl Covers {
    /// Opens the file, which is made if it is not there.
    pub(crate) fn open(path: &Path, synced: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path)?;
        let mut slots = Slots::default();
        for_each_slot(&file, |number, slot| {
            slots.count = number.saturating_add(1);
            if slot == FREE {
                slots.free.insert(number);
            }
        })?;
        Ok(Self { file, synced, slots: Mutex::new(slots) })
    }

    /// Gives each record a key that goes into sled with these changes and needs one, and notes which keys are over
    /// then. All of it is durable afterwards. May be done again for the same changes.
    pub(crate) fn prepare(&self, db: &sled::Db, changes: &Changes) -> io::Result<()> {
        let mut slots = self.slots();
        for (name, value) in changes.iter().filter(|(name, _)| key::is_covered(name)) {
            let given = slots.given.get(name).map(|(slot, _)| *slot);
            slots.over.extend(slot_of(db, name)?.filter(|old| Some(*old) != given));
            if value.is_some() && given.is_none() {
                self.give(&mut slots, name)?;
            }
        }
        if self.synced && !slots.given.is_empty() { durable::data(&self.file) } else { Ok(()) }
    }

    /// Notes that the keys are over that an earlier process gave records with these names, but for those that sled
    /// has records by. What it did not get to it left in the journal, and the journal names them, whether sled has
    /// the changes already or not.
    pub(crate) fn doubt(&self, db: &sled::Db, names: &BTreeSet<Vec<u8>>) -> io::Result<()> {
        let mut used = BTreeMap::new();
        for name in names.iter().filter(|name| key::is_covered(name)) {
            used.insert(short(name), slot_of(db, name)?);
        }
        if used.is_empty() {
            return Ok(());
        }
        let mut slots = self.slots();
        for_each_slot(&self.file, |number, slot| {
            let name = slot.get(KEY_BYTES..).filter(|_| slot != FREE);
            let used = name.and_then(|name| used.get(name));
            if used.is_some_and(|used| *used != Some(number)) {
                slots.over.insert(number);
            }
        })
    }

    /// The stored form of a record that was [prepared](Self::prepare).
    pub(crate) fn cover(&self, name: &[u8], value: &[u8]) -> io::Result<Vec<u8>> {
        let given = self.slots().given.get(name).copied();
        let (slot, key) = given.ok_or_else(|| io::Error::other("a record has no key"))?;
        let mut stored = Vec::with_capacity(NUMBER_BYTES + value.len() + AES_256_GCM.tag_len());
        stored.extend_from_slice(&slot.to_le_bytes());
        stored.extend_from_slice(value);
        let text = stored.get_mut(NUMBER_BYTES..).unwrap_or_default();
        let tag = cipher(&key)?.seal_in_place_separate_tag(nonce(), Aad::from(name), text);
        let tag = tag.map_err(|_| io::Error::other("a record is too large for its key"))?;
        stored.extend_from_slice(tag.as_ref());
        Ok(stored)
    }

    /// The record that is stored so.
    ///
    /// # Errors
    /// When its key is gone or another, or it was changed.
    pub(crate) fn uncover(&self, name: &[u8], stored: &[u8]) -> io::Result<Bytes> {
        let damaged = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let (number, text) = split(stored).ok_or_else(|| damaged("it is too short"))?;
        let mut slot = FREE;
        let read = self.file.read_exact_at(&mut slot, at(number));
        read.map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::UnexpectedEof;
            if is_missing { damaged("its key in `covers` is missing") } else { error }
        })?;
        let key = slot.first_chunk().filter(|_| slot != FREE);
        let cipher = cipher(key.ok_or_else(|| damaged("its key in `covers` was overwritten"))?)?;
        let mut text = text.to_vec();
        let opened = cipher.open_in_place(nonce(), Aad::from(name), &mut text);
        let length =
            opened.map_err(|_| damaged("it does not open with its key in `covers`"))?.len();
        text.truncate(length);
        Ok(text.into())
    }

    /// Hears that sled durably has what was prepared, and overwrites the keys that are over.
    pub(crate) fn settled(&self) -> io::Result<()> {
        let mut slots = self.slots();
        slots.given.clear();
        if slots.over.is_empty() {
            return Ok(());
        }
        for number in &slots.over {
            self.file.write_all_at(&FREE, at(*number))?;
        }
        if self.synced {
            durable::data(&self.file)?;
        }
        let over = std::mem::take(&mut slots.over);
        slots.free.extend(over);
        Ok(())
    }

    fn give(&self, slots: &mut Slots, name: &[u8]) -> io::Result<()> {
        if slots.free.is_empty() {
            let more = vec![0; SLOT_BYTES * MORE_SLOTS as usize];
            self.file.write_all_at(&more, at(slots.count))?;
            let count = slots.count.saturating_add(MORE_SLOTS);
            let before = std::mem::replace(&mut slots.count, count);
            slots.free.extend(before..count);
        }
        let number = *slots.free.first().ok_or_else(|| io::Error::other("all keys are given"))?;
        let mut key = [0; KEY_BYTES];
        SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        self.file.write_all_at(&[&key[..], &short(name)].concat(), at(number))?;
        slots.free.remove(&number);
        slots.given.insert(name.to_vec(), (number, key));
        Ok(())
    }

    /// The guard, also after a panic elsewhere: the slots are whole between any two calls.
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at each slot of the file. What a crash left of one that is not whole is none.
fn for_each_slot(file: &File, mut look: impl FnMut(u32, &[u8])) -> io::Result<()> {
    let mut part = vec![0; SLOT_BYTES * MORE_SLOTS as usize];
    let (mut number, count) = (0_u32, file.metadata()?.len() / SLOT_BYTES as u64);
    while u64::from(number) < count {
        let left = usize::try_from(count - u64::from(number)).unwrap_or(usize::MAX);
        let length = part.len().min(left.saturating_mul(SLOT_BYTES));
        let Some(read) = part.get_mut(..length) else { break };
        file.read_exact_at(read, at(number))?;
        for slot in read.chunks_exact(SLOT_BYTES) {
            look(number, slot);
            number = number.saturating_add(1);
        }
    }
    Ok(())
}

fn at(number: u32) -> u64 {
    u64::from(number) * SLOT_BYTES as u64
}

/// The slot of a stored record, and what stands behind its number.
fn split(stored: &[u8]) -> Option<(u32, &[u8])> {
    let (number, text) = stored.split_first_chunk::<NUMBER_BYTES>()?;
    Some((u32::from_le_bytes(*number), text))
}

/// The slot of the record that sled has under a name.
fn slot_of(db: &sled::Db, name: &[u8]) -> io::Result<Option<u32>> {
    let stored = db.get(name).map_err(io::Error::from)?;
    Ok(stored.and_then(|stored| split(&stored).map(|(slot, _)| slot)))
}

fn short(name: &[u8]) -> [u8; NAME_BYTES] {
    let mut short = [0; NAME_BYTES];
    short.iter_mut().zip(digest(name).as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

fn cipher(key: &CoverKey) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key);
    Ok(LessSafeKey::new(key.map_err(|_| io::Error::other("not a key"))?))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// A file of keys in a folder that goes with the test.
#[cfg(test)]
pub(crate) fn temporary() -> (std::sync::Arc<Covers>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let covers = Covers::open(&dir.path().join(NAME), false).unwrap();
    (std::sync::Arc::new(covers), dir)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::key::Key;

    /// A file of keys and what is below, as one process after the other has them.
    struct Bench {
        covers: Covers,
        db: sled::Db,
        path: PathBuf,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(NAME);
            let db = sled::Config::new().temporary(true).flush_every_ms(None).open().unwrap();
            Self { covers: Covers::open(&path, false).unwrap(), db, path, _dir: dir }
        }

        /// Puts changes into what is below, and gives what it has of the first then.
        fn put(&self, changes: &Changes) -> Option<sled::IVec> {
            self.covers.prepare(&self.db, changes).unwrap();
            for (name, value) in changes {
                match value {
                    Some(value) => {
                        let covered = self.covers.cover(name, value).unwrap();
                        self.db.insert(name, covered).unwrap();
                    }
                    None => drop(self.db.remove(name).unwrap()),
                }
            }
            self.db.get(changes.keys().next().unwrap()).unwrap()
        }

        fn restart(&mut self) {
            self.covers = Covers::open(&self.path, false).unwrap();
        }

        /// How many keys the file has.
        fn keys(&self) -> usize {
            let mut keys = 0;
            let count = |_, slot: &[u8]| keys += usize::from(slot != FREE);
            for_each_slot(&self.covers.file, count).unwrap();
            keys
        }
    }

    fn name(number: u64) -> Vec<u8> {
        Key::Hold(number).encode()
    }

    fn becomes(number: u64, value: Option<&'static str>) -> Changes {
        Changes::from([(name(number), value.map(|value| Bytes::from_static(value.as_bytes())))])
    }

    #[test]
    fn a_record_opens_under_its_own_name_unchanged_and_after_a_restart() {
        let mut bench = Bench::new();
        let stored = bench.put(&becomes(1, Some("of Anna"))).unwrap();
        bench.covers.settled().unwrap();
        assert!(!stored.windows(4).any(|window| window == b"Anna"));
        for _ in 0..2 {
            assert_eq!(bench.covers.uncover(&name(1), &stored).unwrap(), "of Anna");
            assert!(bench.covers.uncover(&name(2), &stored).is_err());
            for at in 0..stored.len() {
                let mut other = stored.to_vec();
                other[at] ^= 1;
                assert!(bench.covers.uncover(&name(1), &other).is_err(), "{at}");
                assert!(bench.covers.uncover(&name(1), &stored[..at]).is_err(), "{at}");
            }
            bench.restart();
        }
    }

    #[test]
    fn what_was_replaced_or_removed_opens_no_more() {
        let bench = Bench::new();
        let first = bench.put(&becomes(1, Some("first"))).unwrap();
        bench.covers.settled().unwrap();
        let second = bench.put(&becomes(1, Some("second"))).unwrap();
        assert_eq!(bench.covers.uncover(&name(1), &first).unwrap(), "first", "it may be there yet");
        bench.covers.settled().unwrap();
        assert!(bench.covers.uncover(&name(1), &first).is_err());
        assert_eq!(bench.covers.uncover(&name(1), &second).unwrap(), "second");
        bench.put(&becomes(1, None));
        bench.covers.settled().unwrap();
        assert!(bench.covers.uncover(&name(1), &second).is_err());
        assert_eq!(bench.keys(), 0);
    }

    #[test]
    fn places_of_keys_are_used_again() {
        let bench = Bench::new();
        for round in 0..3 {
            for number in 0..u64::from(MORE_SLOTS) - 1 {
                bench.put(&becomes(number, (round < 2).then_some("text")));
                bench.covers.settled().unwrap();
            }
            let length = bench.covers.file.metadata().unwrap().len();
            assert_eq!(length, SLOT_BYTES as u64 * u64::from(MORE_SLOTS), "{round}");
        }
        assert_eq!(bench.keys(), 0);
    }

    #[test]
    fn changes_that_are_prepared_once_more_keep_their_keys() {
        let bench = Bench::new();
        let old = bench.put(&becomes(1, Some("old"))).unwrap();
        bench.covers.settled().unwrap();
        let changes = Changes::from_iter(
            [(1, "new"), (2, "more")]
                .map(|(number, text)| (name(number), Some(Bytes::from_static(text.as_bytes())))),
        );
        let first = bench.put(&changes).unwrap();
        let again = bench.put(&changes).unwrap();
        assert_eq!(again, first);
        bench.covers.settled().unwrap();
        assert!(bench.covers.uncover(&name(1), &old).is_err());
        assert_eq!(bench.covers.uncover(&name(1), &again).unwrap(), "new");
        assert_eq!(bench.keys(), 2);
    }

    /// Whenever a process dies, what it was at is in the journal; the next does it again, and nothing of before opens.
    #[test]
    fn keys_that_a_crash_left_are_found_and_overwritten() {
        for reached_sled in [false, true] {
            let mut bench = Bench::new();
            let old = bench.put(&becomes(1, Some("old"))).unwrap();
            bench.covers.settled().unwrap();
            let other = bench.put(&becomes(7, Some("other"))).unwrap();
            bench.covers.settled().unwrap();
            let changes = becomes(1, Some("new"));
            let lost = bench.put(&changes).unwrap();
            if !reached_sled {
                bench.db.insert(name(1), old.clone()).unwrap();
            }
            bench.restart();
            let names = [name(1), name(7)].into();
            bench.covers.doubt(&bench.db, &names).unwrap();
            let new = bench.put(&changes).unwrap();
            bench.covers.settled().unwrap();
            for gone in [old, lost] {
                assert!(bench.covers.uncover(&name(1), &gone).is_err(), "{reached_sled}");
            }
            assert_eq!(bench.covers.uncover(&name(1), &new).unwrap(), "new");
            assert_eq!(bench.covers.uncover(&name(7), &other).unwrap(), "other");
            assert_eq!(bench.keys(), 2);
        }
    }

    /// The process died when sled had all, and before the keys were overwritten: the journal is still there, and none
    /// of its changes is to be done again.
    #[test]
    fn keys_that_a_crash_left_of_what_sled_has_already_are_overwritten() {
        let mut bench = Bench::new();
        let old = bench.put(&becomes(1, Some("old"))).unwrap();
        let gone = bench.put(&becomes(2, Some("gone"))).unwrap();
        bench.covers.settled().unwrap();
        let new = bench.put(&becomes(1, Some("new"))).unwrap();
        bench.put(&becomes(2, None));
        bench.restart();
        bench.covers.doubt(&bench.db, &[name(1), name(2), name(3)].into()).unwrap();
        bench.covers.settled().unwrap();
        assert!(bench.covers.uncover(&name(1), &old).is_err());
        assert!(bench.covers.uncover(&name(2), &gone).is_err());
        assert_eq!(bench.covers.uncover(&name(1), &new).unwrap(), "new");
        assert_eq!(bench.keys(), 1);
    }
}
