//! The loop: decide, make durable, speak. The only place where the order of effects is decided.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use kuriiri_engine::{Engine, Random, Step};
use kuriiri_store::Store;
use kuriiri_types::{Timestamp, limits::EVENTS_PER_STEP_MAX};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{clock, dispatch::Dispatcher, error::RelayError, messages::Input, rollback::Rollback};

/// Longest time without a step, so that a clock that was set does not hold up an expiry.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long events that nobody waits for may wait for others, to share a commit with them.
const PATIENCE: Duration = Duration::from_millis(5);

/// The loop's own things.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Store>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) inbox: mpsc::Receiver<Input>,
    pub(crate) random: Spread,
    pub(crate) rollback: Arc<Rollback>,
}

impl Driver {
    /// Runs until it is told to stop, or the state fails. The step in hand is finished first.
    pub(crate) async fn run(
        mut self,
        first: Step,
        mut stop: oneshot::Receiver<()>,
    ) -> Result<(), RelayError> {
        let mut wake = self.perform(first).await?;
        let mut inputs = Vec::with_capacity(EVENTS_PER_STEP_MAX);
        let rollback = Arc::clone(&self.rollback);
        let mut behind = std::pin::pin!(rollback.found());
        loop {
            let goes_on = tokio::select! {
                behind = &mut behind => return Err(behind.into()),
                goes_on = self.next_inputs(&mut inputs, wake, &mut stop) => goes_on,
            };
            if !goes_on {
                return Ok(());
            }
            let events = inputs.drain(..).map(|input| self.dispatcher.register(input)).collect();
            let now = clock::now();
            let step = self.engine.step(now, &mut self.random, &*self.store, events)?;
            wake = self.perform(step).await?;
        }
    }

    /// Makes the step durable, then speaks.
    async fn perform(&mut self, step: Step) -> Result<Option<Timestamp>, RelayError> {
        self.store.commit(step.commit).await?;
        self.dispatcher.perform(step.actions);
        Ok(step.wake)
    }

    /// Waits for something to happen or for the engine's time. What happens during a commit
    /// gathers, so steps grow with the load and need no timer. False when it is time to stop.
    async fn next_inputs(
        &mut self,
        inputs: &mut Vec<Input>,
        wake: Option<Timestamp>,
        stop: &mut oneshot::Receiver<()>,
    ) -> bool {
        let wait = wake.map_or(IDLE_MAX, |at| at.since(clock::now()).min(IDLE_MAX));
        tokio::select! {
            biased;
            _ = stop => return false,
            count = self.inbox.recv_many(inputs, EVENTS_PER_STEP_MAX) => {
                if count == 0 {
                    return false;
                }
            }
            () = sleep_until(Instant::now() + wait) => return true,
        }
        self.gather(inputs, Instant::now() + wait.min(PATIENCE)).await;
        true
    }

    /// While nothing has come that anybody waits for, more may come until a time: a commit costs
    /// the same for one event and for many, and whoever does wait should find the disk free.
    async fn gather(&mut self, inputs: &mut Vec<Input>, until: Instant) {
        while inputs.len() < EVENTS_PER_STEP_MAX && inputs.iter().all(Input::is_patient) {
            let room = EVENTS_PER_STEP_MAX - inputs.len();
            let more = timeout_at(until, self.inbox.recv_many(inputs, room)).await;
            if more.is_err() || more.is_ok_and(|count| count == 0) {
                return;
            }
        }
    }
}

/// Spreads retries. Not for secrets.
#[derive(Debug)]
pub(crate) struct Spread(u64);

impl Spread {
    /// A sequence that differs from run to run.
    pub(crate) fn new() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }
}

impl Random for Spread {
    /// Xorshift (Marsaglia 2003, triple 13, 7, 17).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
