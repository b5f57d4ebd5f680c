//! Keeps the order of batches that come on streams of their own.

use std::collections::HashMap;

use kuriiri_types::Lane;
use tokio::sync::watch;

/// A gate for one connection: batches of a lane pass by number, whatever stream is faster.
#[derive(Debug)]
pub(crate) struct Gate {
    lanes: HashMap<Lane, watch::Sender<u64>>,
}

/// The number was used before on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch number was used twice")]
pub(crate) struct NumberUsed;

/// The right to pass now; the next may pass when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a watch::Sender<u64>);

impl Gate {
    /// A gate at which every lane begins with number 0.
    pub(crate) fn new() -> Self {
        Self {
            lanes: Lane::BY_URGENCY.into_iter().map(|lane| (lane, watch::Sender::new(0))).collect(),
        }
    }

    /// Waits until all lower numbers of the lane have passed.
    pub(crate) async fn turn(&self, lane: Lane, number: u64) -> Result<Turn<'_>, NumberUsed> {
        let next = self.lanes.get(&lane).ok_or(NumberUsed)?;
        let mut numbers = next.subscribe();
        let reached = *numbers.wait_for(|next| *next >= number).await.map_err(|_| NumberUsed)?;
        // Made only when it is due: its end lets the next one pass.
        if reached == number { Ok(Turn(next)) } else { Err(NumberUsed) }
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
        assert_eq!(gate.turn(lane, 2).await.unwrap_err(), NumberUsed);
        assert!(gate.turn(Lane::Receipts, 0).await.is_ok(), "lanes do not wait for each other");
    }
}
