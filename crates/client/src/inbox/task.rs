//! The task that receives messages, over one link after the other.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::VerifiedHeader;
use kuriiri_transport::{CloseCode, StreamError};
use kuriiri_types::{Address, Refusal, limits::RETRY_GRACE};
use kuriiri_wire::{
    Frame, Part, WireError,
    client::{DeliveredItem, Delivery, Request, ToReceiver},
    header,
};
use tokio::time::sleep;

use crate::{
    arrival::Arrival,
    clock,
    core::Core,
    error::ReceiveError,
    ledger::Ledger,
    link::{Line, next_line},
    open::meet,
};

/// Receives over one link after the other.
pub(super) struct Reception {
    pub(super) core: Arc<Core>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) mailbox: Address,
    pub(super) credit: u32,
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
    pub(super) async fn run(self) {
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
                frames = self.ledger.due() => {
                    for frame in frames {
                        sender.send(frame.encode()).await?;
                    }
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
                if let Err(error) = &arrival {
                    self.ledger.cannot_show(ticket, error.as_refusal());
                }
                self.ledger.show(ticket, arrival);
            }
        }
    }
}
