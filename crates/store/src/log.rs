//! The log on disk: C2SP `tlog-tiles`, derived from entries that the commits made durable.
//!
//! Entries stand in the tree of records until their files are known to be durable; so a file is
//! never synced alone, and after a crash all that may be torn is written again. The order is: the
//! commit, then full tiles and bundles beside the log, then — at the next checkpoint — the files
//! into the log, the partial ones, and the checkpoint, which is durable before it has its name.
//!
//! What is read is held against the tile above it, up to the right edge of the tree, which is in
//! memory and was held against the last commit at the start. So a file that changed is an error.
//!
//! Headers stand beside the entries that name them, and go the same way. They are in no tree: each is
//! held against the digest in its entry, and a missing one against what left.

mod begun;
mod beside;
mod cache;
mod edge;
mod fault;
mod files;
mod going;
mod headers;
mod open;
mod prove;
mod publish;
pub(crate) mod recorded;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kuriiri_engine::{LogAppend, ViewError};
use kuriiri_merkle::{Nodes, Tree, leaf};
use kuriiri_tlog::{Bundle, Place, TILE_HEIGHT, TILE_WIDTH, Tile};
use kuriiri_types::{Digest, Timestamp};

use crate::error::CommitError;
use beside::{Headed, ReadNamed};
use cache::Cache;
use edge::{Edge, Full};
use fault::Fault;
use files::{Files, path_of};
use publish::Shown;

pub use begun::LogBegun;
pub use beside::Named;
pub(crate) use going::{Going, Left};
pub(crate) use headers::Emptied;
pub(crate) use open::Shape;
pub use publish::Published;

/// Hashes in a full tile, and entries in a full bundle.
const WIDTH: u64 = TILE_WIDTH as u64;
/// Bytes of a full tile in memory, with the nodes above its hashes.
const TILE_BYTES: usize = 16 * 1024;
/// Bytes of tiles kept in memory.
const TILES_BYTES_MAX: usize = 256 * TILE_BYTES;
/// Bytes of bundles kept in memory; one has some hundred KiB.
const BUNDLES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The log on disk.
#[derive(Debug)]
pub(crate) struct Log {
    files: Files,
    synced: bool,
    read_named: ReadNamed,
    unsynced_max: u64,
    state: Mutex<State>,
    /// Who writes to the log's folder has this. Locked before `state`.
    shown: Mutex<Shown>,
    tiles: Mutex<Cache<Tile, Arc<Tree>>>,
    bundles: Mutex<Cache<Bundle, Arc<Vec<Bytes>>>>,
}

/// The log as of the last commit; it changes as a whole.
#[derive(Debug, Clone, Default)]
struct State {
    edge: Arc<Edge>,
    /// The checkpoint of just this size.
    checkpoint: Bytes,
    /// Full files that wait for the next checkpoint, in the order in which they became full.
    waiting: Vec<String>,
    /// The size up to which something happened besides witnessing others.
    news: u64,
    /// Entries before this one have durable files.
    durable: u64,
    /// Bytes of entries and headers that were appended since the start, and those among the records then.
    bytes: u64,
    /// How many of them had durable files.
    durable_bytes: u64,
    /// Headers that left; of those that were erased, only such as a file may still have.
    gone: Arc<Going>,
}

/// What a commit makes of the log; nothing of it is written yet.
#[derive(Debug)]
pub(crate) struct Grown {
    edge: Edge,
    full: Vec<Full>,
    /// The headers beside the new entries, by their places.
    pub(crate) headed: Vec<(u64, Arc<Headed>)>,
    /// Times before which no header of a bundle leaves, where that is news.
    pub(crate) kept: Vec<(Timestamp, u64)>,
    bytes: u64,
    checkpoint: Bytes,
    news: bool,
}

impl Log {
    // === growing ===

