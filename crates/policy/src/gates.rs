//! Who may have the message: each node on the way is asked by itself.
//!
//! Clearances are never combined: what two nodes hold together says nothing about either.

use std::sync::Arc;

use crate::{
    catalogue::{Catalogue, TagKind},
    clearance::{Clearance, Shortfall, admits},
    facts::Facts,
    federation::NodeId,
    label::{Label, list},
    policy::{Member, Policy},
    reason::{Gate, Lack, Reason},
    text::Phrase,
};

impl Policy {
    /// Passes every gate, also after one has failed, and notes what is lacking.
    pub(crate) fn check_gates(
        &self,
        facts: &Facts<'_>,
        catalogue: &Catalogue,
        label: &Label,
        reasons: &mut Vec<Reason>,
    ) {
        let mut asker = Asker { policy: self, catalogue, label, sealed: facts.sealed, reasons };
        let at = asker.member(Gate::Own, facts.at);
        asker.ask_reader(Gate::Origin, facts.origin);
        if facts.originating {
            asker.ask_person(facts);
        }
        if let Some(prev) = facts.prev.filter(|prev| *prev != facts.origin) {
            asker.ask_carrier(Gate::Prev, prev);
        }
        match facts.next {
            Some(next) if next != facts.dest => asker.ask_hub(Gate::Next, next),
            None if at.is_some() && facts.at != facts.dest && facts.at != facts.origin => {
                asker.ask_hub(Gate::Own, facts.at);
            }
            Some(_) | None => {}
        }
        asker.ask_reader(Gate::Dest, facts.dest);
    }
}

struct Asker<'a> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    label: &'a Label,
    sealed: bool,
    reasons: &'a mut Vec<Reason>,
}

impl<'a> Asker<'a> {
    /// A node that reads the content.
    fn ask_reader(&mut self, gate: Gate, node: NodeId) {
        if let Some(member) = self.member(gate, node) {
            self.ask(gate, &member.name, &member.clearances);
        }
    }

    /// A node that has held the message for others: sealed, it needs carriage and need not read.
    fn ask_carrier(&mut self, gate: Gate, node: NodeId) {
        if let Some(member) = self.member(gate, node) {
            let held = if self.sealed { &member.carriage } else { &member.clearances };
            self.ask(gate, &member.name, held);
        }
    }

    /// A node that is to hold the message for others.
    fn ask_hub(&mut self, gate: Gate, node: NodeId) {
        match self.member(gate, node) {
            Some(member) if !member.transit => {
                self.lacks(gate, &member.name, Lack::Transit);
            }
            Some(_) => self.ask_carrier(gate, node),
            None => {}
        }
    }

    /// The person or system that submits, who may hold less than the node.
    fn ask_person(&mut self, facts: &Facts<'_>) {
        let member = self.policy.member(facts.origin);
        if let (Some(held), Some(member)) = (facts.person, member)
            && let Err(shortfall) = self.shortfall(held)
        {
            let remark = ["lähettäjä", "avsändaren", "the sender"];
            let name = Arc::new(member.name.noted(remark));
            self.note(Gate::Origin, &name, shortfall);
        }
    }

    fn ask(&mut self, gate: Gate, name: &Arc<Phrase>, held: &[Clearance]) {
        if let Err(shortfall) = self.shortfall(held) {
            self.note(gate, name, shortfall);
        }
    }

    fn shortfall(&self, held: &[Clearance]) -> Result<(), Shortfall> {
        let under = held.iter().find(|c| c.catalogue == self.label.catalogue);
        let clearance = under.ok_or(Shortfall::NO_CLEARANCE)?;
        admits(self.catalogue, self.label, clearance)
    }

    fn member(&mut self, gate: Gate, node: NodeId) -> Option<&'a Member> {
        let member = self.policy.member(node);
        if member.is_none() {
            self.reasons.push(Reason::UnknownNode(gate));
        }
        member
    }

    fn note(&mut self, gate: Gate, name: &Arc<Phrase>, shortfall: Shortfall) {
        let catalogue = self.catalogue;
        if shortfall.foreign {
            self.lacks(gate, name, Lack::Clearance);
        }
        if let Some(level) = catalogue.level(self.label).filter(|_| shortfall.level) {
            self.lacks(gate, name, Lack::Level(Arc::clone(&level.marking)));
        }
        for (kind, tag, missing) in shortfall.lacking_tags(catalogue) {
            let ids = catalogue.values(missing).map(|value| value.id.to_string());
            let (tag, values) = (tag.to_owned(), list(ids.collect()));
            let lack = match kind {
                TagKind::Permissive => Lack::Permissive { tag, values },
                TagKind::Restrictive | TagKind::Informative => Lack::Restrictive { tag, values },
            };
            self.lacks(gate, name, lack);
        }
    }

    fn lacks(&mut self, gate: Gate, name: &Arc<Phrase>, lack: Lack) {
        let node = Arc::clone(name);
        self.reasons.push(Reason::Gate { gate, node, lack });
    }
}
