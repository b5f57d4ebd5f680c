//! The task that reads receipts, over one link after the other.

use std::sync::Arc;

use kuriiri_transport::{CloseCode, Receiver, Sender, StreamError};
use kuriiri_types::{Address, Refusal, SignedReceipt, limits::RETRY_GRACE};
use kuriiri_wire::{
    Frame, WireError,
    client::{ConfirmReceipts, ReceiptBatch, ReceiptMode, Request, ToReceiptReader},
    receipt,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::placed::{Item, PlacedReceipt};
use crate::{
    core::Core,
    doubtful::{DoubtfulReceipt, Place},
    error::{ReceiveError, Unacceptable},
    limits::ANSWER_TIMEOUT,
    link::{Line, next_line},
};

/// Reads the receipts of an address.
pub(super) struct Reader {
    pub(super) core: Arc<Core>,
    pub(super) address: Address,
    /// A watch goes on where it broke off.
    pub(super) mode: ReceiptMode,
    pub(super) items: mpsc::Sender<Item>,
    /// What the program has dealt with, for one that consumes. It closes the other end to finish.
    pub(super) confirmed: Option<watch::Receiver<Option<Place>>>,
    /// Told when a watch stands for the first time.
    pub(super) stands: Option<oneshot::Sender<()>>,
    /// How often it has subscribed.
    pub(super) subscription: u64,
}

/// Why a stream of receipts ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the relay refused")]
    Refused(Refusal),
    #[error("the program wants no more")]
    Unwanted,
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the relay ended the stream")]
    Finished,
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Reader {
    pub(super) async fn run(mut self) {
        let mut standing = self.core.standing.subscribe();
        let mut after = None;
        loop {
            let line = tokio::select! {
                line = next_line(&mut standing, after) => line,
                () = self.items.closed() => return,
            };
            let Some(line) = line else { return };
            match self.read(&line).await {
                End::Unwanted => return,
                End::Refused(refusal) => {
                    // When nobody listens there is nobody left to tell.
                    let _ = self.items.send(Err(ReceiveError::Refused(refusal))).await;
                    return;
                }
                End::Wire(error) => line.give_up(CloseCode::Protocol, &error.to_string()),
                End::Stream(_) | End::Finished => {}
            }
            match line.close_reason() {
                Some(_) => after = Some(line.generation()),
                None => sleep(RETRY_GRACE).await,
            }
        }
    }

    async fn read(&mut self, line: &Line) -> End {
        self.follow(line).await.unwrap_or_else(|end| end)
    }

    /// Reads and confirms until the stream ends.
    async fn follow(&mut self, line: &Line) -> Result<End, End> {
        let request = Request::Receipts { address: self.address.clone(), mode: self.mode };
        let (mut sender, mut receiver) = line.open(request.encode(), 0).await?;
        self.subscription = self.subscription.saturating_add(1);
        let subscription = self.subscription;
        let mut confirmed = self.confirmed.clone();
        loop {
            tokio::select! {
                frame = receiver.frame(ToReceiptReader::BYTES_MAX) => {
                    let Some(frame) = frame? else { return Ok(End::Finished) };
                    match ToReceiptReader::decode(frame)? {
                        ToReceiptReader::Receipts(batch) => self.take(batch).await,
                        ToReceiptReader::Refused(refusal) => return Ok(End::Refused(refusal)),
                    }
                }
                through = next_confirmed(&mut confirmed, subscription) => match through {
                    Some(through) => sender.send(ConfirmReceipts { through }.encode()).await?,
                    None => {
                        finish(sender, receiver).await;
                        return Ok(End::Unwanted);
                    }
                },
                () = self.items.closed(), if confirmed.is_none() => return Ok(End::Unwanted),
            }
        }
    }

    async fn take(&mut self, batch: ReceiptBatch) {
        for (number, signed) in batch.receipts {
            // One that nobody wants any more is still with the relay.
            let _ = self.items.send(self.check(number, signed)).await;
        }
        if let ReceiptMode::Watch { from } = &mut self.mode {
            *from = Some(batch.next);
        }
        if let Some(stands) = self.stands.take() {
            let _ = stands.send(());
        }
    }

    fn check(&self, number: u64, signed: SignedReceipt) -> Item {
        let place = Place { subscription: self.subscription, number };
        let check = || {
            let verified = self
                .core
                .system
                .receipt(signed.clone())
                .map_err(Unacceptable::ReceiptNotGenuine)?;
            let receipt = verified.receipt();
            if receipt.sender != self.address {
                return Err(Unacceptable::NotForUs);
            }
            if !receipt.is_its_issuers_to_say() {
                return Err(Unacceptable::NotItsToSay(receipt.issuer.clone()));
            }
            Ok(PlacedReceipt { place, verified })
        };
        check().map_err(|source| {
            let claimed = receipt::decode(&signed.entry).ok();
            let claimed = claimed.and_then(|receipt| receipt.subjects.into_iter().next());
            let id = claimed.map(|told| told.subject.message);
            let receipt = Some(Box::new(DoubtfulReceipt { place, signed: signed.clone() }));
            ReceiveError::Unacceptable { id, source, receipt }
        })
    }
}

/// The next place that the program has dealt with, or nothing when it wants to finish. One that
/// only watches never does either.
async fn next_confirmed(
    confirmed: &mut Option<watch::Receiver<Option<Place>>>,
    subscription: u64,
) -> Option<u64> {
    let Some(confirmed) = confirmed else { return std::future::pending().await };
    loop {
        confirmed.changed().await.ok()?;
        let through = *confirmed.borrow_and_update();
        if let Some(through) = through.filter(|place| place.subscription == subscription) {
            return Some(through.number);
        }
    }
}

/// Ends the stream and waits until the relay has read it to its end.
async fn finish(mut sender: Sender, mut receiver: Receiver) {
    if sender.finish().is_err() {
        return;
    }
    let read =
        async { while let Ok(Some(_)) = receiver.frame(ToReceiptReader::BYTES_MAX).await {} };
    if timeout(ANSWER_TIMEOUT, read).await.is_err() {
        tracing::warn!("the relay did not take the last confirmation of receipts");
    }
}
