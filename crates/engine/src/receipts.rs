//! Receipts: what the sender is told, and how it gets there.

use std::sync::Arc;

use kuriiri_merkle::leaf;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Address, Code, Giver, Lane, Ministry, ReceiptKind, Refusal, Subject, Verdict,
    limits::{CLOCK_SKEW_MAX, RECEIPT_AGE_MAX, RECEIPTS_MAX},
};

use crate::{
    action::ReceiptOut,
    engine::Engine,
    event::Token,
    held::{Held, HeldReceipt, Message, kept_receipt},
    record::QueueId,
    seen::{Said, Spot},
    statements::{Happened, StatementId, Way},
    view::ViewError,
    work::Work,
};

/// Why a message will not be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Negative {
    pub(crate) kind: ReceiptKind,
    pub(crate) refusal: Refusal,
}

impl Negative {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self { kind: ReceiptKind::Refused, refusal }
    }

    pub(crate) fn expired() -> Self {
        Self { kind: ReceiptKind::Expired, refusal: Refusal::bare(Code::EXPIRED) }
    }
}

/// A message that something is stated about, and who sent it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) sender: &'a Address,
    pub(crate) subject: Subject,
}

impl<'a> From<&'a Message> for Sent<'a> {
    fn from(message: &'a Message) -> Self {
        Self { sender: &message.header().from, subject: message.subject() }
    }
}

// === stating ===

impl Engine {
    /// States that a system has confirmed a message; the receipt goes to its sender.
    pub(crate) fn tell_delivered(
        &self,
        work: &mut Work<'_>,
        sent: Sent<'_>,
        recipient: &Address,
        by: Giver,
    ) {
        let happened = Happened::well(ReceiptKind::Delivered, by);
        work.statements.add(sent.sender, sent.subject, [recipient], (happened, Way::Onward));
    }

    /// States that a message was taken into custody, for each of the recipients; the receipt goes
    /// straight back to whoever handed it over.
    pub(crate) fn answer_taken<'a>(
        &self,
        work: &mut Work<'_>,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        (token, by): (Token, &Giver),
    ) -> StatementId {
        let kind = match by {
            Giver::System(_) => ReceiptKind::Accepted,
            Giver::Peer(_) => ReceiptKind::Relayed,
        };
        let happened = (Happened::well(kind, by.clone()), Way::Back(token));
        work.statements.add(sent.sender, sent.subject, recipients, happened)
    }

    /// States that a message was not taken; the receipt goes straight back to whoever handed it over.
    /// Another ministry hears no reasons.
    pub(crate) fn answer_refused<'a>(
        &self,
        work: &mut Work<'_>,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        (token, by): (Token, &Giver),
        refusal: &Refusal,
    ) {
        let why = Negative::refused(refusal.clone());
        let happened = Happened { by: Some(by.clone()), ..self.negative(sent, &why) };
        work.statements.add(sent.sender, sent.subject, recipients, (happened, Way::Back(token)));
    }

    /// Gives a statement of before once more to whoever hands a message over again.
    pub(crate) fn answer_again(
        &self,
        work: &mut Work<'_>,
        said: Said,
        token: Token,
    ) -> Result<bool, ViewError> {
        match said {
            Said::Pending(statement) => work.statements.give(statement, Way::Back(token)),
            Said::Entry(entry) => {
                // It may stand in a log that is lost.
                let Some(index) = work.log.index_of(entry) else { return Ok(false) };
                let answered = work.answered.entry(token).or_default();
                if answered.iter().all(|known| known.index != index) {
                    answered.push(work.log.receipt(index, &work.reader)?);
                }
            }
        }
        Ok(true)
    }

    /// States that a message will not be delivered; the receipt goes to its sender, the reasons only
    /// to one at home.
    pub(crate) fn tell_negative<'a>(
        &self,
        work: &mut Work<'_>,
        sent: Sent<'_>,
        recipients: impl IntoIterator<Item = &'a Address>,
        why: &Negative,
    ) {
        let happened = (self.negative(sent, why), Way::Onward);
        work.statements.add(sent.sender, sent.subject, recipients, happened);
    }

    /// States so for every recipient of this copy.
    pub(crate) fn tell_failure(&self, work: &mut Work<'_>, message: &Message, why: &Negative) {
        self.tell_negative(work, Sent::from(message), message.recipients(), why);
    }

    fn negative(&self, sent: Sent<'_>, why: &Negative) -> Happened {
        let is_home = sent.sender.ministry() == self.home();
        let reasons = if is_home { why.refusal.reasons.clone() } else { Vec::new() };
        Happened { kind: why.kind, by: None, code: Some(why.refusal.code), reasons }
    }

    /// Writes what was decided and stated in this step, and sends the receipts on their way, in the
    /// order of the log.
    pub(crate) fn issue(&mut self, work: &mut Work<'_>) {
        work.write_decisions();
        let stated = work.write_statements(&self.config.ministry);
        self.seen.place_pending(work);
        let came = std::mem::take(&mut work.came);
        for (sender, receipt) in came.into_iter().chain(stated) {
            self.pass_on(work, &sender, receipt);
        }
    }

    /// Puts a receipt where its way leads: to a system at home, or towards its ministry.
    fn pass_on(&mut self, work: &mut Work<'_>, sender: &Address, receipt: HeldReceipt) {
        let held = Held::Receipt(Arc::new(receipt));
        if *sender.ministry() == self.config.ministry {
            let queue = QueueId::Receipts(sender.clone());
            self.drop_oldest(work, &queue);
            self.queues.append(&queue, Lane::Receipts, held);
        } else if let Some(hop) = self.judge.receipt_hop(sender.ministry()) {
            self.queues.append(&QueueId::Outbox(hop.clone()), Lane::Receipts, held);
            self.meet(hop);
        }
    }

    /// Makes room in a full queue of receipts: the log still has what goes.
    fn drop_oldest(&mut self, work: &Work<'_>, queue: &QueueId) {
        if self.queues.waiting_in(queue, Lane::Receipts) < RECEIPTS_MAX {
            return;
        }
        if let Ok(Some((seq, _))) = self.queues.take(queue, Lane::Receipts, &work.reader) {
            self.queues.finish(queue, Lane::Receipts, seq);
        }
    }

    /// The ministry of this relay.
    pub(crate) fn home(&self) -> &Ministry {
        &self.config.ministry
    }
}

