//! New rules for a relay: when they come, and what must have become of all that waits soon after.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kuriiri_engine::Event;
use kuriiri_policy::Policy;
use kuriiri_types::Ministry;

use crate::{
    failure::Check, network::Caller, node::Node, planned::Planned, quiet_queues::QuietQueues,
    sabotage::Sabotage, world::World,
};

/// How long a relay may take to review all that waits; hosts are late now and then.
pub(crate) const REVIEW_WITHIN: Duration = Duration::from_secs(8);

impl World {
    /// A relay is given other rules, or those of the example again.
    pub(crate) fn change_policy(&mut self, relay: &Ministry) {
        let plan = self.saboteur.plan;
        if matches!(plan, Sabotage::ForgedRules | Sabotage::AsksForNoOfficers) {
            return;
        }
        let now = self.time_at(relay);
        let tighter = self.rng.pick(&self.cast.rules.tighter).cloned();
        let example = ("the example's", self.cast.rules.example.clone());
        let is_back = self.rng.chance(35);
        let (name, policy) = tighter.filter(|_| !is_back).unwrap_or(example);
        let policy = self.cast.rules.with_federation(&policy, self.federation);
        self.trace.line(self.agenda.now(), format_args!("{relay} is given rules: {name}"));
        if plan == Sabotage::KeepsOldRules {
            let Some(node) = self.nodes.get_mut(relay) else { return };
            node.policy = policy.clone();
            node.goes_by(now, policy);
        } else {
            self.give_rules(relay, policy);
        }
    }

    /// A relay is given rules, which it will also find at its next start.
    pub(crate) fn give_rules(&mut self, relay: &Ministry, policy: Arc<Policy>) {
        let Some(node) = self.nodes.get_mut(relay) else { return };
        node.policy = Arc::clone(&policy);
        node.own_serial = node.own_serial.saturating_add(1);
        let files = Box::new(self.cast.rules.files(&policy, node.own_serial));
        self.tell(relay, Event::PolicyChanged { policy, files });
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
        let quiet = QuietQueues::OutboxesBut(busy);
        let at = self.now().after(REVIEW_WITHIN);
        self.agenda.at(at, Planned::Audit { relay, run, change, quiet });
    }

    /// If it has them still.
    pub(crate) fn audit(
        &mut self,
        relay: &Ministry,
        run: u64,
        change: u64,
        quiet: &QuietQueues,
    ) -> Check {
        let now = self.time_at(relay);
        let same = |node: &&Node| node.run == run && node.changes == change && node.is_up();
        let Some(node) = self.nodes.get(relay).filter(same) else {
            return Ok(());
        };
        self.observer.nothing_waits_against_the_rules(now, node, quiet)
    }
}
