//! New rules: when they come, and what must have become of all that waits soon after.

use std::{collections::BTreeSet, time::Duration};

use kuriiri_engine::Event;
use kuriiri_types::Ministry;

use crate::{
    at_peace::AtPeace, failure::Check, happening::Happening, network::Caller, rng::Rng,
    sabotage::Sabotage, world::World,
};

/// How long a relay may take to review all that waits; hosts are late now and then.
const REVIEW_WITHIN: Duration = Duration::from_secs(8);
/// How long it takes until every relay has other rules.
const CHANGES_WITHIN: Duration = Duration::from_millis(150);
/// How long all that is under way takes to come back to where it was.
const COME_BACK_WITHIN: Duration = Duration::from_secs(4);

/// How a siege comes about; drawn by seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Siege {
    /// Relays lose sight of each other before the rules change, and not while what was decided by
    /// the old ones is still under way.
    comes_early: bool,
    /// Relays crash right after the rules have changed, amid their review.
    crashes: bool,
    /// Messages come in the very steps in which the rules change.
    is_turbulent: bool,
}

impl Siege {
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let mut one_in_two = || rng.chance(50);
        Self { comes_early: one_in_two(), crashes: one_in_two(), is_turbulent: one_in_two() }
    }
}

impl World {
    /// A relay is given other rules, or those of the example again.
    pub(crate) fn change_policy(&mut self, relay: &Ministry) {
        let plan = self.saboteur.plan;
        if matches!(plan, Sabotage::ForgedRules | Sabotage::AsksForNoOfficers) {
            return;
        }
        let now = self.now();
        let tighter = self.rng.pick(&self.cast.rules.tighter).cloned();
        let example = ("the example's", self.cast.rules.example.clone());
        let is_back = self.rng.chance(35);
        let (name, policy) = tighter.filter(|_| !is_back).unwrap_or(example);
        let Some(node) = self.nodes.get_mut(relay) else {
            return;
        };
        node.policy = policy.clone();
        self.log.line(self.agenda.now(), format_args!("{relay} is given rules: {name}"));
        if plan == Sabotage::KeepsOldRules {
            node.goes_by(now, policy);
        } else {
            let files = Box::new(self.cast.rules.files(&policy));
            self.tell(relay, Event::PolicyChanged { policy, files });
        }
    }

    /// Plans a look at what a relay has made of rules that it has just been given.
    pub(crate) fn plan_audit(&mut self, relay: &Ministry) {
        let caller = Caller::Relay(relay.clone());
        let busy = self.network.all(|link| link.caller == caller && link.caller_open);
        let busy = busy.into_iter().filter_map(|id| self.network.link(id));
        let busy: BTreeSet<Ministry> = busy.map(|link| link.called.clone()).collect();
        let Some(node) = self.nodes.get(relay) else {
            return;
        };
        let (run, change, relay) = (node.run, node.changes, relay.clone());
        let at_peace = AtPeace::OutboxesBut(busy);
        let at = self.now().after(REVIEW_WITHIN);
        self.agenda.at(at, Happening::Audit { relay, run, change, at_peace });
    }

    /// If it has them still.
    pub(crate) fn audit(
        &mut self,
        relay: &Ministry,
        run: u64,
        change: u64,
        at_peace: &AtPeace,
    ) -> Check {
        let now = self.now();
        let same =
            |node: &&crate::node::Node| node.run == run && node.changes == change && node.is_up();
        let Some(node) = self.nodes.get(relay).filter(same) else {
            return Ok(());
        };
        self.ledger.nothing_waits_against_the_rules(now, node, at_peace)
    }

    /// Nobody reaches anybody, every relay is given other rules, and all of them must reach what
    /// waits.
    pub(crate) fn siege(&mut self) -> Check {
        self.log.line(self.agenda.now(), format_args!("=== siege ==="));
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            self.restart(home)?;
        }
        self.nodes.values_mut().for_each(|node| node.fate = None);
        let Siege { comes_early, crashes, is_turbulent } = self.siege;
        if comes_early {
            self.isolate(&homes);
            self.write_all()?;
            self.pass(COME_BACK_WITHIN)?;
            self.crash_some(&homes);
            self.pass(COME_BACK_WITHIN)?;
        }
        self.blind(self.saboteur.plan == Sabotage::SkipsWhatIsOnDisk);
        self.write_all()?;
        for home in &homes {
            for _ in 0..self.rng.count(3) {
                self.agenda.after(self.rng.below(120), Happening::Rules(home.clone()));
            }
        }
        self.is_turbulent = is_turbulent;
        self.pass(CHANGES_WITHIN)?;
        self.is_turbulent = false;
        if !comes_early {
            self.isolate(&homes);
        }
        if crashes {
            homes.iter().for_each(|home| self.crash(home));
        }
        self.pass(COME_BACK_WITHIN)?;
        self.pass(REVIEW_WITHIN)?;
        let now = self.now();
        for node in self.nodes.values().filter(|node| node.is_up()) {
            self.ledger.nothing_waits_against_the_rules(now, node, &AtPeace::All)?;
        }
        self.blind(false);
        Ok(())
    }

    fn blind(&mut self, is_blind: bool) {
        self.nodes.values_mut().for_each(|node| node.disk.is_blind = is_blind);
    }

    fn write_all(&mut self) -> Check {
        (0..self.senders.len()).try_for_each(|sender| self.write(sender))
    }

    /// What waits is only on disk where a relay has not read it since it started.
    fn crash_some(&mut self, homes: &[Ministry]) {
        for home in homes {
            if self.rng.chance(50) {
                self.crash(home);
            }
        }
    }

    /// Relays lose sight of each other, and of all systems that receive.
    fn isolate(&mut self, homes: &[Ministry]) {
        self.dismiss_everybody();
        self.part_all(homes);
    }

    fn part_all(&mut self, homes: &[Ministry]) {
        for one in homes {
            homes.iter().filter(|other| one < *other).for_each(|o| self.network.part(one, o));
        }
        let is_relay = |caller: &Caller| matches!(caller, Caller::Relay(_));
        for link in self.network.standing(|link| is_relay(&link.caller)) {
            self.cut(link);
        }
    }
}