// === receipts from peers ===

impl Engine {
    /// Takes receipts that a peer handed over, each once.
    pub(crate) fn on_receipts_arrived(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        receipts: Vec<Result<VerifiedReceipt, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        self.log_turned_away(work, &Giver::Peer(peer.clone()), &receipts);
        let take = |receipt: Result<VerifiedReceipt, Refusal>| match receipt {
            Ok(verified) => self.take_receipt(work, peer, &verified),
            Err(refusal) => Ok(Verdict::Refused(refusal.coarse())),
        };
        receipts.into_iter().map(take).collect()
    }

    fn take_receipt(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        verified: &VerifiedReceipt,
    ) -> Result<Verdict, ViewError> {
        let receipt = verified.receipt();
        let mut told = receipt.subjects.iter();
        if receipt.kind == ReceiptKind::Delivered
            && !told.all(|told| receipt.issuer == *told.recipient.ministry())
        {
            return Ok(Verdict::Refused(Refusal::bare(Code::SIGNATURE)));
        }
        if receipt.at > work.now.after(CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::MALFORMED)));
        }
        if receipt.at < work.now.before(RECEIPT_AGE_MAX + CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::EXPIRED)));
        }
        let repeat = self.keep_receipt(work, peer, verified, true)?;
        Ok(Verdict::Accepted { at: repeat.unwrap_or(work.now), repeat: repeat.is_some() })
    }

    /// Writes another relay's statement into the log, once, and passes it on to the sender if it is
    /// for passing on. Gives when it was taken, if it was before.
    pub(crate) fn keep_receipt(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        verified: &VerifiedReceipt,
        passes_on: bool,
    ) -> Result<Option<kuriiri_types::Timestamp>, ViewError> {
        let receipt = verified.receipt();
        let spot = Spot::new(receipt.at, &leaf(&verified.signed().entry), self.taker);
        if let Some(taken) = self.seen.taken(spot, &work.reader)? {
            return Ok(Some(taken.at));
        }
        let entry = work.note_receipt(peer, verified);
        self.seen.take(spot, entry, work)?;
        let sender = receipt.sender.clone();
        let is_ours = *sender.ministry() != self.config.ministry || self.config.is_mailbox(&sender);
        if passes_on && is_ours {
            // With what this relay states itself, so that all of it goes in the log's order.
            let out = ReceiptOut::Other(kept_receipt(verified.signed()));
            work.came.push((sender, HeldReceipt { entry, out }));
        }
        Ok(None)
    }
}
