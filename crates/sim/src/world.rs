//! A world: its relays, its people and its weather.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kuriiri_engine::{Event, Seq, SubscriptionId};
use kuriiri_seal::Signer;
use kuriiri_types::{Address, Digest, Ministry, SpiffeId, Timestamp, limits::CLOCK_SKEW_MAX};

use crate::{
    cast::Cast,
    clock::Agenda,
    failure::Failure,
    isolation_plan::IsolationPlan,
    network::Network,
    node::Node,
    observer::Observer,
    own_clock::WrongClocks,
    planned::Planned,
    receiver::{Reader, Taker},
    renewal::Renewal,
    rng::Rng,
    sabotage::Sabotage,
    saboteur::Saboteur,
    sender::Sender,
    trace::Trace,
};

/// Things that happen in a storm, at most, unless somebody asks for another number.
const STEPS: u64 = 20_000;
/// Tells the numbers that isolations are drawn by from those of the rest of a world.
const ISOLATIONS: u64 = 0x9e37_79b9_7f4a_7c15;
/// The same for a state that is lost, for new authorities, for witnesses, and for clocks.
const RENEWALS: u64 = 0xd6e8_feb8_6659_fd93;
const REKEYINGS: u64 = 0xa076_1d64_78bd_642f;
const WITNESSES: u64 = 0x94d0_49bb_1331_11eb;
const CLOCKS: u64 = 0x2545_f491_4f6c_dd1d;
/// Lines of the trace that are kept unless somebody asks for all.
const LINES_KEPT: usize = 200;

