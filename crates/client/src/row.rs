//! From drafts to queues: asked about, composed, and put in line.

use kuriiri_types::{Precedence, limits::BATCH_MESSAGES_MAX};
use tokio::{sync::oneshot, task::yield_now};

use crate::{
    accepted::Accepted,
    compose::{check_draft, compose},
    core::Core,
    draft::Draft,
    error::SendError,
    queue::Waiting,
    terms::{Terms, TermsKey},
};

/// Where the fate of a message will be told.
pub(crate) type Fate = oneshot::Receiver<Result<Accepted, SendError>>;

/// Messages of one caller that are about to be put into a queue together, so that they travel
/// together. They are put there before the caller waits for anything, and when this is dropped.
pub(crate) struct Row<'a> {
    core: &'a Core,
    precedence: Precedence,
    waiting: Vec<Waiting>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(core: &'a Core) -> Self {
        Self { core, precedence: Precedence::default(), waiting: Vec::new() }
    }

    /// Takes a draft. What is wrong with it is told at once, the rest when the relay has answered.
    pub(crate) async fn take(&mut self, draft: Draft) -> Result<Fate, SendError> {
        let core = self.core;
        let queue = core.queues.of(draft.precedence);
        let room = match queue.room_now(draft.body.len())? {
            Some(room) => room,
            None => {
                self.go();
                queue.room(draft.body.len()).await?
            }
        };
        let key = TermsKey::of_draft(&draft, &core.system.address);
        let terms = self.terms(&key, &draft).await?;
        let precedence = draft.precedence;
        let message = compose(&core.system, draft, key, terms)?;
        let (answer, fate) = oneshot::channel();
        if self.put(precedence, Waiting { message, answer, room }) {
            // Composing is work: others on this thread, the senders first, get their turn.
            yield_now().await;
        }
        Ok(fate)
    }

    async fn terms(&mut self, key: &TermsKey, draft: &Draft) -> Result<Terms, SendError> {
        let mut standing = self.core.standing.subscribe();
        if let Some(terms) = self.core.terms.known(&standing, key) {
            return Ok(terms);
        }
        self.go();
        check_draft(draft, &key.from)?;
        self.core.terms.ask(&mut standing, key, draft).await
    }

    /// True when what has gathered made a whole batch, which went.
    fn put(&mut self, precedence: Precedence, waiting: Waiting) -> bool {
        if precedence != self.precedence {
            self.go();
            self.precedence = precedence;
        }
        self.waiting.push(waiting);
        let is_full = self.waiting.len() >= BATCH_MESSAGES_MAX;
        if is_full {
            self.go();
        }
        is_full
    }

    /// Puts what has gathered into its queue.
    fn go(&mut self) {
        if !self.waiting.is_empty() {
            self.core.queues.of(self.precedence).push(self.waiting.drain(..));
        }
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.go();
    }
}
