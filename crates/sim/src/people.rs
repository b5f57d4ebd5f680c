//! People and their systems at the relays: those who write, receive, and read receipts.

use std::collections::BTreeMap;

use kuriiri_engine::{
    Delivery, Event, LinkId, ReceiptMode, ReceiptOut, Seq, SubscriptionId, Ticket, Token,
};
use kuriiri_types::{Address, Ministry, SignedReceipt, SpiffeId};

use crate::{
    failure::{Check, hold},
    network::{Caller, Cargo},
    node::Question,
    planned::Planned,
    receiver::{Habit, Reader, Stream, Taker},
    sabotage::Sabotage,
    sender::Submission,
    world::World,
};

/// Credit of those who come when all is calm.
const CALM_CREDIT: u32 = 64;

impl World {
    // === those who write ===

    pub(crate) fn compose(&mut self, sender: usize) -> Check {
        if self.is_calm {
            return Ok(());
        }
        self.write(sender)?;
        self.agenda.after(self.rng.between(300, 5000), Planned::Compose(sender));
        Ok(())
    }

    /// A system writes some messages, and hands them over as soon as it can.
    pub(crate) fn write(&mut self, sender: usize) -> Check {
        let now = self.now();
        let everybody: Vec<Address> = self.mailboxes.iter().map(|(_, a)| a.clone()).collect();
        let home = self.senders.get(sender).map(|system| system.system.ministry().clone());
        let here = home.map_or(now, |home| self.time_at(&home));
        if let Some(system) = self.senders.get_mut(sender) {
            let messages = system.compose(here, &mut self.rng, &everybody)?;
            for message in &messages {
                let (index, system) = (message.index, &message.system);
                let to: Vec<&Address> = message.header.to.iter().map(|r| &r.address).collect();
                self.trace.line(now, format_args!("{system} writes {index} to {to:?}"));
            }
            self.observer.on_composed(messages);
        }
        self.call(sender);
        Ok(())
    }

    /// A system connects if it is not connected, and sends what may go.
    pub(crate) fn call(&mut self, sender: usize) {
        let Some(home) = self.senders.get(sender).map(|s| s.system.ministry().clone()) else {
            return;
        };
        let is_linked = self.senders.get(sender).is_some_and(|system| system.link.is_some());
        if !is_linked && !self.nodes.get(&home).is_some_and(|node| node.is_up()) {
            self.agenda.after(self.rng.between(100, 800), Planned::Call(sender));
            return;
        }
        if !is_linked {
            let link = LinkId(self.number());
            self.network.open(link, Caller::System(sender), home);
            if !self.is_calm && self.rng.chance(50) {
                self.agenda.after(self.rng.between(300, 9000), Planned::Cut(link));
            }
            if let Some(system) = self.senders.get_mut(sender) {
                system.link = Some(link);
            }
        }
        self.submit(sender);
    }

    fn submit(&mut self, sender: usize) {
        let now = self.now();
        let Some(system) = self.senders.get_mut(sender) else {
            return;
        };
        let Some(link) = system.link else { return };
        let (submissions, again) = system.submissions(now, &mut self.rng);
        for Submission { lane, number, epoch, messages } in submissions {
            let cargo = Cargo::Messages(epoch, messages);
            let wait = self.delay();
            self.agenda.after(wait, Planned::Cargo { link, lane, number, cargo });
        }
        if let Some(again) = again {
            self.agenda.at(again, Planned::Call(sender));
        }
    }

    /// A system notices that its link is gone.
    pub(crate) fn hang_up(&mut self, sender: usize, link: LinkId) {
        if let Some(system) = self.senders.get_mut(sender).filter(|s| s.link == Some(link)) {
            system.on_link_down();
            self.agenda.after(self.rng.between(50, 500), Planned::Call(sender));
        }
    }

    // === those who receive ===