    /// What the log will be with a commit, and without the headers that leave with it, if that fits it.
    pub(crate) fn grow(&self, append: &LogAppend, going: &Going) -> Result<Grown, CommitError> {
        let mut edge = Edge::clone(&self.edge());
        let refuse = |what: String| Err(CommitError::Inconsistent(what));
        if edge.size() != append.first {
            return refuse(format!("entry {} does not follow {}", append.first, edge.size()));
        }
        if append.entries.len() != append.leaves.len() || append.checkpoint.is_empty() {
            return refuse("the log's entries lack leaves or a checkpoint".into());
        }
        let headed = self.headed(append)?;
        edge.empty(going);
        let (mut full, mut kept) = (Vec::new(), Vec::new());
        let mut beside = headed.iter().peekable();
        for (index, (entry, hash)) in
            (append.first..).zip(append.entries.iter().zip(&append.leaves))
        {
            debug_assert_eq!(leaf(entry), *hash, "the leaf is not that of the entry");
            let beside =
                beside.next_if(|(at, _)| *at == index).map(|(_, headed)| Arc::clone(headed));
            if let Some(until) = beside.as_ref().map(|headed| headed.keep_until)
                && edge.kept_until().is_none_or(|kept| until < kept)
            {
                kept.push((until, index / WIDTH));
            }
            full.extend(edge.push(entry.clone(), *hash, beside));
        }
        if edge.size() != append.head.size || edge.frontier().nodes() != append.head.frontier {
            return refuse("the log's head is not that of its entries".into());
        }
        let (bytes, checkpoint, news) = (bytes_of(append), append.checkpoint.clone(), append.news);
        Ok(Grown { edge, full, headed, kept, bytes, checkpoint, news })
    }

    /// The headers of a commit beside their entries.
    fn headed(&self, append: &LogAppend) -> Result<Vec<(u64, Arc<Headed>)>, CommitError> {
        if !append.headers.is_sorted_by(|(before, _), (after, _)| before < after) {
            return Err(CommitError::Inconsistent(
                "headers are not in the order of entries".into(),
            ));
        }
        let headed = append.headers.iter().map(|(index, headers)| {
            let at = index.checked_sub(append.first).and_then(|at| usize::try_from(at).ok());
            let entry = at.and_then(|at| append.entries.get(at));
            let headed = Headed::new(*index, entry.and_then(self.read_named), headers)?;
            Ok((*index, Arc::new(headed)))
        });
        let headed = headed.collect::<Result<_, CommitError>>()?;
        debug_assert!(self.names_no_other(append), "headers beside an entry are missing");
        Ok(headed)
    }

    /// Whether headers stand beside every entry that names messages for the first time.
    fn names_no_other(&self, append: &LogAppend) -> bool {
        let headed: BTreeSet<u64> = append.headers.iter().map(|(index, _)| *index).collect();
        (append.first..)
            .zip(&append.entries)
            .all(|(index, entry)| headed.contains(&index) || (self.read_named)(entry).is_none())
    }

    /// Takes over what a commit made durable, and what left with it.
    pub(crate) fn take(&self, grown: Grown, going: &Going) -> Result<(), CommitError> {
        let Grown { edge, mut full, bytes, checkpoint, news, headed: _, kept: _ } = grown;
        let failed = |error| CommitError::io(&self.files.waiting)(error);
        full.retain(Full::is_there);
        full.iter().try_for_each(|file| self.files.stage(file)).map_err(failed)?;
        let mut state = self.locked();
        state.waiting.extend(full.iter().map(path_of));
        if news {
            state.news = edge.size();
        }
        state.edge = Arc::new(edge);
        state.bytes += bytes;
        state.checkpoint = checkpoint;
        if !going.is_empty() {
            Arc::make_mut(&mut state.gone).add(going.clone());
        }
        Ok(())
    }

    // === reading ===

    /// The hash of a perfect subtree.
    fn find(&self, level: u8, index: u64) -> Result<Digest, Fault> {
        self.find_beside(&self.edge(), level, index)
    }

