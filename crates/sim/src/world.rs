//! A world: its relays, its people, its weather, and how it runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kuriiri_engine::{Seq, SubscriptionId};
use kuriiri_seal::Signer;
use kuriiri_types::{Address, Digest, Ministry, SpiffeId, Timestamp, limits::MESSAGE_TTL_MAX};

use crate::{
    cast::Cast,
    clock::{Agenda, BEGINNING},
    failure::{Check, Failure, hold},
    happening::Happening,
    ledger::Ledger,
    log::Log,
    network::Network,
    node::Node,
    officers::LAST_ROUNDS_WITHIN,
    receiver::{Reader, Taker},
    rng::Rng,
    sabotage::Sabotage,
    saboteur::Saboteur,
    sender::Sender,
    siege::Siege,
};

/// How long things break.
const STORM: Duration = Duration::from_secs(40);
/// Things that happen in a storm, at most, unless somebody asks for another number.
const STEPS: u64 = 20_000;
/// How long after the storm all that is under way must have arrived: the longest wait for a peer,
/// with its spread, for each link on the way and back, and once more.
const REST_WITHIN: Duration = Duration::from_secs(6 * 75);
/// How long a message may wait for people, and how often the world is looked at meanwhile.
const PATIENCE: Duration = MESSAGE_TTL_MAX;
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// How long a world at rest is watched, and how often each relay may step in that time.
const WATCH: Duration = Duration::from_secs(120);
const STEPS_AT_REST_MAX: u64 = 30;
/// By then everything has been forgotten that may be forgotten.
const OBLIVION: Duration = Duration::from_secs(75 * 24 * 3600);
/// Tells the numbers that sieges are drawn by from those of the rest of a world.
const SIEGES: u64 = 0x9e37_79b9_7f4a_7c15;
/// Lines of the log that are kept unless somebody asks for all.
const LINES_KEPT: usize = 200;

/// Several relays in one process, in virtual time, with everything that can go wrong between them.
pub struct World {
    pub(crate) cast: Arc<Cast>,
    pub(crate) rng: Rng,
    pub(crate) agenda: Agenda<Happening>,
    pub(crate) nodes: BTreeMap<Ministry, Node>,
    pub(crate) network: Network,
    pub(crate) senders: Vec<Sender>,
    pub(crate) officers: Vec<Arc<Signer>>,
    pub(crate) mailboxes: Vec<(SpiffeId, Address)>,
    pub(crate) takers: BTreeMap<SubscriptionId, Taker>,
    pub(crate) readers: BTreeMap<SubscriptionId, Reader>,
    /// Where the last watch of an address broke off.
    pub(crate) bookmarks: BTreeMap<Address, Seq>,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) saboteur: Saboteur,
    pub(crate) siege: Siege,
    pub(crate) is_calm: bool,
    pub(crate) is_flooded: bool,
    /// Rules change when messages come.
    pub(crate) is_turbulent: bool,
    /// Words of officers that were the last that a message waited for.
    pub(crate) released: usize,
    /// Messages that relays said are erased.
    pub(crate) erased: usize,
    /// Headers that relays were told to prune.
    pub(crate) pruned: u64,
    numbers: u64,
    steps: u64,
    steps_max: u64,
}

/// What a run that went well came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Messages that were signed.
    pub sent: usize,
    /// Messages that were acknowledged to their systems.
    pub acknowledged: usize,
    /// Messages that receivers confirmed, counted by recipient.
    pub confirmed: usize,
    /// Messages that ever waited for people or for their hours.
    pub held: usize,
    /// Words of officers that were the last that a message waited for.
    pub released: usize,
    /// Messages that relays erased.
    pub erased: usize,
    /// Headers that left because their time was over.
    pub pruned: u64,
    /// Decisions on several new messages at once.
    pub together: u64,
    /// Decisions on some of the messages that were signed at once, and not on all of them.
    pub parted: u64,
    /// Of which recipients a message was both delivered and declared undeliverable, because a
    /// relay on the way could not know whether its last hand-over had arrived.
    pub doubtful: usize,
    /// Commits that relays made.
    pub commits: u64,
    /// Starts of relays, the first of each included.
    pub starts: u64,
    /// The digest of the log: the same for the same seed.
    pub log: Digest,
}

impl World {
    /// A world that this seed decides.
    ///
    /// # Errors
    /// When the example federation cannot be made.
    pub fn new(seed: u64) -> Result<Self, Failure> {
        Self::sabotaged(seed, Sabotage::None)
    }

