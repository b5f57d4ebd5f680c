//! Receipts: what the sender is told, and how it gets there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use kuriiri_seal::{Purpose, VerifiedReceipt, leaf};
use kuriiri_types::{
    Address, Code, Digest, Header, Lane, MessageId, Ministry, Receipt, ReceiptKind, Refusal,
    SignedReceipt, SpiffeId, Timestamp, Verdict,
    limits::{CLOCK_SKEW_MAX, PACK_MESSAGES_MAX, RECEIPT_AGE_MAX, RECEIPTS_MAX},
};

use crate::{
    action::Action,
    engine::Engine,
    event::{ReceiptMode, SubscriptionId, Token},
    held::{Held, Message},
    record::{QueueId, Seq},
    seen::Spot,
    view::ViewError,
    work::Work,
};

/// Receipts under one signature: spreads its cost and keeps the path at 8 hashes.
const RECEIPTS_PER_SIGNATURE: usize = 256;
/// Receipts handed to one reader and not yet confirmed; a reader's memory, not ours.
const IN_FLIGHT_MAX: usize = 1024;
/// Receipts that a watch is given from the past; who missed more must consume.
const WATCH_BACKLOG_MAX: usize = 16 * 1024;
/// Bytes of stored packs read at once for a watch.
const WATCH_READ_BYTES: usize = 256 * 1024;

/// A receipt to be signed at the end of the step.
#[derive(Debug)]
pub(crate) struct Draft {
    receipt: Receipt,
    /// The question that it answers, if it goes straight back and nowhere else.
    answers: Option<Token>,
}

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

/// Open requests to read receipts.
#[derive(Debug, Default)]
pub(crate) struct ReceiptReaders {
    readers: BTreeMap<SubscriptionId, ReceiptReader>,
}

#[derive(Debug)]
struct ReceiptReader {
    address: Address,
    watches: bool,
    /// Handed out and not confirmed, in the order of handing out.
    in_flight: VecDeque<Seq>,
}

/// What a receipt says of its message.
#[derive(Debug)]
pub(crate) struct Subject {
    message: MessageId,
    header_digest: Digest,
    sender: Address,
}

impl Subject {
    pub(crate) fn new(header: &Header, leaf: Digest) -> Self {
        Self { message: header.id, header_digest: leaf, sender: header.from.clone() }
    }
}

impl From<&Message> for Subject {
    fn from(message: &Message) -> Self {
        Self::new(message.header(), message.leaf())
    }
}

// === making receipts ===

impl Engine {
    /// Drafts a positive receipt.
    pub(crate) fn tell(
        &self,
        work: &mut Work<'_>,
        subject: Subject,
        recipient: &Address,
        kind: ReceiptKind,
    ) {
        let receipt = self.receipt(subject, recipient, kind, work.now);
        work.drafts.push(Draft { receipt, answers: None });
    }

    /// Drafts a receipt that goes straight back with the answer to a submission.
    pub(crate) fn tell_submitter(
        &self,
        work: &mut Work<'_>,
        subject: Subject,
        recipient: &Address,
        token: Token,
        at: Timestamp,
    ) {
        let receipt = self.receipt(subject, recipient, ReceiptKind::Accepted, at);
        work.drafts.push(Draft { receipt, answers: Some(token) });
    }

    /// Drafts a negative receipt. The reasons go only to a sender at home.
    pub(crate) fn tell_negative(
        &self,
        work: &mut Work<'_>,
        subject: Subject,
        recipient: &Address,
        why: &Negative,
    ) {
        let is_home = subject.sender.ministry() == self.home();
        let mut receipt = self.receipt(subject, recipient, why.kind, work.now);
        receipt.code = Some(why.refusal.code);
        if is_home {
            receipt.reasons.clone_from(&why.refusal.reasons);
        }
        work.drafts.push(Draft { receipt, answers: None });
    }

    /// Drafts a negative receipt for every recipient of this copy.
    pub(crate) fn tell_failure(&self, work: &mut Work<'_>, message: &Message, why: &Negative) {
        for recipient in message.recipients() {
            self.tell_negative(work, Subject::from(message), recipient, why);
        }
    }

