//! A log as a folder of files (C2SP `tlog-tiles`).

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_merkle::{Nodes, leaf};
use kuriiri_tlog::{
    Bundle, Checkpoint, CheckpointError, EntryHeaders, NOTE_BYTES_MAX, Note, Place, TILE_WIDTH,
    Tile, decode_bundle, decode_headers, decode_tile, node_in_tile,
};
use kuriiri_types::Digest;

use crate::finding::printable;

/// The file with the log's checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Bytes of a bundle: 256 entries of the longest kind. Larger: not read.
pub(crate) const BUNDLE_BYTES_MAX: u64 = 256 * (2 + 65_535);
/// Bytes of the headers beside a bundle: more than twice what a relay puts beside 256 entries, 24 KiB
/// each. Larger: not read.
pub(crate) const HEADERS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a tile.
pub(crate) const TILE_BYTES_MAX: u64 = TILE_WIDTH as u64 * 32;

/// A folder with a log. Nothing of it is believed; what can be read is read.
#[derive(Debug, Clone)]
pub struct LogFolder {
    path: PathBuf,
    note: Bytes,
    checkpoint: Checkpoint,
}

/// Something in a folder cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", printable(&path.to_string_lossy()))]
pub struct FolderError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Io(io::Error),
    #[error("{0}")]
    Form(String),
}

impl FolderError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), why: Why::Io(error) }
    }

    pub(crate) fn form(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: Why::Form(what.into()) }
    }

    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(&self.why, Why::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Entries of a bundle, and how wide the file is that they were found in.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Bytes>,
    pub(crate) found: u16,
}

impl LogFolder {
    /// Opens the folder of a log.
    ///
    /// # Errors
    /// When there is no checkpoint, or none that can be read.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let file = path.join(CHECKPOINT);
        let inner = path.join("log");
        if !file.exists() && inner.join(CHECKPOINT).is_file() {
            let inner = inner.to_string_lossy();
            let what = format!("there is no checkpoint in it; the log seems to be in {inner}");
            return Err(FolderError::form(path, what));
        }
        let note = read_limited(&file, NOTE_BYTES_MAX as u64)?;
        let wrong = |error: CheckpointError| FolderError::form(&file, error.to_string());
        let parsed = Note::parse(&note).map_err(|error| wrong(error.into()))?;
        let checkpoint = Checkpoint::parse(parsed.text()).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), note: note.into(), checkpoint })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint's note, verbatim.
    pub fn note(&self) -> &Bytes {
        &self.note
    }

    /// What the checkpoint says, whoever signed it.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How many entries the checkpoint speaks of.
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The bytes of one entry.
    ///
    /// # Errors
    /// When there is no such entry, or its file cannot be read.
    pub fn entry(&self, index: u64) -> Result<Bytes, FolderError> {
        let wide = u64::from(TILE_WIDTH);
        let bundle = bundle_of(self.size(), index / wide);
        let none = || FolderError::form(&self.path, format!("there is no entry {index}"));
        let read = self.bundle(bundle.ok_or_else(none)?)?;
        let place = usize::try_from(index % wide).unwrap_or(usize::MAX);
        read.entries.get(place).cloned().ok_or_else(none)
    }

    /// The entries of a bundle. When the file of its width is gone because a wider one has come,
    /// they are found in that.
    pub(crate) fn bundle(&self, bundle: Bundle) -> Result<Read, FolderError> {
        let (path, found) = self.find(bundle.width, |width| Bundle { width, ..bundle }.path());
        let bytes = Bytes::from(self.read_own(&path, BUNDLE_BYTES_MAX)?);
        let entries = decode_bundle(&bytes, found);
        let entries = entries.map_err(|error| FolderError::form(&path, error.to_string()))?;
        let wanted = entries.into_iter().take(usize::from(bundle.width));
        Ok(Read { entries: wanted.map(|entry| bytes.slice_ref(entry)).collect(), found })
    }

    /// The headers beside a bundle, by entry; else as [`bundle`](Self::bundle). Without a file there
    /// are none.
    pub(crate) fn headers(&self, bundle: Bundle) -> Result<Vec<EntryHeaders>, FolderError> {
        let path = |width| Bundle { width, ..bundle }.headers_path();
        let (path, found) = self.find(bundle.width, path);
        let bytes = match self.read_own(&path, HEADERS_BYTES_MAX) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let wrong = |what: String| FolderError::form(&path, what);
        let mut parts = decode_headers(&bytes).map_err(|error| wrong(error.to_string()))?;
        if let Some(last) = parts.last().filter(|last| u16::from(last.place) >= found) {
            return Err(wrong(format!("it has headers of entry {} of {found}", last.place)));
        }
        parts.retain(|part| u16::from(part.place) < bundle.width);
        Ok(parts)
    }

    /// The hashes of a tile; else as [`bundle`](Self::bundle).
    pub(crate) fn tile(&self, tile: Tile) -> Result<Vec<Digest>, FolderError> {
        let (path, found) = self.find(tile.width, |width| Tile { width, ..tile }.path());
        let bytes = self.read_own(&path, TILE_BYTES_MAX)?;
        let hashes = decode_tile(&bytes, found);
        let wrong = || FolderError::form(&path, format!("it is not {found} hashes"));
        let mut hashes = hashes.ok_or_else(wrong)?;
        hashes.truncate(tile.width.into());
        Ok(hashes)
    }

    /// The file of this width, or the narrowest wider one.
    fn find(&self, width: u16, name: impl Fn(u16) -> String) -> (PathBuf, u16) {
        let exact = self.path.join(name(width));
        if width >= TILE_WIDTH || exact.exists() {
            return (exact, width);
        }
        let wider = (width + 1..=TILE_WIDTH).map(|wider| (self.path.join(name(wider)), wider));
        let mut there = wider.filter(|(path, _)| path.exists());
        there.next().unwrap_or((exact, width))
    }

    /// Calls for every file, by its path from this folder on, with `/` between its parts. Links are
    /// files and are not followed.
    pub(crate) fn each_file(&self, mut visit: impl FnMut(&str)) -> Result<(), FolderError> {
        let mut folders = vec![(self.path.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let failed = |error| FolderError::io(&folder, error);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else {
                    visit(&name);
                }
            }
        }
        Ok(())
    }

    /// The leaf hash of one entry.
    ///
    /// # Errors
    /// When there is no such entry, or its file cannot be read.
    pub fn leaf(&self, index: u64) -> Result<Digest, FolderError> {
        self.entry(index).map(|entry| leaf(&entry))
    }
}

