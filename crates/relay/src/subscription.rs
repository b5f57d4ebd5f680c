//! A stream on which a system receives messages or receipts until it ends.

use std::sync::Arc;

use kuriiri_engine::{self as engine, Delivery, Event, ReceiptOut, Seq, SubscriptionId};
use kuriiri_seal::gather;
use kuriiri_transport::{Link, Receiver, Sender};
use kuriiri_types::{Envelope, Refusal, limits::BATCH_MESSAGES_MAX};
use kuriiri_wire::{
    Frame, Part,
    client::{
        self, ConfirmReceipts, DeliveredItem, FromReceiver, ReceiptBatch, ToReceiptReader,
        ToReceiver,
    },
};
use tokio::sync::mpsc;

use crate::{
    error::LinkError,
    handing_out,
    messages::PUSHES_MAX,
    pushes::{Push, Pushed},
    shared::Shared,
};

/// Receipts in one frame, as the contract has it.
const RECEIPTS_PER_FRAME: usize = BATCH_MESSAGES_MAX;

/// One open subscription.
pub(crate) struct Subscription {
    shared: Arc<Shared>,
    link: Link,
    id: SubscriptionId,
    pushes: mpsc::Receiver<Pushed>,
}

impl Subscription {
    /// Opens it with the engine.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        link: &Link,
        wanted: impl FnOnce(SubscriptionId) -> Event,
    ) -> Result<Self, LinkError> {
        let id = shared.inbox.new_subscription();
        let (channel, pushes) = mpsc::channel(PUSHES_MAX);
        shared.inbox.subscribe(wanted(id), id, channel).await?;
        Ok(Self { shared: Arc::clone(shared), link: link.clone(), id, pushes })
    }

    /// Delivers messages and takes confirmations until either side ends it.
    pub(crate) async fn serve_messages(
        mut self,
        mut sender: Sender,
        receiver: Receiver,
    ) -> Result<(), LinkError> {
        let (shared, subscription) = (Arc::clone(&self.shared), self.id);
        let confirmed = |frame| {
            let from_wire = |tickets: Vec<_>| tickets.into_iter().map(from_wire).collect();
            match frame {
                FromReceiver::Confirm(tickets) => {
                    Event::Confirmed { subscription, tickets: from_wire(tickets) }
                }
                FromReceiver::SetAside { tickets, why } => {
                    let tickets = from_wire(tickets);
                    Event::Unaccepted { subscription, tickets, why, by_receiver: true }
                }
            }
        };
        let outcome = tokio::select! {
            outcome = take_confirmations(&shared, receiver, confirmed) => outcome,
            outcome = self.push_messages(&mut sender) => outcome,
        };
        self.end().await;
        outcome
    }

    /// Delivers receipts and takes confirmations until either side ends it.
    pub(crate) async fn serve_receipts(
        mut self,
        mut sender: Sender,
        receiver: Receiver,
    ) -> Result<(), LinkError> {
        let (shared, subscription) = (Arc::clone(&self.shared), self.id);
        let confirmed =
            |ConfirmReceipts { through }| Event::ReceiptsConfirmed { subscription, through };
        let outcome = tokio::select! {
            outcome = take_confirmations(&shared, receiver, confirmed) => outcome,
            outcome = self.push_receipts(&mut sender) => outcome,
        };
        self.end().await;
        outcome
    }

    async fn push_messages(&mut self, sender: &mut Sender) -> Result<(), LinkError> {
        // What was pushed weighs until it has been sent.
        while let Some(Pushed { push, weight: _weight }) = self.pushes.recv().await {
            let mut _room = None;
            let frame = match push {
                Push::Confirmed(tickets) => {
                    ToReceiver::Confirmed(tickets.into_iter().map(to_wire).collect())
                }
                Push::Messages(items) => {
                    let bytes = items.iter().map(|item| item.body.len()).sum();
                    _room = Some(self.link.room_to_send(bytes).await);
                    let delivery = self.delivery(items).await?;
                    if delivery.parts.is_empty() {
                        continue;
                    }
                    ToReceiver::Delivery(delivery)
                }
                Push::Refused(refusal) => {
                    return self.refuse(sender, ToReceiver::Refused(refusal)).await;
                }
                Push::Receipts(..) => continue,
            };
            sender.send(frame.encode()).await?;
        }
        Err(LinkError::Slow)
    }

    async fn push_receipts(&mut self, sender: &mut Sender) -> Result<(), LinkError> {
        while let Some(Pushed { push, weight: _weight }) = self.pushes.recv().await {
            match push {
                Push::Receipts(receipts, next) => {
                    self.send_receipts(sender, receipts, next).await?
                }
                Push::Refused(refusal) => {
                    return self.refuse(sender, ToReceiptReader::Refused(refusal)).await;
                }
                Push::Confirmed(_) | Push::Messages(_) => {}
            }
        }
        Err(LinkError::Slow)
    }

    /// Says why, and waits until it was heard before the stream goes.
    async fn refuse(&self, sender: &mut Sender, frame: impl Frame) -> Result<(), LinkError> {
        sender.send(frame.encode()).await?;
        sender.finish()?;
        sender.stopped().await?;
        Ok(())
    }

    async fn delivery(&self, items: Vec<Delivery>) -> Result<client::Delivery, LinkError> {
        let signers = items.iter().flat_map(|item| {
            let approvals = item.approvals.iter().map(|signed| signed.proof.signer);
            [item.envelope.proof.signer].into_iter().chain(approvals)
        });
        let certificates = self.shared.certificates.of(signers);
        let mut delivered = Vec::with_capacity(items.len());
        for Delivery { ticket, envelope: Envelope { header, proof }, approvals, handling, body } in
            items
        {
            let body = match handing_out::body_or_why(&self.shared.store, body).await? {
                Ok(body) => body,
                Err(why) => {
                    self.set_aside(ticket, why).await?;
                    continue;
                }
            };
            let ticket = to_wire(ticket);
            delivered.push((proof, DeliveredItem { ticket, header, approvals, handling, body }));
        }
        let parts = gather(delivered, |(proof, _)| proof, |_, _| true).into_iter();
        let parts = parts.map(|(signed, items)| Part {
            signed,
            messages: items.into_iter().map(|(_, item)| item).collect(),
        });
        Ok(client::Delivery { certificates, parts: parts.collect() })
    }

    /// Nothing behind a message waits for what this disk does not give.
    async fn set_aside(&self, ticket: engine::Ticket, why: Refusal) -> Result<(), LinkError> {
        let (subscription, tickets) = (self.id, vec![ticket]);
        let event = Event::Unaccepted { subscription, tickets, why, by_receiver: false };
        self.shared.inbox.tell(event).await?;
        Ok(())
    }

    async fn send_receipts(
        &self,
        sender: &mut Sender,
        receipts: Vec<(Seq, ReceiptOut)>,
        next: Seq,
    ) -> Result<(), LinkError> {
        let mut rest = receipts.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(RECEIPTS_PER_FRAME));
            let next = later.first().map_or(next, |(seq, _)| *seq);
            let proved = now.iter().map(|(seq, receipt)| {
                Ok((*seq, handing_out::receipt(&self.shared.store, receipt.clone())?))
            });
            let receipts = proved.collect::<Result<_, LinkError>>()?;
            let batch = ReceiptBatch { receipts, next };
            sender.send(ToReceiptReader::Receipts(batch).encode()).await?;
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    async fn end(self) {
        // When the loop is gone there is nobody left to tell.
        let _ = self.shared.inbox.tell(Event::Unsubscribed { subscription: self.id }).await;
    }
}

/// Tells the engine what the other side confirms, until it ends its half of the stream.
async fn take_confirmations<F: Frame>(
    shared: &Shared,
    mut receiver: Receiver,
    event: impl Fn(F) -> Event,
) -> Result<(), LinkError> {
    while let Some(frame) = receiver.frame(F::BYTES_MAX).await? {
        shared.inbox.tell(event(F::decode(frame)?)).await?;
    }
    Ok(())
}

fn to_wire(ticket: engine::Ticket) -> client::Ticket {
    client::Ticket { lane: ticket.lane, seq: ticket.seq }
}

fn from_wire(ticket: client::Ticket) -> engine::Ticket {
    engine::Ticket { lane: ticket.lane, seq: ticket.seq }
}
