//! One step in the making: what it may read, and what it has decided so far.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, LogEvent, Ministry, Timestamp, limits::BODY_INLINE_BYTES_MAX};

use crate::{
    action::{Action, Reply, Unproved},
    classes::Classes,
    commit::{BodyFile, Commit, Write},
    config::Random,
    event::Token,
    heads::Passed,
    held::{HeldReceipt, Reader},
    log::Writing,
    record::{Body, BodyRef, Certificate},
    statements::Statements,
};

/// The step under construction.
pub(crate) struct Work<'a> {
    pub(crate) now: Timestamp,
    pub(crate) random: &'a mut dyn Random,
    pub(crate) reader: Reader<'a>,
    pub(crate) commit: Commit,
    pub(crate) actions: Vec<Action>,
    /// Decisions that are not in the log yet.
    pub(crate) classes: Classes,
    /// What is stated in this step.
    pub(crate) statements: Statements,
    /// Statements of other relays on their way to senders.
    pub(crate) came: Vec<(Address, HeldReceipt)>,
    /// Receipts that go back with the answer to whoever handed messages over.
    pub(crate) answered: BTreeMap<Token, Vec<Unproved>>,
    pub(crate) log: Writing,
    /// Set when something ended that was only on disk: whoever reads in this step still finds it there.
    pub(crate) ended_on_disk: bool,
    wake: Option<Timestamp>,
    earliest_due: Option<Timestamp>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        now: Timestamp,
        random: &'a mut dyn Random,
        reader: Reader<'a>,
        log: Writing,
    ) -> Self {
        Self {
            now,
            random,
            reader,
            commit: Commit::default(),
            actions: Vec::new(),
            classes: Classes::default(),
            statements: Statements::default(),
            came: Vec::new(),
            answered: BTreeMap::new(),
            log,
            ended_on_disk: false,
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
            // Copied out of its frame, for the reason given at `held::kept`.
            return Body::Inline(Bytes::copy_from_slice(body));
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

    /// Whether something was decided, stated or heard that has still to be written or passed on.
    pub(crate) fn has_to_say(&self) -> bool {
        !self.classes.is_empty() || self.statements.has_pending() || !self.came.is_empty()
    }

    /// Has a question answered, once the step is durable.
    pub(crate) fn answer(&mut self, token: Token, reply: Reply) {
        self.actions.push(Action::Answer(token, reply));
    }

    /// Writes an entry into the log that is no link of a chain; gives its place.
    pub(crate) fn note(&mut self, event: LogEvent) -> u64 {
        self.log.append(self.now, Vec::new(), event)
    }

    /// Writes that a peer handed over a receipt; gives its place.
    pub(crate) fn note_receipt(&mut self, peer: &Ministry, receipt: &VerifiedReceipt) -> u64 {
        self.log.pass(Passed::heard(peer, receipt));
        let (from, receipt) = (peer.clone(), Box::new(receipt.signed().clone()));
        self.note(LogEvent::ReceiptIn { from, receipt })
    }

    /// Keeps a certificate that came along.
    pub(crate) fn keep(&mut self, certificate: Certificate) {
        self.note(LogEvent::Certificate { der: certificate.der.clone() });
        self.commit.writes.push(Write::PutCertificate(certificate));
    }
}
