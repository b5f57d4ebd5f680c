//! On what terms messages under a label may go: asked of the relay once, and remembered.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kuriiri_transport::CloseCode;
use kuriiri_types::{Address, Header, Ministry, Outcome, Precedence, WireLabel};
use kuriiri_wire::client::{Question, Reply, Request};
use tokio::sync::{Mutex as Turn, watch};

use crate::{
    draft::Draft,
    error::{CallError, SendError},
    limits::ANSWERS_REMEMBERED,
    link::{Line, Standing, next_line},
};

/// What the relay's answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TermsKey {
    pub(crate) from: Address,
    label: Option<WireLabel>,
    precedence: Precedence,
    /// Sorted, none twice.
    pub(crate) destinations: Vec<Ministry>,
}

/// How messages with one key may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) seal: bool,
    pub(crate) size_max: u64,
    /// Releasing officers whom the relay will wait for; 0 for none.
    pub(crate) approvals: u32,
}

/// The relay's answers, as long as the link stands on which they were given. Only what may go is
/// remembered: whoever was refused has asked somebody to change that, and tries again.
#[derive(Debug, Default)]
pub(crate) struct KnownTerms {
    known: Mutex<Known>,
    asking: Turn<()>,
}

#[derive(Debug, Default)]
struct Known {
    generation: u64,
    terms: HashMap<TermsKey, Terms>,
}

impl TermsKey {
    /// `own` is the address of whoever names none in the draft.
    pub(crate) fn of_draft(draft: &Draft, own: &Address) -> Self {
        Self {
            from: draft.from.as_ref().unwrap_or(own).clone(),
            label: draft.label.clone(),
            precedence: draft.precedence,
            destinations: draft.destinations(),
        }
    }

    pub(crate) fn of_header(header: &Header) -> Self {
        let mut destinations = header.destinations();
        destinations.sort_unstable();
        Self {
            from: header.from.clone(),
            label: header.label.clone(),
            precedence: header.precedence,
            destinations,
        }
    }
}

impl KnownTerms {
    /// The terms, if they are known on the link that stands.
    pub(crate) fn known(
        &self,
        standing: &watch::Receiver<Standing>,
        key: &TermsKey,
    ) -> Option<Terms> {
        let generation = match &*standing.borrow() {
            Standing::Up(line) => line.generation(),
            Standing::Down(_) | Standing::Ended => return None,
        };
        let known = self.locked();
        known.terms.get(key).filter(|_| known.generation == generation).copied()
    }

    /// Asks the relay, waiting for a link as long as it takes. Only one question is under way:
    /// many who want to know the same have one answer.
    pub(crate) async fn ask(
        &self,
        standing: &mut watch::Receiver<Standing>,
        key: &TermsKey,
        draft: &Draft,
    ) -> Result<Terms, SendError> {
        let _turn = self.asking.lock().await;
        let mut after = None;
        loop {
            if let Some(terms) = self.known(standing, key) {
                return Ok(terms);
            }
            let line = next_line(standing, after).await.ok_or(SendError::Closed)?;
            // The size is asked as 0: the answer serves all sizes up to the one that it names.
            match ask(&line, question(draft, &key.from, 0)).await {
                Ok(Outcome::Permit { seal, size_max, approvals }) => {
                    let terms = Terms { seal, size_max, approvals };
                    self.remember(line.generation(), key.clone(), terms);
                    return Ok(terms);
                }
                Ok(Outcome::Refuse(refusal)) | Err(CallError::Refused(refusal)) => {
                    return Err(SendError::refused(refusal));
                }
                Err(error) => {
                    line.give_up(CloseCode::Done, &error.to_string());
                    after = Some(line.generation());
                }
            }
        }
    }

    /// The relay no longer says what it said.
    pub(crate) fn forget(&self, key: &TermsKey) {
        self.locked().terms.remove(key);
    }

    fn remember(&self, generation: u64, key: TermsKey, terms: Terms) {
        let mut known = self.locked();
        if known.generation != generation || known.terms.len() >= ANSWERS_REMEMBERED {
            known.terms.clear();
            known.generation = generation;
        }
        known.terms.insert(key, terms);
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The question about a draft.
pub(crate) fn question(draft: &Draft, from: &Address, size: u64) -> Question {
    Question {
        from: from.clone(),
        to: draft.to.iter().map(|recipient| recipient.address.clone()).collect(),
        label: draft.label.clone(),
        precedence: draft.precedence,
        size,
    }
}

/// Puts a question to the relay.
pub(crate) async fn ask(line: &Line, question: Question) -> Result<Outcome, CallError> {
    match line.call(&Request::Ask(question)).await? {
        Reply::Answer(answer) => Ok(answer.outcome),
        Reply::Refused(refusal) => Err(CallError::Refused(refusal)),
        Reply::Submission(_) | Reply::Status(_) | Reply::Proofs(_) => Err(CallError::Misfit),
    }
}
