//! The committer: one thread that makes commits durable, one after the other.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use kuriiri_engine::{Body, BodyRef, Commit, Item, Write};
use tokio::sync::{mpsc, oneshot};

use crate::{
    batch::{self, LogChanges, Prepared},
    disk::Disk,
    emptying::{Asked, Emptying},
    error::CommitError,
    journal::Changes,
    log::{Going, Grown},
    settle::Settling,
};

/// Commits that wait for the committer; the engine makes one at a time. More wait to get in.
pub(crate) const COMMITS_WAITING_MAX: usize = 4;

/// What the committer is asked for, and whom to tell.
#[derive(Debug)]
pub(crate) enum Job {
    /// To make a commit durable.
    Commit { commit: Box<Commit>, done: oneshot::Sender<Result<(), CommitError>> },
    /// To say when no file has a header any more that left.
    Emptied(Asked),
}

/// The state of the committer's thread.
#[derive(Debug)]
pub(crate) struct Committer {
    disk: Arc<Disk>,
    last: u64,
    settling: Settling,
    /// Entries of the log before this one have left the records.
    forgotten: u64,
    emptying: Emptying,
    /// Bundles whose files still show headers that left the records, as there was no room.
    unshown: BTreeSet<u64>,
}

impl Committer {
    /// A committer that goes on after the last commit in the tree, and with headers that are still to
    /// leave.
    pub(crate) fn new(
        disk: Arc<Disk>,
        last: u64,
        (settling, outstanding): (Settling, Going),
    ) -> Self {
        let emptying = Emptying::new(outstanding);
        Self { disk, last, settling, forgotten: 0, emptying, unshown: BTreeSet::new() }
    }