    /// The same, of a tree with this right edge.
    fn find_beside(&self, edge: &Edge, level: u8, index: u64) -> Result<Digest, Fault> {
        let missing = || Fault::damaged(&self.files.log, format!("no node {index} on {level}"));
        let place = Place::of(level, index).ok_or_else(missing)?;
        let (row, at) = (level % TILE_HEIGHT, u64::from(place.first / place.count));
        let full = edge.size().checked_shr(8 * (u32::from(place.level) + 1)).unwrap_or(0);
        let node = if place.index < full {
            let tile = Tile { level: place.level, index: place.index, width: TILE_WIDTH };
            self.tile(tile)?.node(row, at)
        } else {
            let partial = edge.tile(place.level).filter(|_| place.index == full);
            partial.and_then(|tree| tree.node(row, at))
        };
        node.ok_or_else(missing)
    }

    /// An entry, if there is one at this place.
    pub(crate) fn entry(&self, index: u64) -> Result<Option<Bytes>, ViewError> {
        let edge = self.edge();
        if index >= edge.size() {
            return Ok(None);
        }
        if let Some(entry) = edge.entry(index) {
            return Ok(Some(entry.clone()));
        }
        let bundle = self.bundle(Bundle { index: index / WIDTH, width: TILE_WIDTH })?;
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        // A copy, because who keeps it must not keep its whole bundle in memory.
        Ok(bundle.get(at).map(|entry| Bytes::copy_from_slice(entry)))
    }

    /// A full tile, which must be what the tile above it says.
    fn tile(&self, tile: Tile) -> Result<Arc<Tree>, Fault> {
        if let Some(tree) = lock(&self.tiles).get(&tile) {
            return Ok(tree);
        }
        let tree = Arc::new(self.files.read_tile(tile)?);
        if tree.root() != self.find(TILE_HEIGHT * (tile.level + 1), tile.index)? {
            return Err(self.files.damaged(&tile.path(), "it is not what the log shows"));
        }
        lock(&self.tiles).put(tile, Arc::clone(&tree), TILE_BYTES);
        Ok(tree)
    }

    /// A full bundle, which must be what its tile says.
    fn bundle(&self, bundle: Bundle) -> Result<Arc<Vec<Bytes>>, Fault> {
        if let Some(entries) = lock(&self.bundles).get(&bundle) {
            return Ok(entries);
        }
        let entries = Arc::new(self.files.read_bundle(bundle)?);
        let tile = self.tile(Tile { level: 0, index: bundle.index, width: TILE_WIDTH })?;
        if !is_of(&entries, &tile) {
            return Err(self.files.damaged(&bundle.path(), "it is not what the log shows"));
        }
        let bytes = entries.iter().map(|entry| entry.len() + size_of::<Bytes>()).sum();
        lock(&self.bundles).put(bundle, Arc::clone(&entries), bytes);
        Ok(entries)
    }

    /// How many entries it has.
    pub(crate) fn size(&self) -> u64 {
        self.edge().size()
    }

    /// The folder that everybody may read.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.files.log
    }

    /// Entries before this one need no longer stand among the records.
    pub(crate) fn durable(&self) -> u64 {
        self.locked().durable
    }

    fn edge(&self) -> Arc<Edge> {
        Arc::clone(&self.locked().edge)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Nodes for Log {
    type Error = ViewError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, ViewError> {
        Ok(self.find(level, index)?)
    }
}

/// Bytes of entries and headers, of which as many stand twice until their files are durable.
fn bytes_of(append: &LogAppend) -> u64 {
    let headers = append.headers.iter().flat_map(|(_, headers)| headers);
    append.entries.iter().chain(headers).map(|bytes| bytes.len() as u64).sum()
}

/// Whether a tile has the leaves of these entries.
fn is_of(entries: &[Bytes], tile: &Tree) -> bool {
    entries.iter().map(|entry| leaf(entry)).eq(tile.leaves().iter().copied())
}

/// The guard, also after a panic elsewhere: what it guards is whole between any two calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
