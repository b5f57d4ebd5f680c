//! Isolation: nobody reaches anybody, and every relay is given other rules.

use std::time::Duration;

use kuriiri_types::Ministry;

use crate::{
    failure::Check, isolation_plan::IsolationPlan, network::Caller, planned::Planned,
    quiet_queues::QuietQueues, rule_changes::REVIEW_WITHIN, sabotage::Sabotage, world::World,
};

/// How long it takes until every relay has other rules.
const CHANGES_WITHIN: Duration = Duration::from_millis(150);
/// How long all that is under way takes to come back to where it was.
const COME_BACK_WITHIN: Duration = Duration::from_secs(4);

impl World {
    /// Nobody reaches anybody, every relay is given other rules, and all of them must reach what
    /// waits.
    pub(crate) fn change_rules_in_isolation(&mut self) -> Check {
        self.trace.line(self.agenda.now(), format_args!("=== isolation ==="));
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        for home in &homes {
            self.restart(home)?;
        }
        self.nodes.values_mut().for_each(|node| node.fate = None);
        let IsolationPlan { comes_early, crashes, is_turbulent } = self.isolation_plan;
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
                self.agenda.after(self.rng.below(120), Planned::Rules(home.clone()));
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
        for node in self.nodes.values().filter(|node| node.is_up()) {
            let now = node.clock.shows(self.now());
            self.observer.nothing_waits_against_the_rules(now, node, &QuietQueues::All)?;
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
