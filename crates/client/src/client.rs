//! The handle of a system's program.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, Outcome, SpiffeId};
use kuriiri_wire::client::{Reply, Request, StatusReport};

use crate::{
    accepted::Accepted,
    compose::check_draft,
    core::Core,
    dial::{Caller, Dialler},
    draft::Draft,
    error::{CallError, ConnectError, ReceiveError, SendError},
    inbox::{Inbox, ReceiveOptions},
    kept::{KeptError, kept},
    limits::CONFIRMATIONS_AWAITED,
    link::{Line, Standing},
    profile::Profile,
    receipts::{Receipts, Watch},
    refresh::refresh,
    row::{Fate, Row},
    system::System,
    tasks::Tasks,
    terms::{self, TermsKey},
};

/// A system's link to its own relay. Cheap to clone; all clones are one client.
///
/// It keeps one connection, makes it anew by itself when it ends, and sends what was not answered
/// again with the very same bytes, so that nothing arrives twice. When the last clone and the last
/// inbox are dropped, all ends at once and what was not yet answered may be lost;
/// [`close`](Self::close) finishes it first.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
    tasks: Arc<Tasks>,
}

impl Client {
    /// Connects to the relay and waits until it has accepted this system.
    ///
    /// # Errors
    /// When it does not answer, is not who it should be, or does not accept this system. Nothing is
    /// tried again: only a link that stood is made anew.
    pub async fn connect(profile: Profile) -> Result<Self, ConnectError> {
        let dialler = Dialler::new(&profile.party, Caller::System)?;
        let line = Box::pin(dialler.dial(0)).await?;
        let core = Arc::new(Core::new(System::new(profile), Standing::Up(line.clone())));
        let tasks = Arc::new(Tasks::start(&core, dialler, line));
        Ok(Self { core, tasks })
    }

    /// Who this system is.
    pub fn system(&self) -> &SpiffeId {
        &self.core.system.id
    }

    /// The mailbox from which it sends, and which it reads, unless told otherwise.
    pub fn address(&self) -> &Address {
        &self.core.system.address
    }

    // === sending ===

    /// Sends a message. It returns when the relay holds it durably, with receipts that prove it,
    /// and it waits while the relay cannot be reached or too much waits already.
    ///
    /// Before the first message under a label, for the same ministries and precedence, the relay is
    /// asked whether it may go and must be sealed. What the relay refuses is not even uploaded.
    ///
    /// Sends that follow one another keep their order within a precedence; of sends at the same
    /// time any may be first. When the future is dropped, the message may be sent or not.
    ///
    /// # Errors
    /// Why the relay does not have the message; see [`SendError`].
    pub async fn send(&self, draft: Draft) -> Result<Accepted, SendError> {
        let fate = Row::new(&self.core).take(draft).await;
        told(fate).await
    }

    /// Sends many messages, without waiting for one before the next. The results are in the order
    /// of the drafts, and so are the messages within each precedence.
    pub async fn send_many<I>(&self, drafts: I) -> Vec<Result<Accepted, SendError>>
    where
        I: IntoIterator<Item = Draft, IntoIter: Send>,
    {
        self.send_many_until(drafts, std::future::pending()).await
    }

    /// The same, which waits no longer than for `over`. What has no answer then ends with
    /// [`SendError::TimedOut`], and no further draft is taken. What was taken before may be sent
    /// nevertheless: who does not want that drops the client instead of waiting for
    /// [`close`](Self::close).
    pub async fn send_many_until<I>(
        &self,
        drafts: I,
        over: impl Future<Output = ()> + Send,
    ) -> Vec<Result<Accepted, SendError>>
    where
        I: IntoIterator<Item = Draft, IntoIter: Send>,
    {
        let mut limit = Limit { over: Box::pin(over), is_over: false };
        let mut row = Row::new(&self.core);
        let mut fates = Vec::new();
        for draft in drafts {
            fates.push(match limit.is_over {
                true => Err(SendError::TimedOut),
                false => limit.within(row.take(draft)).await,
            });
        }
        drop(row);
        let mut results = Vec::with_capacity(fates.len());
        for fate in fates {
            results.push(limit.within(told(fate)).await);
        }
        results
    }

    /// What would happen to a draft if it were sent now.
    ///
    /// # Errors
    /// When the draft is malformed, or no answer can be had at the moment.
    pub async fn ask(&self, draft: &Draft) -> Result<Outcome, CallError> {
        let key = TermsKey::of_draft(draft, self.address());
        check_draft(draft, &key.from).map_err(|error| CallError::Draft(Box::new(error)))?;
        let size = u64::try_from(draft.body.len()).unwrap_or(u64::MAX);
        terms::ask(&self.line()?, terms::question(draft, &key.from, size)).await
    }

    // === receiving ===

    /// The messages of a mailbox, as long as the inbox is held.
    pub fn receive(&self, options: ReceiveOptions) -> Inbox {
        Inbox::open(&self.core, &self.tasks, options)
    }

