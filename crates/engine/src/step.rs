//! One step: in the making, with what it may read and what it has decided so far, and made.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Address, LogEvent, Ministry, Timestamp, Verdict, limits::BODY_INLINE_BYTES_MAX,
};

use crate::{
    action::{Action, Reply, Unproved},
    classes::Classes,
    commit::{BodyFile, Commit, Write},
    config::Random,
    event::Token,
    log::{Passed, Writing},
    queued::QueuedReceipt,
    reader::Reader,
    record::{Body, BodyRef, Certificate},
    statements::Statements,
};

/// What one step decided. The host makes the commit durable, then performs the actions in order,
/// and calls again at `wake` at the latest.
#[derive(Debug, Default)]
pub struct Step {
    /// To be durable before anything is said.
    pub commit: Commit,
    /// To be performed after that.
    pub actions: Vec<Action>,
    /// When the next step is wanted even if nothing happens.
    pub wake: Option<Timestamp>,
}

/// The step in the making.
pub(crate) struct Work<'a> {
    /// The ministry of the relay.
    pub(crate) home: Ministry,
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
    pub(crate) came: Vec<(Address, QueuedReceipt)>,
    /// Verdicts on batches, which are answered with what the step states about them.
    verdicts: Vec<(Token, Vec<Verdict>)>,
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
        (home, now): (Ministry, Timestamp),
        random: &'a mut dyn Random,
        reader: Reader<'a>,
        log: Writing,
    ) -> Self {
        Self {
            home,
            now,
            random,
            reader,
            commit: Commit::default(),
            actions: Vec::new(),
            classes: Classes::default(),
            statements: Statements::default(),
            came: Vec::new(),
            verdicts: Vec::new(),
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
            // Copied out of its frame, or it would hold all of that in memory.
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

    /// Has a batch answered, once what the step states about it is written.
    pub(crate) fn answer_batch(&mut self, token: Token, verdicts: Vec<Verdict>) {
        self.verdicts.push((token, verdicts));
    }

    /// Sends the answers to batches on their way, with what was stated about them.
    pub(crate) fn answer_batches(&mut self) {
        for (token, verdicts) in std::mem::take(&mut self.verdicts) {
            let receipts = self.answered.remove(&token).unwrap_or_default();
            self.answer(token, Reply::Verdicts { verdicts, receipts });
        }
    }

    /// Writes an entry into the log that is no link of a chain; gives its place.
    pub(crate) fn note(&mut self, event: LogEvent) -> u64 {
        self.log.append(self.now, Vec::new(), event)
    }

    /// Writes the decisions since the last time into the log, by the rules that are in force there.
    pub(crate) fn write_decisions(&mut self) {
        self.classes.write(&mut self.log, self.now);
    }

    /// Writes what was stated since the last time into the log; gives what goes to senders.
    pub(crate) fn write_statements(&mut self) -> Vec<(Address, QueuedReceipt)> {
        let log = (&mut self.log, self.now);
        self.statements.write(log, &self.home, &mut self.answered)
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
