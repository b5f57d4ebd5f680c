//! The journal: what each commit changed, one record after the other, synced before anybody hears of it.
//!
//! sled makes a commit durable with three writes, two waits for the disk and one more for its cache;
//! an append costs one of each. So a commit is durable once it is here, and goes into sled later, with
//! many others (`settle.rs`); what was queued and ended in between never gets there.
//!
//! A file begins with a head of 32 bytes: eight letters, the format, the number of the last commit before
//! it, and a check. Then come records: the length of the changes (4 bytes), the commit's number (8), a check
//! over number, file and changes (4), and the changes. Numbers are little-endian. What follows the last
//! record is zeros, or what an earlier use of the file left: its check names another file.
//!
//! A record that does not pass its check ends the journal. If it was acknowledged, which the file `tip`
//! knows, or if another follows it, the journal is damaged and nothing is guessed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{durable, room};

/// The folder in a state folder.
pub(crate) const DIR: &str = "journal";
/// Bytes after which a file is closed and its commits go into sled. With one file being filled and one
/// being settled, a start reads twice as much at most, which takes half a second.
pub(crate) const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Zeros are written ahead in steps of so many bytes: an append that does not make the file longer needs
/// one wait for the disk less.
const AHEAD_BYTES: u64 = 1024 * 1024;

/// Bytes that are overwritten at once.
const ERASED_BYTES: usize = 1024 * 1024;

/// The name of a file that is over, until it is used again.
const SPARE: &str = "spare";

const MAGIC: [u8; 8] = *b"KURIIRIJ";
const FORMAT: u32 = 1;
const HEAD_BYTES: usize = 32;
const RECORD_HEAD_BYTES: usize = 16;
/// In the place of a value's length: the record is removed.
const REMOVED: u32 = u32::MAX;

/// What becomes of records: the new value, or nothing for a removal.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Bytes>>;

/// A commit as the journal has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) number: u64,
    pub(crate) changes: Changes,
}

/// Why a journal cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(PathBuf, io::Error),
    /// It is not what was acknowledged.
    Damaged(PathBuf, String),
}

/// Why a commit was not appended.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nothing of it was written, and it can be tried again.
    Before(io::Error),
    /// Some of it may be in the file, or all.
    Torn(io::Error),
}

/// The file that commits are appended to.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    synced: bool,
    file: File,
    path: PathBuf,
    /// The last commit before this file: its name, and part of each check.
    base: u64,
    /// Where the next record goes.
    at: u64,
    /// Up to where the file is written, with zeros at least.
    ahead: u64,
}

// === reading ===

/// All commits in a journal after the one of this number, in order. Nothing is written.
///
/// # Errors
/// When a file cannot be read, or what follows `settled` is not all there up to `acknowledged`.
pub(crate) fn read(dir: &Path, settled: u64, acknowledged: u64) -> Result<Vec<Recorded>, Fault> {
    let mut all = Vec::new();
    let mut last = settled;
    for (base, path) in files(dir)? {
        if base > last {
            let what = format!("it goes on after commit {base}, and {last} is the last before it");
            return Err(Fault::Damaged(path, what));
        }
        let read = read_file(&path, base)?;
        for recorded in read.commits {
            if recorded.number == last + 1 {
                last += 1;
                all.push(recorded);
            }
        }
        if read.goes_on {
            let what = "a record in the middle of it does not pass its check".to_owned();
            return Err(Fault::Damaged(path, what));
        }
    }
    if last < acknowledged {
        let what = format!("commit {acknowledged} was acknowledged, and {last} is the last in it");
        return Err(Fault::Damaged(dir.to_owned(), what));
    }
    Ok(all)
}

/// The names of all records that a journal changes, whether sled has the changes or not.
pub(crate) fn names(dir: &Path) -> Result<BTreeSet<Vec<u8>>, Fault> {
    let mut names = BTreeSet::new();
    for (base, path) in files(dir)? {
        let commits = read_file(&path, base)?.commits.into_iter();
        names.extend(commits.flat_map(|Recorded { changes, .. }| changes.into_keys()));
    }
    Ok(names)
}

/// The number of the last commit before the journal; nothing without one.
pub(crate) fn begins(dir: &Path) -> Result<Option<u64>, Fault> {
    Ok(files(dir)?.into_keys().next())
}

/// Ends a file of which sled has all: its room is for the next. What stands in it is overwritten where
/// something of it was erased.
pub(crate) fn end(file: &Path, is_erased: bool) -> io::Result<()> {
    let spare = file.with_file_name(SPARE);
    fs::rename(file, &spare)?;
    if is_erased {
        // A file with a part of it overwritten would pass for a damaged one under its old name.
        file.parent().map_or(Ok(()), durable::dir)?;
        erase(&spare)?;
    }
    Ok(())
}

/// Removes a journal of which sled has all, and overwrites it before: nobody knows any more whether something
/// of it was erased.
pub(crate) fn clear(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == SPARE) {
            erase(&path)?;
            fs::remove_file(path)?;
        } else {
            end(&path, true)?;
        }
    }
    fs::remove_dir_all(dir)
}

