//! Turns at something that only few can have at the same time, of which nobody gets more than a share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread::available_parallelism,
};

use kuriiri_transport::Figure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many turns at once, and so many of them for one giver.
#[derive(Debug)]
pub(crate) struct Turns {
    name: &'static str,
    most: usize,
    share: usize,
    all: Arc<Semaphore>,
    givers: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
    _share: Arc<Semaphore>,
}

impl Turns {
    /// Turns of this name, for figures. One giver has the share at most.
    pub(crate) fn new(name: &'static str, most: usize, share: usize) -> Self {
        let all = Arc::new(Semaphore::new(most));
        Self { name, most, share, all, givers: Mutex::default() }
    }

    /// As many as there are processors, but two; half of them for one giver.
    pub(crate) fn for_processors(name: &'static str) -> Self {
        let processors = available_parallelism().map_or(2, usize::from).max(2);
        Self::new(name, processors, processors / 2)
    }

    /// Waits for a turn. Whoever has its share waits for itself and takes no place among those who wait for all.
    pub(crate) async fn turn(&self, giver: &str) -> Turn {
        let share = self.share_of(giver);
        // Neither is ever closed.
        let own = Arc::clone(&share).acquire_owned().await.ok();
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn { _own: own, _of_all: of_all, _share: share }
    }

    /// How many are taken.
    pub(crate) fn figure(&self) -> Figure {
        let used = self.most.saturating_sub(self.all.available_permits());
        Figure { name: self.name, used: used as u64, limit: self.most as u64 }
    }

    fn share_of(&self, giver: &str) -> Arc<Semaphore> {
        let mut givers = self.givers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = givers.get(giver).and_then(Weak::upgrade) {
            return share;
        }
        givers.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.share));
        givers.insert(giver.to_owned(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn now(turns: &Turns, giver: &str) -> Option<Turn> {
        timeout(Duration::ZERO, turns.turn(giver)).await.ok()
    }

    #[tokio::test]
    async fn one_giver_has_half_however_much_it_wants() {
        let turns = Turns::new("turns", 4, 2);
        let greedy = (now(&turns, "a").await.unwrap(), now(&turns, "a").await.unwrap());
        assert!(now(&turns, "a").await.is_none(), "a third of one giver");
        let others = (now(&turns, "b").await.unwrap(), now(&turns, "c").await.unwrap());
        assert!(now(&turns, "b").await.is_none(), "all are taken");
        assert_eq!(turns.figure(), Figure { name: "turns", used: 4, limit: 4 });
        drop(greedy);
        let after = (now(&turns, "a").await.unwrap(), now(&turns, "b").await.unwrap());
        drop((others, after));
        assert_eq!(turns.figure().used, 0);
        now(&turns, "d").await.unwrap();
        assert_eq!(turns.givers.lock().unwrap().len(), 1, "those who are gone are forgotten");
    }
}
