//! Reading what became of the messages that this system has sent.

mod placed;
mod task;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use kuriiri_types::Address;
use kuriiri_wire::client::ReceiptMode;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    core::Core,
    doubtful::{DoubtfulReceipt, Place},
    error::ReceiveError,
    limits::RECEIPTS_BUFFERED,
    tasks::Tasks,
};
use placed::Item;
pub use placed::PlacedReceipt;
use task::Reader;

/// A system's receipts, oldest first, as they come.
///
/// They stay with the relay until they are confirmed. After a break of the link, those that were
/// not are shown again: a receipt says the same each time.
pub struct Receipts {
    stream: mpsc::Receiver<Item>,
    confirmed: watch::Sender<Option<Place>>,
    address: Address,
    task: JoinSet<()>,
    /// The client goes on while this is there.
    tasks: Arc<Tasks>,
}

impl Receipts {
    pub(crate) fn open(core: &Arc<Core>, tasks: &Arc<Tasks>) -> Self {
        let address = core.system.address.clone();
        let (items, stream) = mpsc::channel(RECEIPTS_BUFFERED);
        let (confirmed, reader_confirmed) = watch::channel(None);
        let reader = Reader {
            core: Arc::clone(core),
            address: address.clone(),
            mode: ReceiptMode::Consume,
            items,
            confirmed: Some(reader_confirmed),
            stands: None,
            subscription: 0,
        };
        let mut task = JoinSet::new();
        task.spawn_on(reader.run(), &core.runtime);
        Self { stream, confirmed, address, task, tasks: Arc::clone(tasks) }
    }

    /// The next receipt, as soon as one comes. Nothing when the client was closed, or after
    /// [`ReceiveError::Refused`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<PlacedReceipt, ReceiveError>> {
        self.stream.recv().await
    }

    /// Tells the relay, in the background, that this receipt and all before it are dealt with. One
    /// that came before the link broke off will be shown again, and is to be confirmed then.
    pub fn confirm(&self, through: &PlacedReceipt) {
        self.confirm_place(through.place);
    }

    /// The same with a receipt that [cannot be accepted](ReceiveError::Unacceptable) and is not wanted any more.
    pub fn confirm_doubtful(&self, through: &DoubtfulReceipt) {
        self.confirm_place(through.place);
    }

    fn confirm_place(&self, through: Place) {
        self.confirmed.send_if_modified(|place| {
            let rises = *place < Some(through);
            if rises {
                *place = Some(through);
            }
            rises
        });
    }

    /// Waits until the relay has what was confirmed, if the link stands, and ends.
    pub async fn close(self) {
        let Self { stream, confirmed, task, tasks, .. } = self;
        drop((stream, confirmed));
        task.join_all().await;
        drop(tasks);
    }
}

impl Stream for Receipts {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_recv(context)
    }
}

/// Receipts as they come, looked at and left where they are. A break of the link leaves none out.
pub struct Watch {
    stream: mpsc::Receiver<Item>,
    address: Address,
    _task: JoinSet<()>,
    /// The client goes on while this is there.
    _tasks: Arc<Tasks>,
}

impl Watch {
    pub(crate) async fn open(core: &Arc<Core>, tasks: &Arc<Tasks>) -> Result<Self, ReceiveError> {
        let address = core.system.address.clone();
        let (items, stream) = mpsc::channel(RECEIPTS_BUFFERED);
        let (stands, standing) = oneshot::channel();
        let reader = Reader {
            core: Arc::clone(core),
            address: address.clone(),
            mode: ReceiptMode::Watch { from: None },
            items,
            confirmed: None,
            stands: Some(stands),
            subscription: 0,
        };
        let mut task = JoinSet::new();
        task.spawn_on(reader.run(), &core.runtime);
        let mut watch = Self { stream, address, _task: task, _tasks: Arc::clone(tasks) };
        if standing.await.is_ok() {
            return Ok(watch);
        }
        match watch.next().await {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(ReceiveError::Closed),
        }
    }

    /// The next receipt, as soon as one comes. Nothing when the client was closed, or after
    /// [`ReceiveError::Refused`]. Cancel safe.
    pub async fn next(&mut self) -> Option<Result<PlacedReceipt, ReceiveError>> {
        self.stream.recv().await
    }
}

impl Stream for Watch {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_recv(context)
    }
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipts").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("address", &self.address).finish_non_exhaustive()
    }
}
