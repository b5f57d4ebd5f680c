//! The store as the relay holds it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use kuriiri_engine::{Commit, ViewError};
use kuriiri_merkle::Nodes;
use kuriiri_types::Digest;
use tokio::sync::{mpsc, oneshot};

use crate::{
    body::Bodies,
    commit::{COMMITS_WAITING_MAX, Committer, Job},
    error::{CommitError, OpenError},
    log::{Log, LogStart, Published},
    tip::{self, Tip},
};

/// The durable state of one relay.
///
/// Reads are synchronous and go through [`View`](kuriiri_engine::View); writes go through
/// [`commit`](Self::commit) alone. A read while a commit is in flight may see some of it before
/// it is durable, so the engine reads between commits.
///
/// No value is over [`PACK_BYTES_MAX`](kuriiri_types::limits::PACK_BYTES_MAX), and the segments
/// are so large that no page of such values leaves them. Dropping a store waits for the commits
/// that were sent; [`close`](Self::close) does the same without blocking, and tells of failure.
#[derive(Debug)]
pub struct Store {
    // Ends before `disk`, which holds the lock on the folder.
    committer: Option<Handle>,
    disk: Arc<Disk>,
}

#[derive(Debug)]
struct Handle {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<Result<(), CommitError>>,
}

/// The open files of a store. The order of the fields is the order in which they are closed.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) db: sled::Db,
    /// A second handle on sled's file, for the barrier.
    pub(crate) db_file: File,
    pub(crate) bodies: Bodies,
    pub(crate) log: Log,
    /// False leaves out every sync.
    pub(crate) synced: bool,
    /// Set by the first commit that fails.
    pub(crate) failed: AtomicBool,
    /// How often the barrier was passed.
    pub(crate) barriers: AtomicU64,
    pub(crate) dir: PathBuf,
    pub(crate) tip: Tip,
}

impl Store {
    pub(crate) fn start(disk: Disk, last: u64) -> Result<Self, OpenError> {
        let dir = disk.dir.clone();
        let disk = Arc::new(disk);
        let committer = Committer::new(disk.clone(), last);
        let (jobs, waiting) = mpsc::channel(COMMITS_WAITING_MAX);
        let thread = thread::Builder::new()
            .name("kuriiri-commit".into())
            .spawn(move || committer.run(waiting))
            .map_err(OpenError::io(dir))?;
        Ok(Self { committer: Some(Handle { jobs, thread }), disk })
    }

    /// Makes a commit durable, all of it, and then returns. An empty one returns at once.
    ///
    /// A caller that goes away while it waits does not stop the commit.
    ///
    /// # Errors
    /// When the commit is not durable. The state in memory is then no longer that on disk, so
    /// every later commit fails too; the relay must stop.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        if commit.is_empty() {
            return Ok(());
        }
        let jobs = self.committer.as_ref().map(|handle| &handle.jobs);
        let (done, answer) = oneshot::channel();
        let job = Job { commit, done };
        let sent = jobs.ok_or(CommitError::Stopped)?.send(job).await;
        sent.map_err(|_| CommitError::Stopped)?;
        answer.await.unwrap_or(Err(CommitError::Stopped))
    }

    /// Bytes that the state takes on disk; 0 when that cannot be told now. sled reuses space but
    /// seldom gives it back, so this rarely falls.
    pub fn size_on_disk(&self) -> u64 {
        let db = self.disk.db.size_on_disk().unwrap_or(0);
        db.saturating_add(self.disk.bodies.bytes())
    }

    /// Shows the log as of the last commit, in the folder of the log: full and partial tiles and
    /// bundles, and then the checkpoint, durable before it is seen. Gives the signed checkpoint if
    /// it is news.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub async fn publish(&self) -> Result<Option<Published>, CommitError> {
        self.on_log(Log::publish).await
    }

    /// Shows a checkpoint with the signatures of witnesses in the place of the one that is shown.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn put_checkpoint(&self, note: Bytes) -> Result<(), CommitError> {
        self.on_log(move |log| log.put_checkpoint(&note)).await
    }

    /// Where the log begins.
    pub fn log_start(&self) -> LogStart {
        self.disk.log.start()
    }

    /// Makes the log's files durable, and tells before which entry all are: so far a commit may prune
    /// it.
    ///
    /// # Errors
    /// When the disk does not make them durable.
    pub async fn settle_log(&self) -> Result<u64, CommitError> {
        self.on_log(Log::settle).await
    }

    /// How many entries the log has.
    pub fn log_size(&self) -> u64 {
        self.disk.log.size()
    }

    async fn on_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Log) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, CommitError> {
        let disk = Arc::clone(&self.disk);
        let done = tokio::task::spawn_blocking(move || work(&disk.log)).await;
        let done = done.map_err(|_| CommitError::Stopped)?;
        done.map_err(CommitError::io(self.disk.log_path()))
    }

    /// Waits for the commits that were sent, passes the barrier once more and frees the folder.
    ///
    /// # Errors
    /// When a commit failed before, or the last barrier does.
    pub async fn close(mut self) -> Result<(), CommitError> {
        let closed = tokio::task::spawn_blocking(move || self.stop());
        closed.await.unwrap_or(Err(CommitError::Stopped))
    }

    fn stop(&mut self) -> Result<(), CommitError> {
        let Some(Handle { jobs, thread }) = self.committer.take() else {
            return Ok(());
        };
        drop(jobs);
        thread.join().unwrap_or(Err(CommitError::Stopped))
    }

    pub(crate) fn db(&self) -> &sled::Db {
        &self.disk.db
    }

    pub(crate) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }
}

