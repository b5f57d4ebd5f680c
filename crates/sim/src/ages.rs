//! The ages of a world: how it runs through a storm and the calm after it, and grows old.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_types::{Digest, Ministry, limits::MESSAGE_TTL_MAX};

use crate::{
    cast::KEEP_DAYS,
    clock::BEGINNING,
    failure::{Check, Failure, forgive_if, hold},
    node::Node,
    officers::LAST_ROUNDS_WITHIN,
    own_clock::WrongClocks,
    planned::Planned,
    sabotage::Sabotage,
    sender::Sender,
    world::World,
};

/// How long things break.
const STORM: Duration = Duration::from_secs(40);
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
const OBLIVION: Duration = Duration::from_secs(106 * 24 * 3600);
/// Of the messages of a storm, the headers of those go in the end that were taken by then.
const PRUNED_AFTER: Duration = Duration::from_secs(25);

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
    /// The digest of the trace: the same for the same seed.
    pub trace: Digest,
}

impl World {
    /// Runs through the storm and the calm after it.
    ///
    /// # Errors
    /// The first thing that was not as it must be.
    pub fn run(&mut self) -> Result<Report, Failure> {
        forgive_if(self.renewal.is_some(), || self.live())
    }

    fn live(&mut self) -> Result<Report, Failure> {
        self.begin()?;
        self.storm()?;
        self.is_calm = true;
        self.change_rules_in_isolation()?;
        self.calm()?;
        self.rest()?;
        self.grow_old()?;
        Ok(self.report())
    }

    fn report(&self) -> Report {
        Report {
            sent: self.observer.sent.len(),
            acknowledged: self.observer.acknowledged.len(),
            confirmed: self.observer.confirmed.len(),
            held: self.observer.once_held.len(),
            released: self.released,
            erased: self.erased,
            pruned: self.pruned,
            together: self.observer.logs.values().map(|log| log.classes.0).sum(),
            parted: self.observer.logs.values().map(|log| log.classes.1).sum(),
            doubtful: self.observer.contradictions(),
            commits: self.nodes.values().map(|node| node.steps).sum(),
            starts: self.nodes.values().map(|node| node.run).sum(),
            trace: self.digest(),
        }
    }

    fn begin(&mut self) -> Check {
        self.begin_clocks();
        self.begin_witnessing();
        self.begin_renewal();
        self.begin_rekeying();
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            self.restart(home)?;
        }
        for sender in 0..self.senders.len() {
            self.agenda.after(self.rng.below(500), Planned::Call(sender));
            self.agenda.after(self.rng.below(2000), Planned::Compose(sender));
        }
        for mailbox in 0..self.mailboxes.len() {
            let again = true;
            self.agenda.after(self.rng.below(3000), Planned::Visit { mailbox, again });
            self.agenda.after(self.rng.below(3000), Planned::Read { mailbox, again });
        }
        self.begin_rounds();
        self.agenda.after(1000, Planned::Fault);
        Ok(())
    }

    fn storm(&mut self) -> Check {
        let end = BEGINNING.after(STORM);
        while self.steps < self.steps_max {
            let Some(planned) = self.agenda.next_until(end) else {
                break;
            };
            self.dispatch(planned)?;
        }
        Ok(())
    }

    /// Everything is mended, and diligent people come to every mailbox.
    fn calm(&mut self) -> Check {
        self.trace.line(self.agenda.now(), format_args!("=== calm ==="));
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
            self.agenda.after(self.rng.below(1000), Planned::Visit { mailbox, again });
            self.agenda.after(self.rng.below(1000), Planned::Read { mailbox, again });
        }
        self.begin_last_rounds();
        // A message by a clock that is ahead waits until it is its time for a relay whose clock is behind.
        let apart = self.wrong_clocks.as_ref().map_or(Duration::ZERO, WrongClocks::apart);
        let limit = self.agenda.now().after(REST_WITHIN).after(apart);
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
        self.trace.line(self.agenda.now(), format_args!("=== rest ==="));
        self.observer.no_acknowledged_message_lost()?;
        for node in self.nodes.values() {
            self.observer.references_are_counted(node)?;
            self.observer.nothing_is_left_behind(node)?;
            self.observer.log_stays_as_it_was(node)?;
            self.observer.headers_stay_beside(node)?;
            self.observer.shown_receipts_stand(node)?;
        }
        self.observer.logs_agree()?;
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
        self.end_rekeying();
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

    /// In the end the time of some headers is over, of others not.
    fn prune_all(&mut self) -> Check {
        let keep = Duration::from_secs(u64::from(KEEP_DAYS) * 24 * 3600);
        let until = BEGINNING.after(keep).after(PRUNED_AFTER);
        let wait = until.max(self.now()).since(self.now());
        self.pass(wait)?;
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            // Whoever asks for it goes by the clock of the relay.
            let clock = self.nodes.get(home).map(|node| node.clock).unwrap_or_default();
            self.prune(home, clock.shows(until));
        }
        self.pass(Duration::from_secs(1))?;
        self.nodes.values().try_for_each(|node| self.observer.headers_stay_beside(node))
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
}
