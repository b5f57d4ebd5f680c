//! Body files: what is too large for a pack, one file for each commit that has some.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use kuriiri_engine::{BodyFile, BodyRef};

use crate::{
    durable,
    error::{BodyError, CommitError, OpenError},
};

/// The folder of body files.
#[derive(Debug)]
pub(crate) struct Bodies {
    dir: PathBuf,
    bytes: AtomicU64,
}

impl Bodies {
    /// Compares the folder with the numbers of the files that are referred to. Leftovers of
    /// commits that never happened go; a file that is missing is damage, found before any goes.
    pub(crate) fn open(dir: PathBuf, referred: &BTreeSet<u64>) -> Result<Self, OpenError> {
        let found = list(&dir).map_err(OpenError::io(&dir))?;
        if let Some(missing) = referred.iter().find(|number| !found.contains_key(number)) {
            let path = dir.join(missing.to_string());
            return Err(OpenError::corrupt(path, "messages in custody refer to this file"));
        }
        let bodies = Self { dir, bytes: AtomicU64::new(found.values().sum()) };
        for number in found.keys().filter(|number| !referred.contains(number)) {
            let path = bodies.path(*number);
            tracing::info!(path = %path.display(), "removing a body file of a commit that never happened");
            bodies.remove(*number).map_err(OpenError::io(path))?;
        }
        Ok(bodies)
    }

    /// Where a file is.
    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(number.to_string())
    }

    /// Bytes in all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Writes a new file and makes it durable, with its name. A file that could not be written
    /// whole is removed again, so that a full disk is not made fuller.
    pub(crate) fn write(&self, bodies: &BodyFile, sync: bool) -> Result<(), CommitError> {
        let path = self.path(bodies.file);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&path).map_err(CommitError::not_now(&path))?;
        let written = fill(&mut file, &bodies.bodies, sync);
        let written = written.and_then(|()| if sync { durable::dir(&self.dir) } else { Ok(()) });
        if let Err(error) = written {
            // The first error says what is wrong; at the next start the rest goes anyway.
            let _ = fs::remove_file(&path);
            return Err(CommitError::not_now(path)(error));
        }
        let len: usize = bodies.bodies.iter().map(Bytes::len).sum();
        self.bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a file that nothing refers to. Not synced: one that comes back goes at the next start.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        let path = self.path(number);
        let len = fs::metadata(&path)?.len();
        fs::remove_file(path)?;
        self.bytes.fetch_sub(len, Ordering::Relaxed);
        Ok(())
    }

    /// Overwrites a body with zeros in the file that it shares with others, and makes that durable.
    /// What the disk below keeps of the old bytes is beyond a program's reach.
    pub(crate) fn erase(&self, body: BodyRef, sync: bool) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path(body.file))?;
        let end = body.offset.checked_add(body.len.into());
        if end.is_none_or(|end| file.metadata().is_ok_and(|meta| end > meta.len())) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let zeros = vec![0; usize::try_from(body.len).map_err(io::Error::other)?];
        file.write_all_at(&zeros, body.offset)?;
        if sync { durable::data(&file) } else { Ok(()) }
    }

    /// Reads one body. Blocks on the disk.
    pub(crate) fn read(&self, body: BodyRef) -> Result<Bytes, BodyError> {
        let path = self.path(body.file);
        read_part(&path, body).map_err(|source| {
            let kind = source.kind();
            if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) {
                BodyError::Damaged { path }
            } else {
                BodyError::Io { path, source }
            }
        })
    }
}

fn fill(file: &mut File, bodies: &[Bytes], sync: bool) -> io::Result<()> {
    for body in bodies {
        file.write_all(body)?;
    }
    if sync { durable::data(file) } else { Ok(()) }
}

fn read_part(path: &Path, body: BodyRef) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let end = body.offset.checked_add(body.len.into());
    // Before allocation: a damaged reference must not ask for memory that no file can fill.
    if end.is_none_or(|end| file.metadata().is_ok_and(|meta| end > meta.len())) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let len = usize::try_from(body.len).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, body.offset)?;
    Ok(bytes.into())
}

/// The numbers and lengths of the files in the folder. What is not named by a number is not ours
/// and stays.
fn list(dir: &Path) -> io::Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
        match number.filter(|number| name.to_str() == Some(&number.to_string())) {
            Some(number) => {
                found.insert(number, entry.metadata()?.len());
            }
            None => tracing::warn!(path = %entry.path().display(), "not a body file; left alone"),
        }
    }
    Ok(found)
}