    pub(crate) fn visit(&mut self, place: usize, again: bool) {
        let Some((system, mailbox)) = self.mailboxes.get(place).cloned() else {
            return;
        };
        let subscription = self.subscribe(&mailbox);
        if self.comes_again(again, subscription) {
            let next = Planned::Visit { mailbox: place, again };
            self.agenda.after(self.rng.between(500, 6000), next);
        }
        let Some(subscription) = subscription else {
            return;
        };
        let credit = if self.is_calm {
            CALM_CREDIT
        } else {
            u32::try_from(self.rng.between(1, 12)).unwrap_or(1)
        };
        let habit = match self.rng.below(4) {
            _ if self.is_calm => Habit::Prompt,
            0 => Habit::Never,
            1 => Habit::Odd,
            _ => Habit::Prompt,
        };
        let (relay, run) = self.home_of(&mailbox);
        let (holding, stream) = (Vec::new(), Stream::default());
        let taker = Taker {
            relay: relay.clone(),
            run,
            mailbox: mailbox.clone(),
            credit,
            habit,
            holding,
            unconfirmed: 0,
            confirmed: BTreeMap::new(),
            is_gone: false,
            stream,
        };
        self.takers.insert(subscription, taker);
        self.trace.line(
            self.agenda.now(),
            format_args!("{subscription:?} receives {mailbox}, credit {credit}, {habit:?}"),
        );
        self.tell(&relay, Event::Wanted { system, subscription, mailbox, credit });
    }

    /// A new subscription, unless the relay is down. In a storm it will not last.
    fn subscribe(&mut self, address: &Address) -> Option<SubscriptionId> {
        let is_up = self.nodes.get(address.ministry()).is_some_and(|node| node.is_up());
        let subscription = SubscriptionId(self.number());
        if is_up && !self.is_calm {
            self.agenda.after(self.rng.between(200, 8000), Planned::Vanish(subscription));
        }
        is_up.then_some(subscription)
    }

    /// In a storm people come again and again; in a calm until they were let in.
    fn comes_again(&self, again: bool, subscription: Option<SubscriptionId>) -> bool {
        if self.is_calm { subscription.is_none() } else { again }
    }

    fn home_of(&self, address: &Address) -> (Ministry, u64) {
        let home = address.ministry().clone();
        let run = self.nodes.get(&home).map_or(0, |node| node.run);
        (home, run)
    }

    pub(crate) fn deliver(&mut self, to: SubscriptionId, items: Vec<Delivery>) -> Check {
        let Some(now) = self.takers.get(&to).map(|taker| self.time_at(&taker.relay)) else {
            return Ok(());
        };
        let Some(taker) = self.takers.get_mut(&to) else {
            return Ok(());
        };
        taker.unconfirmed = taker.unconfirmed.saturating_add(items.len());
        self.observer.messages_are_handed_out_in_order(taker, &items)?;
        if let Some(node) = self.nodes.get(&taker.relay) {
            for item in &items {
                let message = self.observer.signed_bytes_are_verbatim(&item.envelope)?;
                self.observer.signers_are_known(node, &item.envelope.proof)?;
                for signed in &item.approvals {
                    self.observer.signers_are_known(node, &signed.proof)?;
                }
                let (relay, approvals) = (&taker.relay, &item.approvals);
                self.observer.released_by_enough_officers(now, relay, &message, approvals)?;
                let body = node.disk.body(&item.body);
                let same = body.is_ok_and(|body| body == message.body);
                hold("bodies_are_there", same, || format!("of {} in {to:?}", message.index))?;
            }
        }
        self.push(to, Planned::Delivered { subscription: to, items });
        Ok(())
    }

    /// Plans something that travels on a subscription's stream.
    pub(crate) fn push(&mut self, to: SubscriptionId, planned: Planned) {
        let wait = std::time::Duration::from_millis(self.delay());
        let alone = self.now().after(wait);
        let taker = self.takers.get_mut(&to).map(|taker| &mut taker.stream);
        let reader = self.readers.get_mut(&to).map(|reader| &mut reader.stream);
        if let Some(stream) = taker.or(reader) {
            let at = stream.arrival(alone);
            self.agenda.at(at, planned);
        }
    }