    /// A world in which something is broken on purpose.
    ///
    /// # Errors
    /// When the example federation cannot be made.
    pub fn sabotaged(seed: u64, sabotage: Sabotage) -> Result<Self, Failure> {
        let cast = Cast::shared()?;
        let mut rng = Rng::new(seed);
        let mut node =
            |home: &Ministry| Node::new(home.clone(), Arc::clone(&cast.rules.example), rng.fork());
        let nodes = cast.houses.keys().map(|home| (home.clone(), node(home))).collect();
        let systems = cast.houses.values().flat_map(|house| &house.systems);
        let senders = systems.map(|(id, system)| {
            let addresses = system.addresses.iter().cloned().collect();
            Sender::new(id.clone(), addresses, Arc::clone(&system.signer))
        });
        let mut network = Network::default();
        network.has_no_gates = sabotage == Sabotage::HasNoGates;
        Ok(Self {
            agenda: Agenda::new(),
            nodes,
            network,
            senders: senders.collect(),
            officers: cast.officers().map(Arc::clone).collect(),
            mailboxes: cast.mailboxes().map(|(id, a)| (id.clone(), a.clone())).collect(),
            takers: BTreeMap::new(),
            readers: BTreeMap::new(),
            bookmarks: BTreeMap::new(),
            ledger: Ledger::new(Arc::clone(&cast)),
            log: Log::new(LINES_KEPT),
            saboteur: Saboteur::new(sabotage),
            siege: Siege::of(&mut Rng::new(seed.wrapping_mul(SIEGES))),
            is_calm: false,
            is_flooded: false,
            is_turbulent: false,
            released: 0,
            erased: 0,
            pruned: 0,
            numbers: 0,
            steps: 0,
            steps_max: STEPS,
            rng,
            cast,
        })
    }

    /// Ends the storm after so many things have happened, and keeps so many lines of the log.
    #[must_use]
    pub fn with(mut self, steps_max: u64, lines_kept: usize) -> Self {
        self.steps_max = steps_max;
        self.log = Log::new(lines_kept);
        self
    }

    /// Runs through the storm and the calm after it.
    ///
    /// # Errors
    /// The first thing that was not as it must be.
    pub fn run(&mut self) -> Result<Report, Failure> {
        self.begin()?;
        self.storm()?;
        self.is_calm = true;
        self.siege()?;
        self.calm()?;
        self.rest()?;
        self.grow_old()?;
        Ok(self.report())
    }

