//! What was planned happens: each thing is given to whom it concerns.

use std::time::Duration;

use crate::{failure::Check, planned::Planned, world::World};

impl World {
    /// Lets time pass, with all that happens in it.
    pub(crate) fn pass(&mut self, time: Duration) -> Check {
        let until = self.agenda.now().after(time);
        while let Some(planned) = self.agenda.next_until(until) {
            self.dispatch(planned)?;
        }
        self.agenda.sleep_until(until);
        Ok(())
    }

    /// Gives one thing to whom it concerns.
    pub(crate) fn dispatch(&mut self, planned: Planned) -> Check {
        self.count_step();
        match planned {
            Planned::Answer { link, lane, number, answer } => {
                return self.on_answer(link, lane, number, answer);
            }
            Planned::Call(sender) => self.call(sender),
            Planned::CalledNotices(link) => self.called_notices(link),
            Planned::CallerNotices(link) => self.caller_notices(link),
            Planned::Cargo { link, lane, number, cargo } => {
                self.on_cargo(link, lane, number, cargo);
            }
            Planned::Compose(sender) => return self.compose(sender),
            Planned::Confirm(subscription) => self.confirm(subscription),
            Planned::Confirmed { subscription, tickets } => {
                return self.on_confirmed(subscription, &tickets);
            }
            Planned::Cut(link) => self.cut(link),
            Planned::Delivered { subscription, items } => {
                return self.on_delivered(subscription, items);
            }
            Planned::Dialled { from, run, to } => self.on_dialled(from, run, to),
            Planned::Fault => return self.fault(),
            Planned::Heal(one, other) => self.heal(&one, &other),
            Planned::Audit { relay, run, change, quiet } => {
                return self.audit(&relay, run, change, &quiet);
            }
            Planned::Show { relay, witness } => self.show(&relay, &witness),
            Planned::CopyState => self.copy_state(),
            Planned::LoseState => self.lose_state(),
            Planned::Federation(file) => self.federate(file),
            Planned::Renew(signer) => self.renew(&signer),
            Planned::SetClock(home) => self.set_clock(&home),
            Planned::Rules(relay) => self.change_policy(&relay),
            Planned::Round { officer, rounds } => self.round(officer, rounds),
            Planned::Ask { officer, message, intent } => {
                self.ask_for_hold(officer, message, intent)
            }
            Planned::Say { officer, seen, intent } => return self.say(officer, &seen, intent),
            Planned::Read { mailbox, again } => self.read(mailbox, again),
            Planned::Receipts { subscription, receipts, next } => {
                return self.on_receipts(subscription, &receipts, next);
            }
            Planned::Restart(relay) => return self.restart(&relay),
            Planned::Step(relay, run) | Planned::Wake(relay, run) => {
                return self.step_if(&relay, run);
            }
            Planned::Tell { relay, run, event } => {
                if self.nodes.get(&relay).is_some_and(|node| node.run == run) {
                    self.tell(&relay, event);
                }
            }
            Planned::Vanish(subscription) => self.vanish(subscription),
            Planned::Visit { mailbox, again } => self.visit(mailbox, again),
        }
        Ok(())
    }
}
