//! The log's files. Those that are full before the next checkpoint wait beside the log, so that
//! nobody finds much more in the log than its checkpoint speaks of.
//!
//! Everybody may read the checkpoint and the hashes, which prove, whatever the process' umask says. What is
//! in entries and headers, who wrote to whom and what was decided on it, is for the owner and for the group,
//! if that is wanted. What waits is the owner's.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_merkle::Tree;
use kuriiri_tlog::{
    Bundle, Checkpoint, EntryHeaders, TILE_WIDTH, Tile, decode_bundle, decode_headers, decode_tile,
    encode_bundle, encode_headers, encode_tile,
};

use super::{beside::as_parts, edge::Full, fault::Fault};
use crate::{durable, error::OpenError};

pub(super) const CHECKPOINT: &str = "checkpoint";
/// Where files and folders are made before they get their names.
const UNFINISHED: &str = "unfinished";
const UNFINISHED_DIR: &str = "unfinished.d";
/// The same for headers, whose places are emptied while the log is shown.
const UNFINISHED_HEADERS: &str = "unfinished.h";

const FOR_ALL: Modes = Modes { dir: 0o755, file: 0o644 };
const FOR_GROUP: Modes = Modes { dir: 0o750, file: 0o640 };
const FOR_OWNER: Modes = Modes { dir: 0o700, file: 0o600 };

/// Who may read.
#[derive(Debug, Clone, Copy)]
struct Modes {
    dir: u32,
    file: u32,
}

/// The two folders of a log.
#[derive(Debug)]
pub(crate) struct Files {
    /// What everybody may read.
    pub(crate) log: PathBuf,
    /// What waits for the next checkpoint, on the same file system.
    pub(crate) waiting: PathBuf,
    /// The log's folder, open since before anything was written: the disk tells of a write that
    /// failed only those who were there.
    folder: File,
    /// Of entries and headers.
    closed: Modes,
}

impl Files {
    /// Makes the folders. What waited is written anew, so it goes.
    pub(crate) fn open(log: PathBuf, waiting: PathBuf, for_owner: bool) -> Result<Self, OpenError> {
        clear(&waiting).map_err(OpenError::io(&waiting))?;
        create_folder(&log).map_err(OpenError::io(&log))?;
        let apart = |error: io::Error| {
            if error.kind() != io::ErrorKind::CrossesDevices {
                return OpenError::io(&log)(error);
            }
            OpenError::Apart { log: log.clone(), waiting: waiting.clone() }
        };
        // A folder on another file system would fail at the first checkpoint.
        probe(&log, &waiting).map_err(apart)?;
        let folder = File::open(&log).map_err(OpenError::io(&log))?;
        let files =
            Self { log, waiting, folder, closed: if for_owner { FOR_OWNER } else { FOR_GROUP } };
        files.close().map_err(OpenError::io(&files.log))?;
        Ok(files)
    }

