//! Threads that judge entries while others are read.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use kuriiri_types::{Decided, Digest, Receipt, SignedApproval, SignedReceipt};

use super::recent::Headers;
use crate::{
    check_entry::Spot,
    finding::{Findings, FirstMissing},
    scan::threads,
    trusted::Trusted,
};

/// Jobs that wait, for each thread.
const WAITING_PER_THREAD: usize = 4;

/// Entries that are judged by the same trust.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) trusted: Arc<Trusted>,
    pub(super) items: Vec<(Spot, Item)>,
}

/// What of an entry takes time.
#[derive(Debug)]
pub(super) enum Item {
    /// A decision on a class, with the headers that are at hand.
    Class(Arc<Decided>, Headers),
    Approval(Digest, SignedApproval),
    Receipt(Box<SignedReceipt>, Option<Box<Receipt>>),
}

/// Where jobs are given to.
#[derive(Debug, Clone)]
pub(super) struct Pool(SyncSender<Job>);

impl Pool {
    /// Gives a job away; waits when too many are waiting.
    pub(super) fn give(&self, job: Job) {
        if !job.items.is_empty() {
            // The threads live as long as the pool.
            let _ = self.0.send(job);
        }
    }
}

/// Lets `use_it` give jobs, and gives what all threads found.
pub(super) fn with(missing: &FirstMissing, use_it: impl FnOnce(Pool)) -> Vec<Findings> {
    let (give, take) = sync_channel(WAITING_PER_THREAD * threads());
    let take = Mutex::new(take);
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads()).map(|_| scope.spawn(|| work(&take, missing))).collect();
        use_it(Pool(give));
        let join = |worker: thread::ScopedJoinHandle<'_, Findings>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect()
    })
}

fn work(take: &Mutex<Receiver<Job>>, missing: &FirstMissing) -> Findings {
    let mut findings = Findings::of_a_copy(missing);
    loop {
        let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { trusted, items }) = next else { return findings };
        for (spot, item) in items {
            judge(&trusted, spot, &item, &mut findings);
        }
    }
}

/// Judges one entry.
pub(super) fn judge(trusted: &Trusted, spot: Spot, item: &Item, findings: &mut Findings) {
    match item {
        Item::Class(decided, headers) => trusted.check_class(spot, decided, headers, findings),
        Item::Approval(subject, signed) => {
            trusted.check_approval(spot, signed, *subject, findings);
        }
        Item::Receipt(signed, said) => {
            trusted.check_receipt(spot, signed, said.as_deref(), findings);
        }
    }
}