    /// The last lines of the log.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.log.lines()
    }

    /// The digest of the whole log so far.
    pub fn digest(&self) -> Digest {
        self.log.digest()
    }

    fn report(&self) -> Report {
        Report {
            sent: self.ledger.sent.len(),
            acknowledged: self.ledger.acknowledged.len(),
            confirmed: self.ledger.confirmed.len(),
            held: self.ledger.once_held.len(),
            released: self.released,
            erased: self.erased,
            pruned: self.pruned,
            together: self.ledger.books.values().map(|book| book.classes.0).sum(),
            parted: self.ledger.books.values().map(|book| book.classes.1).sum(),
            doubtful: self.ledger.contradictions(),
            commits: self.nodes.values().map(|node| node.steps).sum(),
            starts: self.nodes.values().map(|node| node.run).sum(),
            log: self.digest(),
        }
    }

    // === its ages ===

    fn begin(&mut self) -> Check {
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            self.restart(home)?;
        }
        for sender in 0..self.senders.len() {
            self.agenda.after(self.rng.below(500), Happening::Call(sender));
            self.agenda.after(self.rng.below(2000), Happening::Compose(sender));
        }
        for mailbox in 0..self.mailboxes.len() {
            let again = true;
            self.agenda.after(self.rng.below(3000), Happening::Visit { mailbox, again });
            self.agenda.after(self.rng.below(3000), Happening::Read { mailbox, again });
        }
        self.begin_rounds();
        self.agenda.after(1000, Happening::Fault);
        Ok(())
    }

    fn storm(&mut self) -> Check {
        let end = BEGINNING.after(STORM);
        while self.steps < self.steps_max {
            let Some(happening) = self.agenda.next_until(end) else {
                break;
            };
            self.happen(happening)?;
        }
        Ok(())
    }

    /// Everything is mended, and diligent people come to every mailbox.
    fn calm(&mut self) -> Check {
        self.log.line(self.agenda.now(), format_args!("=== calm ==="));
        if self.saboteur.plan != Sabotage::NeverHeals {
            self.network.join_all();
        }
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            self.restart(home)?;
        }
        self.nodes.values_mut().for_each(|node| node.fate = None);
        self.dismiss_everybody();
        for mailbox in 0..self.mailboxes.len() {
            let again = false;
            self.agenda.after(self.rng.below(1000), Happening::Visit { mailbox, again });
            self.agenda.after(self.rng.below(1000), Happening::Read { mailbox, again });
        }
        self.begin_last_rounds();
        let limit = self.agenda.now().after(REST_WITHIN);
        while !self.is_at_rest() {
            let is_late = self.agenda.now() >= limit;
            hold("the_world_comes_to_rest", !is_late, || self.unrest())?;
            self.pass(Duration::from_secs(1))?;
        }
        self.outwait()
    }

    /// What still waits for people or for its hours goes, or expires.
    fn outwait(&mut self) -> Check {
        self.pass(LAST_ROUNDS_WITHIN)?;
        self.saboteur.is_late = true;
        let limit = self.agenda.now().after(PATIENCE);
        while !self.is_at_rest() || self.nodes.values().any(|node| !node.disk.holds.is_empty()) {
            let is_late = self.agenda.now() >= limit;
            hold("nothing_waits_for_ever", !is_late, || self.unrest())?;
            self.pass(LOOK_EVERY)?;
        }
        Ok(())
    }

    /// What can be said when all is quiet.
    fn rest(&mut self) -> Check {
        // What was said last has still to be heard.
        self.pass(Duration::from_secs(5))?;
        self.log.line(self.agenda.now(), format_args!("=== rest ==="));
        self.ledger.no_acknowledged_message_lost()?;
        for node in self.nodes.values() {
            self.ledger.references_are_counted(node)?;
            self.ledger.nothing_is_left_behind(node)?;
            self.ledger.log_stays_as_it_was(node)?;
            self.ledger.headers_stay_beside(node)?;
            self.ledger.shown_receipts_stand(node)?;
        }
        self.ledger.logs_agree()?;
        self.saboteur.is_at_rest = true;
        self.ask_for_status();
        let before: BTreeMap<Ministry, u64> = self.step_counts();
        self.pass(WATCH)?;
        for (home, after) in self.step_counts() {
            let steps = after.saturating_sub(before.get(&home).copied().unwrap_or(0));
            hold("a_relay_at_rest_sleeps", steps <= STEPS_AT_REST_MAX, || {
                format!("{home} stepped {steps} times in {WATCH:?}")
            })?;
        }
        Ok(())
    }

    /// In the end, what need not be remembered is forgotten.
    fn grow_old(&mut self) -> Check {
        self.pass(OBLIVION)?;
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        homes.iter().try_for_each(|home| self.step(home))?;
        for node in self.nodes.values() {
            let due = node.disk.due.first();
            hold("notes_of_expiry_end", due.is_none(), || format!("{}: {due:?}", node.home))?;
            let runs = node.disk.runs();
            hold("what_was_seen_is_forgotten", runs == 0, || format!("{}: {runs}", node.home))?;
        }
        self.prune_all()
    }

    /// Lets time pass, with all that happens in it.
    pub(crate) fn pass(&mut self, time: Duration) -> Check {
        let until = self.agenda.now().after(time);
        while let Some(happening) = self.agenda.next_until(until) {
            self.happen(happening)?;
        }
        self.agenda.sleep_until(until);
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        let is_quiet = |node: &Node| node.is_up() && node.disk.packs.is_empty();
        self.senders.iter().all(Sender::is_done) && self.nodes.values().all(is_quiet)
    }

    fn unrest(&self) -> String {
        let waits = |node: &Node| {
            let queues = node.disk.packs.keys().take(3);
            let (queues, holds) = (queues.collect::<Vec<_>>(), node.disk.holds.len());
            format!("{} (up: {}): {queues:?}, {holds} holds", node.home, node.is_up())
        };
        let nodes: Vec<String> = self.nodes.values().map(waits).collect();
        let senders = self.senders.iter().filter(|sender| !sender.is_done());
        let senders: Vec<String> = senders.map(|sender| sender.system.to_string()).collect();
        format!("{}; senders: {senders:?}", nodes.join("; "))
    }

    fn step_counts(&self) -> BTreeMap<Ministry, u64> {
        self.nodes.iter().map(|(home, node)| (home.clone(), node.steps)).collect()
    }

    // === for all parts of it ===

    pub(crate) fn now(&self) -> Timestamp {
        self.agenda.now()
    }

    /// A number that was never given before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    pub(crate) fn count_step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// How long something is on its way, in milliseconds: now and then much longer.
    pub(crate) fn delay(&mut self) -> u64 {
        if !self.is_calm && self.rng.chance(4) {
            self.rng.between(200, 1500)
        } else {
            self.rng.between(1, 60)
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("log", &self.log.digest()).finish_non_exhaustive()
    }
}
