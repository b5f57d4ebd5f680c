//! The store as the relay holds it.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use kuriiri_engine::{BodyRef, Commit, Unproved, ViewError};
use kuriiri_merkle::Nodes;
use kuriiri_types::{Digest, SignedReceipt, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::{
    commit::{COMMITS_WAITING_MAX, Committer, Job},
    disk::Disk,
    error::{BodyError, CommitError, OpenError},
    journal,
    log::{Going, Log, Published},
    room::Room,
    settle::Settling,
    tree::Tree,
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

impl Store {
    pub(crate) fn start(disk: Disk, last: u64, outstanding: Going) -> Result<Self, OpenError> {
        let settling = Settling::begin(&disk, last)?;
        Self::run(disk, last, (settling, outstanding))
    }

    fn run(
        disk: Disk,
        last: u64,
        (settling, outstanding): (Settling, Going),
    ) -> Result<Self, OpenError> {
        let dir = disk.dir.clone();
        let disk = Arc::new(disk);
        let committer = Committer::new(disk.clone(), last, (settling, outstanding));
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
    /// When the commit is not durable. With [`CommitError::NotNow`] nothing happened, and the same commit
    /// can be tried again. After any other the state in memory is no longer that on disk, so every later
    /// commit fails too; the relay must stop.
    pub async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        if commit.is_empty() {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        let sent = self.send(Job::Commit { commit: Box::new(commit), done }).await;
        sent.ok_or(CommitError::Stopped)?;
        answer.await.unwrap_or(Err(CommitError::Stopped))
    }

    async fn send(&self, job: Job) -> Option<()> {
        let jobs = &self.committer.as_ref()?.jobs;
        jobs.send(job).await.ok()
    }

    /// How much room is left for the state and its log, which may be on file systems of their own: the
    /// scarcer counts. Makes the reserve again where it was given up and there is plenty. Blocks for some
    /// microseconds, and for milliseconds when the reserve is made.
    ///
    /// Ask before a step, or every few seconds. A quota is not seen here; a commit that meets one is
    /// [`CommitError::NotNow`].
    ///
    /// # Errors
    /// When the file system does not say.
    pub fn room(&self) -> std::io::Result<Room> {
        self.disk.reserve.room(self.disk.log_path())
    }

    /// Gives the room of the reserve to whatever comes next: to a commit for which there is none, and behind
    /// which those wait that would make some. False when there is no reserve. Only where nothing more is taken
    /// in, or it is used up for that.
    pub fn use_reserve(&self) -> bool {
        self.disk.reserve.give_up()
    }

    /// Bytes that the state takes on disk, as far as that can be told now. sled reuses space but seldom
    /// gives it back, so this rarely falls.
    pub fn size_on_disk(&self) -> u64 {
        let db = self.disk.db.size_on_disk().unwrap_or(0);
        db.saturating_add(journal::bytes(&self.disk.journal_path()))
            .saturating_add(self.disk.bodies.bytes())
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

    /// The headers of the messages that an entry of the log names for the first time, in their order;
    /// nothing where one was pruned or erased. Empty for an entry that names none for the first time,
    /// and where there is no entry. Blocks on the disk.
    ///
    /// # Errors
    /// When the state cannot be read, a header is another one than the entry names, or one is missing that
    /// did not leave.
    pub fn headers(&self, index: u64) -> Result<Vec<Option<Bytes>>, ViewError> {
        self.disk.log.headers(&self.disk.tree, index)
    }

    /// How many headers are left whose time is not after this one: what a pruning now would empty. Blocks
    /// on the disk, for as long as the pruning.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn prunable(&self, until: Timestamp) -> Result<u64, ViewError> {
        self.disk.log.prunable(&self.disk.tree, until)
    }

    /// The leaf hashes of headers beside the log that are left and are what somebody looks for, each once.
    /// Blocks on the disk: reads all of them.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn find_headers(&self, is_it: impl Fn(&[u8]) -> bool) -> Result<Vec<Digest>, ViewError> {
        Ok(self.disk.log.find_headers(&self.disk.tree, is_it)?.into_iter().collect())
    }

    /// Waits until no file of the log has a header any more that left with a commit before. Commits do not
    /// wait for it, and [`headers`](Self::headers) gives none that left.
    ///
    /// # Errors
    /// When one is still in a file because that could not be read or written. A start tries again.
    pub async fn emptied(&self) -> Result<(), ViewError> {
        let stopped = || ViewError("the store takes no more commits".into());
        let (asked, answer) = oneshot::channel();
        self.send(Job::Emptied(asked)).await.ok_or_else(stopped)?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Gives receipts of this relay their proofs, all by the signed checkpoint of the last commit. Blocks
    /// on the disk where a tile of the log is not in memory.
    ///
    /// # Errors
    /// When the log cannot be read, or has no such entry.
    pub fn prove(&self, receipts: Vec<Unproved>) -> Result<Vec<SignedReceipt>, ViewError> {
        self.disk.log.prove(receipts)
    }

    /// Salt and body of one message. Blocks on the disk; see [`read_body`](Self::read_body).
    ///
    /// # Errors
    /// When the file is missing or shorter than the reference says, or the disk fails.
    pub fn body(&self, body: BodyRef) -> Result<Bytes, BodyError> {
        self.disk.bodies.read(body)
    }

    /// Salt and body of one message, read away from the async threads.
    ///
    /// # Errors
    /// As [`body`](Self::body).
    pub async fn read_body(&self, body: BodyRef) -> Result<Bytes, BodyError> {
        let disk = self.disk.clone();
        let path = disk.bodies.path(body.file);
        let read = tokio::task::spawn_blocking(move || disk.bodies.read(body)).await;
        read.unwrap_or_else(|error| Err(BodyError::Io { path, source: error.into() }))
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
        done.map_err(CommitError::not_now(self.disk.log_path()))
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

    pub(crate) fn tree(&self) -> &Tree {
        &self.disk.tree
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

#[cfg(test)]
mod tests {
    use kuriiri_engine::{View, Write};
    use kuriiri_types::Code;

    use std::fs::File;

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
        let (disk, last, outstanding) = Disk::open(dir.path(), &Options::default()).unwrap();
        let mut settling = Settling::begin(&disk, last).unwrap();
        // The kernel refuses to sync a character device with EINVAL.
        settling.redirect(File::options().write(true).open("/dev/null").unwrap());
        let store = Store::run(disk, last, (settling, outstanding)).unwrap();

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