    fn receipt(
        &self,
        subject: Subject,
        recipient: &Address,
        kind: ReceiptKind,
        at: Timestamp,
    ) -> Receipt {
        Receipt {
            message: subject.message,
            header_digest: subject.header_digest,
            sender: subject.sender,
            recipient: recipient.clone(),
            kind,
            at,
            issuer: self.home().clone(),
            code: None,
            reasons: Vec::new(),
        }
    }

    /// Signs all drafts and sends each on its way. Gives back those that answer a submission.
    pub(crate) fn issue(&mut self, work: &mut Work<'_>) -> BTreeMap<Token, Vec<SignedReceipt>> {
        let mut answers: BTreeMap<Token, Vec<SignedReceipt>> = BTreeMap::new();
        let drafts = std::mem::take(&mut work.drafts);
        for chunk in drafts.chunks(RECEIPTS_PER_SIGNATURE) {
            let bytes: Vec<_> =
                chunk.iter().map(|d| self.config.codec.encode_receipt(&d.receipt)).collect();
            let leaves: Vec<Digest> = bytes.iter().map(|b| leaf(b)).collect();
            let proofs = self.config.signer.sign(Purpose::Receipts, &leaves);
            for ((draft, receipt), proof) in chunk.iter().zip(bytes).zip(proofs) {
                let signed = SignedReceipt { receipt, proof };
                match draft.answers {
                    Some(token) => answers.entry(token).or_default().push(signed),
                    None => self.pass_on(work, &draft.receipt.sender, signed),
                }
            }
        }
        answers
    }

