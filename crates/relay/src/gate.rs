//! Keeps the order of batches that come on streams of their own.

use std::{collections::HashMap, time::Duration};

use kuriiri_types::{Lane, limits::TURN_PATIENCE};
use tokio::{sync::watch, time::timeout};

/// A gate for one connection: batches of a lane pass by number, whatever stream is faster.
#[derive(Debug)]
pub(crate) struct Gate {
    lanes: HashMap<Lane, watch::Sender<u64>>,
    patience: Duration,
}

/// Why a batch does not pass. Nothing that comes after it in its lane can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GateError {
    /// The number was used before on this connection.
    #[error("a batch number was used twice")]
    Used,
    /// A batch with a lower number did not come in time.
    #[error("batch {0} did not come in time")]
    Missing(u64),
}

/// The right to pass now; the next may pass when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a watch::Sender<u64>);

impl Gate {
    /// A gate at which every lane begins with number 0.
    pub(crate) fn new() -> Self {
        let lanes = Lane::BY_URGENCY.into_iter().map(|lane| (lane, watch::Sender::new(0)));
        Self { lanes: lanes.collect(), patience: TURN_PATIENCE }
    }

    /// Waits until all lower numbers of the lane have passed, no longer than [`TURN_PATIENCE`] for each.
    pub(crate) async fn turn(&self, lane: Lane, number: u64) -> Result<Turn<'_>, GateError> {
        let next = self.lanes.get(&lane).ok_or(GateError::Used)?;
        let mut numbers = next.subscribe();
        loop {
            let seen = *numbers.borrow_and_update();
            if seen >= number {
                // Made only when it is due: its end lets the next one pass.
                return if seen == number { Ok(Turn(next)) } else { Err(GateError::Used) };
            }
            let passed = timeout(self.patience, numbers.changed()).await;
            passed.map_err(|_| GateError::Missing(seen))?.map_err(|_| GateError::Used)?;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|next| *next = next.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use kuriiri_types::Precedence;

    #[tokio::test]
    async fn later_numbers_wait_for_earlier_ones_and_none_passes_twice() {
        let gate = Arc::new(Gate::new());
        let lane = Lane::Messages(Precedence::Routine);
        let passed = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in [3, 1, 2, 0] {
            let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
            tasks.spawn(async move {
                let _turn = gate.turn(lane, number).await.unwrap();
                passed.lock().unwrap().push(number);
            });
        }
        tasks.join_all().await;
        assert_eq!(*passed.lock().unwrap(), [0, 1, 2, 3]);
        assert_eq!(gate.turn(lane, 2).await.unwrap_err(), GateError::Used);
        assert!(gate.turn(Lane::Receipts, 0).await.is_ok(), "lanes do not wait for each other");
    }

    #[tokio::test]
    async fn a_number_that_never_comes_ends_the_wait_for_it() {
        let gate = Gate { patience: Duration::ZERO, ..Gate::new() };
        let lane = Lane::Messages(Precedence::Routine);
        drop(gate.turn(lane, 0).await.unwrap());
        assert_eq!(gate.turn(lane, 2).await.unwrap_err(), GateError::Missing(1));
        assert!(gate.turn(lane, 1).await.is_ok(), "one that is due waits for nobody");
    }
}
