//! One relay's host: its engine, its disk, its inbox.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use kuriiri_engine::{Config, Engine, Event, LaneSpan, LinkId, Step, Token, View};
use kuriiri_policy::Policy;
use kuriiri_types::{Digest, Lane, MessageId, Ministry, Timestamp};

use crate::{
    disk::Disk,
    disk_log::DiskLog,
    failure::{Failure, hold},
    network::Cargo,
    own_clock::OwnClock,
    rng::Rng,
    word::{Intent, Word},
};

/// A relay as a machine would run it, but for the machine.
pub(crate) struct Node {
    pub(crate) home: Ministry,
    /// Counts the starts of this host; what was meant for an earlier one is lost.
    pub(crate) run: u64,
    pub(crate) disk: Disk,
    /// The rules that its next start will find.
    pub(crate) policy: Arc<Policy>,
    /// The serial of the ministry's own rules.
    pub(crate) own_serial: u64,
    /// The rules that its engine was given last.
    pub(crate) in_force: Arc<Policy>,
    /// All rules that were in force at some moment of its last step.
    pub(crate) rules: Vec<Arc<Policy>>,
    /// How often it was given rules, and when last.
    pub(crate) changes: u64,
    pub(crate) changed_at: Timestamp,
    /// What it held before its last step, if that is going to be asked for.
    pub(crate) held_before: BTreeSet<Digest>,
    /// True when one of its queues may look fuller to it than it is.
    pub(crate) is_crowded: bool,
    /// When it wants to be woken, by the true time.
    pub(crate) wake: Option<Timestamp>,
    pub(crate) clock: OwnClock,
    /// How many entries of its log each peer is known to have cosigned.
    pub(crate) witnessed: BTreeMap<Ministry, u64>,
    /// The log that was lost, if the present one goes on from it.
    pub(crate) lost_log: Option<DiskLog>,
    pub(crate) is_step_planned: bool,
    /// How the next step ends, if not well.
    pub(crate) fate: Option<Fate>,
    /// The lanes that its last start found.
    pub(crate) found: Vec<LaneSpan>,
    /// Steps since the beginning.
    pub(crate) steps: u64,
    engine: Option<Engine>,
    inbox: VecDeque<Event>,
    questions: BTreeMap<Token, Question>,
    random: Rng,
}

/// Where a crash strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The commit is lost, and all that would have been said.
    BeforeCommit,
    /// The commit stands and nothing is said.
    AfterCommit,
    /// The commit stands and some of it is said.
    AmidActions,
}

/// Who waits for a reply of the engine.
#[derive(Debug)]
pub(crate) enum Question {
    /// Whoever sent this batch.
    Batch { link: LinkId, lane: Lane, number: u64, claims: Vec<Option<Claim>>, cargo: Cargo },
    /// Nobody: a batch that came again.
    Nobody(Vec<Option<Claim>>),
    /// Somebody who wants to know how the relay is, when all should be done.
    Status,
    /// The officer with this number, who wants to see what waits.
    Holds(usize),
    /// An officer who looks at one message once more before dealing with it.
    Hold(usize, Intent),
    /// An officer who has given a word on a message.
    Word(Word),
    /// Somebody who wants this message erased; its header has this leaf hash.
    Erase(MessageId, Digest),
    /// Somebody who has done something to the log.
    LogDeed,
    /// A relay that has shown its log of so many entries.
    Shown { relay: Ministry, size: u64 },
}

/// What a batch asks a relay to take: a message, for one ministry if it comes from a peer.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) leaf: Digest,
    pub(crate) dest: Option<Ministry>,
}

