//! Messages that wait to be sent: a bounded queue for each precedence.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kuriiri_types::{
    Precedence,
    limits::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, BODY_SALT_BYTES},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use crate::{
    accepted::Accepted,
    compose::Composed,
    error::SendError,
    limits::{LANE_BYTES_MAX, LANE_MESSAGES_MAX},
};

/// Where the fate of a message is told.
pub(crate) type Answer = oneshot::Sender<Result<Accepted, SendError>>;

/// A message that waits for its signature.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) message: Composed,
    pub(crate) answer: Answer,
    pub(crate) room: OwnedSemaphorePermit,
}

/// One queue for each precedence.
#[derive(Debug, Default)]
pub(crate) struct Queues([Queue; Precedence::ALL.len()]);

/// The messages of one precedence.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Bytes of messages that wait or are under way. A small one takes what bounds their number.
    room: Arc<Semaphore>,
    waiting: Mutex<VecDeque<Waiting>>,
    filled: Notify,
}

impl Queues {
    pub(crate) fn of(&self, precedence: Precedence) -> &Queue {
        let [deferred, routine, priority, immediate, flash, highest] = &self.0;
        match precedence {
            Precedence::Deferred => deferred,
            Precedence::Routine => routine,
            Precedence::Priority => priority,
            Precedence::Immediate => immediate,
            Precedence::Flash => flash,
            Precedence::Override => highest,
        }
    }

    /// Lets nothing more in, and waits until all that is in has been answered.
    pub(crate) async fn drain(&self) {
        for queue in &self.0 {
            // It fails only when another has drained it before.
            let all = queue.room.acquire_many(LANE_BYTES_MAX).await;
            queue.room.close();
            drop(all);
        }
    }
}

impl Queue {
    /// Room for a body of so many bytes if there is some now, unless the client was closed.
    pub(crate) fn room_now(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, SendError> {
        match Arc::clone(&self.room).try_acquire_many_owned(weight(bytes)) {
            Ok(room) => Ok(Some(room)),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(SendError::Closed),
        }
    }

    /// Waits for room for a body of so many bytes. Whoever waits longest is served first.
    pub(crate) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, SendError> {
        let room = Arc::clone(&self.room).acquire_many_owned(weight(bytes)).await;
        room.map_err(|_| SendError::Closed)
    }

    /// Puts messages into the queue.
    pub(crate) fn push(&self, messages: impl IntoIterator<Item = Waiting>) {
        self.locked().extend(messages);
        self.filled.notify_one();
    }

    /// Takes the next batch out of the queue. What nobody waits for any more is left out.
    pub(crate) fn next_batch(&self) -> Vec<Waiting> {
        let mut waiting = self.locked();
        while waiting.front().is_some_and(|waiting| waiting.answer.is_closed()) {
            waiting.pop_front();
        }
        take_batch(&mut waiting, |waiting| waiting.message.body.len())
    }

    /// Waits until something was put into the queue since the last time.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(usize::try_from(LANE_BYTES_MAX).unwrap_or(0))),
            waiting: Mutex::default(),
            filled: Notify::new(),
        }
    }
}

/// Takes as many from the front as a batch may hold; a body that is too large for company goes
/// alone. `bytes` are those of a body and its salt.
pub(crate) fn take_batch<T>(from: &mut VecDeque<T>, bytes: impl Fn(&T) -> usize) -> Vec<T> {
    let mut sum = 0usize;
    let fits = from.iter().take(BATCH_MESSAGES_MAX).take_while(|item| {
        sum = sum.saturating_add(bytes(item).saturating_sub(BODY_SALT_BYTES));
        sum <= BATCH_BYTES_MAX
    });
    let count = fits.count().max(1).min(from.len());
    from.drain(..count).collect()
}

/// The share of a queue that a body takes.
fn weight(bytes: usize) -> u32 {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    bytes.clamp(LANE_BYTES_MAX / LANE_MESSAGES_MAX, LANE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_are_within_bounds_as_large_as_may_be_and_in_order(
            sizes in prop::collection::vec(
                prop_oneof![Just(1024_usize), 0..2 * BATCH_BYTES_MAX, 0..200_000_usize], 0..300,
            ),
        ) {
            let item = |(number, size): (usize, &usize)| (number, *size + BODY_SALT_BYTES);
            let mut rest: VecDeque<_> = sizes.iter().enumerate().map(item).collect();
            let mut taken = Vec::new();
            while !rest.is_empty() {
                let batch = take_batch(&mut rest, |(_, bytes)| *bytes);
                let body = |(_, bytes): &(usize, usize)| bytes - BODY_SALT_BYTES;
                let sum: usize = batch.iter().map(body).sum();
                prop_assert!(!batch.is_empty() && batch.len() <= BATCH_MESSAGES_MAX);
                prop_assert!(batch.len() == 1 || sum <= BATCH_BYTES_MAX);
                if let Some(next) = rest.front() {
                    let full = batch.len() == BATCH_MESSAGES_MAX;
                    prop_assert!(full || sum + body(next) > BATCH_BYTES_MAX);
                }
                taken.extend(batch.into_iter().map(|(number, _)| number));
            }
            prop_assert_eq!(taken, (0..sizes.len()).collect::<Vec<_>>());
        }
    }
}
