//! What an inbox has been given, shown and told to confirm.
//!
//! The relay gives every message again that it has not seen confirmed when a link ends. The ledger
//! is what makes an inbox show it once nevertheless: a message that the program still holds gets
//! its new ticket, and one that it is done with is confirmed again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use kuriiri_types::{Digest, Refusal};
use kuriiri_wire::client::{FromReceiver, Ticket};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    arrival::Arrival,
    error::{ConfirmError, ReceiveError},
    limits::DONE_REMEMBERED,
};

/// Shared by an inbox, its task and its messages. A message is known by the leaf hash of its
/// header: no two that differ share one.
#[derive(Debug)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    due: Notify,
    /// Places of confirmations under way, for whoever waits for all of them.
    confirmations: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    /// Arrived and not yet taken by the program.
    ready: VecDeque<Result<Arrival, ReceiveError>>,
    /// Who waits for the next.
    waker: Option<Waker>,
    /// What the program has or will get.
    held: HashMap<Digest, Held>,
    /// Whose ticket it is, on the link that stands.
    tickets: HashMap<Ticket, Digest>,
    /// Tickets to be confirmed.
    due: Vec<Ticket>,
    /// Tickets to be given back as what cannot be accepted, by reason.
    unaccepted: Vec<(Refusal, Vec<Ticket>)>,
    /// Dealt with, though the relay has not said that it knows.
    done: Done,
    /// Given on the link that stands, and not confirmed by the relay.
    outstanding: usize,
    ended: bool,
}

#[derive(Debug, Default)]
struct Held {
    /// Nothing while no link stands that gave it.
    ticket: Option<Ticket>,
    confirming: Option<Confirming>,
}