impl Node {
    pub(crate) fn new(home: Ministry, policy: Arc<Policy>, random: Rng) -> Self {
        Self {
            home,
            run: 0,
            disk: Disk::default(),
            in_force: Arc::clone(&policy),
            rules: Vec::new(),
            changes: 0,
            changed_at: Timestamp::default(),
            held_before: BTreeSet::new(),
            is_crowded: false,
            policy,
            own_serial: 1,
            wake: None,
            clock: OwnClock::default(),
            witnessed: BTreeMap::new(),
            lost_log: None,
            is_step_planned: false,
            fate: None,
            found: Vec::new(),
            steps: 0,
            engine: None,
            inbox: VecDeque::new(),
            questions: BTreeMap::new(),
            random,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// Starts on what the disk holds.
    pub(crate) fn start(
        &mut self,
        config: Config,
        peers: &[Ministry],
        now: Timestamp,
    ) -> Result<Step, Failure> {
        self.run = self.run.saturating_add(1);
        self.rules.clear();
        self.goes_by(now, Arc::clone(&self.policy));
        self.found = self.disk.lanes().map_err(|error| unreadable(&error))?;
        let peers = peers.iter().cloned();
        let started = Engine::restore(config, peers, now, &mut self.random, &self.disk);
        let (engine, step) = started.map_err(|error| unreadable(&error))?;
        self.engine = Some(engine);
        Ok(step)
    }

    /// Everything but the disk is gone.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        self.inbox.clear();
        self.questions.clear();
        self.witnessed.clear();
        self.wake = None;
        self.is_step_planned = false;
        self.fate = None;
    }

    pub(crate) fn tell(&mut self, event: Event) {
        if self.is_up() {
            self.inbox.push_back(event);
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Lets the engine decide on the next events of the inbox, at most so many.
    pub(crate) fn step(&mut self, now: Timestamp, events_max: usize) -> Result<Step, Failure> {
        if !self.is_up() {
            return Ok(Step::default());
        }
        self.steps = self.steps.saturating_add(1);
        self.note_holds();
        let events = self.next_events(events_max);
        self.rules = vec![Arc::clone(&self.in_force)];
        for event in &events {
            if let Event::PolicyChanged { policy, .. } = event {
                self.goes_by(now, Arc::clone(policy));
            }
        }
        let Some(engine) = &mut self.engine else {
            return Ok(Step::default());
        };
        let step = engine.step(now, &mut self.random, &self.disk, events);
        step.map_err(|error| unreadable(&error))
    }

    /// The next events of the inbox.
    fn next_events(&mut self, most: usize) -> Vec<Event> {
        self.inbox.drain(..most.min(self.inbox.len())).collect()
    }

    /// These rules are in force from now on.
    pub(crate) fn goes_by(&mut self, now: Timestamp, policy: Arc<Policy>) {
        self.rules.push(Arc::clone(&policy));
        self.in_force = policy;
        self.changes = self.changes.saturating_add(1);
        self.changed_at = now;
    }

    fn note_holds(&mut self) {
        let is_list = |question: &Question| matches!(question, Question::Holds(_));
        self.held_before.clear();
        if self.questions.values().any(is_list) {
            let holds = self.disk.holds.values();
            self.held_before.extend(holds.map(|held| kuriiri_merkle::leaf(&held.envelope.header)));
        }
    }

    // === questions ===

    pub(crate) fn ask(&mut self, token: Token, question: Question) {
        self.questions.insert(token, question);
    }

    pub(crate) fn answered(&mut self, token: Token) -> Option<Question> {
        self.questions.remove(&token)
    }

    /// What the batch behind a question asked for.
    pub(crate) fn claims(&self, token: Token) -> Option<&[Option<Claim>]> {
        match self.questions.get(&token)? {
            Question::Batch { claims, .. } | Question::Nobody(claims) => Some(claims),
            Question::Status
            | Question::Holds(_)
            | Question::Hold(..)
            | Question::Word(_)
            | Question::Erase(..)
            | Question::LogDeed
            | Question::Shown { .. } => None,
        }
    }
}

fn unreadable(error: &kuriiri_engine::ViewError) -> Failure {
    let failed = hold("the_state_can_be_read", false, || error.to_string());
    failed.err().unwrap_or_else(|| Failure::Setup(String::new()))
}
