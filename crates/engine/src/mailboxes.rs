//! Mailboxes: delivery to the ministry's own systems, and their confirmations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kuriiri_types::{
    Address, Code, Giver, Handling, Lane, MessageId, Refusal, SpiffeId,
    limits::{BATCH_MESSAGES_MAX, CREDIT_MAX, SUBSCRIPTIONS_PER_SYSTEM_MAX},
};

use crate::{
    action::{Action, Delivery},
    config::Config,
    custody::Custody,
    event::{SubscriptionId, Ticket},
    message::Message,
    queued::Queued,
    record::{QueueId, Seq},
    room::Room,
    rules::Ruling,
    stating::Sent,
    step::Work,
    view::ViewError,
};

/// Open requests to receive.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
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
    /// Delivered, and erased since. The receiver still has them.
    withdrawn: BTreeSet<Ticket>,
}

impl Mailboxes {
    /// Takes a message back from receivers that have it and did not confirm it, so that it can be erased here. What
    /// they do with theirs is their own affair, and so is when they say that they are done with it.
    pub(crate) fn withdraw(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        message: MessageId,
    ) {
        for open in self.open.values_mut() {
            let queue = QueueId::Mailbox(open.mailbox.clone());
            let is_it = |ticket: &Ticket| {
                let lane = custody.queues.lane(&queue, ticket.lane);
                let item = lane.and_then(|lane| lane.item(ticket.seq));
                item.is_some_and(|item| item.copy_of(message).is_some())
            };
            let found: Vec<_> = open.taken.iter().filter(|ticket| is_it(ticket)).copied().collect();
            for ticket in found {
                open.taken.remove(&ticket);
                open.withdrawn.insert(ticket);
                custody.give_back(work, &queue, ticket.lane, ticket.seq);
            }
        }
    }

    pub(crate) fn on_wanted(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (system, subscription): (&SpiffeId, SubscriptionId),
        mailbox: Address,
        credit: u32,
    ) {
        if !custody.config.may_use(system, &mailbox) {
            work.actions.push(Action::Refuse(subscription, Refusal::bare(Code::NOT_YOURS)));
            return;
        }
        let open = self.open.values().filter(|open| open.system == *system).count();
        if open >= SUBSCRIPTIONS_PER_SYSTEM_MAX {
            let refusal = Refusal::bare(Code::TOO_MANY_SUBSCRIPTIONS);
            work.actions.push(Action::Refuse(subscription, refusal));
            return;
        }
        let credit = usize::try_from(credit.clamp(1, CREDIT_MAX)).unwrap_or(1);
        let system = system.clone();
        let (taken, withdrawn) = (BTreeSet::new(), BTreeSet::new());
        let new = Subscription { system, mailbox, credit, taken, withdrawn };
        self.open.insert(subscription, new);
    }

    /// The subscriptions of systems that may not read their mailboxes.
    pub(crate) fn not_for(&self, config: &Config) -> Vec<SubscriptionId> {
        let may_not = |open: &Subscription| !config.may_use(&open.system, &open.mailbox);
        self.open.iter().filter(|(_, open)| may_not(open)).map(|(id, _)| *id).collect()
    }

    /// Frees what a receiver did not confirm.
    pub(crate) fn on_unsubscribed(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
    ) {
        let Some(ended) = self.open.remove(&subscription) else {
            return;
        };
        let queue = QueueId::Mailbox(ended.mailbox);
        for ticket in ended.taken {
            custody.give_back(work, &queue, ticket.lane, ticket.seq);
        }
    }

    /// Ends the time of confirmed messages here and tells their senders. Tickets that this
    /// subscription does not hold mean nothing.
    pub(crate) fn on_confirmed(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
        tickets: Vec<Ticket>,
    ) {
        let Some(receiver) = self.open.get_mut(&subscription) else {
            return;
        };
        let mut confirmed = receiver.done_with(&tickets);
        let tickets: Vec<_> = tickets.into_iter().filter(|t| receiver.taken.remove(t)).collect();
        let (mailbox, by) = (receiver.mailbox.clone(), Giver::System(receiver.system.clone()));
        let queue = QueueId::Mailbox(mailbox.clone());
        for Ticket { lane, seq } in &tickets {
            let item = custody.queues.lane(&queue, *lane).and_then(|l| l.item(*seq));
            if let Some(Queued::Message(message)) = item {
                work.tell_delivered(Sent::from(&*message), &mailbox, by.clone());
            }
            custody.queues.finish(&queue, *lane, *seq);
        }
        confirmed.extend(tickets);
        if !confirmed.is_empty() {
            work.actions.push(Action::Confirm { subscription, tickets: confirmed });
        }
    }

