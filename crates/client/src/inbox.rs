//! Receiving the messages of a mailbox.

use std::{
    fmt, future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use kuriiri_merkle::leaf;
use kuriiri_seal::VerifiedHeader;
use kuriiri_transport::{CloseCode, StreamError};
use kuriiri_types::{
    Address, Refusal,
    limits::{CREDIT_MAX, RETRY_GRACE},
};
use kuriiri_wire::{
    Frame, Part, WireError,
    client::{DeliveredItem, Delivery, FromReceiver, Request, ToReceiver},
    header,
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    arrival::Arrival,
    clock,
    core::Core,
    error::ReceiveError,
    ledger::Ledger,
    limits::CREDIT,
    link::{Line, next_line},
    message::Message,
    open::meet,
    tasks::Tasks,
};

/// How messages are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// Whose mailbox, if not the profile's. The relay says whether this system may read it.
    pub mailbox: Option<Address>,
    /// Messages that may be given and not yet confirmed, 1 to
    /// [`CREDIT_MAX`](kuriiri_types::limits::CREDIT_MAX). What is above waits at the relay.
    pub credit: u32,
}

impl Default for ReceiveOptions {
    /// The profile's mailbox, [`CREDIT`] messages at once.
    fn default() -> Self {
        Self { mailbox: None, credit: CREDIT }
    }
}

/// The messages of a mailbox, most urgent first, as they come. It does not end while the client is
/// open and the relay has not refused it.
///
/// A message is shown once, however often the link is made anew, unless it is dropped unconfirmed.
/// When the inbox is dropped, what was not confirmed stays in the mailbox.
pub struct Inbox {
    ledger: Arc<Ledger>,
    mailbox: Address,
    _task: JoinSet<()>,
    /// The client goes on while an inbox is there.
    _tasks: Arc<Tasks>,
}

impl Inbox {
    pub(crate) fn open(core: &Arc<Core>, tasks: &Arc<Tasks>, options: ReceiveOptions) -> Self {
        let mailbox = options.mailbox.unwrap_or_else(|| core.system.address.clone());
        let ledger = Arc::new(Ledger::new(Arc::clone(&core.confirmations)));
        let reception = Reception {
            core: Arc::clone(core),
            ledger: Arc::clone(&ledger),
            mailbox: mailbox.clone(),
            credit: options.credit.clamp(1, CREDIT_MAX),
        };
        let mut task = JoinSet::new();
        task.spawn_on(reception.run(), &core.runtime);
        Self { ledger, mailbox, _task: task, _tasks: Arc::clone(tasks) }
    }

    /// The next message, or what is wrong with it, as soon as one comes. Nothing when the client was
    /// closed, or after [`ReceiveError::Refused`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<Message, ReceiveError>> {
        future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Result<Message, ReceiveError>>> {
        let message = |arrival| Message::new(arrival, Arc::clone(&self.ledger));
        self.ledger.poll_next(context).map(|next| next.map(|next| next.map(message)))
    }
}

impl Stream for Inbox {
    type Item = Result<Message, ReceiveError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.ledger.end(None);
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

// === the task ===

/// Receives over one link after the other.
struct Reception {
    core: Arc<Core>,
    ledger: Arc<Ledger>,
    mailbox: Address,
    credit: u32,
}

/// Why a stream of messages ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the relay refused")]
    Refused(Refusal),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the relay ended the stream")]
    Finished,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the relay gave more messages than it may")]
    Credit,
}

impl Reception {
    async fn run(self) {
        let mut standing = self.core.standing.subscribe();
        let mut after = None;
        while let Some(line) = next_line(&mut standing, after).await {
            let end = self.receive(&line).await;
            if let End::Refused(refusal) = end {
                return self.ledger.end(Some(ReceiveError::Refused(refusal)));
            }
            self.ledger.interrupt();
            tracing::debug!(mailbox = %self.mailbox, %end, "receiving was interrupted");
            if matches!(end, End::Wire(_) | End::Credit) {
                line.give_up(CloseCode::Protocol, &end.to_string());
            }
            match line.close_reason() {
                Some(_) => after = Some(line.generation()),
                None => sleep(RETRY_GRACE).await,
            }
        }
        self.ledger.end(None);
    }

    async fn receive(&self, line: &Line) -> End {
        self.follow(line).await.unwrap_or_else(|end| end)
    }

    /// Takes messages and confirms them until the stream ends.
    async fn follow(&self, line: &Line) -> Result<End, End> {
        let request = Request::Receive { mailbox: self.mailbox.clone(), credit: self.credit };
        let (mut sender, mut receiver) = line.open(request.encode(), 0).await?;
        loop {
            tokio::select! {
                frame = receiver.frame(ToReceiver::BYTES_MAX) => {
                    let Some(frame) = frame? else { return Ok(End::Finished) };
                    match ToReceiver::decode(frame)? {
                        ToReceiver::Delivery(delivery) => self.take(delivery)?,
                        ToReceiver::Confirmed(tickets) => self.ledger.confirmed(&tickets),
                        ToReceiver::Refused(refusal) => return Ok(End::Refused(refusal)),
                    }
                }
                tickets = self.ledger.due() => {
                    sender.send(FromReceiver::Confirm(tickets).encode()).await?;
                }
            }
        }
    }

    fn take(&self, delivery: Delivery) -> Result<(), End> {
        meet(&self.core.system.verifier, &delivery.certificates);
        delivery.parts.into_iter().for_each(|part| self.take_part(part));
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        if self.ledger.outstanding() > credit { Err(End::Credit) } else { Ok(()) }
    }

    /// Shows messages that were signed together, and what is wrong with those that are not genuine.
    fn take_part(&self, Part { signed, messages }: Part<DeliveredItem>) {
        let headers: Vec<Bytes> = messages.iter().map(|item| item.header.clone()).collect();
        let decode = |bytes: &Bytes| header::decode(bytes);
        let verified = self.core.system.verifier.headers(&signed, &headers, decode, clock::now());
        for (item, verified) in messages.into_iter().zip(verified) {
            let ticket = item.ticket;
            let leaf = verified.as_ref().map_or_else(|_| leaf(&item.header), VerifiedHeader::leaf);
            if self.ledger.give(leaf, ticket) {
                let arrival = Arrival::read(&self.core.system, &self.mailbox, verified, item);
                self.ledger.show(ticket, arrival);
            }
        }
    }
}
