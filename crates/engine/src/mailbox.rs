//! Mailboxes: delivery to the ministry's own systems, and their confirmations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kuriiri_types::{
    Address, Code, Giver, Handling, Lane, Refusal, SpiffeId,
    limits::{BATCH_MESSAGES_MAX, CREDIT_MAX},
};

use crate::{
    action::{Action, Delivery},
    engine::Engine,
    event::{SubscriptionId, Ticket},
    held::{Held, Message},
    outbound::Fate,
    receipts::Sent,
    record::{QueueId, Seq},
    room::Room,
    view::ViewError,
    work::Work,
};

/// Open requests to receive.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    open: BTreeMap<SubscriptionId, Subscription>,
}

/// One receiver of one mailbox. Several of one mailbox share its messages.
#[derive(Debug)]
struct Subscription {
    system: SpiffeId,
    mailbox: Address,
    credit: usize,
    /// Delivered and not confirmed.
    taken: BTreeSet<Ticket>,
}

impl Subscriptions {
    /// Everything that was delivered and is not confirmed.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (QueueId, Lane, Seq)> {
        self.open.values().flat_map(|open| {
            let queue = QueueId::Mailbox(open.mailbox.clone());
            open.taken.iter().map(move |ticket| (queue.clone(), ticket.lane, ticket.seq))
        })
    }
}

impl Engine {
    pub(crate) fn on_wanted(
        &mut self,
        work: &mut Work<'_>,
        system: &SpiffeId,
        subscription: SubscriptionId,
        mailbox: Address,
        credit: u32,
    ) {
        if !self.config.may_use(system, &mailbox) {
            work.actions.push(Action::Refuse(subscription, Refusal::bare(Code::NOT_YOURS)));
            return;
        }
        let credit = usize::try_from(credit.clamp(1, CREDIT_MAX)).unwrap_or(1);
        let system = system.clone();
        let new = Subscription { system, mailbox, credit, taken: BTreeSet::new() };
        self.subscriptions.open.insert(subscription, new);
    }

    /// Frees what a receiver did not confirm.
    pub(crate) fn on_unsubscribed(&mut self, work: &mut Work<'_>, subscription: SubscriptionId) {
        self.end_receipt_reader(subscription);
        let Some(ended) = self.subscriptions.open.remove(&subscription) else {
            return;
        };
        let queue = QueueId::Mailbox(ended.mailbox);
        for ticket in ended.taken {
            self.give_back(work, &queue, ticket.lane, ticket.seq);
        }
    }

    /// Ends the time of confirmed messages here and tells their senders. Tickets that this
    /// subscription does not hold mean nothing.
    pub(crate) fn on_confirmed(
        &mut self,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
        tickets: Vec<Ticket>,
    ) {
        let Some(receiver) = self.subscriptions.open.get_mut(&subscription) else {
            return;
        };
        let tickets: Vec<_> = tickets.into_iter().filter(|t| receiver.taken.remove(t)).collect();
        let (mailbox, by) = (receiver.mailbox.clone(), Giver::System(receiver.system.clone()));
        let queue = QueueId::Mailbox(mailbox.clone());
        for Ticket { lane, seq } in &tickets {
            let item = self.queues.lane(&queue, *lane).and_then(|l| l.item(*seq));
            if let Some(Held::Message(message)) = item {
                self.tell_delivered(work, Sent::from(&*message), &mailbox, by.clone());
            }
            self.queues.finish(&queue, *lane, *seq);
        }
        if !tickets.is_empty() {
            work.actions.push(Action::Confirm { subscription, tickets });
        }
    }

    /// Hands what waits to receivers that have credit, most urgent first.
    pub(crate) fn pump_mailboxes(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        let open: Vec<_> = self.subscriptions.open.keys().copied().collect();
        for subscription in open {
            while self.deliver(work, subscription)? {}
        }
        Ok(())
    }

    /// Hands one group of messages to one receiver. False when there was nothing to hand over.
    fn deliver(
        &mut self,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
    ) -> Result<bool, ViewError> {
        let Some(receiver) = self.subscriptions.open.get(&subscription) else {
            return Ok(false);
        };
        let mailbox = receiver.mailbox.clone();
        let credit = receiver.credit.saturating_sub(receiver.taken.len());
        let mut room = Room::for_items(credit.min(BATCH_MESSAGES_MAX));
        let mut items = Vec::new();
        for lane in Lane::BY_URGENCY {
            while room.is_left() {
                let Some((seq, message, handling)) = self.next_for(work, &mailbox, lane)? else {
                    break;
                };
                let held = Held::Message(Arc::clone(&message));
                if !room.takes(&held) {
                    self.queues.put_back(&QueueId::Mailbox(mailbox.clone()), lane, seq);
                    room.close();
                    break;
                }
                room.take(&held);
                let parcel = message.parcel();
                let (envelope, body) = (message.envelope(), parcel.body.clone());
                let (ticket, approvals) = (Ticket { lane, seq }, parcel.approvals.clone());
                items.push(Delivery { ticket, envelope, approvals, handling, body });
            }
        }
        if items.is_empty() {
            return Ok(false);
        }
        if let Some(receiver) = self.subscriptions.open.get_mut(&subscription) {
            receiver.taken.extend(items.iter().map(|item| item.ticket));
        }
        work.actions.push(Action::Deliver { subscription, items });
        Ok(true)
    }

    /// Takes the next message of a lane that may still be delivered; those that may not end here.
    fn next_for(
        &mut self,
        work: &mut Work<'_>,
        mailbox: &Address,
        lane: Lane,
    ) -> Result<Option<(Seq, Arc<Message>, Handling)>, ViewError> {
        let queue = QueueId::Mailbox(mailbox.clone());
        while let Some((seq, held)) = self.queues.take(&queue, lane, &work.reader)? {
            let Held::Message(message) = held else {
                self.queues.finish(&queue, lane, seq);
                continue;
            };
            let why = match self.may_go(work.now, &message, None) {
                Fate::Go(terms) => {
                    return Ok(Some((seq, message, self.judge.handling(&terms))));
                }
                // Nothing that has arrived waits: it is not held back for hours.
                Fate::Wait(_) => continue,
                Fate::End(why) => why,
            };
            self.queues.finish(&queue, lane, seq);
            self.log_withdrawn(work, &message, None, &why);
            self.tell_negative(work, Sent::from(&*message), [mailbox], &why);
        }
        Ok(None)
    }
}
