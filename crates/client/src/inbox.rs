//! Receiving the messages of a mailbox.

mod task;

use std::{
    fmt, future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use kuriiri_types::{Address, limits::CREDIT_MAX};
use tokio::task::JoinSet;

use crate::{
    core::Core, error::ReceiveError, ledger::Ledger, limits::CREDIT, message::Message, tasks::Tasks,
};
use task::Reception;

/// How messages are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveOptions {
    /// Whose mailbox, if not the profile's. The relay says whether this system may read it.
    pub mailbox: Option<Address>,
    /// Messages that may be given and not yet confirmed, 1 to
    /// [`CREDIT_MAX`]. What is above waits at the relay.
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
