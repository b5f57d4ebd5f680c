//! The engine: events in, one step out.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use kuriiri_policy::Policy;
use kuriiri_types::{
    Code, Fingerprint, Giver, Lane, LogEvent, Ministry, Refusal, SpiffeId, Timestamp, Verdict,
    WireLabel,
};

use crate::{
    action::{Action, Reply, Status, Waiting},
    admit::Source,
    commit::{Commit, Write},
    config::{Config, Random},
    decided::Decided,
    event::{Event, LinkId, Token},
    heads::Sums,
    held::Reader,
    holds::Holds,
    judge::Judge,
    log::{Log, SignedSet},
    mailbox::Subscriptions,
    outbound::Peer,
    queues::Queues,
    rates::Rates,
    readers::ReceiptReaders,
    record::{Body, Certificate, QueueId},
    retention::Retention,
    review::Review,
    seen::{Seen, Taker},
    view::{View, ViewError},
    witness::Witness,
    work::Work,
};

/// Bits of a sequence number below the count of starts: 2^40 items in one run of a relay.
const START_SHIFT: u32 = 40;

/// Certificates that are known to be kept, 32 bytes each. When there are more, each may be kept once
/// more.
const CERTIFICATES_KNOWN_MAX: usize = 65_536;

/// The relay as a deterministic state machine.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) judge: Judge,
    pub(crate) queues: Queues,
    pub(crate) peers: BTreeMap<Ministry, Peer>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) receipt_readers: ReceiptReaders,
    pub(crate) seen: Seen,
    /// Certificates that this run has kept.
    kept: HashSet<Fingerprint>,
    /// The epoch in which a source was told that a queue is full.
    pub(crate) held_off: HashMap<(LinkId, Lane), u32>,
    /// Numbers runs of marks, holds and body files; never repeats.
    serial: u64,
    /// The body file of the step in hand, if it has one.
    body_file: u64,
    /// By which receipts of peers are remembered.
    pub(crate) taker: Taker,
    /// How long headers with the label of the last message are kept.
    keeps: Option<(Option<WireLabel>, Duration)>,
    /// The transparency log.
    pub(crate) log: Log,
    /// What was cosigned of the logs of peers.
    pub(crate) witness: Witness,
    /// What passed between this relay and its peers in minutes that are not over.
    pub(crate) sums: Sums,
    /// What waits for people or hours.
    pub(crate) holds: Holds,
    /// What left when, by peer and lane.
    pub(crate) rates: Rates,
    /// What was decided of late.
    pub(crate) decided: Decided,
    /// How far all that waits has been decided again since the rules changed.
    pub(crate) review: Review,
    /// The earliest note of expiry, as far as known.
    pub(crate) next_due: Option<Timestamp>,
    /// True when `next_due` must be looked up.
    pub(crate) look_for_due: bool,
}

/// What one step decided. The host makes the commit durable, then performs the actions in order,
/// and calls again at `wake` at the latest.
#[derive(Debug, Default)]
pub struct Step {
    /// To be durable before anything is said.
    pub commit: Commit,
    /// To be performed after that.
    pub actions: Vec<Action>,
    /// When the next step is wanted even if nothing happens.
    pub wake: Option<Timestamp>,
}