impl Nodes for Store {
    type Error = ViewError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, ViewError> {
        Nodes::node(&self.disk.log, level, index)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, code = %error.code(), "the store was not closed cleanly");
        }
    }
}

impl Disk {
    pub(crate) fn db_path(&self) -> PathBuf {
        db_path(&self.dir)
    }

    pub(crate) fn blobs_path(&self) -> PathBuf {
        blobs_path(&self.dir)
    }

    pub(crate) fn log_path(&self) -> &Path {
        self.log.path()
    }

    pub(crate) fn tip_path(&self) -> PathBuf {
        self.dir.join(tip::NAME)
    }
}

pub(crate) fn db_path(dir: &Path) -> PathBuf {
    dir.join("db")
}

pub(crate) fn blobs_path(dir: &Path) -> PathBuf {
    dir.join("blobs")
}

#[cfg(test)]
mod tests {
    use kuriiri_engine::{View, Write};
    use kuriiri_types::Code;

    use super::*;
    use crate::Options;

    fn start(number: u64) -> Commit {
        Commit { writes: vec![Write::PutStart(number)], ..Commit::default() }
    }

    fn barriers(store: &Store) -> u64 {
        store.disk.barriers.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn each_commit_passes_the_barrier_and_an_empty_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).unwrap();
        let before = barriers(&store);
        for number in 1..=5 {
            store.commit(start(number)).await.unwrap();
            assert_eq!(barriers(&store), before + number);
        }
        store.commit(Commit::default()).await.unwrap();
        assert_eq!(barriers(&store), before + 5);
    }

    #[tokio::test]
    async fn without_the_barrier_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::default().danger_without_barrier();
        let store = Store::open(dir.path(), options.clone()).unwrap();
        store.commit(start(1)).await.unwrap();
        assert_eq!(barriers(&store), 0);
        store.close().await.unwrap();
        let store = Store::open(dir.path(), options).unwrap();
        assert_eq!(store.starts(), Ok(1));
    }

    /// A disk whose `fdatasync` fails: the commit must not be acknowledged, nor any after it.
    #[tokio::test]
    async fn a_failed_barrier_fails_this_commit_and_all_others() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, last) = Disk::open(dir.path(), &Options::default()).unwrap();
        // The kernel refuses to sync a character device with EINVAL.
        disk.db_file = File::open("/dev/null").unwrap();
        let store = Store::start(disk, last).unwrap();

        let error = store.commit(start(1)).await.unwrap_err();
        assert!(matches!(error, CommitError::Io { .. }), "{error:?}");
        assert_eq!(error.code(), Code::STORE_IO);
        for commit in [start(2), Commit::default()] {
            let error = store.commit(commit).await.unwrap_err();
            assert!(matches!(error, CommitError::Stopped), "{error:?}");
        }
        assert!(matches!(store.close().await, Err(CommitError::Stopped)));
    }
}