/// Gives back the room that the files of a journal were kept and do not use, and the file that is over: a start
/// only reads it, and may have no other room.
pub(crate) fn give_room_back(dir: &Path) -> Result<(), Fault> {
    let spare = dir.join(SPARE);
    let is_over = spare.exists();
    let over = if is_over { erase(&spare).and_then(|()| fs::remove_file(&spare)) } else { Ok(()) };
    over.map_err(|error| Fault::Io(spare, error))?;
    for path in files(dir)?.into_values() {
        let opened = OpenOptions::new().write(true).open(&path);
        // The same length, which ends what was kept behind it.
        let cut = opened.and_then(|file| file.set_len(file.metadata()?.len()));
        cut.map_err(|error| Fault::Io(path, error))?;
    }
    Ok(())
}

/// Overwrites a file with zeros, durably.
fn erase(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let (length, zeros) = (file.metadata()?.len(), vec![0; ERASED_BYTES]);
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length - at).unwrap_or(usize::MAX);
        let part = zeros.get(..left).unwrap_or(&zeros);
        file.write_all_at(part, at)?;
        at += part.len() as u64;
    }
    durable::data(&file)
}

/// Bytes of its files; 0 of what cannot be looked at.
pub(crate) fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// The files by the numbers that they begin after.
fn files(dir: &Path) -> Result<BTreeMap<u64, PathBuf>, Fault> {
    let failed = |error| Fault::Io(dir.to_owned(), error);
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(base) = name.and_then(|name| u64::from_str_radix(name, 16).ok()) {
            found.insert(base, path);
        }
    }
    Ok(found)
}

struct ReadFile {
    commits: Vec<Recorded>,
    /// A good record stands behind one that is not.
    goes_on: bool,
}

fn read_file(path: &Path, base: u64) -> Result<ReadFile, Fault> {
    let bytes = fs::read(path).map_err(|error| Fault::Io(path.to_owned(), error))?;
    let bytes = Bytes::from(bytes);
    let mut commits: Vec<Recorded> = Vec::new();
    if bytes.get(..HEAD_BYTES) != Some(&head(base)[..]) {
        // Cut off while it was begun; whether anything is missing the caller sees.
        return Ok(ReadFile { commits, goes_on: false });
    }
    let mut at = HEAD_BYTES;
    while let Some((recorded, next)) = record(&bytes, at, base) {
        if recorded.number != base + 1 + commits.len() as u64 {
            break;
        }
        commits.push(recorded);
        at = next;
    }
    // A later commit behind what cannot be read was acknowledged after it.
    let expected = base + 1 + commits.len() as u64;
    let goes_on = stray(&bytes, at, base, expected);
    Ok(ReadFile { commits, goes_on })
}

/// Whether a record of this file with a later number stands where the length in front of the bad one says.
fn stray(bytes: &Bytes, at: usize, base: u64, expected: u64) -> bool {
    let length = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    let Some(length) = length.map(u32::from_le_bytes).filter(|length| *length > 0) else {
        return false;
    };
    let next = at.saturating_add(RECORD_HEAD_BYTES).saturating_add(length as usize);
    record(bytes, next, base).is_some_and(|(recorded, _)| recorded.number > expected)
}

/// The record at a place, and the place after it.
fn record(bytes: &Bytes, at: usize, base: u64) -> Option<(Recorded, usize)> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (check, _) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length > 0)?;
    let number = u64::from_le_bytes(*number);
    let begin = at.checked_add(RECORD_HEAD_BYTES)?;
    let end = begin.checked_add(length)?;
    let payload = bytes.get(begin..end)?;
    if u32::from_le_bytes(*check) != checked(base, number, payload) {
        return None;
    }
    let changes = decode(&bytes.slice(begin..end))?;
    Some((Recorded { number, changes }, end))
}

// === writing ===

impl Journal {
    /// Begins a file after the commit of this number. One of this name is what a crash left, and goes. A
    /// file that is over is used again if there is one: its room need not be written a second time. What
    /// stands in it was checked for another number, so none of it passes for a record of this one.
    pub(crate) fn begin(dir: &Path, base: u64, synced: bool) -> io::Result<Self> {
        let is_new = !dir.is_dir();
        if is_new {
            DirBuilder::new().mode(0o700).create(dir)?;
        }
        let path = dir.join(format!("{base:016x}"));
        let is_used_again = fs::rename(dir.join(SPARE), &path).is_ok();
        let begun = Self::begin_file((dir, &path), base, synced, is_used_again);
        if begun.is_err() {
            // The commits go on where they are, and a file with a later beginning must not stand beside it.
            let _ = if is_used_again {
                fs::rename(path, dir.join(SPARE))
            } else {
                fs::remove_file(path)
            };
        } else if let Some(above) = dir.parent().filter(|_| synced && is_new) {
            durable::dir(above)?;
        }
        begun
    }

