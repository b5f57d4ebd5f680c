//! Links between relays, and from systems to them: how they come to be, and are lost.

use kuriiri_engine::{Event, LinkId};
use kuriiri_types::Ministry;

use crate::{network::Caller, planned::Planned, world::World};

impl World {
    /// A dial is decided.
    pub(crate) fn on_dialled(&mut self, from: Ministry, run: u64, to: Ministry) {
        if self.nodes.get(&from).is_none_or(|node| node.run != run || !node.is_up()) {
            return;
        }
        let is_up = self.nodes.get(&to).is_some_and(|node| node.is_up());
        let is_bad_luck = !self.is_calm && self.rng.chance(10);
        if !is_up || is_bad_luck || self.network.are_apart(&from, &to) {
            self.trace.line(self.agenda.now(), format_args!("{from} does not reach {to}"));
            return self.tell(&from, Event::DialFailed { peer: to, problem: "no answer".into() });
        }
        let link = LinkId(self.number());
        self.trace.line(self.agenda.now(), format_args!("{from} reaches {to}: {link:?}"));
        self.network.open(link, Caller::Relay(from.clone()), to.clone());
        if !self.is_calm && self.rng.chance(30) {
            self.agenda.after(self.rng.between(100, 6000), Planned::Cut(link));
        }
        self.tell(&to, Event::Heard { peer: from.clone() });
        self.tell(&from, Event::LinkUp { peer: to, link });
    }

    /// A link is lost; its ends learn it one after the other.
    pub(crate) fn cut(&mut self, id: LinkId) {
        let Some(link) = self.network.link_mut(id).filter(|link| !link.is_cut) else {
            return;
        };
        link.is_cut = true;
        self.trace.line(self.agenda.now(), format_args!("{id:?} is lost"));
        let (one, other) = (self.delay(), self.delay());
        self.agenda.after(one, Planned::CallerNotices(id));
        self.agenda.after(other, Planned::CalledNotices(id));
    }

    /// The caller notices that a link is gone.
    pub(crate) fn caller_notices(&mut self, id: LinkId) {
        let Some(link) = self.network.link_mut(id).filter(|link| link.caller_open) else {
            return self.network.tidy(id);
        };
        link.caller_open = false;
        let (caller, called) = (link.caller.clone(), link.called.clone());
        self.network.tidy(id);
        match caller {
            Caller::Relay(relay) => {
                let problem = "lost".to_owned();
                self.tell(&relay, Event::LinkDown { peer: Some(called), link: id, problem });
            }
            Caller::System(sender) => self.hang_up(sender, id),
        }
    }

    /// The called relay notices that a link is gone.
    pub(crate) fn called_notices(&mut self, id: LinkId) {
        let Some(link) = self.network.link_mut(id).filter(|link| link.called_open) else {
            return self.network.tidy(id);
        };
        link.called_open = false;
        let called = link.called.clone();
        self.network.tidy(id);
        let problem = "lost".to_owned();
        self.tell(&called, Event::LinkDown { peer: None, link: id, problem });
    }
}
