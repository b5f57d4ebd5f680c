//! The engine: events in, one step out.

use std::sync::Arc;

use kuriiri_policy::Policy;
use kuriiri_types::{Code, Giver, LogEvent, Ministry, Refusal, SpiffeId, Timestamp};

use crate::{
    action::{Action, Reply, Status, Waiting},
    channel_sums::Sums,
    commit::Write,
    config::{Config, Random, Roster, SignedSet},
    custody::Custody,
    erase::Erasure,
    event::{Event, PersonRequest, SubscriptionId, Token},
    expiry::Expiry,
    intake::{Intake, Source},
    log::Log,
    mailboxes::Mailboxes,
    peers::Peers,
    reader::Reader,
    receipt_readers::ReceiptReaders,
    record::QueueId,
    review::Review,
    step::{Step, Work},
    view::{View, ViewError},
    witness::Witness,
};

/// The relay as a deterministic state machine.
///
/// It has a part for each thing that it does. A part owns its state, and takes along custody and the step in
/// the making.
pub struct Engine {
    custody: Custody,
    /// What comes in.
    intake: Intake,
    /// What goes to peers.
    peers: Peers,
    /// What goes to systems.
    mailboxes: Mailboxes,
    /// What systems read of their receipts.
    receipt_readers: ReceiptReaders,
    /// How far all that waits has been decided again since the rules changed.
    review: Review,
    expiry: Expiry,
    /// The transparency log.
    log: Log,
    /// What was cosigned of the logs of peers.
    witness: Witness,
    /// What passed between this relay and its peers in minutes that are not over.
    sums: Sums,
}

