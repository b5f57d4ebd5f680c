//! One precedence on its way to the relay: batches in order, several under way, none overtaking.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use kuriiri_seal::Purpose;
use kuriiri_transport::CloseCode;
use kuriiri_types::{Precedence, limits::BATCHES_IN_FLIGHT_MAX};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    core::Core,
    flight::{Flight, Landed},
    limits::{BUSY_REST, BUSY_REST_MAX},
    link::{Line, next_line},
    queue::{Queue, Waiting, take_batch},
    signed::Signed,
};

/// Sends what is put into the queue of one precedence.
pub(crate) struct Lane {
    core: Arc<Core>,
    precedence: Precedence,
    /// Signed and not under way: what came back, and the rest of what was signed together.
    signed: VecDeque<Signed>,
    rest: Duration,
}

/// The lane on one link.
struct Course {
    line: Line,
    number: u64,
    epoch: u32,
    flights: JoinSet<Landed>,
    /// What came back unanswered, by the number of its batch.
    back: BTreeMap<u64, Vec<Signed>>,
    /// Why nothing more takes off until all have come back.
    setback: Option<Setback>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Setback {
    Busy,
    Broken,
}

impl Lane {
    pub(crate) fn new(core: Arc<Core>, precedence: Precedence) -> Self {
        Self { core, precedence, signed: VecDeque::new(), rest: BUSY_REST }
    }

    /// Sends over one link after the other, until the client is closed.
    pub(crate) async fn run(mut self) {
        let mut standing = self.core.standing.subscribe();
        let mut after = None;
        while let Some(line) = next_line(&mut standing, after).await {
            after = Some(line.generation());
            self.follow(Course::new(line)).await;
        }
    }

    /// Sends over one link until it is gone, and keeps what came back.
    async fn follow(&mut self, mut course: Course) {
        let core = Arc::clone(&self.core);
        let queue = core.queues.of(self.precedence);
        loop {
            while course.may_take_off()
                && let Some(batch) = self.next_batch(queue)
            {
                course.launch(&core, self.precedence, batch);
            }
            tokio::select! {
                Some(landed) = course.flights.join_next() => match landed {
                    Ok(landed) => self.land(&mut course, landed),
                    Err(_) => course.give_up("a task of the client failed"),
                },
                () = queue.filled(), if course.may_take_off() => {}
                _ = course.line.closed(), if course.setback.is_none() => {
                    course.setback = Some(Setback::Broken);
                }
            }
            if course.flights.is_empty()
                && let Some(setback) = course.setback.take()
            {
                self.take_back(&mut course);
                match setback {
                    Setback::Broken => return,
                    Setback::Busy => self.rest(&mut course).await,
                }
            }
        }
    }

    fn land(&mut self, course: &mut Course, landed: Landed) {
        let Landed { number, answered, back } = landed;
        match answered {
            Ok(()) if back.is_empty() => self.rest = BUSY_REST,
            Ok(()) => course.set_back(Setback::Busy),
            Err(error) => course.give_up(&error.to_string()),
        }
        course.back.insert(number, back);
    }

    /// Puts what came back in front of the rest, in the old order.
    fn take_back(&mut self, course: &mut Course) {
        let mut all: VecDeque<_> =
            std::mem::take(&mut course.back).into_values().flatten().collect();
        all.append(&mut self.signed);
        self.signed = all;
    }

    /// Leaves the relay some time, and begins a new epoch.
    async fn rest(&mut self, course: &mut Course) {
        course.epoch = course.epoch.saturating_add(1);
        sleep(self.rest).await;
        self.rest = self.rest.saturating_mul(2).min(BUSY_REST_MAX);
    }

    /// What is signed goes before what is not.
    fn next_batch(&mut self, queue: &Queue) -> Option<Vec<Signed>> {
        if self.signed.is_empty() {
            self.sign(queue.next_batch());
        }
        let batch = take_batch(&mut self.signed, |signed| signed.message.body.len());
        (!batch.is_empty()).then_some(batch)
    }

    fn sign(&mut self, batch: Vec<Waiting>) {
        let leaves: Vec<_> = batch.iter().map(|waiting| waiting.message.leaf).collect();
        let proofs = self.core.system.signer.sign(Purpose::Messages, &leaves);
        self.signed.extend(batch.into_iter().zip(proofs).map(|(waiting, proof)| {
            let Waiting { message, answer, room } = waiting;
            Signed { message, proof, answer, _room: room }
        }));
    }
}

impl Course {
    fn new(line: Line) -> Self {
        Self {
            line,
            number: 0,
            epoch: 0,
            flights: JoinSet::new(),
            back: BTreeMap::new(),
            setback: None,
        }
    }

    fn may_take_off(&self) -> bool {
        self.setback.is_none() && self.flights.len() < BATCHES_IN_FLIGHT_MAX
    }

    fn launch(&mut self, core: &Arc<Core>, precedence: Precedence, messages: Vec<Signed>) {
        let flight = Flight {
            core: Arc::clone(core),
            line: self.line.clone(),
            precedence,
            epoch: self.epoch,
            number: self.number,
            messages,
        };
        self.number = self.number.saturating_add(1);
        self.flights.spawn(flight.fly());
    }

    /// A batch without an answer leaves the others without an order: all go again on a new link.
    fn give_up(&mut self, reason: &str) {
        self.line.give_up(CloseCode::Done, reason);
        self.set_back(Setback::Broken);
    }

    fn set_back(&mut self, setback: Setback) {
        self.setback = self.setback.max(Some(setback));
    }
}