    /// Puts a receipt where its way leads: to a system at home, or towards its ministry.
    fn pass_on(&mut self, work: &mut Work<'_>, sender: &Address, signed: SignedReceipt) {
        let held = Held::Receipt(Arc::new(signed));
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

    // === receipts from peers ===

    /// Takes receipts that a peer handed over, each once.
    pub(crate) fn on_receipts_arrived(
        &mut self,
        work: &mut Work<'_>,
        receipts: Vec<Result<VerifiedReceipt, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        receipts.into_iter().map(|receipt| self.take_receipt(work, receipt)).collect()
    }

    fn take_receipt(
        &mut self,
        work: &mut Work<'_>,
        receipt: Result<VerifiedReceipt, Refusal>,
    ) -> Result<Verdict, ViewError> {
        let verified = match receipt {
            Ok(verified) => verified,
            Err(refusal) => return Ok(Verdict::Refused(refusal.coarse())),
        };
        let receipt = verified.receipt();
        if receipt.kind == ReceiptKind::Delivered && receipt.issuer != *receipt.recipient.ministry()
        {
            return Ok(Verdict::Refused(Refusal::bare(Code::SIGNATURE)));
        }
        if receipt.at > work.now.after(CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::MALFORMED)));
        }
        if receipt.at < work.now.before(RECEIPT_AGE_MAX + CLOCK_SKEW_MAX) {
            return Ok(Verdict::Refused(Refusal::bare(Code::EXPIRED)));
        }
        let digest = leaf(&verified.signed().receipt);
        let spot = Spot::new(receipt.at, &digest, self.home().as_str());
        if let Some(at) = self.seen.taken(spot, &work.reader)? {
            return Ok(Verdict::Accepted { at, repeat: true });
        }
        self.seen.take(spot, work)?;
        let sender = receipt.sender.clone();
        let known = *sender.ministry() != self.config.ministry || self.config.is_mailbox(&sender);
        if known {
            self.pass_on(work, &sender, verified.signed().clone());
        }
        Ok(Verdict::Accepted { at: work.now, repeat: false })
    }

    // === reading them ===

    pub(crate) fn on_receipts_wanted(
        &mut self,
        work: &mut Work<'_>,
        system: &SpiffeId,
        subscription: SubscriptionId,
        address: Address,
        mode: ReceiptMode,
    ) -> Result<(), ViewError> {
        if !self.config.may_use(system, &address) {
            let refusal = Refusal::bare(Code::NOT_YOURS);
            work.actions.push(Action::Refuse(subscription, refusal));
            return Ok(());
        }
        if let ReceiptMode::Watch(from) = mode
            && !self.replay(work, subscription, &address, from)?
        {
            let reasons = vec!["too many receipts came since; read them by consuming".into()];
            let refusal = Refusal { code: Code::BUSY, reasons };
            work.actions.push(Action::Refuse(subscription, refusal));
            return Ok(());
        }
        let watches = mode != ReceiptMode::Consume;
        let reader = ReceiptReader { address, watches, in_flight: VecDeque::new() };
        self.receipt_readers.readers.insert(subscription, reader);
        Ok(())
    }

    /// Shows a watch what it asks for of the past. False when it missed too much.
    fn replay(
        &self,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
        address: &Address,
        from: Option<Seq>,
    ) -> Result<bool, ViewError> {
        let queue = QueueId::Receipts(address.clone());
        let next = self.queues.next(&queue, Lane::Receipts);
        let from = from.unwrap_or(next);
        let mut receipts = Vec::new();
        // The place may be inside a pack, which then begins at most a pack's length before it.
        let mut first = from.saturating_sub(PACK_MESSAGES_MAX as u64);
        while first < next {
            let packs = work.reader.packs(&queue, Lane::Receipts, first, WATCH_READ_BYTES)?;
            let Some((last, _)) = packs.last() else { break };
            first = last.saturating_add(1);
            let items = packs.iter().flat_map(|(first, pack)| pack.open(*first));
            receipts.extend(items.filter(|(seq, _)| *seq >= from).filter_map(shown));
            if receipts.len() > WATCH_BACKLOG_MAX {
                return Ok(false);
            }
        }
        work.actions.push(Action::DeliverReceipts { subscription, receipts, next });
        Ok(true)
    }

    /// Shows watches what this step appended; the packs are made right after.
    pub(crate) fn show_watches(&self, work: &mut Work<'_>) {
        for (subscription, reader) in &self.receipt_readers.readers {
            let queue = QueueId::Receipts(reader.address.clone());
            let Some(lane) = self.queues.lane(&queue, Lane::Receipts) else {
                continue;
            };
            let receipts: Vec<_> =
                lane.fresh().filter(|_| reader.watches).filter_map(shown).collect();
            if let Some((last, _)) = receipts.last() {
                let next = last.saturating_add(1);
                let subscription = *subscription;
                work.actions.push(Action::DeliverReceipts { subscription, receipts, next });
            }
        }
    }

    /// Hands out what waits to those who consume.
    pub(crate) fn pump_receipts(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        for (subscription, reader) in &mut self.receipt_readers.readers {
            let queue = QueueId::Receipts(reader.address.clone());
            let mut receipts = Vec::new();
            while !reader.watches && reader.in_flight.len() < IN_FLIGHT_MAX {
                let Some((seq, held)) = self.queues.take(&queue, Lane::Receipts, &work.reader)?
                else {
                    break;
                };
                reader.in_flight.push_back(seq);
                receipts.extend(shown((seq, &held)));
            }
            if let Some((last, _)) = receipts.last() {
                let next = last.saturating_add(1);
                let subscription = *subscription;
                work.actions.push(Action::DeliverReceipts { subscription, receipts, next });
            }
        }
        Ok(())
    }

    /// Ends the receipts that a reader was shown up to this one. What it was not shown yet stays,
    /// whatever its number.
    pub(crate) fn on_receipts_confirmed(&mut self, subscription: SubscriptionId, through: Seq) {
        let Some(reader) = self.receipt_readers.readers.get_mut(&subscription) else {
            return;
        };
        let shown = reader.in_flight.iter().position(|seq| *seq == through);
        let queue = QueueId::Receipts(reader.address.clone());
        for seq in reader.in_flight.drain(..shown.map_or(0, |at| at + 1)) {
            self.queues.finish(&queue, Lane::Receipts, seq);
        }
    }

    /// Frees what a reader did not confirm.
    pub(crate) fn end_receipt_reader(&mut self, subscription: SubscriptionId) {
        let Some(reader) = self.receipt_readers.readers.remove(&subscription) else {
            return;
        };
        let queue = QueueId::Receipts(reader.address);
        for seq in reader.in_flight {
            self.queues.put_back(&queue, Lane::Receipts, seq);
        }
    }

    /// The ministry of this relay.
    pub(crate) fn home(&self) -> &Ministry {
        &self.config.ministry
    }
}

fn shown((seq, held): (Seq, &Held)) -> Option<(Seq, SignedReceipt)> {
    match held {
        Held::Receipt(signed) => Some((seq, SignedReceipt::clone(signed))),
        Held::Message(_) => None,
    }
}
