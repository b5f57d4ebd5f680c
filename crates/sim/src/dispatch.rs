//! What was planned happens: each thing is given to whom it concerns.

use std::time::Duration;

use crate::{failure::Check, happening::Happening, world::World};

impl World {
    /// Lets time pass, with all that happens in it.
    pub(crate) fn pass(&mut self, time: Duration) -> Check {
        let until = self.agenda.now().after(time);
        while let Some(happening) = self.agenda.next_until(until) {
            self.happen(happening)?;
        }
        self.agenda.sleep_until(until);
        Ok(())
    }

    /// Does one thing.
    pub(crate) fn happen(&mut self, happening: Happening) -> Check {
        self.count_step();
        match happening {
            Happening::Answer { link, lane, number, answer } => {
                return self.on_answer(link, lane, number, answer);
            }
            Happening::Call(sender) => self.call(sender),
            Happening::CalledNotices(link) => self.called_notices(link),
            Happening::CallerNotices(link) => self.caller_notices(link),
            Happening::Cargo { link, lane, number, cargo } => {
                self.on_cargo(link, lane, number, cargo);
            }
            Happening::Compose(sender) => return self.compose(sender),
            Happening::Confirm(subscription) => self.confirm(subscription),
            Happening::Confirmed { subscription, tickets } => {
                return self.on_confirmed(subscription, &tickets);
            }
            Happening::Cut(link) => self.cut(link),
            Happening::Delivered { subscription, items } => {
                return self.on_delivered(subscription, items);
            }
            Happening::Dialled { from, run, to } => self.on_dialled(from, run, to),
            Happening::Fault => return self.fault(),
            Happening::Heal(one, other) => self.heal(&one, &other),
            Happening::Audit { relay, run, change, at_peace } => {
                return self.audit(&relay, run, change, &at_peace);
            }
            Happening::Rules(relay) => self.change_policy(&relay),
            Happening::Round { officer, rounds } => self.round(officer, rounds),
            Happening::Ask { officer, message, deed } => self.ask_for_hold(officer, message, deed),
            Happening::Say { officer, seen, deed } => return self.say(officer, &seen, deed),
            Happening::Read { mailbox, again } => self.read(mailbox, again),
            Happening::Receipts { subscription, receipts, next } => {
                return self.on_receipts(subscription, &receipts, next);
            }
            Happening::Restart(relay) => return self.restart(&relay),
            Happening::Step(relay, run) | Happening::Wake(relay, run) => {
                return self.step_if(&relay, run);
            }
            Happening::Tell { relay, run, event } => {
                if self.nodes.get(&relay).is_some_and(|node| node.run == run) {
                    self.tell(&relay, event);
                }
            }
            Happening::Vanish(subscription) => self.vanish(subscription),
            Happening::Visit { mailbox, again } => self.visit(mailbox, again),
        }
        Ok(())
    }
}
