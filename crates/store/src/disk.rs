//! The open files of a store.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64},
};

use crate::{
    body::Bodies,
    covers, durable,
    error::CommitError,
    folder::{blobs_path, db_path},
    journal,
    log::Log,
    room::{self, Reserve},
    sled_log::SEGMENT_BYTES,
    tip::{self, Tip},
    tree::Tree,
};

/// Bytes behind the end of sled's file that are kept for it before each batch: a batch of 256 KiB, and what it
/// rewrites to take it in, comes to a few segments.
const ROOM_FOR_SLED_BYTES: u64 = 8 * SEGMENT_BYTES as u64;

/// The open files of a store. The order of the fields is the order in which they are closed.
#[derive(Debug)]
pub(crate) struct Disk {
    /// All records: what sled has, and what is in the journal alone.
    pub(crate) tree: Tree,
    pub(crate) db: sled::Db,
    /// A second handle on sled's file, for its barrier and its room.
    pub(crate) db_file: File,
    pub(crate) bodies: Bodies,
    pub(crate) log: Log,
    pub(crate) reserve: Reserve,
    /// False leaves out every sync.
    pub(crate) synced: bool,
    /// Set by the first commit that fails.
    pub(crate) failed: AtomicBool,
    /// How often the barrier was passed.
    pub(crate) barriers: AtomicU64,
    pub(crate) dir: PathBuf,
    pub(crate) tip: Tip,
}

impl Disk {
    pub(crate) fn db_path(&self) -> PathBuf {
        db_path(&self.dir)
    }

    pub(crate) fn covers_path(&self) -> PathBuf {
        self.dir.join(covers::NAME)
    }

    pub(crate) fn blobs_path(&self) -> PathBuf {
        blobs_path(&self.dir)
    }

    pub(crate) fn log_path(&self) -> &Path {
        self.log.path()
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.dir.join(journal::DIR)
    }

    pub(crate) fn tip_path(&self) -> PathBuf {
        self.dir.join(tip::NAME)
    }

    /// sled's barrier: after it, everything that was put there is durable.
    pub(crate) fn flush(&self) -> Result<(), CommitError> {
        let failed = |error| CommitError::io(self.db_path())(error);
        self.db.flush().map_err(|error| failed(error.into()))?;
        self.refuse_blobs().map_err(CommitError::io(self.blobs_path()))?;
        if self.synced {
            durable::data(&self.db_file).map_err(failed)?;
        }
        Ok(())
    }

    /// Has the disk keep room for what sled writes next. sled itself ends at a write that finds none.
    pub(crate) fn keep_room_for_sled(&self) -> io::Result<()> {
        let end = self.db_file.metadata()?.len();
        match room::allocate(&self.db_file, end, ROOM_FOR_SLED_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            other => other,
        }
    }

    /// Notes that a commit is durable.
    pub(crate) fn note(&self, number: u64) -> Result<(), CommitError> {
        self.tip.write(number).map_err(CommitError::io(self.tip_path()))
    }

    /// sled never syncs what it puts there, so nothing may be acknowledged that is.
    fn refuse_blobs(&self) -> io::Result<()> {
        match fs::read_dir(self.blobs_path())?.next() {
            None => Ok(()),
            Some(_) => Err(io::Error::other("sled put a page there, which it never syncs")),
        }
    }
}
