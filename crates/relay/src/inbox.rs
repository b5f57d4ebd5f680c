//! The way to the engine: what is told and asked, in one order.

use std::sync::atomic::{AtomicU64, Ordering};

use kuriiri_engine::{Event, LinkId, Reply, SubscriptionId, Token};
use kuriiri_transport::Link;
use kuriiri_types::Ministry;
use tokio::sync::{mpsc, oneshot};

use crate::{
    messages::{Closing, Input, Transmission},
    pushes::Pushed,
};

/// The loop's inbox, and the numbers by which it answers.
#[derive(Debug)]
pub(crate) struct Inbox {
    inputs: mpsc::Sender<Input>,
    numbers: AtomicU64,
}

impl Inbox {
    /// The way to the loop that takes these inputs.
    pub(crate) fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self { inputs, numbers: AtomicU64::new(1) }
    }

    /// A number for a new link.
    pub(crate) fn new_link(&self) -> LinkId {
        LinkId(self.number())
    }

    /// A number for a new subscription.
    pub(crate) fn new_subscription(&self) -> SubscriptionId {
        SubscriptionId(self.number())
    }

    /// Tells the engine something.
    pub(crate) async fn tell(&self, event: Event) -> Result<(), Closing> {
        self.inputs.send(Input::Event(event)).await.map_err(|_| Closing)
    }

    /// Tells the engine something under a name by which the loop can answer at any time.
    pub(crate) async fn subscribe(
        &self,
        event: Event,
        subscription: SubscriptionId,
        pushes: mpsc::Sender<Pushed>,
    ) -> Result<(), Closing> {
        let input = Input::Subscription(event, subscription, pushes);
        self.inputs.send(input).await.map_err(|_| Closing)
    }

    /// Announces a link to a peer, for which batches go into the channel.
    pub(crate) async fn announce(
        &self,
        peer: Ministry,
        id: LinkId,
        link: Link,
        transmissions: mpsc::Sender<Transmission>,
    ) -> Result<(), Closing> {
        let input = Input::Link(peer, id, link, transmissions);
        self.inputs.send(input).await.map_err(|_| Closing)
    }

    /// Puts a question to the engine. Its place among all events is taken when this returns; the
    /// answer comes later.
    pub(crate) async fn ask(
        &self,
        question: impl FnOnce(Token) -> Event,
    ) -> Result<oneshot::Receiver<Reply>, Closing> {
        let (answer, reply) = oneshot::channel();
        let token = Token(self.number());
        let input = Input::Question(question(token), token, answer);
        self.inputs.send(input).await.map_err(|_| Closing)?;
        Ok(reply)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}
