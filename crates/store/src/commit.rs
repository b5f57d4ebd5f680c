//! The committer: one thread that makes commits durable, one after the other.

use std::{
    fs, io,
    sync::{Arc, atomic::Ordering},
};

use kuriiri_engine::{BodyRef, Commit};
use tokio::sync::{mpsc, oneshot};

use crate::{
    batch::{self, Prepared},
    error::CommitError,
    store::Disk,
};

/// Commits that wait for the committer; the engine makes one at a time. More wait to get in.
pub(crate) const COMMITS_WAITING_MAX: usize = 4;

/// A commit, and whom to tell.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) commit: Commit,
    pub(crate) done: oneshot::Sender<Result<(), CommitError>>,
}

/// The state of the committer's thread.
#[derive(Debug)]
pub(crate) struct Committer {
    disk: Arc<Disk>,
    last: u64,
    /// Entries of the log before this one have left the records.
    forgotten: u64,
}

impl Committer {
    /// A committer that goes on after the last commit in the tree.
    pub(crate) fn new(disk: Arc<Disk>, last: u64) -> Self {
        Self { disk, last, forgotten: 0 }
    }

    /// Works until nobody can send any more. What this returns is whether all went well.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), CommitError> {
        while let Some(job) = jobs.blocking_recv() {
            let outcome = self.commit(&job.commit);
            let dead = outcome.as_ref().map(Vec::clone).unwrap_or_default();
            // The asker may be gone; the commit stands all the same.
            let _ = job.done.send(outcome.map(drop));
            self.bury(&dead);
        }
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        self.disk.flush()
    }

    fn commit(&mut self, commit: &Commit) -> Result<Vec<u64>, CommitError> {
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        let outcome = self.apply(commit);
        if let Err(error) = &outcome {
            self.disk.failed.store(true, Ordering::Release);
            tracing::error!(%error, code = %error.code(), "a commit failed; no more are taken");
        }
        outcome
    }

    /// The whole way of a commit. Returns the body files that nothing refers to any more.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<Vec<u64>, CommitError> {
        let number = self.last + 1;
        let durable = Some(self.disk.log.durable()).filter(|durable| *durable > self.forgotten);
        let log = &self.disk.log;
        // First, so that what does not fit the log is found before anything is applied.
        let grown = commit.log.as_ref().map(|append| log.grow(append)).transpose()?;
        let start = match (&commit.pruned, &grown) {
            (Some(_), None) => return Err(untold()),
            (pruned, _) => pruned.as_ref().map(|pruning| log.keep(pruning)).transpose()?,
        };
        let prepared = batch::prepare(&self.disk.db, commit, number, durable, start.as_ref())?;
        let Prepared { batch, dead, forgotten } = prepared;
        if let Some(bodies) = &commit.bodies {
            self.disk.bodies.write(bodies, self.disk.synced)?;
        }
        self.disk.apply(batch)?;
        self.disk.flush()?;
        self.disk.note(number)?;
        self.erase(&commit.erased);
        if let Some(grown) = grown {
            log.take(grown, start)?;
        }
        self.forgotten = forgotten.unwrap_or(self.forgotten);
        self.last = number;
        Ok(dead)
    }

    /// After the barrier: a body whose record still stood would be damaged by it. Dying in between
    /// leaves the bytes until the file goes, which nobody reads any more.
    fn erase(&self, bodies: &[BodyRef]) {
        for body in bodies {
            if let Err(error) = self.disk.bodies.erase(*body, self.disk.synced) {
                let path = self.disk.bodies.path(body.file);
                tracing::error!(path = %path.display(), %error, "an erased body could not be overwritten");
            }
        }
    }

    /// A file that cannot be removed now goes at the next start, as nothing refers to it.
    fn bury(&self, dead: &[u64]) {
        for number in dead {
            if let Err(error) = self.disk.bodies.remove(*number) {
                let path = self.disk.bodies.path(*number);
                tracing::warn!(path = %path.display(), %error, "a body file could not be removed");
            }
        }
    }
}

fn untold() -> CommitError {
    CommitError::Inconsistent("entries leave the log and no entry says so".into())
}

impl Disk {
    fn apply(&self, batch: sled::Batch) -> Result<(), CommitError> {
        self.db.apply_batch(batch).map_err(|error| CommitError::io(self.db_path())(error.into()))
    }

    /// The barrier: after it, everything that was applied is durable.
    fn flush(&self) -> Result<(), CommitError> {
        let failed = |error| CommitError::io(self.db_path())(error);
        self.db.flush().map_err(|error| failed(error.into()))?;
        self.refuse_blobs().map_err(CommitError::io(self.blobs_path()))?;
        if self.synced {
            self.db_file.sync_data().map_err(failed)?;
            self.barriers.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn note(&self, number: u64) -> Result<(), CommitError> {
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