/// A confirmation that is under way.
#[derive(Debug)]
struct Confirming {
    told: oneshot::Sender<Result<(), ConfirmError>>,
    /// Whether the program has dealt with the message, and need not see it again.
    is_done: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Ledger {
    pub(crate) fn new(confirmations: Arc<Semaphore>) -> Self {
        Self { state: Mutex::default(), due: Notify::new(), confirmations }
    }

    // === for the program ===

    /// The next that arrived, or nothing when no more will.
    pub(crate) fn poll_next(
        &self,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Arrival, ReceiveError>>> {
        let mut state = self.locked();
        match state.ready.pop_front() {
            Some(next) => Poll::Ready(Some(next)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The program is done with a message. The answer tells when the relay knows.
    pub(crate) fn confirm(&self, leaf: Digest) -> oneshot::Receiver<Result<(), ConfirmError>> {
        let (told, answer) = oneshot::channel();
        let mut state = self.locked();
        let ended = state.ended;
        let ticket = state.held.get(&leaf).and_then(|held| held.ticket);
        match ticket {
            Some(ticket) if !ended => {
                let place = Arc::clone(&self.confirmations).try_acquire_owned().ok();
                let confirming = Some(Confirming { told, is_done: true, _place: place });
                state.held.insert(leaf, Held { ticket: Some(ticket), confirming });
                state.due.push(ticket);
                self.due.notify_one();
            }
            Some(_) | None => {
                state.held.remove(&leaf);
                state.done.add(leaf);
                // The receiver is at hand until this returns.
                let _ = told.send(Err(ConfirmError::of(ended)));
            }
        }
        answer
    }

    /// The program cannot accept a message. The answer tells when the relay has set it aside.
    pub(crate) fn set_aside(
        &self,
        leaf: Digest,
        why: Refusal,
    ) -> oneshot::Receiver<Result<(), ConfirmError>> {
        let (told, answer) = oneshot::channel();
        let mut state = self.locked();
        let ended = state.ended;
        match state.held.get(&leaf).and_then(|held| held.ticket).filter(|_| !ended) {
            Some(ticket) => {
                let place = Arc::clone(&self.confirmations).try_acquire_owned().ok();
                let confirming = Some(Confirming { told, is_done: false, _place: place });
                state.held.insert(leaf, Held { ticket: Some(ticket), confirming });
                state.give_back(ticket, why);
                self.due.notify_one();
            }
            None => {
                // It comes again, and to the program.
                state.held.remove(&leaf);
                let _ = told.send(Err(ConfirmError::of(ended)));
            }
        }
        answer
    }

    /// The program has dropped a message unconfirmed: it may be shown again.
    pub(crate) fn let_go(&self, leaf: Digest) {
        self.locked().held.remove(&leaf);
    }

    // === for the task ===

    /// Notes that a ticket was given. True when its message is still to be shown.
    pub(crate) fn give(&self, leaf: Digest, ticket: Ticket) -> bool {
        let mut state = self.locked();
        state.outstanding = state.outstanding.saturating_add(1);
        state.tickets.insert(ticket, leaf);
        if let Some(held) = state.held.get_mut(&leaf) {
            held.ticket = Some(ticket);
            return false;
        }
        let is_done = state.done.has(&leaf);
        if is_done {
            state.due.push(ticket);
            self.due.notify_one();
        }
        !is_done
    }

    /// Shows a message, or what is wrong with it.
    pub(crate) fn show(&self, ticket: Ticket, arrival: Result<Arrival, ReceiveError>) {
        let mut state = self.locked();
        if let Ok(arrival) = &arrival {
            let held = Held { ticket: Some(ticket), confirming: None };
            state.held.insert(arrival.leaf(), held);
        }
        state.ready.push_back(arrival);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Gives a message back to the relay that cannot be shown.
    pub(crate) fn cannot_show(&self, ticket: Ticket, why: Refusal) {
        self.locked().give_back(ticket, why);
        self.due.notify_one();
    }

    /// How many are given and unconfirmed on the link that stands.
    pub(crate) fn outstanding(&self) -> usize {
        self.locked().outstanding
    }

    /// Waits for something to be said of tickets, and takes all that gathered: at least one frame.
    pub(crate) async fn due(&self) -> Vec<FromReceiver> {
        loop {
            let due = self.locked().take_due();
            if !due.is_empty() {
                return due;
            }
            self.due.notified().await;
        }
    }

    /// The relay has made confirmations durable.
    pub(crate) fn confirmed(&self, tickets: &[Ticket]) {
        let mut state = self.locked();
        for ticket in tickets {
            let Some(leaf) = state.tickets.remove(ticket) else { continue };
            state.outstanding = state.outstanding.saturating_sub(1);
            state.done.remove(&leaf);
            let confirming = state.held.remove(&leaf).and_then(|held| held.confirming);
            if let Some(Confirming { told, .. }) = confirming {
                // Whoever asked may have stopped waiting.
                let _ = told.send(Ok(()));
            }
        }
    }

    /// The link has ended: all tickets are void, and what was not taken will come again.
    pub(crate) fn interrupt(&self) {
        let mut state = self.locked();
        let state = &mut *state;
        state.tickets.clear();
        state.due.clear();
        state.unaccepted.clear();
        state.outstanding = 0;
        state.ready.retain(|ready| match ready {
            Ok(arrival) => {
                state.held.remove(&arrival.leaf());
                false
            }
            Err(_) => true,
        });
        state.held.retain(|leaf, held| {
            held.ticket = None;
            let Some(Confirming { told, is_done, .. }) = held.confirming.take() else {
                return true;
            };
            if is_done {
                state.done.add(*leaf);
            }
            let _ = told.send(Err(ConfirmError::Interrupted));
            false
        });
    }

    /// Nothing more comes: the inbox or the client is closed, or this was the last word.
    pub(crate) fn end(&self, last: Option<ReceiveError>) {
        self.interrupt();
        let mut state = self.locked();
        state.ended = true;
        state.ready.extend(last.map(Err));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn give_back(&mut self, ticket: Ticket, why: Refusal) {
        match self.unaccepted.iter_mut().find(|(known, _)| *known == why) {
            Some((_, tickets)) => tickets.push(ticket),
            None => self.unaccepted.push((why, vec![ticket])),
        }
    }

    fn take_due(&mut self) -> Vec<FromReceiver> {
        let confirmed = std::mem::take(&mut self.due);
        let confirmed = Some(confirmed).filter(|due| !due.is_empty()).map(FromReceiver::Confirm);
        let unaccepted = std::mem::take(&mut self.unaccepted).into_iter();
        let unaccepted = unaccepted.map(|(why, tickets)| FromReceiver::SetAside { tickets, why });
        confirmed.into_iter().chain(unaccepted).collect()
    }
}

impl ConfirmError {
    fn of(ended: bool) -> Self {
        if ended { Self::Closed } else { Self::Interrupted }
    }
}

/// A bounded memory of what was dealt with. When it is full, the oldest goes.
#[derive(Debug, Default)]
struct Done {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl Done {
    fn add(&mut self, leaf: Digest) {
        if self.known.insert(leaf) {
            self.order.push_back(leaf);
        }
        if self.order.len() > DONE_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn has(&self, leaf: &Digest) -> bool {
        self.known.contains(leaf)
    }

    fn remove(&mut self, leaf: &Digest) {
        if self.known.remove(leaf) {
            self.order.retain(|known| known != leaf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let leaf = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Digest(bytes)
        };
        let mut done = Done::default();
        (0..=DONE_REMEMBERED).for_each(|n| done.add(leaf(n)));
        assert!(!done.has(&leaf(0)) && done.has(&leaf(1)) && done.has(&leaf(DONE_REMEMBERED)));
        assert_eq!((done.known.len(), done.order.len()), (DONE_REMEMBERED, DONE_REMEMBERED));
        done.remove(&leaf(1));
        assert!(!done.has(&leaf(1)));
        assert_eq!(done.known.len(), done.order.len());
    }
}
