//! A log as a folder of files (C2SP `tlog-tiles`).

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_merkle::{Nodes, leaf};
use kuriiri_tlog::{
    Bundle, Checkpoint, CheckpointError, NOTE_BYTES_MAX, Note, Place, TILE_WIDTH, Tile,
    decode_bundle, decode_tile, node_in_tile,
};
use kuriiri_types::Digest;

use crate::finding::printable;

/// The file with the log's checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The folder with the bundles.
const BUNDLES: &str = "tile/entries";
/// The folder with what was kept of bundles that were pruned.
const KEPT: &str = "kept";
/// Bytes of a bundle: 256 entries of the longest kind. Larger: not read.
pub(crate) const BUNDLE_BYTES_MAX: u64 = 256 * (2 + 65_535);
/// Bytes of a tile.
pub(crate) const TILE_BYTES_MAX: u64 = TILE_WIDTH as u64 * 32;

/// A folder with a log. Nothing of it is believed; what can be read is read.
#[derive(Debug, Clone)]
pub struct LogFolder {
    path: PathBuf,
    note: Bytes,
    checkpoint: Checkpoint,
    /// The first bundle that is there.
    first: u64,
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
    #[error("entry {0} was pruned: of the entries before {1} only some were kept")]
    Pruned(u64, u64),
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

    /// Whether the entry is one of those at the beginning of the log that are not there any more.
    pub fn is_pruned(&self) -> bool {
        matches!(self.why, Why::Pruned(..))
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
        let folder = Self { path: path.to_owned(), note: note.into(), checkpoint, first: 0 };
        let first = folder.find_first()?;
        Ok(Self { first, ..folder })
    }

    /// The first bundle that is there, when the one that should be the first is not. Without any it
    /// is that one.
    fn find_first(&self) -> Result<u64, FolderError> {
        let wide_enough = |bundle: &Bundle| {
            bundle_of(self.size(), bundle.index).is_some_and(|whole| bundle.width >= whole.width)
        };
        let Some(bundle) = bundle_of(self.size(), 0) else { return Ok(0) };
        let (path, _) = self.find(bundle.width, |width| Bundle { width, ..bundle }.path());
        let mut first = None;
        if !path.exists() && self.path.join(BUNDLES).is_dir() {
            self.each_file(BUNDLES, |name| {
                let there = Bundle::parse(name).filter(wide_enough).map(|bundle| bundle.index);
                first = first.into_iter().chain(there).min();
            })?;
        }
        Ok(first.unwrap_or(0))
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

    /// The first entry that is there. Of those before it, which were pruned, there are leaf hashes,
    /// and what was kept because later entries are judged by it.
    pub fn first(&self) -> u64 {
        self.first * u64::from(TILE_WIDTH)
    }

    pub(crate) fn first_bundle(&self) -> u64 {
        self.first
    }

    /// The bytes of one entry, also of one that was kept of those that were pruned.
    ///
    /// # Errors
    /// When there is no such entry, it was pruned, or its file cannot be read.
    pub fn entry(&self, index: u64) -> Result<Bytes, FolderError> {
        let wide = u64::from(TILE_WIDTH);
        if index < self.first() {
            let kept = self.kept(index / wide)?.into_iter().find(|(at, _)| *at == index);
            let pruned = Why::Pruned(index, self.first());
            return kept
                .map(|(_, entry)| entry)
                .ok_or_else(|| FolderError { path: self.path.clone(), why: pruned });
        }
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
        let bytes = Bytes::from(read_limited(&path, BUNDLE_BYTES_MAX)?);
        let entries = decode_bundle(&bytes, found);
        let entries = entries.map_err(|error| FolderError::form(&path, error.to_string()))?;
        let wanted = entries.into_iter().take(usize::from(bundle.width));
        Ok(Read { entries: wanted.map(|entry| bytes.slice_ref(entry)).collect(), found })
    }

    /// The hashes of a tile; else as [`bundle`](Self::bundle).
    pub(crate) fn tile(&self, tile: Tile) -> Result<Vec<Digest>, FolderError> {
        let (path, found) = self.find(tile.width, |width| Tile { width, ..tile }.path());
        let bytes = read_limited(&path, TILE_BYTES_MAX)?;
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

    /// What was kept of a bundle that was pruned, by index.
    pub(crate) fn kept(&self, bundle: u64) -> Result<Vec<(u64, Bytes)>, FolderError> {
        let path = self.path.join(kept_path(bundle));
        let bytes = match read_limited(&path, BUNDLE_BYTES_MAX + u64::from(TILE_WIDTH)) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let first = bundle.checked_mul(u64::from(TILE_WIDTH));
        let kept = first.and_then(|first| decode_kept(&bytes, first));
        kept.ok_or_else(|| FolderError::form(&path, "it is not entries with their places"))
    }

    /// Calls for every file below a folder in this one, by its path from this one on, with `/`
    /// between its parts. Links are files and are not followed.
    pub(crate) fn each_file(
        &self,
        below: &str,
        mut visit: impl FnMut(&str),
    ) -> Result<(), FolderError> {
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let mut folders = vec![(self.path.join(below), prefix)];
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

    /// The leaf hash of one entry; of one that was pruned, as the tiles have it.
    ///
    /// # Errors
    /// When there is no such entry, or its file cannot be read.
    pub fn leaf(&self, index: u64) -> Result<Digest, FolderError> {
        if index < self.first() {
            return self.node(0, index);
        }
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

/// Where entries are that were kept of a bundle that was pruned: `kept/x001/067`.
pub(crate) fn kept_path(bundle: u64) -> String {
    let path = Bundle { index: bundle, width: TILE_WIDTH }.path();
    format!("{KEPT}{}", path.strip_prefix(BUNDLES).unwrap_or_default())
}

/// The bundle of which the entries in this file were kept; nothing when it is no such file.
pub(crate) fn parse_kept(path: &str) -> Option<u64> {
    let bundle = Bundle::parse(&format!("{BUNDLES}{}", path.strip_prefix(KEPT)?))?;
    (bundle.width == TILE_WIDTH).then_some(bundle.index)
}

/// Records of a place in the bundle (one byte), a length (two) and an entry, by ascending places.
fn decode_kept(bytes: &Bytes, first: u64) -> Option<Vec<(u64, Bytes)>> {
    let (mut kept, mut rest) = (Vec::<(u64, Bytes)>::new(), &bytes[..]);
    while let Some(([place, long, short], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*long, *short]));
        let (entry, after) = after.split_at_checked(length)?;
        let index = first.checked_add(u64::from(*place))?;
        if kept.last().is_some_and(|(last, _)| *last >= index) {
            return None;
        }
        kept.push((index, bytes.slice_ref(entry)));
        rest = after;
    }
    (rest.is_empty() && !kept.is_empty()).then_some(kept)
}

/// The bundle of this index in a log of so many entries.
pub(crate) fn bundle_of(size: u64, index: u64) -> Option<Bundle> {
    let before = index.checked_mul(u64::from(TILE_WIDTH))?;
    let rest = size.checked_sub(before)?.min(u64::from(TILE_WIDTH));
    let width = u16::try_from(rest).ok().filter(|width| *width > 0)?;
    Some(Bundle { index, width })
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