/// Several relays in one process, in virtual time, with everything that can go wrong between them.
pub struct World {
    pub(crate) cast: Arc<Cast>,
    pub(crate) rng: Rng,
    pub(crate) agenda: Agenda<Planned>,
    pub(crate) nodes: BTreeMap<Ministry, Node>,
    pub(crate) network: Network,
    pub(crate) senders: Vec<Sender>,
    pub(crate) officers: Vec<Arc<Signer>>,
    pub(crate) mailboxes: Vec<(SpiffeId, Address)>,
    pub(crate) takers: BTreeMap<SubscriptionId, Taker>,
    pub(crate) readers: BTreeMap<SubscriptionId, Reader>,
    /// Where the last watch of an address broke off.
    pub(crate) bookmarks: BTreeMap<Address, Seq>,
    pub(crate) observer: Observer,
    pub(crate) trace: Trace,
    pub(crate) saboteur: Saboteur,
    pub(crate) isolation_plan: IsolationPlan,
    /// Nothing when every clock is right.
    pub(crate) wrong_clocks: Option<WrongClocks>,
    /// Nothing when no relay loses its state.
    pub(crate) renewal: Option<Renewal>,
    /// Decides when certificates are renewed, if ministries change their authorities.
    pub(crate) rekeying: Option<Rng>,
    /// The number of the federation file in force, from nothing on.
    pub(crate) federation: usize,
    /// Decides when relays show their logs to each other, if they do.
    pub(crate) witnessing: Option<Rng>,
    pub(crate) is_calm: bool,
    pub(crate) is_flooded: bool,
    /// Some relays hand over what nobody has released.
    pub(crate) has_smugglers: bool,
    /// Rules change when messages come.
    pub(crate) is_turbulent: bool,
    /// Words of officers that were the last that a message waited for.
    pub(crate) released: usize,
    /// Messages that relays said are erased.
    pub(crate) erased: usize,
    /// Headers that relays were told to prune.
    pub(crate) pruned: u64,
    seed: u64,
    numbers: u64,
    /// Things that happened, and how many happen in a storm at most.
    pub(crate) steps: u64,
    pub(crate) steps_max: u64,
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
            observer: Observer::new(Arc::clone(&cast)),
            trace: Trace::new(LINES_KEPT),
            saboteur: Saboteur::new(sabotage),
            isolation_plan: IsolationPlan::of(&mut Rng::new(seed.wrapping_mul(ISOLATIONS))),
            wrong_clocks: None,
            renewal: None,
            rekeying: None,
            federation: 0,
            witnessing: (sabotage == Sabotage::ShowsAnotherLog).then(|| witnessing(seed)),
            is_calm: false,
            is_flooded: false,
            has_smugglers: true,
            is_turbulent: false,
            released: 0,
            erased: 0,
            pruned: 0,
            seed,
            numbers: 0,
            steps: 0,
            steps_max: STEPS,
            rng,
            cast,
        })
    }

    /// Ends the storm after so many things have happened, and keeps so many lines of the trace.
    #[must_use]
    pub fn with(mut self, steps_max: u64, lines_kept: usize) -> Self {
        self.steps_max = steps_max;
        self.trace = Trace::new(lines_kept);
        self
    }

    /// Lets all relays be honest: none hands over what nobody has released.
    #[must_use]
    pub fn without_smugglers(mut self) -> Self {
        self.has_smugglers = false;
        self
    }

    /// Lets relays have their logs cosigned by their peers now and then.
    #[must_use]
    pub fn with_witnesses(mut self) -> Self {
        self.witnessing = Some(witnessing(self.seed));
        self
    }

    /// Lets one relay lose its state while things break, and go on from an old copy of it under a new log.
    /// What it has then forgotten is not held against the world.
    #[must_use]
    pub fn with_a_lost_state(mut self) -> Self {
        let relays: Vec<Ministry> = self.nodes.keys().cloned().collect();
        self.renewal = Renewal::of(Rng::new(self.seed.wrapping_mul(RENEWALS)), &relays);
        self
    }

    /// Lets every ministry change the authority that issues its certificates while things break: a
    /// federation file comes with both, everybody gets a new certificate, and when all has grown old there
    /// is a file with the new ones alone.
    #[must_use]
    pub fn with_new_authorities(mut self) -> Self {
        self.rekeying = Some(Rng::new(self.seed.wrapping_mul(REKEYINGS)));
        self
    }

    /// Lets each ministry have a clock of its own, which is wrong by at most so much and is set now and
    /// then while things break. When two may be further apart than relays put up with, a world is not
    /// held against what then fails: messages and receipts are lost.
    #[must_use]
    pub fn with_wrong_clocks(mut self, by: Duration) -> Self {
        let rng = Rng::new(self.seed.wrapping_mul(CLOCKS));
        self.wrong_clocks = Some(WrongClocks::new(by, rng));
        self.observer.are_clocks_far_apart = by.saturating_mul(2) > CLOCK_SKEW_MAX;
        self
    }

    /// The last lines of the trace.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.trace.lines()
    }

    /// The digest of the whole trace so far.
    pub fn digest(&self) -> Digest {
        self.trace.digest()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.agenda.now()
    }

    /// What the clock of a ministry shows.
    pub(crate) fn time_at(&self, home: &Ministry) -> Timestamp {
        let clock = self.nodes.get(home).map(|node| node.clock);
        clock.unwrap_or_default().shows(self.now())
    }

    /// Hands an event to a relay; it works on it soon.
    pub(crate) fn tell(&mut self, relay: &Ministry, event: Event) {
        if let Some(node) = self.nodes.get_mut(relay) {
            node.tell(event);
        }
        self.plan_step(relay);
    }

    /// A relay works on its inbox soon, if anything is in it.
    pub(crate) fn plan_step(&mut self, relay: &Ministry) {
        let wait = self.rng.between(1, 4);
        if let Some(node) = self.nodes.get_mut(relay)
            && node.has_work()
            && !node.is_step_planned
        {
            node.is_step_planned = true;
            self.agenda.after(wait, Planned::Step(relay.clone(), node.run));
        }
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

fn witnessing(seed: u64) -> Rng {
    Rng::new(seed.wrapping_mul(WITNESSES))
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("trace", &self.trace.digest()).finish_non_exhaustive()
    }
}