/// The nodes of the tree as the tiles have them. Proofs from it prove nothing unless they lead to a
/// root that was signed.
impl Nodes for LogFolder {
    type Error = FolderError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, FolderError> {
        let none = || FolderError::form(&self.path, format!("no node {index} on level {level}"));
        let place = Place::of(level, index).ok_or_else(none)?;
        let hashes = self.tile(place.tile(self.size()).ok_or_else(none)?)?;
        node_in_tile(&hashes, &place).ok_or_else(none)
    }
}

/// The bundle of this index in a log of so many entries.
pub(crate) fn bundle_of(size: u64, index: u64) -> Option<Bundle> {
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let rest = size.checked_sub(before)?.min(u64::from(TILE_WIDTH));
    let width = u16::try_from(rest).ok().filter(|width| *width > 0)?;
    Some(Bundle { index, width })
}

impl LogFolder {
    /// Reads a file of the log. No link is followed, in no part of its path: links could make a small folder
    /// look as large as its checkpoint says.
    pub(crate) fn read_own(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
        let failed = |error| FolderError::io(path, error);
        let parents = path.ancestors().skip(1).take_while(|parent| *parent != self.path);
        for part in std::iter::once(path).chain(parents) {
            if fs::symlink_metadata(part).map_err(failed)?.file_type().is_symlink() {
                return Err(FolderError::form(part, "it is a link, and a log has none"));
            }
        }
        read_limited(path, limit)
    }
}

/// Opens a file that is one: a pipe would wait for a writer, and a device has no end. Gives its length
/// too.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), FolderError> {
    let failed = |error| FolderError::io(path, error);
    let regular = |metadata: Metadata| {
        if metadata.is_file() {
            return Ok(metadata.len());
        }
        Err(FolderError::form(path, "it is not a regular file"))
    };
    // Opening a pipe may already wait; what was opened may be another than was looked at.
    regular(fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let length = regular(file.metadata().map_err(failed)?)?;
    Ok((file, length))
}

/// Reads a whole regular file of at most so many bytes. Every file that is read at once is read here.
pub(crate) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
    let (file, length) = open_file(path)?;
    let too_long = |what: String| {
        FolderError::form(path, format!("it has {what} bytes, and at most {limit} are read"))
    };
    if length > limit {
        return Err(too_long(length.to_string()));
    }
    // It may grow while it is read.
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|error| FolderError::io(path, error))?;
    if read as u64 > limit {
        return Err(too_long(format!("more than {limit}")));
    }
    Ok(bytes)
}