    /// The receipts for what this system has sent, oldest first; those that are confirmed leave the
    /// relay.
    pub fn receipts(&self) -> Receipts {
        Receipts::open(&self.core, &self.tasks)
    }

    /// Looks on while receipts come in, and takes nothing away. Everything that comes in after this
    /// has returned is shown.
    ///
    /// # Errors
    /// When the relay refuses it, or the client is closed.
    pub async fn watch(&self) -> Result<Watch, ReceiveError> {
        Watch::open(&self.core, &self.tasks).await
    }

    // === the rest ===

    /// Why no link to the relay stands at the moment, if none does. It is being made anew, and what is to be
    /// sent waits for it.
    pub fn trouble(&self) -> Option<Arc<ConnectError>> {
        match &*self.core.standing.borrow() {
            Standing::Down(error) => Some(Arc::clone(error)),
            Standing::Up(_) | Standing::Ended => None,
        }
    }

    /// How the relay is.
    ///
    /// # Errors
    /// When no answer can be had at the moment.
    pub async fn status(&self) -> Result<StatusReport, CallError> {
        match self.line()?.call(&Request::Status).await? {
            Reply::Status(report) => Ok(report),
            Reply::Refused(refusal) => Err(CallError::Refused(refusal)),
            Reply::Submission(_) | Reply::Answer(_) | Reply::Proofs(_) => Err(CallError::Misfit),
        }
    }

    /// Newer proofs of receipts, under a checkpoint that witnesses have cosigned: what is handed out at
    /// once is proved by one that nobody but the log itself has signed. In the order of the receipts;
    /// nothing for one that no witness has seen yet, so ask again in some seconds.
    ///
    /// The own relay is asked, and for the receipts of another ministry's it asks that one, if it has a link
    /// with it.
    ///
    /// # Errors
    /// When no answer can be had at the moment. With [`Code::NOT_WITNESSED`](kuriiri_types::Code) asking
    /// again helps; with `UNREACHABLE` the reason says who else has the proof.
    pub async fn refresh(
        &self,
        receipts: &[&VerifiedReceipt],
    ) -> Result<Vec<Option<VerifiedReceipt>>, CallError> {
        refresh(&self.core.system, &self.line()?, receipts).await
    }

    /// The receipt in a file that [`receipt_proof`](crate::receipt_proof) made.
    ///
    /// # Errors
    /// When it is no such file, or no receipt of a member's log as it is now.
    pub fn kept_receipt(&self, file: &[u8]) -> Result<VerifiedReceipt, KeptError> {
        kept(&self.core.system, file)
    }

    /// Takes nothing more, waits until all that is under way has been answered, and says farewell
    /// to the relay. Inboxes end, and so do all other clones of this client.
    ///
    /// While the relay cannot be reached it waits; who will not, drops the future and the client.
    pub async fn close(self) {
        self.core.queues.drain().await;
        // It fails only when another has closed the client before.
        let all = self.core.confirmations.acquire_many(CONFIRMATIONS_AWAITED).await;
        self.core.confirmations.close();
        drop(all);
        self.tasks.end(&self.core).await;
    }

    /// The link that stands now.
    fn line(&self) -> Result<Line, CallError> {
        self.core.standing.borrow().line()
    }
}

/// How long a caller waits. What has come by then is told, also when the time is over.
struct Limit<F> {
    over: Pin<Box<F>>,
    is_over: bool,
}

impl<F: Future<Output = ()>> Limit<F> {
    async fn within<T>(
        &mut self,
        wanted: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, SendError> {
        let mut wanted = pin!(wanted);
        if self.is_over {
            let look = |context: &mut Context<'_>| match wanted.as_mut().poll(context) {
                Poll::Ready(come) => Poll::Ready(come),
                Poll::Pending => Poll::Ready(Err(SendError::TimedOut)),
            };
            return poll_fn(look).await;
        }
        tokio::select! {
            biased;
            come = &mut wanted => come,
            () = &mut self.over => {
                self.is_over = true;
                Err(SendError::TimedOut)
            }
        }
    }
}

async fn told(fate: Result<Fate, SendError>) -> Result<Accepted, SendError> {
    // Whoever should have told is gone when the client was closed around it.
    fate?.await.unwrap_or(Err(SendError::Closed))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Client");
        debug.field("system", self.system()).field("address", self.address());
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_has_come_is_told_although_the_time_is_over() {
        let mut limit = Limit { over: Box::pin(ready(())), is_over: false };
        assert_eq!(limit.within(ready(Ok(1))).await.unwrap(), 1);
        for _ in 0..2 {
            let late = limit.within(pending::<Result<(), _>>()).await.unwrap_err();
            assert!(matches!(late, SendError::TimedOut), "{late}");
        }
        assert_eq!(limit.within(ready(Ok(2))).await.unwrap(), 2);
    }
}
