//! How a store is opened.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;

use crate::{log::Named, room::Levels};

/// Bytes of sled's cache unless said otherwise. What the engine needs next it keeps itself, so
/// the cache is for the inner pages of the tree and the lanes that are served.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How long to wait for another process to leave: a relay that was told to stop needs a moment.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Entries whose files are not known to be durable before the disk is asked to make them so: what a
/// start has to write again, and what stands twice. Unless said otherwise.
pub(crate) const UNSYNCED_MAX: u64 = 65_536;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) cache_bytes: u64,
    pub(crate) lock_wait: Duration,
    pub(crate) synced: bool,
    pub(crate) log: Option<PathBuf>,
    pub(crate) read_named: fn(&Bytes) -> Option<Named>,
    pub(crate) unsynced_max: u64,
    pub(crate) levels: Levels,
    pub(crate) log_for_owner: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: CACHE_BYTES,
            lock_wait: LOCK_WAIT,
            synced: true,
            log: None,
            read_named: |_| None,
            unsynced_max: UNSYNCED_MAX,
            levels: Levels::default(),
            log_for_owner: false,
        }
    }
}

impl Options {
    /// Bytes of memory for sled's cache; 64 MiB unless said otherwise.
    pub fn cache_bytes(self, cache_bytes: u64) -> Self {
        Self { cache_bytes, ..self }
    }

    /// How long to wait while another process has the folder; 5 s unless said otherwise.
    pub fn lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// The folder of the transparency log; `log` in the state folder unless said otherwise. It must be on the
    /// same file system. Everybody may read its checkpoint and its hashes, and the group of the process its
    /// entries and the headers beside them.
    pub fn log_dir(self, dir: impl Into<PathBuf>) -> Self {
        Self { log: Some(dir.into()), ..self }
    }

    /// Nobody but the owner may read the entries of the log and the headers beside them, which otherwise the
    /// group may as well.
    pub fn log_for_owner_only(self) -> Self {
        Self { log_for_owner: true, ..self }
    }

    /// How to read of an entry's bytes which messages it names for the first time, so that the store
    /// knows no encoding of entries. Unless said otherwise no entry names any, and then a commit with
    /// headers is refused.
    pub fn entries(self, read: fn(&Bytes) -> Option<Named>) -> Self {
        Self { read_named: read, ..self }
    }

    /// How many entries of the log stand twice, in its files and among the records, before the disk is
    /// asked to make the files durable; 65,536 unless said otherwise. Fewer are written again at a start.
    pub fn unsynced_entries(self, most: u64) -> Self {
        Self { unsynced_max: most, ..self }
    }

    /// Bytes of the reserve for a full disk; 128 MiB unless said otherwise
    /// ([`STATE_RESERVE_BYTES`](kuriiri_types::limits::STATE_RESERVE_BYTES)). The levels of
    /// [`Store::room`](crate::Store::room) follow it. With 0 there is no reserve, and always plenty.
    pub fn reserve_bytes(self, bytes: u64) -> Self {
        Self { levels: Levels::of(bytes), ..self }
    }

    /// Leaves out every sync and the reserve, so that a power cut loses what was acknowledged and can
    /// leave a folder that does not open. For tests and measurements of everything else; no
    /// configuration may lead here.
    pub fn danger_without_barrier(self) -> Self {
        Self { synced: false, levels: Levels::of(0), ..self }
    }
}