    /// Folders of entries and headers that were open to more are so no longer.
    fn close(&self) -> io::Result<()> {
        for dir in closed_folders() {
            let folder = match File::open(self.log.join(dir)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let mode = folder.metadata()?.permissions().mode() & 0o777;
            if mode & !self.closed.dir != 0 {
                folder.set_permissions(Permissions::from_mode(mode & self.closed.dir))?;
            }
        }
        Ok(())
    }

    /// Who may read what is at a place of the log.
    fn modes(&self, place: &Path) -> Modes {
        let below = place.strip_prefix(&self.log).unwrap_or(place);
        let is_closed = closed_folders().iter().any(|dir| below.starts_with(dir));
        if is_closed { self.closed } else { FOR_ALL }
    }

    // === writing ===

    /// Writes a file that is full, to wait for the next checkpoint.
    pub(crate) fn stage(&self, file: &Full) -> io::Result<()> {
        let (path, bytes) = encoded(file)?;
        let place = self.waiting.join(path);
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        write(&place, &bytes, self.modes(Path::new(&path_of(file)))).map(drop)
    }

    /// Writes a partial file into the log, if there is one.
    pub(crate) fn put_partial(&self, file: &Full) -> io::Result<()> {
        if !file.is_there() {
            return Ok(());
        }
        let (path, bytes) = encoded(file)?;
        let place = self.log.join(path);
        self.create_parent(&place)?;
        let unfinished = self.waiting.join(UNFINISHED);
        write(&unfinished, &bytes, self.modes(&place))?;
        fs::rename(unfinished, place)
    }

    /// Puts a file of headers with empty places where it is, and removes it when nothing is left.
    pub(crate) fn put_emptied(&self, place: &Path, file: &Full, synced: bool) -> io::Result<()> {
        if file.is_there() {
            let unfinished = self.waiting.join(UNFINISHED_HEADERS);
            let written = write(&unfinished, &encoded(file)?.1, self.closed)?;
            if synced {
                durable::file(&written)?;
            }
            fs::rename(unfinished, place)?;
        } else {
            remove(place)?;
        }
        match place.parent().filter(|parent| synced && parent.exists()) {
            Some(parent) => durable::dir(parent),
            None => Ok(()),
        }
    }

    /// Removes the file of headers of a full bundle beside which none is left.
    pub(crate) fn drop_headers(&self, bundle: Bundle) -> io::Result<()> {
        remove(&self.log.join(bundle.headers_path()))
    }

    /// Makes the folder of a file in the log. It has its mode when it gets its name, so that no
    /// crash leaves one that others cannot enter.
    fn create_parent(&self, place: &Path) -> io::Result<()> {
        let Some(dir) = place.parent().filter(|dir| !dir.is_dir()) else { return Ok(()) };
        if dir == self.log {
            return Err(gone(dir, &io::ErrorKind::NotFound.into()));
        }
        self.create_parent(dir)?;
        let unfinished = self.waiting.join(UNFINISHED_DIR);
        fs::create_dir_all(&unfinished)?;
        fs::set_permissions(&unfinished, Permissions::from_mode(self.modes(dir).dir))?;
        fs::rename(unfinished, dir)
    }

    /// Moves a full file that waits into the log, unless that was done when showing it failed later.
    pub(crate) fn release(&self, path: &str) -> io::Result<()> {
        let (place, waiting) = (self.log.join(path), self.waiting.join(path));
        self.create_parent(&place)?;
        match fs::rename(&waiting, &place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && place.exists() => Ok(()),
            Err(error) => Err(gone(&waiting, &error)),
            Ok(()) => Ok(()),
        }
    }

    /// Removes the partial files of one that is full.
    pub(crate) fn drop_partial(&self, path: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.log.join(format!("{path}.p"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes the narrower files of one again: a power cut may have torn them, or headers in it left.
    pub(crate) fn mend_partial(&self, file: &Full) -> io::Result<()> {
        let folder = self.log.join(partial_folder(file));
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?.path();
            let narrower = width(entry.file_name()).and_then(|width| file.narrower(width));
            match narrower {
                Some(narrower) => self.put_partial(&narrower)?,
                None => {
                    tracing::info!(path = %entry.display(), "the log has no such file; removing it");
                    fs::remove_file(entry)?;
                }
            }
        }
        if file.is_there() { Ok(()) } else { fs::remove_dir(folder) }
    }

    /// Makes a checkpoint durable, and then shows it.
    pub(crate) fn put_checkpoint(&self, note: &[u8], synced: bool) -> io::Result<()> {
        let unfinished = self.waiting.join(CHECKPOINT);
        let file = write(&unfinished, note, FOR_ALL)?;
        if synced {
            durable::file(&file)?;
        }
        fs::rename(unfinished, self.log.join(CHECKPOINT))?;
        if synced { durable::dir(&self.log) } else { Ok(()) }
    }

    /// Fails when the log that was shown is no longer there: what is written now could not be all.
    pub(crate) fn still_shown(&self) -> io::Result<()> {
        let checkpoint = self.checkpoint();
        fs::metadata(&checkpoint).map(drop).map_err(|error| gone(&checkpoint, &error))
    }

    /// Asks the disk to make everything durable that was written to the log.
    pub(crate) fn sync(&self) -> io::Result<()> {
        durable::file_system(&self.folder)
    }

    #[cfg(test)]
    pub(crate) fn folder_mut(&mut self) -> &mut File {
        &mut self.folder
    }

    // === reading ===

    /// Where the checkpoint is.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.log.join(CHECKPOINT)
    }

    /// The checkpoint that is shown, and what it says if it can be read.
    pub(crate) fn read_checkpoint(&self) -> Result<(Vec<u8>, Option<Checkpoint>), Fault> {
        let path = self.checkpoint();
        let note = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(Fault::io(&path))?,
        };
        let text = str::from_utf8(&note).ok().and_then(|note| note.split_once("\n\n"));
        let said = text.and_then(|(text, _)| Checkpoint::parse(&format!("{text}\n")).ok());
        Ok((note, said))
    }

    pub(crate) fn read_tile(&self, tile: Tile) -> Result<Tree, Fault> {
        let path = tile.path();
        let hashes = decode_tile(&self.read(&path)?, TILE_WIDTH);
        let hashes = hashes.ok_or_else(|| self.damaged(&path, "it is not a full tile"))?;
        Ok(hashes.into_iter().collect())
    }

    pub(crate) fn read_bundle(&self, bundle: Bundle) -> Result<Vec<Bytes>, Fault> {
        let path = bundle.path();
        let bytes = Bytes::from(self.read(&path)?);
        let entries = decode_bundle(&bytes, TILE_WIDTH);
        let entries = entries.map_err(|error| self.damaged(&path, error.to_string()))?;
        Ok(entries.into_iter().map(|entry| bytes.slice_ref(entry)).collect())
    }

    /// The headers beside a full bundle; nothing when there is no file.
    pub(crate) fn read_headers(&self, bundle: Bundle) -> Result<Option<Vec<EntryHeaders>>, Fault> {
        let path = bundle.headers_path();
        let bytes = match self.find(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => Bytes::from(other.map_err(Fault::io(&self.log.join(&path)))?),
        };
        let parts = decode_headers(&bytes);
        parts.map(Some).map_err(|error| self.damaged(&path, error.to_string()))
    }

    /// Says that a file of the log is not what it was.
    pub(crate) fn damaged(&self, path: &str, what: impl Into<String>) -> Fault {
        Fault::damaged(self.log.join(path), what)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Fault> {
        self.find(path).map_err(Fault::io(&self.log.join(path)))
    }

    fn find(&self, path: &str) -> io::Result<Vec<u8>> {
        // In this order, because files move in this one.
        match fs::read(self.waiting.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::read(self.log.join(path)),
            other => other,
        }
    }
}

/// The place of a file in a log.
pub(crate) fn path_of(file: &Full) -> String {
    match file {
        Full::Tile(tile, _) => tile.path(),
        Full::Bundle(bundle, _) => bundle.path(),
        Full::Headers(bundle, _) => bundle.headers_path(),
    }
}

/// The folder of the partial files of one.
fn partial_folder(file: &Full) -> String {
    let full = match file {
        Full::Tile(tile, _) => Tile { width: TILE_WIDTH, ..*tile }.path(),
        Full::Bundle(bundle, _) => Bundle { width: TILE_WIDTH, ..*bundle }.path(),
        Full::Headers(bundle, _) => Bundle { width: TILE_WIDTH, ..*bundle }.headers_path(),
    };
    format!("{full}.p")
}

fn encoded(file: &Full) -> io::Result<(String, Vec<u8>)> {
    let bytes = match file {
        Full::Tile(_, tree) => encode_tile(tree.leaves()),
        Full::Bundle(_, entries) => encode_bundle(entries).map_err(io::Error::other)?,
        Full::Headers(_, beside) => encode_headers(&as_parts(beside)).map_err(io::Error::other)?,
    };
    Ok((path_of(file), bytes))
}

/// The width that the name of a partial file says.
fn width(name: Option<&OsStr>) -> Option<u16> {
    let name = name?.to_str()?;
    let width = name.parse().ok()?;
    (name == u16::to_string(&width)).then_some(width)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn gone(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}; start the relay again", path.display()))
}

// === folders ===

/// An empty folder for what waits.
fn clear(waiting: &Path) -> io::Result<()> {
    if waiting.exists() {
        fs::remove_dir_all(waiting)?;
    }
    DirBuilder::new().mode(FOR_OWNER.dir).create(waiting)
}

/// Moves a file as a checkpoint will move. A file that an earlier try left in the log goes as well.
fn probe(log: &Path, waiting: &Path) -> io::Result<()> {
    let probe = waiting.join(UNFINISHED);
    fs::write(&probe, b"")?;
    let there = log.join(UNFINISHED);
    fs::rename(&probe, &there)?;
    fs::remove_file(there)
}

/// Makes a folder that everybody may read, and those above it, unless it is there.
fn create_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    create_folder(parent)?;
    fs::create_dir(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(FOR_ALL.dir))?;
    durable::dir(parent)
}

/// The folders of entries and headers in a log.
fn closed_folders() -> [PathBuf; 2] {
    let first = Bundle { index: 0, width: TILE_WIDTH };
    [first.path(), first.headers_path()]
        .map(|path| Path::new(&path).parent().map_or_else(PathBuf::new, Path::to_owned))
}

/// Writes a file that those may read, from its first byte on.
fn write(path: &Path, bytes: &[u8], modes: Modes) -> io::Result<File> {
    let mut options = File::options();
    let mut file =
        options.write(true).create(true).truncate(true).mode(FOR_OWNER.file).open(path)?;
    file.set_permissions(Permissions::from_mode(modes.file))?;
    file.write_all(bytes)?;
    Ok(file)
}