impl Engine {
    /// Takes up the state that a relay left behind; a new relay leaves nothing. There is no other
    /// way to start. The step counts the start and dials the peers.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn restore(
        config: Config,
        peers: impl IntoIterator<Item = Ministry>,
        now: Timestamp,
        random: &mut dyn Random,
        view: &dyn View,
    ) -> Result<(Self, Step), ViewError> {
        let starts = view.starts()?.saturating_add(1);
        let codec = Arc::clone(&config.codec);
        let reader = Reader { view, codec: &*codec };
        let log = Log::restore(&config.log, &config.codec, starts, view)?;
        let mut engine = Self {
            witness: Witness::restore(&reader)?,
            custody: Custody::restore(config, starts, &reader)?,
            intake: Intake::default(),
            peers: Peers::new(peers),
            mailboxes: Mailboxes::default(),
            receipt_readers: ReceiptReaders::default(),
            review: Review::wanted(),
            expiry: Expiry::unknown(),
            log,
            sums: Sums::default(),
        };
        let mut step = engine.advance(now, random, view, Vec::new(), Self::log_start)?;
        step.commit.writes.push(Write::PutStart(starts));
        Ok((engine, step))
    }

    /// Advances the relay by what happened. Does no IO but reads of the committed state, and
    /// draws on no clock and no randomness but what it is given: the same arguments on the same
    /// state give the same step.
    ///
    /// # Errors
    /// When the state cannot be read. The engine must then not be used any more.
    pub fn step(
        &mut self,
        now: Timestamp,
        random: &mut dyn Random,
        view: &dyn View,
        events: Vec<Event>,
    ) -> Result<Step, ViewError> {
        self.advance(now, random, view, events, |_, _| {})
    }

    fn advance(
        &mut self,
        now: Timestamp,
        random: &mut dyn Random,
        view: &dyn View,
        events: Vec<Event>,
        first: impl FnOnce(&Self, &mut Work<'_>),
    ) -> Result<Step, ViewError> {
        let config = &self.custody.config;
        let (home, codec) = (config.ministry.clone(), Arc::clone(&config.codec));
        let reader = Reader { view, codec: &*codec };
        let mut work = Work::new((home, now), random, reader, self.log.begin());
        first(self, &mut work);
        self.make(&mut work, events)?;
        work.commit.log = work.log.finish()?;
        let wake = work.wake();
        self.log.advance(work.log, work.commit.log.as_ref());
        Ok(Step { commit: work.commit, actions: work.actions, wake })
    }

    /// Makes a step, but for what the log says of it as a whole.
    fn make(&mut self, work: &mut Work<'_>, events: Vec<Event>) -> Result<(), ViewError> {
        self.custody.queues.look_again(&work.reader)?;
        self.review.begin(&self.custody);
        // What is erased goes from all that came in this step too.
        let (last, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| {
            matches!(event, Event::Person { request: PersonRequest::Erase { .. }, .. })
        });
        for event in others.into_iter().chain(last) {
            if let Some(event) = self.intake.let_in(&self.custody, work, event) {
                self.on(work, event)?;
            }
        }
        self.custody.tend_holds(work)?;
        let ended_on_disk = work.ended_on_disk
            || self.expiry.expire(&mut self.custody, work)?
            || self.review.go_on(&mut self.custody, work)?;
        self.settle(work);
        if ended_on_disk {
            // Whoever reads now would still find there what has just ended.
            work.wake_at(work.now);
        } else {
            self.hand_out(work)?;
        }
        if work.has_to_say() {
            work.wake_at(work.now);
        }
        self.settle(work);
        self.custody.turned_away.settle(work);
        self.custody.close(work);
        self.expiry.plan(work)
    }

    /// Hands what waits to those who can take it.
    fn hand_out(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        let custody = &mut self.custody;
        self.receipt_readers.pump(&mut custody.queues, work)?;
        self.mailboxes.pump(custody, work)?;
        self.peers.pump(custody, work)
    }

    /// What the log says of a start.
    fn log_start(&self, work: &mut Work<'_>) {
        let config = &self.custody.config;
        if let (true, Some(checkpoint)) = (self.log.is_empty(), config.log.restored.clone()) {
            work.note(LogEvent::Restored { checkpoint });
        }
        work.note(LogEvent::Booted { software: config.log.software.clone() });
        if self.log.policy() != Some(config.files.digest()) {
            work.log.put_in_force(work.now, &config.files);
        }
    }

    /// Sends on its way what is to be said, and packs what was queued.
    fn settle(&mut self, work: &mut Work<'_>) {
        self.custody.issue(work);
        self.sums.sum_up(work);
        work.answer_batches();
        self.receipt_readers.show_watches(&self.custody.queues, work);
        self.custody.queues.settle(work);
    }

    fn on(&mut self, work: &mut Work<'_>, event: Event) -> Result<(), ViewError> {
        let Self { custody, intake, peers, mailboxes, receipt_readers: readers, .. } = self;
        match event {
            Event::Arrived { peer, link, token, lane, epoch, parcels, certificates } => {
                let source = Source { giver: Giver::Peer(peer), token, link, lane, epoch };
                intake.on_arrived(custody, work, &source, (parcels, certificates))?;
            }
            Event::Asked { system, token, question } => {
                work.answer(token, custody.on_asked(work.now, &system, &question));
            }
            Event::Answered { peer, link, lane, batch, answers, receipts } => {
                let batch = (lane, batch);
                peers.on_answered(custody, work, (&peer, link), batch, answers, receipts)?;
            }
            Event::CheckpointShown { peer, token, shown } => {
                self.witness.on_shown(work, &custody.config.log.cosigner, token, (&peer, shown));
            }
            Event::Confirmed { subscription, tickets } => {
                mailboxes.on_confirmed(custody, work, subscription, tickets);
            }
            Event::DialFailed { peer, problem } => peers.on_dial_failed(work, peer, problem),
            Event::Heard { peer } => peers.on_heard(peer),
            Event::LinkDown { peer, link, problem } => {
                intake.link_is_gone(link);
                peers.on_link_down(custody, work, (peer.as_ref(), link), problem);
            }
            Event::LinkUp { peer, link } => peers.on_link_up(custody, work, peer, link),
            Event::Person { person, token, request } => {
                self.on_person(work, (person, token), request)?;
            }
            Event::PolicyChanged { policy, files } => self.on_policy(work, policy, &files),
            Event::ReceiptsArrived { peer, token, receipts } => {
                custody.on_receipts_arrived(work, &peer, token, receipts)?;
            }
            Event::Room(room) => custody.room = room,
            Event::RosterChanged(roster) => self.on_roster(work, *roster),
            Event::RetentionChanged(retention) => custody.change_retention(retention),
            Event::ReceiptsConfirmed { subscription, through } => {
                readers.on_confirmed(&mut custody.queues, subscription, through);
            }
            Event::ReceiptsWanted { system, subscription, address, mode } => {
                readers.on_wanted(custody, work, (&system, subscription), address, mode)?;
            }
            Event::StatusAsked { system, token } => {
                work.answer(token, self.on_status_asked(work, &system)?);
            }
            Event::Submitted { system, link, token, lane, epoch, messages, certificates } => {
                let source = Source { giver: Giver::System(system), token, link, lane, epoch };
                intake.on_submitted(custody, work, &source, (messages, certificates))?;
            }
            Event::Unaccepted { subscription, tickets, why, by_receiver } => {
                let why = (&why, by_receiver);
                mailboxes.on_unaccepted(custody, work, subscription, tickets, why);
            }
            Event::Unsubscribed { subscription } => self.on_unsubscribed(work, subscription),
            Event::Wanted { system, subscription, mailbox, credit } => {
                mailboxes.on_wanted(custody, work, (&system, subscription), mailbox, credit);
            }
        }
        Ok(())
    }

    /// An officer or operator wants something; each is answered once.
    fn on_person(
        &mut self,
        work: &mut Work<'_>,
        (person, token): (SpiffeId, Token),
        request: PersonRequest,
    ) -> Result<(), ViewError> {
        let Self { custody, intake, .. } = self;
        let reply = match request {
            PersonRequest::Approve { approval, certificates } => {
                intake.keep(work, certificates);
                return custody.on_approved(work, token, &person, &approval);
            }
            PersonRequest::LogDeed { deed } => {
                work.on_deed(&custody.config, token, person, deed);
                return Ok(());
            }
            PersonRequest::AsideAct { message, deed } => {
                custody.on_aside_act(work, &person, (message, deed))?
            }
            PersonRequest::Fill => custody.on_fill_asked(&person),
            PersonRequest::Asides { after, limit } => {
                custody.on_asides_asked(work, &person, (after.as_ref(), limit))?
            }
            PersonRequest::Decisions { limit } => {
                intake.on_decisions_asked(custody, &person, limit)
            }
            PersonRequest::Erase { message, basis, headers } => {
                let erasure = Erasure::new(person, message, basis, headers);
                match erasure.not_now(&self.custody, work, self.peers.under_way()) {
                    Some(refusal) => Reply::Refused(refusal),
                    None => {
                        self.mailboxes.withdraw(&mut self.custody, work, message);
                        erasure.carry_out(&mut self.custody, work)?
                    }
                }
            }
            PersonRequest::Hold { message } => custody.on_hold_asked(work, &person, message)?,
            PersonRequest::Holds { after } => custody.on_holds_asked(work, &person, after)?,
        };
        work.answer(token, reply);
        Ok(())
    }

    fn on_status_asked(&self, work: &Work<'_>, system: &SpiffeId) -> Result<Reply, ViewError> {
        let Some(addresses) = self.custody.config.systems.get(system) else {
            return Ok(Reply::Refused(Refusal::bare(Code::REJECTED)));
        };
        let mut mailboxes = Vec::new();
        for address in addresses {
            let queue = QueueId::Mailbox(address.clone());
            mailboxes.push(Waiting {
                name: address.to_string(),
                messages: self.custody.queues.waiting(&queue),
                oldest: self.custody.queues.oldest(&queue, &work.reader)?,
            });
        }
        Ok(Reply::Status(Status {
            now: work.now,
            mailboxes,
            peers: self.peers.states(&self.custody, work)?,
        }))
    }

    /// Frees what a receiver or reader did not confirm.
    fn on_unsubscribed(&mut self, work: &mut Work<'_>, subscription: SubscriptionId) {
        self.receipt_readers.end(&mut self.custody.queues, subscription);
        self.mailboxes.on_unsubscribed(&mut self.custody, work, subscription);
    }

    /// Serves these from now on: what a system may do is decided again with all that waits.
    fn on_roster(&mut self, work: &mut Work<'_>, roster: Roster) {
        // Most reloads change nobody; whatever else they change has all that waits decided again by itself.
        if self.custody.serves(&roster) {
            return;
        }
        // What was decided before was by the clearances before.
        work.write_decisions();
        self.custody.change_roster(roster);
        let config = &self.custody.config;
        let mut ended = self.mailboxes.not_for(config);
        ended.extend(self.receipt_readers.not_for(config));
        for subscription in ended {
            work.actions.push(Action::Refuse(subscription, Refusal::bare(Code::NOT_YOURS)));
            self.on_unsubscribed(work, subscription);
        }
        self.review = Review::wanted();
    }

    /// Everything that waits is decided again, a part of it in each step.
    fn on_policy(&mut self, work: &mut Work<'_>, policy: Arc<Policy>, files: &SignedSet) {
        if work.log.policy() != Some(files.digest()) {
            // What was decided before was by the rules before.
            work.write_decisions();
            work.log.put_in_force(work.now, files);
        }
        self.custody.change_rules(policy);
        self.review = Review::wanted();
    }
}

#[cfg(test)]
impl Engine {
    /// Counts so many messages in a queue as those of a ministry.
    pub(crate) fn count_as(&mut self, queue: &QueueId, ministry: &str, messages: u64) {
        self.custody.queues.count_as(queue, ministry, messages);
    }

    /// How many messages wait in a queue.
    pub(crate) fn waiting(&self, queue: &QueueId) -> u64 {
        self.custody.queues.waiting(queue)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.custody.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