    pub(crate) fn on_delivered(&mut self, to: SubscriptionId, items: Vec<Delivery>) -> Check {
        let Some(taker) = self.takers.get_mut(&to).filter(|taker| !taker.is_gone) else {
            return Ok(());
        };
        for item in items {
            let leaf = kuriiri_merkle::leaf(&item.envelope.header);
            taker.holding.push((item.ticket, leaf));
        }
        self.agenda.after(self.rng.between(0, 300), Planned::Confirm(to));
        Ok(())
    }

    pub(crate) fn confirm(&mut self, subscription: SubscriptionId) {
        let Some(taker) = self.takers.get_mut(&subscription).filter(|taker| !taker.is_gone) else {
            return;
        };
        let confirmed = taker.confirmations(&mut self.rng);
        if !taker.holding.is_empty() && taker.habit == Habit::Odd {
            self.agenda.after(self.rng.between(50, 800), Planned::Confirm(subscription));
        }
        if confirmed.is_empty() {
            return;
        }
        let (relay, run, mailbox) = (taker.relay.clone(), taker.run, taker.mailbox.clone());
        let leaves = confirmed.iter().map(|(_, leaf)| (*leaf, mailbox.clone()));
        self.observer.confirmed.extend(leaves);
        let tickets = confirmed.iter().map(|(ticket, _)| *ticket).collect();
        taker.confirmed.extend(confirmed);
        let event = Event::Confirmed { subscription, tickets };
        let wait = self.delay();
        self.agenda.after(wait, Planned::Tell { relay, run, event });
    }

    pub(crate) fn on_confirmed(
        &mut self,
        subscription: SubscriptionId,
        tickets: &[Ticket],
    ) -> Check {
        let Some(taker) = self.takers.get(&subscription) else {
            return Ok(());
        };
        for leaf in tickets.iter().filter_map(|ticket| taker.confirmed.get(ticket)) {
            if self.observer.was_erased_meanwhile(*leaf, &taker.mailbox) {
                continue;
            }
            self.observer.delivery_is_logged(*leaf, &taker.mailbox)?;
            self.observer.settled.insert((*leaf, taker.mailbox.clone()));
        }
        Ok(())
    }

    // === those who read receipts ===

    pub(crate) fn read(&mut self, place: usize, again: bool) {
        let Some((system, address)) = self.mailboxes.get(place).cloned() else {
            return;
        };
        let subscription = self.subscribe(&address);
        if self.comes_again(again, subscription) {
            let next = Planned::Read { mailbox: place, again };
            self.agenda.after(self.rng.between(500, 5000), next);
        }
        let Some(subscription) = subscription else {
            return;
        };
        let watches = !self.is_calm && self.rng.chance(30);
        let bookmark = self.bookmarks.get(&address).copied().filter(|_| self.rng.chance(80));
        let from = bookmark.filter(|_| watches);
        let mode = if watches { ReceiptMode::Watch(from) } else { ReceiptMode::Consume };
        let (relay, run) = self.home_of(&address);
        self.trace.line(
            self.agenda.now(),
            format_args!("{subscription:?} reads receipts of {address}, {mode:x?}"),
        );
        let reader = Reader {
            relay: relay.clone(),
            run,
            address: address.clone(),
            cursor: None,
            watches,
            from,
            is_gone: false,
            stream: Stream::default(),
        };
        self.readers.insert(subscription, reader);
        self.tell(&relay, Event::ReceiptsWanted { system, subscription, address, mode });
    }

    pub(crate) fn deliver_receipts(
        &mut self,
        relay: &Ministry,
        to: SubscriptionId,
        receipts: Vec<(Seq, ReceiptOut)>,
        next: Seq,
    ) -> Check {
        let mut shown = Vec::with_capacity(receipts.len());
        for (seq, receipt) in receipts {
            shown.push((seq, self.hand_out(relay, receipt)?));
        }
        let mut receipts = shown;
        let Some(reader) = self.readers.get_mut(&to) else {
            return Ok(());
        };
        if reader.watches && self.saboteur.plan == Sabotage::HidesFromWatches {
            receipts.pop();
        }
        if let Some(node) = self.nodes.get(relay) {
            self.observer.watches_miss_nothing(node, reader, &receipts, next)?;
        }
        reader.cursor = Some(next);
        self.push(to, Planned::Receipts { subscription: to, receipts, next });
        Ok(())
    }

