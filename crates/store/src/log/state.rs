//! The log as it is held: its files, its state as of the last commit, and what was shown of it.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kuriiri_merkle::Tree;
use kuriiri_tlog::{Bundle, Tile};

use super::{beside::ReadNamed, cache::Cache, edge::Edge, files::Files, going::Going};

/// Bytes of a full tile in memory, with the nodes above its hashes.
pub(super) const TILE_BYTES: usize = 16 * 1024;
/// Bytes of tiles kept in memory.
pub(super) const TILES_BYTES_MAX: usize = 256 * TILE_BYTES;
/// Bytes of bundles kept in memory; one has some hundred KiB.
pub(super) const BUNDLES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The log on disk.
#[derive(Debug)]
pub(crate) struct Log {
    pub(super) files: Files,
    pub(super) synced: bool,
    pub(super) read_named: ReadNamed,
    pub(super) unsynced_max: u64,
    pub(super) state: Mutex<State>,
    /// Who writes to the log's folder has this. Locked before `state`.
    pub(super) shown: Mutex<Shown>,
    pub(super) tiles: Mutex<Cache<Tile, Arc<Tree>>>,
    pub(super) bundles: Mutex<Cache<Bundle, Arc<Vec<Bytes>>>>,
}

/// The log as of the last commit; it changes as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) edge: Arc<Edge>,
    /// The checkpoint of just this size.
    pub(super) checkpoint: Bytes,
    /// Full files that wait for the next checkpoint, in the order in which they became full.
    pub(super) waiting: Vec<String>,
    /// The size up to which something happened besides witnessing others.
    pub(super) news: u64,
    /// Entries before this one have durable files.
    pub(super) durable: u64,
    /// Bytes of entries and headers that were appended since the start, and those among the records then.
    pub(super) bytes: u64,
    /// How many of them had durable files.
    pub(super) durable_bytes: u64,
    /// Headers that left; of those that were erased, only such as a file may still have.
    pub(super) gone: Arc<Going>,
}

/// What is shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) size: u64,
    /// The checkpoint as the log signed it.
    pub(crate) note: Bytes,
    /// Set when the disk did not make files durable. It tells so once and may drop what it had, so
    /// only a start, which writes all again, can help.
    pub(super) sync_failed: bool,
    /// Bytes of what is shown, as [`State::bytes`] counts them.
    pub(crate) bytes: u64,
}

impl Log {
    /// How many entries it has.
    pub(crate) fn size(&self) -> u64 {
        self.edge().size()
    }

    /// The folder that everybody may read.
    pub(crate) fn path(&self) -> &Path {
        &self.files.log
    }

    /// Entries before this one need no longer stand among the records.
    pub(crate) fn durable(&self) -> u64 {
        self.locked().durable
    }

    /// The right edge as of the last commit.
    pub(super) fn edge(&self) -> Arc<Edge> {
        Arc::clone(&self.locked().edge)
    }

    /// The headers that left.
    pub(super) fn gone(&self) -> Arc<Going> {
        Arc::clone(&self.locked().gone)
    }

    /// The state, which nobody changes meanwhile.
    pub(super) fn locked(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The guard, also after a panic elsewhere: what it guards is whole between any two calls.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
