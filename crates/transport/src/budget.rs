//! Room for what others send: bytes of frames that were begun, and of frames that wait for their answer. And as
//! much for what they are sent, for they can be slow to take it.
//!
//! A frame gets all its room at once, when its length has come, so no two frames wait for each other half-way.
//! Whoever has to wait is not read on, and the flow control of QUIC holds the sender off.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::oneshot;

use crate::{Figure, Room, holder::Holder};

/// The room of all links of an endpoint.
#[derive(Debug)]
pub(crate) struct Budget {
    room: Room,
    names: [&'static str; 2],
    links: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tickets: u64,
    used: u64,
    holders: HashMap<Holder, Account>,
}

/// What one holder has and wants.
#[derive(Debug, Default)]
struct Account {
    used: u64,
    links: HashMap<u64, BTreeMap<Spot, u64>>,
    waiting: BTreeMap<(u64, Spot), Waiter>,
}

/// A frame's stream on its link, and the frame's own number: older streams come first.
type Spot = (u64, u64);

#[derive(Debug)]
struct Waiter {
    bytes: u64,
    tell: oneshot::Sender<Held>,
}

/// Where the frames of one link get their room.
#[derive(Debug)]
pub(crate) struct Purse {
    budget: Arc<Budget>,
    holder: Holder,
    link: u64,
}

/// The room of one frame, taken until this is dropped.
pub struct Held {
    budget: Arc<Budget>,
    holder: Holder,
    link: u64,
    spot: Spot,
    bytes: u64,
}

impl Budget {
    /// What is held by all and what by one holder have these names in figures.
    pub(crate) fn new(room: Room, names: [&'static str; 2]) -> Arc<Self> {
        Arc::new(Self { room, names, links: AtomicU64::new(0), state: Mutex::default() })
    }

    /// The purse of a new link.
    pub(crate) fn purse(self: &Arc<Self>, holder: Holder) -> Purse {
        let link = self.links.fetch_add(1, Ordering::Relaxed);
        Purse { budget: Arc::clone(self), holder, link }
    }

    /// How much is held, by all and by whoever holds most.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let state = self.locked();
        let most = state.holders.values().map(|account| account.used).max().unwrap_or(0);
        let [all, one] = self.names;
        vec![
            Figure { name: all, used: state.used, limit: self.room.all },
            Figure { name: one, used: most, limit: self.room.holder },
        ]
    }

    fn release(self: &Arc<Self>, held: &Held) {
        let mut state = self.locked();
        state.give_back(held);
        let granted = state.grant(self, &held.holder);
        // One whose reader is gone gives it back, which needs the lock.
        drop(state);
        for (waiter, held) in granted {
            let _ = waiter.send(held);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purse {
    /// Waits for the room of a frame.
    ///
    /// Cancel safe: whoever waits no more takes nothing.
    pub(crate) async fn take(&self, stream: u64, bytes: u64) -> Held {
        loop {
            let (tell, granted) = oneshot::channel();
            let waits = match self.ask(stream, bytes, tell) {
                Ok(held) => return held,
                Err(spot) => Waits { purse: self, spot },
            };
            let granted = granted.await;
            drop(waits);
            // It was told, or it would still be waiting.
            if let Ok(held) = granted {
                return held;
            }
        }
    }

    fn ask(&self, stream: u64, bytes: u64, tell: oneshot::Sender<Held>) -> Result<Held, Spot> {
        let mut state = self.budget.locked();
        let spot = (stream, state.tickets);
        state.tickets = state.tickets.saturating_add(1);
        let free = self.budget.room.all.saturating_sub(state.used);
        let account = state.holders.entry(self.holder.clone()).or_default();
        if account.fits(&self.budget.room, free, (self.link, spot), bytes) {
            account.take(self.link, spot, bytes);
            state.used = state.used.saturating_add(bytes);
            return Ok(self.held(spot, bytes));
        }
        account.waiting.insert((self.link, spot), Waiter { bytes, tell });
        Err(spot)
    }

    fn held(&self, spot: Spot, bytes: u64) -> Held {
        let (budget, holder) = (Arc::clone(&self.budget), self.holder.clone());
        Held { budget, holder, link: self.link, spot, bytes }
    }
}

/// One who waits; gone from the line when this is dropped.
struct Waits<'a> {
    purse: &'a Purse,
    spot: Spot,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let Purse { budget, holder, link } = self.purse;
        let mut state = budget.locked();
        if let Some(account) = state.holders.get_mut(holder) {
            account.waiting.remove(&(*link, self.spot));
            state.forget_idle(holder);
        }
    }
}

impl State {
    fn give_back(&mut self, held: &Held) {
        self.used = self.used.saturating_sub(held.bytes);
        let Some(account) = self.holders.get_mut(&held.holder) else { return };
        account.used = account.used.saturating_sub(held.bytes);
        if let Some(link) = account.links.get_mut(&held.link) {
            link.remove(&held.spot);
            if link.is_empty() {
                account.links.remove(&held.link);
            }
        }
        self.forget_idle(&held.holder);
    }

    fn forget_idle(&mut self, holder: &Holder) {
        if self.holders.get(holder).is_some_and(|a| a.used == 0 && a.waiting.is_empty()) {
            self.holders.remove(holder);
        }
    }