    /// Works until nobody can send any more. What this returns is whether all went well.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), CommitError> {
        while let Some(job) = self.next(&mut jobs) {
            match job {
                Job::Commit { commit, done } => {
                    let outcome = self.commit(commit);
                    let dead = outcome.as_ref().map(Vec::clone).unwrap_or_default();
                    // The asker may be gone; the commit stands all the same.
                    let _ = done.send(outcome.map(drop));
                    self.bury(&dead);
                    self.empty();
                }
                Job::Emptied(asked) => self.emptying.tell(asked),
            }
        }
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        self.settling.finish(&self.disk, self.last)
    }

    /// The next job. Until it comes, headers leave their files.
    fn next(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        while self.emptying.has_work() && !self.disk.failed.load(Ordering::Acquire) {
            match jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                Err(mpsc::error::TryRecvError::Empty) => self.empty(),
            }
        }
        jobs.blocking_recv()
    }

    fn empty(&mut self) {
        if !self.disk.failed.load(Ordering::Acquire) {
            self.emptying.step(&self.disk);
        }
    }

    fn commit(&mut self, commit: Box<Commit>) -> Result<Vec<u64>, CommitError> {
        if self.disk.failed.load(Ordering::Acquire) {
            return Err(CommitError::Stopped);
        }
        match self.apply(&commit) {
            Err(error @ CommitError::NotNow { .. }) => Err(error.with(commit)),
            Err(error) => {
                self.disk.failed.store(true, Ordering::Release);
                tracing::error!(%error, code = %error.code(), "a commit failed; no more are taken");
                Err(error)
            }
            Ok(dead) => Ok(dead),
        }
    }

    /// The whole way of a commit. Returns the body files that nothing refers to any more. Nothing has
    /// happened where it is not now.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<Vec<u64>, CommitError> {
        let number = self.last + 1;
        let disk = Arc::clone(&self.disk);
        // What an earlier commit had no room for comes before this one.
        self.advance()?;
        let log = &disk.log;
        let going = going(commit)?;
        // First, so that what does not fit the log is found before anything is applied.
        let grown = commit.log.as_ref().map(|append| log.grow(append, &going)).transpose()?;
        let changes = LogChanges {
            grown: grown.as_ref(),
            going: &going,
            covered: log.covered(&going),
            finished: self.emptying.finished(),
            durable: Some(log.durable())
                // What leaves the records cannot be written from them again.
                .filter(|durable| *durable > self.forgotten && going.is_empty())
                .filter(|_| self.unshown.is_empty()),
        };
        let prepared = batch::prepare(&disk.tree, commit, number, changes)?;
        let Prepared { changes, dead, forgotten, emptied } = prepared;
        self.make_durable(commit, grown.as_ref(), (number, changes))?;
        disk.note(number)?;
        self.emptying.noted();
        self.erase(&commit.erased);
        if let Some(grown) = grown {
            log.take_over(grown, &going);
        }
        self.unshown.extend(emptied.bundles);
        self.emptying.add(going, &emptied.erased);
        self.forgotten = forgotten.unwrap_or(self.forgotten);
        self.last = number;
        if erases(commit) {
            self.settling.erased();
        }
        self.catch_up()?;
        Ok(dead)
    }

    /// All that a commit writes, its record last. Bodies go again if that is not now.
    fn make_durable(
        &mut self,
        commit: &Commit,
        grown: Option<&Grown>,
        (number, changes): (u64, Changes),
    ) -> Result<(), CommitError> {
        let disk = Arc::clone(&self.disk);
        if let Some(bodies) = &commit.bodies {
            disk.bodies.write(bodies, disk.synced)?;
        }
        let staged = grown.map_or(Ok(()), |grown| disk.log.stage(grown));
        let appended = staged.and_then(|()| self.settling.append(&disk, number, changes));
        if let (Err(CommitError::NotNow { .. }), Some(bodies)) = (&appended, &commit.bodies) {
            self.bury(&[bodies.file]);
        }
        appended
    }

    /// What follows a commit that is durable. It waits for room where there is none.
    fn catch_up(&mut self) -> Result<(), CommitError> {
        let disk = Arc::clone(&self.disk);
        let shown = disk.log.show_emptied(&disk.tree, &self.unshown);
        if shown.is_ok() {
            self.unshown.clear();
        }
        match shown.and_then(|()| self.advance()) {
            Err(error @ CommitError::NotNow { .. }) => {
                tracing::warn!(%error, code = %error.code(), "what was committed waits for room");
                Ok(())
            }
            other => other,
        }
    }

    /// Has commits go into sled when it is time. For that the reserve goes, as what leaves could not be
    /// committed any more, nor anything else.
    fn advance(&mut self) -> Result<(), CommitError> {
        let advanced = self.settling.advance(&self.disk, self.last);
        if matches!(advanced, Err(CommitError::NotNow { .. })) && self.disk.reserve.give_up() {
            return self.settling.advance(&self.disk, self.last);
        }
        advanced
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

/// Whether something leaves with a commit that may not be found again. A body begins with its salt, so an
/// empty one in a pack or a hold was erased.
fn erases(commit: &Commit) -> bool {
    let is_erased = |body: &Body| matches!(body, Body::Inline(body) if body.is_empty());
    let has_erased = |write: &Write| match write {
        Write::PutPack(_, pack) => pack
            .items
            .iter()
            .any(|item| matches!(item, Item::Parcel(parcel) if is_erased(&parcel.body))),
        Write::PutHold(_, hold) => is_erased(&hold.body),
        Write::DeletePack(_)
        | Write::PutDone(..)
        | Write::PutDue(..)
        | Write::DeleteDue(..)
        | Write::PutSeen { .. }
        | Write::ForgetSeen { .. }
        | Write::DeleteHold(_)
        | Write::PutCertificate(_)
        | Write::PutSeenLog(..)
        | Write::PutStart(_) => false,
    };
    commit.pruned.is_some()
        || !commit.erased.is_empty()
        || !commit.erased_headers.is_empty()
        || commit.writes.iter().any(has_erased)
}

/// The headers that leave with a commit; an entry in it must say so.
fn going(commit: &Commit) -> Result<Going, CommitError> {
    let going = Going::with(commit, commit.log.as_ref().map_or(0, |append| append.first));
    let is_untold = commit.log.as_ref().is_none_or(|append| append.entries.is_empty());
    if is_untold && !going.is_empty() {
        let what = "headers leave the log and no entry says so";
        return Err(CommitError::Inconsistent(what.into()));
    }
    Ok(going)
}
