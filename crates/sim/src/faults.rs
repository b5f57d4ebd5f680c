//! What breaks in a storm.

use kuriiri_engine::{Event, LinkId};
use kuriiri_types::Ministry;

use crate::{
    batches::Giver, failure::Check, network::Caller, node::Fate, planned::Planned,
    sabotage::Sabotage, world::World,
};

impl World {
    /// Something breaks, and something else will.
    pub(crate) fn fault(&mut self) -> Check {
        if self.is_calm {
            return Ok(());
        }
        self.agenda.after(self.rng.between(200, 2500), Planned::Fault);
        let homes: Vec<Ministry> = self.nodes.keys().cloned().collect();
        let (one, other) = (self.rng.pick(&homes).cloned(), self.rng.pick(&homes).cloned());
        let (Some(one), Some(other)) = (one, other) else {
            return Ok(());
        };
        match self.rng.below(15) {
            0..=2 => self.doom(&one),
            3 => self.part(&one, &other),
            4..=5 => self.lose_a_link(),
            6 => self.change_policy(&one),
            7 => self.ask_for_status(),
            10..=11 if self.has_smugglers => self.smuggle(),
            12..=13 => self.erase(&one, &[]),
            14 => self.prune(&one, self.time_at(&one)),
            8 if self.rng.chance(50) => return self.flood(),
            _ => self.repeat_an_old_batch(),
        }
        Ok(())
    }

    /// A relay crashes, now or in the middle of its next step.
    fn doom(&mut self, relay: &Ministry) {
        let fate = match self.rng.below(4) {
            0 => Some(Fate::BeforeCommit),
            1 => Some(Fate::AfterCommit),
            2 => Some(Fate::AmidActions),
            _ => None,
        };
        let Some(node) = self.nodes.get_mut(relay).filter(|node| node.is_up()) else {
            return;
        };
        self.trace.line(self.agenda.now(), format_args!("{relay} is doomed: {fate:?}"));
        node.fate = fate;
        if fate.is_none() {
            self.crash(relay);
        }
    }

    /// Two relays lose sight of each other for a while.
    fn part(&mut self, one: &Ministry, other: &Ministry) {
        self.trace.line(self.agenda.now(), format_args!("{one} and {other} are parted"));
        self.network.part(one, other);
        let between = |caller: &Caller, called: &Ministry| match caller {
            Caller::Relay(relay) => {
                (relay == one && called == other) || (relay == other && called == one)
            }
            Caller::System(_) => false,
        };
        for link in self.network.standing(|link| between(&link.caller, &link.called)) {
            self.cut(link);
        }
        let wait = self.rng.between(300, 9000);
        self.agenda.after(wait, Planned::Heal(one.clone(), other.clone()));
    }

    pub(crate) fn heal(&mut self, one: &Ministry, other: &Ministry) {
        if self.saboteur.plan != Sabotage::NeverHeals {
            self.network.join(one, other);
        }
    }

    fn lose_a_link(&mut self) {
        let standing = self.network.standing(|_| true);
        if let Some(link) = self.rng.pick(&standing).copied() {
            self.cut(link);
        }
    }

    /// More large messages for one mailbox than its relay keeps in memory.
    fn flood(&mut self) -> Check {
        if std::mem::replace(&mut self.is_flooded, true) {
            return Ok(());
        }
        let sender = usize::try_from(self.rng.below(self.senders.len() as u64)).unwrap_or(0);
        let mailbox = self.rng.pick(&self.mailboxes).map(|(_, address)| address.clone());
        let now = self.now();
        if let (Some(system), Some(mailbox)) = (self.senders.get_mut(sender), mailbox) {
            self.trace.line(now, format_args!("{} floods {mailbox}", system.system));
            let messages = system.flood(now, &mut self.rng, &mailbox)?;
            self.observer.on_composed(messages);
        }
        self.call(sender);
        Ok(())
    }

    /// A batch that was taken long ago comes once more, on a link of its own.
    fn repeat_an_old_batch(&mut self) {
        let Some((peer, relay, lane, cargo)) = self.rng.pick(self.network.old()).cloned() else {
            return;
        };
        self.trace.line(self.agenda.now(), format_args!("{peer} repeats a batch to {relay}"));
        let link = LinkId(self.number());
        self.repeat(Giver { caller: Caller::Relay(peer), link, lane }, &relay, cargo);
        let problem = "it was a ghost".to_owned();
        self.tell(&relay, Event::LinkDown { peer: None, link, problem });
    }
}