    pub(crate) fn on_receipts(
        &mut self,
        from: SubscriptionId,
        receipts: &[(Seq, SignedReceipt)],
        next: Seq,
    ) -> Check {
        let Some(reader) = self.readers.get_mut(&from).filter(|reader| !reader.is_gone) else {
            return Ok(());
        };
        if reader.watches {
            // Whoever breaks off amid a batch goes on amid it.
            let amid = self.rng.pick(receipts).filter(|_| self.rng.chance(50));
            let bookmark = amid.map_or(next, |(seq, _)| *seq);
            self.bookmarks.insert(reader.address.clone(), bookmark);
            return Ok(());
        }
        let (relay, run) = (reader.relay.clone(), reader.run);
        for (seq, signed) in receipts {
            self.observer.on_read(signed)?;
            self.observer.read.insert((reader.address.clone(), *seq));
        }
        let confirms = self.is_calm || self.rng.chance(80);
        if let Some((through, _)) = receipts.last().filter(|_| confirms) {
            let unread = if self.saboteur.plan == Sabotage::ConfirmsUnread { 1 } else { 0 };
            let through = through.saturating_add(unread);
            let event = Event::ReceiptsConfirmed { subscription: from, through };
            let wait = self.delay();
            self.agenda.after(wait, Planned::Tell { relay, run, event });
        }
        Ok(())
    }

    // === comings and goings ===

    /// A receiver or reader goes without a word; its relay notices.
    pub(crate) fn vanish(&mut self, subscription: SubscriptionId) {
        let taker = self.takers.get_mut(&subscription).filter(|taker| !taker.is_gone);
        let mut gone = taker.map(|taker| {
            taker.is_gone = true;
            (taker.relay.clone(), taker.run)
        });
        if let Some(reader) = self.readers.get_mut(&subscription).filter(|r| !r.is_gone) {
            reader.is_gone = true;
            gone = Some((reader.relay.clone(), reader.run));
        }
        if let Some((relay, run)) = gone {
            self.trace.line(self.agenda.now(), format_args!("{subscription:?} vanishes"));
            let event = Event::Unsubscribed { subscription };
            let wait = self.delay();
            self.agenda.after(wait, Planned::Tell { relay, run, event });
        }
    }

    /// Some come back as soon as their relay is there again.
    pub(crate) fn come_back(&mut self, relay: &Ministry) {
        for mailbox in 0..self.mailboxes.len() {
            let is_here = self.mailboxes.get(mailbox).is_some_and(|(_, a)| a.ministry() == relay);
            if is_here && self.rng.chance(40) {
                let again = false;
                self.agenda.after(self.rng.below(50), Planned::Visit { mailbox, again });
                self.agenda.after(self.rng.below(50), Planned::Read { mailbox, again });
            }
        }
    }

    pub(crate) fn dismiss_everybody(&mut self) {
        let open: Vec<SubscriptionId> =
            self.takers.keys().chain(self.readers.keys()).copied().collect();
        open.into_iter().for_each(|subscription| self.vanish(subscription));
    }

    /// Somebody asks each relay how it is.
    pub(crate) fn ask_for_status(&mut self) {
        let systems: Vec<SpiffeId> = self.senders.iter().map(|s| s.system.clone()).collect();
        for system in systems {
            let relay = system.ministry().clone();
            let token = Token(self.number());
            if let Some(node) = self.nodes.get_mut(&relay).filter(|node| node.is_up()) {
                node.ask(token, Question::Status);
                self.tell(&relay, Event::StatusAsked { system, token });
            }
        }
    }
}