    /// Gives room to those who now have it: of the holder who gave some back to all, and of each other to the
    /// first, since they can only have waited for what is common to all.
    fn grant(
        &mut self,
        budget: &Arc<Budget>,
        giver: &Holder,
    ) -> Vec<(oneshot::Sender<Held>, Held)> {
        let mut granted = Vec::new();
        for (holder, account) in &mut self.holders {
            let tries = if holder == giver { usize::MAX } else { 1 };
            let keys: Vec<_> = account.waiting.keys().take(tries).copied().collect();
            for key in keys {
                let Some(bytes) = account.waiting.get(&key).map(|waiter| waiter.bytes) else {
                    continue;
                };
                let free = budget.room.all.saturating_sub(self.used);
                if !account.fits(&budget.room, free, key, bytes) {
                    continue;
                }
                let Some(waiter) = account.waiting.remove(&key) else { continue };
                let (link, spot) = key;
                account.take(link, spot, bytes);
                self.used = self.used.saturating_add(bytes);
                let (budget, holder) = (Arc::clone(budget), holder.clone());
                granted.push((waiter.tell, Held { budget, holder, link, spot, bytes }));
            }
        }
        granted
    }
}

impl Account {
    fn fits(&self, room: &Room, free: u64, (link, spot): (u64, Spot), bytes: u64) -> bool {
        let held = self.links.get(&link);
        let of_link: u64 = held.map_or(0, |held| held.values().sum());
        let oldest = held.and_then(|held| held.keys().next());
        let is_oldest = oldest.is_none_or(|oldest| spot.0 < oldest.0);
        let room_of_link = if is_oldest { room.link_for_oldest } else { room.link };
        let mine = self.used.saturating_add(bytes);
        of_link.saturating_add(bytes) <= room_of_link && mine <= room.holder.min(free)
    }

    fn take(&mut self, link: u64, spot: Spot, bytes: u64) {
        self.used = self.used.saturating_add(bytes);
        self.links.entry(link).or_default().insert(spot, bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let budget = Arc::clone(&self.budget);
        budget.release(self);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Arc<Budget> {
        let room = Room { link: 40, link_for_oldest: 60, holder: 70, all: 100 };
        Budget::new(room, ["all", "one holder"])
    }

    fn relays(name: &str) -> Holder {
        Holder::Relays(name.parse().unwrap())
    }

    /// What is given at once, if it is.
    fn given(purse: &Purse, stream: u64, bytes: u64) -> Option<Held> {
        let (tell, _) = oneshot::channel();
        let asked = purse.ask(stream, bytes, tell);
        asked.map_err(|spot| drop(Waits { purse, spot })).ok()
    }

    #[tokio::test]
    async fn a_link_waits_when_it_has_its_share_and_goes_on_when_some_is_given_back() {
        let purse = budget().purse(relays("um.example"));
        let (first, second) = (purse.take(1, 20).await, purse.take(2, 20).await);
        let mut third = std::pin::pin!(purse.take(3, 20));
        assert!(poll_once(third.as_mut()).await.is_none());
        assert!(given(&purse, 4, 1).is_none(), "the share is used up");
        drop(first);
        assert!(poll_once(third.as_mut()).await.is_some());
        drop(second);
        let gone = &purse.budget.figures()[0];
        assert_eq!(
            gone.used, 0,
            "a frame that nobody holds any more gives its room back: {gone:?}"
        );
        assert!(purse.budget.locked().holders.is_empty());
    }

    #[tokio::test]
    async fn what_others_wait_for_gets_room_although_they_have_it_all() {
        let purse = budget().purse(relays("um.example"));
        let _later = (purse.take(1, 20).await, purse.take(2, 20).await);
        let oldest = given(&purse, 0, 20).expect("the oldest stream goes on");
        assert!(given(&purse, 0, 1).is_none(), "once, and up to a limit");
        assert!(given(&purse, 3, 1).is_none());
        drop(oldest);
    }

    #[tokio::test]
    async fn nobody_gets_more_than_is_left_over_for_the_others() {
        let budget = budget();
        let (um, plm) = (budget.purse(relays("um.example")), budget.purse(relays("plm.example")));
        let more = budget.purse(relays("um.example"));
        let _held = (um.take(0, 30).await, um.take(1, 10).await);
        assert!(
            given(&more, 0, 21).is_none(),
            "60 are free, and more would leave it more than them"
        );
        let _more = given(&more, 0, 20).expect("as much as is left");
        assert!(given(&plm, 0, 41).is_none());
        let _other = given(&plm, 0, 40).expect("another has the rest");
        assert_eq!(budget.figures()[0].used, 100);
    }

    #[tokio::test]
    async fn whoever_waits_no_more_holds_nothing_up() {
        let purse = budget().purse(relays("um.example"));
        let first = purse.take(1, 40).await;
        {
            let mut gone = std::pin::pin!(purse.take(2, 40));
            assert!(poll_once(gone.as_mut()).await.is_none());
            drop(first);
            // Granted, and dropped without being looked at.
        }
        assert!(given(&purse, 3, 40).is_some());
        let first = given(&purse, 4, 40);
        {
            let mut gone = std::pin::pin!(purse.take(5, 40));
            assert!(poll_once(gone.as_mut()).await.is_none());
        }
        drop(first);
        assert!(purse.budget.locked().holders.is_empty());
    }

    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
