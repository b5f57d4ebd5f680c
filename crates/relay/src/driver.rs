//! The loop: decide, make durable, speak. The only place where the order of effects is decided.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use kuriiri_engine::{Commit, Engine, Random, Step};
use kuriiri_store::{CommitError, Store};
use kuriiri_types::{Timestamp, limits::EVENTS_PER_STEP_MAX};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout_at},
};

use crate::{
    clock, dispatch::Dispatcher, error::RelayError, messages::Input, rollback::Rollback,
    room::KnownRoom,
};

/// Longest time without a step, so that a clock that was set does not hold up an expiry.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long events that nobody waits for may wait for others, to share a commit with them.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long a commit for which there is no room waits before it is tried again.
const NO_ROOM_REST: Duration = Duration::from_secs(1);

/// The loop's own things.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<Store>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) inbox: mpsc::Receiver<Input>,
    pub(crate) random: Spread,
    pub(crate) rollback: Arc<Rollback>,
    pub(crate) room: KnownRoom,
}

impl Driver {
    /// Runs until it is told to stop, or the state fails. The step in hand is finished first.
    pub(crate) async fn run(
        mut self,
        first: Step,
        stop: oneshot::Receiver<()>,
    ) -> Result<(), RelayError> {
        let mut stop = Stop { receiver: stop, is_told: false };
        let mut wake = self.perform(first, &mut stop).await?;
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
            let room = self.room.look(Instant::now(), || self.store.room());
            let inputs = inputs.drain(..).map(|input| self.dispatcher.register(input));
            let events = room.into_iter().chain(inputs).collect();
            let now = clock::now();
            let step = self.engine.step(now, &mut self.random, &*self.store, events)?;
            wake = self.perform(step, &mut stop).await?;
        }
    }

    /// Makes the step durable, then speaks.
    async fn perform(
        &mut self,
        step: Step,
        stop: &mut Stop,
    ) -> Result<Option<Timestamp>, RelayError> {
        make_durable(&self.store, step.commit, &mut self.room, stop).await?;
        self.dispatcher.perform(step.actions);
        Ok(step.wake)
    }

    /// Waits for something to happen or for the engine's time. What happens during a commit
    /// gathers, so steps grow with the load and need no timer. False when it is time to stop.
    async fn next_inputs(
        &mut self,
        inputs: &mut Vec<Input>,
        wake: Option<Timestamp>,
        stop: &mut Stop,
    ) -> bool {
        let wait = wake.map_or(IDLE_MAX, |at| at.since(clock::now()).min(IDLE_MAX));
        tokio::select! {
            biased;
            () = stop.told() => return false,
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

/// Makes a commit durable, as soon as there is room for it. Whoever wants the relay to stop does not wait for that:
/// what was not acknowledged its giver still has.
async fn make_durable(
    store: &Store,
    mut commit: Commit,
    room: &mut KnownRoom,
    stop: &mut Stop,
) -> Result<(), CommitError> {
    loop {
        let error = match store.commit(commit).await {
            Ok(()) => break,
            Err(error) => error,
        };
        if !matches!(error, CommitError::NotNow { .. }) || stop.is_told {
            return Err(error);
        }
        room.ran_out(Instant::now(), &error);
        commit = error.into_commit()?;
        // Behind this commit those wait that make room.
        if !store.use_reserve() {
            tokio::select! {
                () = stop.told() => {}
                () = sleep(NO_ROOM_REST) => {}
            }
        }
    }
    room.goes_on();
    Ok(())
}

/// The word to stop, which may come while a commit waits for room and counts afterwards too.
struct Stop {
    receiver: oneshot::Receiver<()>,
    is_told: bool,
}

impl Stop {
    /// Waits for it. Whoever goes away without it is taken to want the same.
    async fn told(&mut self) {
        if !self.is_told {
            let _ = (&mut self.receiver).await;
            self.is_told = true;
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

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{self, Write as _},
        path::{Path, PathBuf},
        process::Command,
        time::Duration,
    };

    use bytes::Bytes;
    use kuriiri_engine::{BodyFile, Event, RoomLeft, View, Write};
    use kuriiri_store::Options;
    use kuriiri_types::Code;
    use tokio::time::timeout;

    use super::*;

    /// A small file system in memory.
    struct Small(tempfile::TempDir);

    impl Small {
        /// Makes one; says why not where this machine does not let it.
        fn new() -> Option<Self> {
            let dir = tempfile::tempdir().unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=96m", "tmpfs"]).arg(dir.path());
            let said = match mount.output() {
                Ok(output) if output.status.success() => return Some(Self(dir)),
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            writeln!(io::stdout(), "\na test is skipped, as it has to mount: {said}").unwrap();
            None
        }

        fn state(&self) -> PathBuf {
            self.0.path().join("state")
        }
    }

    impl Drop for Small {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
        }
    }

    /// Takes all room that is left.
    fn fill(disk: &Path) -> PathBuf {
        let path = disk.join("filling");
        let mut file = fs::File::create(&path).unwrap();
        for len in [1 << 20, 4096, 1] {
            while file.write_all(&vec![7; len]).is_ok() {}
        }
        path
    }

    fn commit(starts: u64) -> Commit {
        let bodies = vec![Bytes::from(vec![7; 1 << 20])];
        let bodies = Some(BodyFile { file: starts, bodies, references: 1 });
        Commit { bodies, writes: vec![Write::PutStart(starts)], ..Commit::default() }
    }

    #[tokio::test]
    async fn a_commit_waits_for_room_and_no_stop_waits_for_it() {
        let Some(disk) = Small::new() else { return };
        let store = Store::open(&disk.state(), Options::default()).unwrap();
        let mut room = KnownRoom::new(Instant::now());
        let (tell, receiver) = oneshot::channel();
        let mut stop = Stop { receiver, is_told: false };
        make_durable(&store, commit(1), &mut room, &mut stop).await.unwrap();
        let filling = fill(disk.0.path());

        let mut making = Box::pin(make_durable(&store, commit(2), &mut room, &mut stop));
        assert!(timeout(Duration::from_millis(100), &mut making).await.is_err());
        fs::remove_file(filling).unwrap();
        making.await.unwrap();
        assert_eq!(store.starts().unwrap(), 2);

        let _filling = fill(disk.0.path());
        tell.send(()).unwrap();
        let error = make_durable(&store, commit(3), &mut room, &mut stop).await.unwrap_err();
        assert_eq!((error.code(), store.starts().unwrap()), (Code::STORE_FULL, 2));
        assert!(error.into_commit().is_ok(), "it could be tried again");
        let told = room.look(Instant::now(), || panic!("it is known"));
        assert!(matches!(told, Some(Event::Room(RoomLeft::Scarce))), "{told:?}");
        stop.told().await;
    }
}
