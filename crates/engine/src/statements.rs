//! What a step states about messages, gathered so that one entry says it about many.
//!
//! A receipt speaks of messages of one sender to which the same happened, so nobody learns from it of
//! others. It is written when the step is settled; until then it has a number and no place in the log.

use std::collections::{BTreeMap, HashMap};

use kuriiri_types::{
    Address, Addressed, Code, Giver, LogEvent, Ministry, Receipt, ReceiptKind, Subject, Timestamp,
    limits::{STATEMENT_BYTES, STATEMENT_SUBJECTS_MAX},
};

use crate::{action::Unproved, event::Token, log::Writing, queued::QueuedReceipt};

/// Bytes of an entry besides its messages, reasons and names.
const FIXED_BYTES: usize = 256;
/// Bytes of a message's id and digest in an entry.
const SUBJECT_BYTES: usize = 48;

/// Names a statement of the step in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatementId(usize);

/// What happened, without the messages to which it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) kind: ReceiptKind,
    /// Who handed them over, or confirmed them.
    pub(crate) by: Option<Giver>,
    pub(crate) code: Option<Code>,
    pub(crate) reasons: Vec<String>,
}

impl Happened {
    /// Something that needs no reason.
    pub(crate) fn well(kind: ReceiptKind, by: Giver) -> Self {
        Self { kind, by: Some(by), code: None, reasons: Vec::new() }
    }
}

/// Whom a receipt goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Back to whoever handed the messages over, with the verdicts.
    Back(Token),
    /// To the sender, through the queues.
    Onward,
}

/// The statements of one step.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    all: Vec<Statement>,
    /// Those that may still take messages, by what is looked at first.
    open: HashMap<(Address, ReceiptKind), Vec<usize>>,
    /// How many are written.
    written: usize,
}

#[derive(Debug)]
struct Statement {
    sender: Address,
    happened: Happened,
    subjects: Vec<Addressed>,
    bytes: usize,
    /// Who gets it with an answer; nobody when it goes through the queues.
    tokens: Vec<Token>,
    onward: bool,
    entry: Option<u64>,
}

impl Statements {
    /// States that something happened to a message, for each of these recipients. All of them are in
    /// one statement.
    pub(crate) fn add<'a>(
        &mut self,
        sender: &Address,
        subject: Subject,
        recipients: impl IntoIterator<Item = &'a Address>,
        (happened, way): (Happened, Way),
    ) -> StatementId {
        let told = |recipient: &Address| Addressed { subject, recipient: recipient.clone() };
        let subjects: Vec<Addressed> = recipients.into_iter().map(told).collect();
        let bytes = subjects.iter().map(bytes_of).sum();
        let number = self.place_for(sender, (happened, way), (subjects.len(), bytes));
        if let Some(statement) = self.all.get_mut(number) {
            statement.subjects.extend(subjects);
            statement.bytes = statement.bytes.saturating_add(bytes);
        }
        self.give(StatementId(number), way);
        StatementId(number)
    }

    /// Has a statement of this step go back to one more asker.
    pub(crate) fn give(&mut self, id: StatementId, way: Way) {
        if let (Way::Back(token), Some(statement)) = (way, self.all.get_mut(id.0))
            && !statement.tokens.contains(&token)
        {
            statement.tokens.push(token);
        }
    }

    /// Whether something is not written yet.
    pub(crate) fn has_pending(&self) -> bool {
        self.written < self.all.len()
    }

    /// The place of a statement in the log, once it is written.
    pub(crate) fn entry(&self, id: StatementId) -> Option<u64> {
        self.all.get(id.0)?.entry
    }

    /// The statement that takes so many more messages of so many bytes, or a new one.
    fn place_for(
        &mut self,
        sender: &Address,
        (happened, way): (Happened, Way),
        (count, bytes): (usize, usize),
    ) -> usize {
        let open = self.open.entry((sender.clone(), happened.kind)).or_default();
        let onward = way == Way::Onward;
        let is_it = |number: &&usize| {
            self.all.get(**number).is_some_and(|one| {
                one.happened == happened && one.onward == onward && one.has_room(count, bytes)
            })
        };
        if let Some(number) = open.iter().rev().find(is_it) {
            return *number;
        }
        let number = self.all.len();
        // What is full stays so: only the newest of the same kind is looked at.
        open.retain(|old| self.all.get(*old).is_some_and(|one| one.happened != happened));
        open.push(number);
        let reasons: usize = happened.reasons.iter().map(String::len).sum();
        self.all.push(Statement {
            sender: sender.clone(),
            happened,
            subjects: Vec::new(),
            bytes: FIXED_BYTES.saturating_add(reasons),
            tokens: Vec::new(),
            onward,
            entry: None,
        });
        number
    }
}

impl Statements {
    /// Writes what was stated since the last time into the log. What goes back is put with the answers;
    /// what goes to senders is given to the caller, in the order of the log.
    pub(crate) fn write(
        &mut self,
        (log, now): (&mut Writing, Timestamp),
        issuer: &Ministry,
        answered: &mut BTreeMap<Token, Vec<Unproved>>,
    ) -> Vec<(Address, QueuedReceipt)> {
        let mut onward = Vec::new();
        self.open.clear();
        for statement in self.all.iter_mut().skip(self.written) {
            let receipt = statement.receipt(issuer, now);
            log.pass_taken(&receipt);
            let index = log.append(now, Vec::new(), LogEvent::Receipt(receipt));
            let unproved = Unproved { entry: log.last(), index };
            for token in &statement.tokens {
                answered.entry(*token).or_default().push(unproved.clone());
            }
            if statement.onward {
                onward.push((statement.sender.clone(), QueuedReceipt::own(unproved)));
            }
            statement.entry = Some(index);
        }
        self.written = self.all.len();
        onward
    }
}

impl Statement {
    fn has_room(&self, count: usize, bytes: usize) -> bool {
        self.subjects.len().saturating_add(count) <= STATEMENT_SUBJECTS_MAX
            && self.bytes.saturating_add(bytes) <= STATEMENT_BYTES
    }

    fn receipt(&mut self, issuer: &Ministry, at: Timestamp) -> Receipt {
        let Happened { kind, by, code, reasons } = self.happened.clone();
        let (sender, subjects) = (self.sender.clone(), std::mem::take(&mut self.subjects));
        Receipt { issuer: issuer.clone(), kind, at, sender, by, code, reasons, subjects }
    }
}

fn bytes_of(told: &Addressed) -> usize {
    let recipient = told.recipient.mailbox().len() + told.recipient.ministry().as_str().len();
    SUBJECT_BYTES + recipient + 4
}