    /// Sets aside what a receiver cannot accept, or what cannot be read for it. Tickets that this subscription
    /// does not hold mean nothing. When no more can be set aside, the subscription ends: nothing is lost, and
    /// people must look at what there is.
    pub(crate) fn on_unaccepted(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
        tickets: Vec<Ticket>,
        (why, by_receiver): (&Refusal, bool),
    ) {
        let Some(receiver) = self.open.get_mut(&subscription) else {
            return;
        };
        let queue = QueueId::Mailbox(receiver.mailbox.clone());
        let by = by_receiver.then(|| Giver::System(receiver.system.clone()));
        let mut set_aside = receiver.done_with(&tickets);
        let mut is_full = false;
        for ticket @ Ticket { lane, seq } in tickets {
            let item = custody.queues.lane(&queue, lane).and_then(|l| l.item(seq));
            if !receiver.taken.contains(&ticket) || is_full {
                continue;
            }
            if let Some(Queued::Message(message)) = item
                && !custody.set_aside(work, (&queue, lane), &message, (why, by.clone()))
            {
                is_full = true;
                continue;
            }
            receiver.taken.remove(&ticket);
            custody.queues.finish(&queue, lane, seq);
            set_aside.push(ticket);
        }
        if !set_aside.is_empty() {
            work.actions.push(Action::Confirm { subscription, tickets: set_aside });
        }
        if is_full {
            work.actions.push(Action::Refuse(subscription, Refusal::bare(Code::ASIDE_FULL)));
            self.on_unsubscribed(custody, work, subscription);
        }
    }

    /// Hands what waits to receivers that have credit, most urgent first.
    pub(crate) fn pump(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
    ) -> Result<(), ViewError> {
        let open: Vec<_> = self.open.keys().copied().collect();
        for subscription in open {
            while self.deliver(custody, work, subscription)? {}
        }
        Ok(())
    }

    /// Hands one group of messages to one receiver. False when there was nothing to hand over.
    fn deliver(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        subscription: SubscriptionId,
    ) -> Result<bool, ViewError> {
        let Some(receiver) = self.open.get(&subscription) else {
            return Ok(false);
        };
        let mailbox = receiver.mailbox.clone();
        let credit = receiver.credit.saturating_sub(receiver.has());
        let mut room = Room::for_items(credit.min(BATCH_MESSAGES_MAX));
        let mut items = Vec::new();
        for lane in Lane::BY_URGENCY {
            while room.is_left() {
                let Some((seq, message, handling)) = next_for(custody, work, &mailbox, lane)?
                else {
                    break;
                };
                let item = Queued::Message(Arc::clone(&message));
                if !room.takes(&item) {
                    custody.queues.put_back(&QueueId::Mailbox(mailbox.clone()), lane, seq);
                    room.close();
                    break;
                }
                room.take(&item);
                let parcel = message.parcel();
                let (envelope, body) = (message.envelope(), parcel.body.clone());
                let (ticket, approvals) = (Ticket { lane, seq }, parcel.approvals.clone());
                items.push(Delivery { ticket, envelope, approvals, handling, body });
            }
        }
        if items.is_empty() {
            return Ok(false);
        }
        if let Some(receiver) = self.open.get_mut(&subscription) {
            receiver.taken.extend(items.iter().map(|item| item.ticket));
        }
        work.actions.push(Action::Deliver { subscription, items });
        Ok(true)
    }
}

impl Subscription {
    /// How many messages the receiver has, as far as it has said.
    fn has(&self) -> usize {
        self.taken.len().saturating_add(self.withdrawn.len())
    }

    /// Those of the tickets for which nothing is left to do here.
    fn done_with(&mut self, tickets: &[Ticket]) -> Vec<Ticket> {
        tickets.iter().filter(|ticket| self.withdrawn.remove(ticket)).copied().collect()
    }
}

/// Takes the next message of a lane that may still be delivered; those that may not end here.
fn next_for(
    custody: &mut Custody,
    work: &mut Work<'_>,
    mailbox: &Address,
    lane: Lane,
) -> Result<Option<(Seq, Arc<Message>, Handling)>, ViewError> {
    let queue = QueueId::Mailbox(mailbox.clone());
    while let Some((seq, item)) = custody.queues.take(&queue, lane, &work.reader)? {
        let Queued::Message(message) = item else {
            custody.queues.finish(&queue, lane, seq);
            continue;
        };
        let why = match custody.may_go(work.now, &message, None) {
            Ruling::Go(terms) => {
                return Ok(Some((seq, message, custody.rules.handling(&terms))));
            }
            // Nothing that has arrived waits: it is not held back for hours.
            Ruling::Wait(_) => continue,
            Ruling::End(why) => why,
        };
        custody.queues.finish(&queue, lane, seq);
        custody.rules.log_withdrawn(work, &message, None, &why);
        work.tell_negative(Sent::from(&*message), [mailbox], &why);
    }
    Ok(None)
}
