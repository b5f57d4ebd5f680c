//! One step in the making: what it may read, and what it has decided so far.

use bytes::Bytes;
use kuriiri_types::{Timestamp, limits::BODY_INLINE_BYTES_MAX};

use crate::{
    action::{Action, Reply},
    commit::{BodyFile, Commit, Write},
    config::Random,
    event::Token,
    held::Reader,
    receipts::Draft,
    record::{Body, BodyRef, Certificate},
};

/// The step under construction.
pub(crate) struct Work<'a> {
    pub(crate) now: Timestamp,
    pub(crate) random: &'a mut dyn Random,
    pub(crate) reader: Reader<'a>,
    pub(crate) commit: Commit,
    pub(crate) actions: Vec<Action>,
    pub(crate) drafts: Vec<Draft>,
    wake: Option<Timestamp>,
    earliest_due: Option<Timestamp>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(now: Timestamp, random: &'a mut dyn Random, reader: Reader<'a>) -> Self {
        Self {
            now,
            random,
            reader,
            commit: Commit::default(),
            actions: Vec::new(),
            drafts: Vec::new(),
            wake: None,
            earliest_due: None,
        }
    }

    /// Asks for a step at this time at the latest.
    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        self.wake = self.wake.into_iter().chain([at]).min();
    }

    /// When the next step is wanted, events or not.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        self.wake
    }

    /// Remembers that a note of expiry was written.
    pub(crate) fn note_due(&mut self, due: Option<Timestamp>) {
        self.earliest_due = self.earliest_due.into_iter().chain(due).min();
    }

    /// The earliest note of expiry that this step wrote.
    pub(crate) fn earliest_due(&self) -> Option<Timestamp> {
        self.earliest_due
    }

    /// Finds a place for salt and body: in the pack, or in this commit's body file, where it is
    /// stored once however many copies of the message refer to it. `beside` is what will stand
    /// in the pack with it besides its header.
    pub(crate) fn place(&mut self, body: &Bytes, copies: u32, file: u64, beside: usize) -> Body {
        if body.len().saturating_add(beside) <= BODY_INLINE_BYTES_MAX {
            return Body::Inline(body.clone());
        }
        let bodies = self.commit.bodies.get_or_insert_with(|| BodyFile {
            file,
            bodies: Vec::new(),
            references: 0,
        });
        let offset = bodies.bodies.iter().map(|b| b.len() as u64).sum();
        bodies.bodies.push(body.clone());
        bodies.references = bodies.references.saturating_add(copies);
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        Body::File(BodyRef { file: bodies.file, offset, len })
    }

    /// Has a question answered, once the step is durable.
    pub(crate) fn answer(&mut self, token: Token, reply: Reply) {
        self.actions.push(Action::Answer(token, reply));
    }

    /// Keeps certificates that came along and are new.
    pub(crate) fn keep(&mut self, certificates: Vec<Certificate>) {
        self.commit.writes.extend(certificates.into_iter().map(Write::PutCertificate));
    }
}
