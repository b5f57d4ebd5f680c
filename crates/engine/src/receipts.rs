//! Receipts: what the sender is told, and how it gets there.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{
    Address, Code, Digest, Giver, Header, Lane, LogEvent, MessageId, Ministry, Receipt,
    ReceiptKind, Refusal, SignedReceipt, SpiffeId, Timestamp, Verdict,
    limits::{CLOCK_SKEW_MAX, PACK_MESSAGES_MAX, RECEIPT_AGE_MAX, RECEIPTS_MAX},
};

use crate::{
    action::Action,
    engine::Engine,
    event::{ReceiptMode, SubscriptionId, Token},
    held::{Held, HeldReceipt, Message},
    record::{QueueId, Seq},
    seen::Spot,
    view::ViewError,
    work::Work,
};

/// Receipts handed to one reader and not yet confirmed; a reader's memory, not ours.
const IN_FLIGHT_MAX: usize = 1024;
/// Receipts that a watch is given from the past; who missed more must consume.
const WATCH_BACKLOG_MAX: usize = 16 * 1024;
/// Bytes of stored packs read at once for a watch.
const WATCH_READ_BYTES: usize = 256 * 1024;

/// A receipt that stands in the log and has still to go its way.
#[derive(Debug)]
pub(crate) struct Draft {
    receipt: HeldReceipt,
    sender: Address,
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
    /// States something good of a message in the log; the receipt goes to its sender.
    pub(crate) fn tell(
        &self,
        work: &mut Work<'_>,
        subject: Subject,
        recipient: &Address,
        kind: ReceiptKind,
        by: &SpiffeId,
    ) {
        let mut receipt = self.receipt(subject, recipient, kind, work.now);
        receipt.by = Some(by.clone());
        self.draft(work, receipt);
    }

    /// States in the log that a message was taken into custody, once for each of the recipients;
    /// the receipts go straight back to whoever handed it over. Gives the place of the first.
    pub(crate) fn answer_taken(
        &self,
        work: &mut Work<'_>,
        (header, leaf): (&Header, Digest),
        recipients: &[Address],
        (token, by): (Token, Option<&SpiffeId>),
    ) -> u64 {
        let kind = if by.is_some() { ReceiptKind::Accepted } else { ReceiptKind::Relayed };
        let mut first = None;
        for recipient in recipients {
            let mut receipt = self.receipt(Subject::new(header, leaf), recipient, kind, work.now);
            receipt.by = by.cloned();
            let index = self.answer(work, receipt, token);
            first.get_or_insert(index);
        }
        first.unwrap_or_default()
    }

    /// States in the log that a message was not taken; the receipts go straight back to whoever
    /// handed it over. Another ministry hears no reasons.
    pub(crate) fn answer_refused(
        &self,
        work: &mut Work<'_>,
        (header, leaf): (&Header, Digest),
        recipients: &[Address],
        token: Token,
        refusal: &Refusal,
    ) {
        for recipient in recipients {
            let subject = Subject::new(header, leaf);
            let why = Negative::refused(refusal.clone());
            let receipt = self.negative(work, subject, recipient, &why);
            self.answer(work, receipt, token);
        }
    }

    /// Gives receipts of before once more to whoever hands a message over again.
    pub(crate) fn answer_again(
        &self,
        work: &mut Work<'_>,
        first: u64,
        count: usize,
        token: Token,
    ) -> Result<(), ViewError> {
        for index in (first..).take(count) {
            let receipt = work.log.receipt(index, &work.reader)?;
            work.answered.entry(token).or_default().push(receipt);
        }
        Ok(())
    }

    /// States in the log that a message will not be delivered; the receipt goes to its sender, the
    /// reasons only to one at home.
    pub(crate) fn tell_negative(
        &self,
        work: &mut Work<'_>,
        subject: Subject,
        recipient: &Address,
        why: &Negative,
    ) {
        let receipt = self.negative(work, subject, recipient, why);
        self.draft(work, receipt);
    }

    /// States so for every recipient of this copy.
    pub(crate) fn tell_failure(&self, work: &mut Work<'_>, message: &Message, why: &Negative) {
        for recipient in message.recipients() {
            self.tell_negative(work, Subject::from(message), recipient, why);
        }
    }

    fn negative(
        &self,
        work: &Work<'_>,
        subject: Subject,
        recipient: &Address,
        why: &Negative,
    ) -> Receipt {
        let is_home = subject.sender.ministry() == self.home();
        let mut receipt = self.receipt(subject, recipient, why.kind, work.now);
        receipt.code = Some(why.refusal.code);
        if is_home {
            receipt.reasons.clone_from(&why.refusal.reasons);
        }
        receipt
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
            by: None,
        }
    }

    fn answer(&self, work: &mut Work<'_>, receipt: Receipt, token: Token) -> u64 {
        let (index, signed) = enter(work, receipt);
        work.answered.entry(token).or_default().push(signed);
        index
    }

    fn draft(&self, work: &mut Work<'_>, receipt: Receipt) {
        let sender = receipt.sender.clone();
        let (entry, signed) = enter(work, receipt);
        work.drafts.push(Draft { receipt: HeldReceipt { entry, signed }, sender });
    }

    /// Sends what was stated in this step on its way.
    pub(crate) fn issue(&mut self, work: &mut Work<'_>) {
        for Draft { receipt, sender } in std::mem::take(&mut work.drafts) {
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

    // === receipts from peers ===

    /// Takes receipts that a peer handed over, each once.
    pub(crate) fn on_receipts_arrived(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        receipts: Vec<Result<VerifiedReceipt, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        self.log_turned_away(work, &Giver::Peer(peer.clone()), &receipts);
        receipts.into_iter().map(|receipt| self.take_receipt(work, peer, receipt)).collect()
    }

    fn take_receipt(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
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
        let digest = leaf(&verified.signed().entry);
        let spot = Spot::new(receipt.at, &digest, self.home().as_str());
        if let Some(taken) = self.seen.taken(spot, &work.reader)? {
            return Ok(Verdict::Accepted { at: taken.at, repeat: true });
        }
        let entry = self.keep_receipt(work, peer, &verified);
        self.seen.take(spot, entry, work)?;
        Ok(Verdict::Accepted { at: work.now, repeat: false })
    }

    /// Writes another relay's receipt into the log, and passes it on to the message's sender. Gives
    /// the place of the entry.
    pub(crate) fn keep_receipt(
        &self,
        work: &mut Work<'_>,
        peer: &Ministry,
        verified: &VerifiedReceipt,
    ) -> u64 {
        let entry = work.note_receipt(peer, verified);
        let signed = verified.signed().clone();
        let sender = verified.receipt().sender.clone();
        if *sender.ministry() != self.config.ministry || self.config.is_mailbox(&sender) {
            // With what this relay states itself, so that all of it goes in the log's order.
            work.drafts.push(Draft { receipt: HeldReceipt { entry, signed }, sender });
        }
        entry
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
        Held::Receipt(receipt) => Some((seq, receipt.signed.clone())),
        Held::Message(_) => None,
    }
}

/// Writes a receipt into the log. Its proof comes when the step is finished.
fn enter(work: &mut Work<'_>, receipt: Receipt) -> (u64, SignedReceipt) {
    let index = work.note(LogEvent::Receipt(receipt));
    let entry = work.log.last();
    (index, SignedReceipt { entry, index, path: Vec::new(), checkpoint: Bytes::new() })
}
