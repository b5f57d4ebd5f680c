//! Systems that read their receipts: all that wait, or those to come.

use std::collections::{BTreeMap, VecDeque};

use kuriiri_types::{
    Address, Code, Lane, Refusal, SpiffeId,
    limits::{PACK_MESSAGES_MAX, SUBSCRIPTIONS_PER_SYSTEM_MAX},
};

use crate::{
    action::{Action, ReceiptOut},
    config::Config,
    custody::Custody,
    event::{ReceiptMode, SubscriptionId},
    queued::Queued,
    queues::Queues,
    record::{QueueId, Seq},
    step::Work,
    view::ViewError,
};

/// Receipts handed to one reader and not yet confirmed; a reader's memory, not ours.
const IN_FLIGHT_MAX: usize = 1024;
/// Receipts that a watch is given from the past; who missed more must consume.
const WATCH_BACKLOG_MAX: usize = 16 * 1024;
/// Bytes of stored packs read at once for a watch.
const WATCH_READ_BYTES: usize = 256 * 1024;

/// Open requests to read receipts.
#[derive(Debug, Default)]
pub(crate) struct ReceiptReaders {
    readers: BTreeMap<SubscriptionId, ReceiptReader>,
}

#[derive(Debug)]
struct ReceiptReader {
    system: SpiffeId,
    address: Address,
    watches: bool,
    /// Handed out and not confirmed, in the order of handing out.
    in_flight: VecDeque<Seq>,
}

impl ReceiptReaders {
    pub(crate) fn on_wanted(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (system, subscription): (&SpiffeId, SubscriptionId),
        address: Address,
        mode: ReceiptMode,
    ) -> Result<(), ViewError> {
        if !custody.config.may_use(system, &address) {
            let refusal = Refusal::bare(Code::NOT_YOURS);
            work.actions.push(Action::Refuse(subscription, refusal));
            return Ok(());
        }
        let open = self.readers.values().filter(|reader| reader.system == *system).count();
        if open >= SUBSCRIPTIONS_PER_SYSTEM_MAX {
            let refusal = Refusal::bare(Code::TOO_MANY_SUBSCRIPTIONS);
            work.actions.push(Action::Refuse(subscription, refusal));
            return Ok(());
        }
        if let ReceiptMode::Watch(from) = mode
            && !replay(&custody.queues, work, subscription, &address, from)?
        {
            let reasons = vec!["too many receipts came since; read them by consuming".into()];
            let refusal = Refusal { code: Code::BUSY, reasons };
            work.actions.push(Action::Refuse(subscription, refusal));
            return Ok(());
        }
        let watches = mode != ReceiptMode::Consume;
        let system = system.clone();
        let reader = ReceiptReader { system, address, watches, in_flight: VecDeque::new() };
        self.readers.insert(subscription, reader);
        Ok(())
    }

    /// The subscriptions of systems that may not read these receipts.
    pub(crate) fn not_for(&self, config: &Config) -> Vec<SubscriptionId> {
        let may_not = |reader: &ReceiptReader| !config.may_use(&reader.system, &reader.address);
        self.readers.iter().filter(|(_, reader)| may_not(reader)).map(|(id, _)| *id).collect()
    }

    /// Shows watches what this step appended; the packs are made right after.
    pub(crate) fn show_watches(&self, queues: &Queues, work: &mut Work<'_>) {
        for (subscription, reader) in &self.readers {
            let queue = QueueId::Receipts(reader.address.clone());
            let Some(lane) = queues.lane(&queue, Lane::Receipts) else {
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
    pub(crate) fn pump(
        &mut self,
        queues: &mut Queues,
        work: &mut Work<'_>,
    ) -> Result<(), ViewError> {
        for (subscription, reader) in &mut self.readers {
            let queue = QueueId::Receipts(reader.address.clone());
            let mut receipts = Vec::new();
            while !reader.watches && reader.in_flight.len() < IN_FLIGHT_MAX {
                let Some((seq, item)) = queues.take(&queue, Lane::Receipts, &work.reader)? else {
                    break;
                };
                reader.in_flight.push_back(seq);
                receipts.extend(shown((seq, &item)));
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
    pub(crate) fn on_confirmed(
        &mut self,
        queues: &mut Queues,
        subscription: SubscriptionId,
        through: Seq,
    ) {
        let Some(reader) = self.readers.get_mut(&subscription) else {
            return;
        };
        let shown = reader.in_flight.iter().position(|seq| *seq == through);
        let queue = QueueId::Receipts(reader.address.clone());
        for seq in reader.in_flight.drain(..shown.map_or(0, |at| at + 1)) {
            queues.finish(&queue, Lane::Receipts, seq);
        }
    }

    /// Frees what a reader did not confirm.
    pub(crate) fn end(&mut self, queues: &mut Queues, subscription: SubscriptionId) {
        let Some(reader) = self.readers.remove(&subscription) else {
            return;
        };
        let queue = QueueId::Receipts(reader.address);
        for seq in reader.in_flight {
            queues.put_back(&queue, Lane::Receipts, seq);
        }
    }
}

/// Shows a watch what it asks for of the past. False when it missed too much.
fn replay(
    queues: &Queues,
    work: &mut Work<'_>,
    subscription: SubscriptionId,
    address: &Address,
    from: Option<Seq>,
) -> Result<bool, ViewError> {
    let queue = QueueId::Receipts(address.clone());
    let next = queues.next(&queue, Lane::Receipts);
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

fn shown((seq, item): (Seq, &Queued)) -> Option<(Seq, ReceiptOut)> {
    match item {
        Queued::Receipt(receipt) => Some((seq, receipt.out.clone())),
        Queued::Message(_) => None,
    }
}
