//! Receipts: what the sender is told, and how it gets there.

use std::sync::Arc;

use kuriiri_merkle::leaf;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Address, Code, Giver, Lane, Ministry, Refusal, Timestamp, Verdict,
    limits::{CLOCK_SKEW_MAX, RECEIPT_AGE_MAX, RECEIPTS_MAX},
};

use crate::{
    action::ReceiptOut,
    custody::{Custody, hearing::Hearing},
    event::Token,
    queued::{Queued, QueuedReceipt, kept_receipt},
    record::QueueId,
    seen::{Known, Spot},
    shares::Payer,
    step::Work,
    view::ViewError,
};

/// What becomes of another relay's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is taken.
    Now,
    /// It was taken at this time.
    Before(Timestamp),
    /// It is to come again: its issuer has had too much looked up.
    Later,
    /// Its issuer said the same before, in other words, and has done so too often.
    TooOften,
    /// It is not about what went through here, or not for its issuer to say.
    Not,
}

impl Custody {
    /// Writes what was decided and stated in this step, and sends the receipts on their way, in the
    /// order of the log.
    pub(crate) fn issue(&mut self, work: &mut Work<'_>) {
        work.write_decisions();
        let stated = work.write_statements();
        self.seen.place_pending(work);
        let came = std::mem::take(&mut work.came);
        for (sender, receipt) in came.into_iter().chain(stated) {
            self.pass_on(work, &sender, receipt);
        }
    }

    /// Puts a receipt where its way leads: to a system at home, or towards its ministry.
    fn pass_on(&mut self, work: &mut Work<'_>, sender: &Address, receipt: QueuedReceipt) {
        let item = Queued::Receipt(Arc::new(receipt));
        if *sender.ministry() == self.config.ministry {
            let queue = QueueId::Receipts(sender.clone());
            self.drop_oldest(work, &queue);
            self.queues.append(&queue, Lane::Receipts, item);
        } else if let Some(hop) = self.rules.receipt_hop(sender.ministry()) {
            self.queues.append(&QueueId::Outbox(hop), Lane::Receipts, item);
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

    // === receipts from peers ===

    /// Takes receipts that a peer handed over, each once.
    pub(crate) fn on_receipts_arrived(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        token: Token,
        receipts: Vec<Result<VerifiedReceipt, Refusal>>,
    ) -> Result<(), ViewError> {
        self.turned_away.note(work, &Giver::Peer(peer.clone()), &receipts);
        let take = |receipt: Result<VerifiedReceipt, Refusal>| match receipt {
            Ok(verified) => self.take_receipt(work, peer, &verified),
            Err(refusal) => Ok(Verdict::Refused(refusal.coarse())),
        };
        let verdicts = receipts.into_iter().map(take).collect::<Result<_, ViewError>>()?;
        work.answer_batch(token, verdicts);
        Ok(())
    }

    fn take_receipt(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        verified: &VerifiedReceipt,
    ) -> Result<Verdict, ViewError> {
        let receipt = verified.receipt();
        if !receipt.is_its_issuers_to_say() {
            return Ok(Verdict::Refused(Refusal::bare(Code::SIGNATURE)));
        }
        if receipt.at > work.now.after(CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::MALFORMED)));
        }
        if receipt.at < work.now.before(RECEIPT_AGE_MAX + CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::EXPIRED)));
        }
        Ok(match self.keep_receipt(work, peer, verified, true)? {
            Heard::Now => Verdict::Accepted { at: work.now, repeat: false },
            Heard::Before(at) => Verdict::Accepted { at, repeat: true },
            Heard::Later => Verdict::Later(Code::BUSY),
            Heard::TooOften => Verdict::Refused(Refusal::bare(Code::SAID_BEFORE)),
            Heard::Not => Verdict::Refused(Refusal::bare(Code::NOT_HEARD)),
        })
    }

    /// Writes another relay's statement into the log, once, and passes it on to the sender if it is
    /// for passing on.
    pub(crate) fn keep_receipt(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        verified: &VerifiedReceipt,
        passes_on: bool,
    ) -> Result<Heard, ViewError> {
        let receipt = verified.receipt();
        let spot = Spot::new(receipt.at, &leaf(&verified.signed().entry), self.taker);
        // A receipt is for its issuer to answer for, whoever hands it over.
        let payer = Payer::Ministry(receipt.issuer.clone());
        match self.seen.known(spot, &payer, work)? {
            Known::Taken(taken) => return Ok(Heard::Before(taken.at)),
            Known::NotNow => return Ok(Heard::Later),
            Known::New => {}
        }
        match self.is_to_be_heard(work, receipt)? {
            Hearing::Now => {}
            Hearing::Later => return Ok(Heard::Later),
            Hearing::Never => return Ok(Heard::Not),
        }
        if !self.repeats.may_say(work.now, receipt, verified.signed().entry.len()) {
            return Ok(Heard::TooOften);
        }
        let entry = work.note_receipt(peer, verified);
        self.seen.take(spot, entry, work)?;
        let sender = receipt.sender.clone();
        let is_ours = *sender.ministry() != self.config.ministry || self.config.is_mailbox(&sender);
        if passes_on && is_ours {
            // With what this relay states itself, so that all of it goes in the log's order.
            let out = ReceiptOut::Other(kept_receipt(verified.signed()));
            work.came.push((sender, QueuedReceipt { entry, out }));
        }
        Ok(Heard::Now)
    }
}