    fn begin_file(
        (dir, path): (&Path, &Path),
        base: u64,
        synced: bool,
        is_used_again: bool,
    ) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(!is_used_again).mode(0o600);
        let file = options.open(path)?;
        let ahead = file.metadata()?.len();
        let (dir, path, at) = (dir.to_owned(), path.to_owned(), HEAD_BYTES as u64);
        let mut journal = Self { dir, synced, file, path, base, at, ahead };
        // For when the disk is full: the commits of this file have their room. Where there is none, or the
        // file system cannot keep it, each step of them asks for its own.
        let _ = room::allocate(&journal.file, 0, FILE_BYTES + AHEAD_BYTES);
        journal.stretch(HEAD_BYTES as u64)?;
        journal.file.write_all_at(&head(base), 0)?;
        if synced {
            durable::file(&journal.file)?;
            durable::dir(&journal.dir)?;
        }
        Ok(journal)
    }

    /// Appends a commit and makes it durable.
    pub(crate) fn append(&mut self, number: u64, changes: &Changes) -> Result<(), Failed> {
        let record = encode(self.base, number, changes).map_err(Failed::Before)?;
        self.stretch(self.at + record.len() as u64).map_err(Failed::Before)?;
        self.file.write_all_at(&record, self.at).map_err(Failed::Torn)?;
        if self.synced {
            durable::data(&self.file).map_err(Failed::Torn)?;
        }
        self.at += record.len() as u64;
        Ok(())
    }

    /// Appends go elsewhere from now on.
    #[cfg(test)]
    pub(crate) fn redirect(&mut self, file: File) {
        self.file = file;
    }

    /// True when its commits should go into sled.
    pub(crate) fn is_full(&self) -> bool {
        self.at >= FILE_BYTES
    }

    /// True when no commit is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.at == HEAD_BYTES as u64
    }

    /// Begins the next file; gives the path of this one, to be ended once sled has all of it. The one that is
    /// used again is overwritten before where something was erased that may stand in it.
    pub(crate) fn turn(&mut self, last: u64, is_erased: bool) -> io::Result<PathBuf> {
        let spare = self.dir.join(SPARE);
        if is_erased && spare.exists() {
            erase(&spare)?;
        }
        let next = Self::begin(&self.dir, last, self.synced)?;
        Ok(std::mem::replace(self, next).path)
    }

    /// Writes zeros so far that the file has at least this length.
    fn stretch(&mut self, length: u64) -> io::Result<()> {
        while self.ahead < length {
            let zeros = vec![0; usize::try_from(AHEAD_BYTES).unwrap_or(0)];
            self.file.write_all_at(&zeros, self.ahead)?;
            self.ahead += AHEAD_BYTES;
        }
        Ok(())
    }
}

fn head(base: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let check =
        crc32fast::hash(&[MAGIC.as_slice(), &FORMAT.to_le_bytes(), &base.to_le_bytes()].concat());
    let parts = MAGIC.into_iter().chain(FORMAT.to_le_bytes()).chain(base.to_le_bytes());
    let parts = parts.chain(check.to_le_bytes());
    head.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    head
}

fn checked(base: u64, number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&base.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// A record, head and changes.
fn encode(base: u64, number: u64, changes: &Changes) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a commit is too large");
    let bytes = |(key, value): (&Vec<u8>, &Option<Bytes>)| {
        2 + key.len() + 4 + value.as_ref().map_or(0, Bytes::len)
    };
    let length = changes.iter().map(bytes).sum::<usize>();
    let mut record = Vec::with_capacity(RECORD_HEAD_BYTES + length);
    record.extend_from_slice(&u32::try_from(length).map_err(|_| too_long())?.to_le_bytes());
    record.extend_from_slice(&number.to_le_bytes());
    record.extend_from_slice(&[0; 4]);
    for (key, value) in changes {
        let key_length = u16::try_from(key.len()).map_err(|_| too_long())?;
        record.extend_from_slice(&key_length.to_le_bytes());
        record.extend_from_slice(key);
        match value {
            None => record.extend_from_slice(&REMOVED.to_le_bytes()),
            Some(value) => {
                let length = u32::try_from(value.len()).map_err(|_| too_long())?;
                record.extend_from_slice(&length.to_le_bytes());
                record.extend_from_slice(value);
            }
        }
    }
    let check = checked(base, number, record.get(RECORD_HEAD_BYTES..).unwrap_or_default());
    if let Some(place) = record.get_mut(12..16) {
        place.copy_from_slice(&check.to_le_bytes());
    }
    Ok(record)
}

fn decode(payload: &Bytes) -> Option<Changes> {
    let mut rest = payload.clone();
    let mut changes = Changes::new();
    while !rest.is_empty() {
        let key_length = u16::from_le_bytes(take(&mut rest, 2)?.as_ref().try_into().ok()?);
        let key = take(&mut rest, key_length.into())?.to_vec();
        let length = u32::from_le_bytes(take(&mut rest, 4)?.as_ref().try_into().ok()?);
        let value = match length {
            REMOVED => None,
            length => Some(take(&mut rest, usize::try_from(length).ok()?)?),
        };
        changes.insert(key, value);
    }
    Some(changes)
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (rest.len() >= length).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests;
