//! What the loop and the tasks around it say to each other, and how much of it may wait.

use kuriiri_engine::{BatchId, Event, LinkId, Load, Reply, SubscriptionId, Token};
use kuriiri_transport::Link;
use kuriiri_types::{
    Lane, Ministry,
    limits::{BATCHES_IN_FLIGHT_MAX, CREDIT_MAX},
};
use tokio::sync::{mpsc, oneshot};

use crate::pushes::Pushed;

/// Inputs that wait for the loop: what a commit's time gathers. Full: tasks wait, and with them
/// their streams and their peers.
pub(crate) const INBOX_MAX: usize = 256;
/// Batches that wait for one link: the engine never has more under way.
pub(crate) const TRANSMISSIONS_MAX: usize = BATCHES_IN_FLIGHT_MAX * Lane::BY_URGENCY.len();
/// Pushes that wait for one subscription: with one message each, a delivery and a confirmation
/// for all its credit. A receiver of receipts that lets more wait is let go; it can come again.
pub(crate) const PUSHES_MAX: usize = 2 * CREDIT_MAX as usize + 2;

/// What the tasks hand to the loop.
#[derive(Debug)]
pub(crate) enum Input {
    /// Something happened.
    Event(Event),
    /// A link to a peer stands; batches for it go into the channel.
    Link(Ministry, LinkId, Link, mpsc::Sender<Transmission>),
    /// Something that wants one answer.
    Question(Event, Token, oneshot::Sender<Reply>),
    /// Something that will be answered from now on.
    Subscription(Event, SubscriptionId, mpsc::Sender<Pushed>),
}

impl Input {
    /// True for what only tidies up: nobody waits for an answer, and if it is lost it comes again.
    pub(crate) fn is_patient(&self) -> bool {
        match self {
            Self::Event(event) => matches!(
                event,
                Event::ReceiptsConfirmed { .. } | Event::Answered { lane: Lane::Receipts, .. }
            ),
            Self::Link(..) | Self::Question(..) | Self::Subscription(..) => false,
        }
    }
}

/// A batch to be sent.
#[derive(Debug)]
pub(crate) struct Transmission {
    pub(crate) lane: Lane,
    pub(crate) batch: BatchId,
    pub(crate) epoch: u32,
    pub(crate) load: Vec<Load>,
}

/// The relay is going down: its loop takes no more events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay is going down")]
pub(crate) struct Closing;