/// Answers that wait for what this step states.
type Answers = Vec<(Token, Vec<Verdict>)>;

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
        let base = starts.checked_shl(START_SHIFT).unwrap_or(u64::MAX);
        let codec = Arc::clone(&config.codec);
        let reader = Reader { view, codec: &*codec };
        let queues = Queues::restore(base, &reader)?;
        let holds = Holds::restore(&reader)?;
        let witness = Witness::restore(&reader)?;
        let judge = judge(&config, Arc::clone(&config.policy));
        let log = Log::restore(&config.log, &config.codec, starts, view)?;
        let taker = Taker::named(config.ministry.as_str());
        let mut engine = Self {
            judge,
            queues,
            taker,
            keeps: None,
            config,
            peers: peers.into_iter().map(|peer| (peer, Peer::default())).collect(),
            subscriptions: Subscriptions::default(),
            receipt_readers: ReceiptReaders::default(),
            seen: Seen::default(),
            kept: HashSet::new(),
            held_off: HashMap::new(),
            serial: base,
            body_file: base,
            log,
            witness,
            sums: Sums::default(),
            holds,
            rates: Rates::default(),
            decided: Decided::default(),
            review: Review::wanted(),
            next_due: None,
            look_for_due: true,
        };
        engine.meet_queued_peers();
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
        let codec = Arc::clone(&self.config.codec);
        let mut work = Work::new(now, random, Reader { view, codec: &*codec }, self.log.begin());
        let mut answers = Answers::new();
        first(self, &mut work);
        self.queues.look_again(&work.reader)?;
        self.begin_review();
        // What is erased goes from all that came in this step too.
        let (last, others): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| matches!(event, Event::EraseAsked { .. }));
        for event in others.into_iter().chain(last) {
            self.on(&mut work, &mut answers, event)?;
        }
        self.tend_holds(&mut work)?;
        let ended_on_disk =
            work.ended_on_disk || self.expire(&mut work)? || self.review(&mut work)?;
        self.settle(&mut work, answers);
        if ended_on_disk {
            // Whoever reads now would still find there what has just ended.
            work.wake_at(now);
        } else {
            self.pump_receipts(&mut work)?;
            self.pump_mailboxes(&mut work)?;
            self.pump_peers(&mut work)?;
        }
        if work.has_to_say() {
            work.wake_at(now);
        }
        self.settle(&mut work, Answers::new());
        self.seen.settle(&mut self.serial, &mut work);
        self.plan_expiry(&mut work)?;
        self.holds_are_committed();
        work.commit.log = work.log.finish()?;
        let wake = work.wake();
        self.log.advance(work.log, work.commit.log.as_ref());
        Ok(Step { commit: work.commit, actions: work.actions, wake })
    }

    /// What the log says of a start.
    fn log_start(&self, work: &mut Work<'_>) {
        let config = &self.config.log;
        if let (true, Some(checkpoint)) = (self.log.is_empty(), config.restored.clone()) {
            work.note(LogEvent::Restored { checkpoint });
        }
        work.note(LogEvent::Booted { software: config.software.clone() });
        if self.log.policy() != Some(self.config.files.digest()) {
            work.log.put_in_force(work.now, &self.config.files);
        }
    }

    /// Sends on its way what is to be said, and packs what was queued.
    fn settle(&mut self, work: &mut Work<'_>, answers: Answers) {
        self.issue(work);
        self.sum_up(work);
        for (token, verdicts) in answers {
            let receipts = work.answered.remove(&token).unwrap_or_default();
            work.actions.push(Action::Answer(token, Reply::Verdicts { verdicts, receipts }));
        }
        self.show_watches(work);
        self.queues.settle(work);
    }

    fn on(
        &mut self,
        work: &mut Work<'_>,
        answers: &mut Answers,
        event: Event,
    ) -> Result<(), ViewError> {
        match event {
            Event::Approved { officer, token, approval, certificates } => {
                self.keep(work, certificates);
                self.on_approved(work, token, &officer, &approval)?;
            }
            Event::Arrived { peer, link, token, lane, epoch, parcels, certificates } => {
                self.keep(work, certificates);
                let source = Source { giver: Giver::Peer(peer), token, link, lane, epoch };
                answers.push((token, self.on_arrived(work, &source, parcels)?));
            }
            Event::Asked { system, token, question } => {
                work.answer(token, self.on_asked(work.now, &system, &question));
            }
            Event::Answered { peer, link, lane, batch, verdicts, receipts } => {
                self.on_answered(work, &peer, link, (lane, batch), verdicts, receipts)?;
            }
            Event::CheckpointShown { peer, token, shown } => {
                self.on_checkpoint_shown(work, &peer, token, shown);
            }
            Event::Confirmed { subscription, tickets } => {
                self.on_confirmed(work, subscription, tickets)
            }
            Event::DecisionsAsked { person, token, limit } => {
                work.answer(token, self.on_decisions_asked(&person, limit));
            }
            Event::DialFailed { peer, problem } => self.on_dial_failed(work, peer, problem),
            Event::EraseAsked { person, token, message, basis, headers } => {
                self.on_erase_asked(work, token, person, message, (basis, headers))?;
            }
            Event::Heard { peer } => self.on_heard(peer),
            Event::LinkDown { peer, link, problem } => {
                self.on_link_down(work, peer.as_ref(), link, problem);
            }
            Event::HoldAsked { officer, token, message } => {
                work.answer(token, self.on_hold_asked(work, &officer, message)?);
            }
            Event::HoldsAsked { officer, token, after } => {
                work.answer(token, self.on_holds_asked(work, &officer, after)?);
            }
            Event::LinkUp { peer, link } => self.on_link_up(work, peer, link),
            Event::PolicyChanged { policy, files } => {
                self.on_policy_changed(work, policy, &files);
            }
            Event::LogDeed { person, token, deed } => self.on_log_deed(work, token, person, deed),
            Event::ReceiptsArrived { peer, token, receipts } => {
                answers.push((token, self.on_receipts_arrived(work, &peer, receipts)?));
            }
            Event::RetentionChanged(retention) => self.keep_headers(retention),
            Event::ReceiptsConfirmed { subscription, through } => {
                self.on_receipts_confirmed(subscription, through);
            }
            Event::ReceiptsWanted { system, subscription, address, mode } => {
                self.on_receipts_wanted(work, &system, subscription, address, mode)?;
            }
            Event::StatusAsked { system, token } => {
                work.answer(token, self.on_status_asked(work, &system)?);
            }
            Event::Submitted { system, link, token, lane, epoch, messages, certificates } => {
                self.keep(work, certificates);
                let source = Source { giver: Giver::System(system), token, link, lane, epoch };
                answers.push((token, self.on_submitted(work, &source, messages)?));
            }
            Event::Unsubscribed { subscription } => self.on_unsubscribed(work, subscription),
            Event::Wanted { system, subscription, mailbox, credit } => {
                self.on_wanted(work, &system, subscription, mailbox, credit);
            }
        }
        Ok(())
    }

    /// Keeps certificates that came along, each once in a run: what they signed is committed with them
    /// or after them.
    fn keep(&mut self, work: &mut Work<'_>, certificates: Vec<Certificate>) {
        for certificate in certificates {
            if self.kept.len() >= CERTIFICATES_KNOWN_MAX {
                self.kept.clear();
            }
            if self.kept.insert(certificate.fingerprint) {
                work.keep(certificate);
            }
        }
    }

    /// Everything that waits is decided again, a part of it in each step.
    fn on_policy_changed(&mut self, work: &mut Work<'_>, policy: Arc<Policy>, files: &SignedSet) {
        if work.log.policy() != Some(files.digest()) {
            // What was decided before was by the rules before.
            work.write_decisions();
            work.log.put_in_force(work.now, files);
        }
        self.keeps = None;
        self.judge = judge(&self.config, policy);
        self.holds.look_at_all();
        self.review = Review::wanted();
    }

    fn on_asked(
        &self,
        now: Timestamp,
        system: &SpiffeId,
        question: &crate::event::Question,
    ) -> Reply {
        if self.config.may_use(system, &question.from) {
            Reply::Outcome(self.judge.ask(now, system, question))
        } else {
            Reply::Refused(Refusal::bare(Code::NOT_YOURS))
        }
    }

    fn on_status_asked(&self, work: &Work<'_>, system: &SpiffeId) -> Result<Reply, ViewError> {
        let Some(addresses) = self.config.systems.get(system) else {
            return Ok(Reply::Refused(Refusal::bare(Code::REJECTED)));
        };
        let mut mailboxes = Vec::new();
        for address in addresses {
            let queue = QueueId::Mailbox(address.clone());
            mailboxes.push(Waiting {
                name: address.to_string(),
                messages: self.queues.waiting(&queue),
                oldest: self.queues.oldest(&queue, &work.reader)?,
            });
        }
        Ok(Reply::Status(Status { now: work.now, mailboxes, peers: self.peer_states(work)? }))
    }

    /// Peers for which something waits from before, whatever the federation says now.
    fn meet_queued_peers(&mut self) {
        for queue in self.queues.names() {
            if let QueueId::Outbox(peer) = queue {
                self.peers.entry(peer.clone()).or_default();
            }
        }
    }

    /// Headers of messages that come from now on are kept as this says.
    fn keep_headers(&mut self, retention: Retention) {
        self.config.retention = retention;
        self.keeps = None;
    }

    /// How long the header of a message with this label is kept beside the log. Messages of a batch
    /// mostly have the same.
    pub(crate) fn retention_of(&mut self, label: Option<&WireLabel>) -> Duration {
        if let Some((known, keep)) = &self.keeps
            && known.as_ref() == label
        {
            return *keep;
        }
        let keep = self.config.retention.of(label, self.judge.policy());
        self.keeps = Some((label.cloned(), keep));
        keep
    }

    /// Finds a place for a body; see [`Work::place`].
    pub(crate) fn place(
        &mut self,
        work: &mut Work<'_>,
        body: &bytes::Bytes,
        copies: u32,
        beside: usize,
    ) -> Body {
        if work.commit.bodies.is_none() {
            self.body_file = self.next_serial();
        }
        work.place(body, copies, self.body_file, beside)
    }

    /// A number that was never given before, in no run of this relay.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.saturating_add(1);
        self.serial
    }

    /// Wakes in time for the next expiry.
    fn plan_expiry(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        if std::mem::take(&mut self.look_for_due) {
            let stored = work.reader.view.next_due()?;
            self.next_due = self.next_due.into_iter().chain(stored).min();
        }
        self.next_due = self.next_due.into_iter().chain(work.earliest_due()).min();
        if let Some(due) = self.next_due {
            work.wake_at(due);
        }
        Ok(())
    }
}

fn judge(config: &Config, policy: Arc<Policy>) -> Judge {
    Judge::new(policy, config.ministry.clone(), &config.clearances)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
