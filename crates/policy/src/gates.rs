//! Who may have the message: each node on the way is asked by itself.
//!
//! Clearances are never combined: what two nodes hold together says nothing about either.

use std::sync::Arc;

use crate::{
    admit::{Shortfall, admits},
    catalogue::{Catalogue, TagKind},
    clearance::Clearance,
    facts::Facts,
    label::{Label, list},
    node_id::NodeId,
    policy::{Member, Policy},
    reason::{Gate, Lack, Reason},
    text::Phrase,
};

/// One gate that was asked.
pub(crate) struct Asked<'a> {
    pub(crate) gate: Gate,
    pub(crate) node: NodeId,
    /// None for a node that the federation does not know.
    pub(crate) member: Option<&'a Member>,
    pub(crate) by: Holding,
    /// What is held under the label's policy.
    pub(crate) held: Option<&'a Clearance>,
    pub(crate) answer: Result<(), Refusal>,
}

/// Which of the clearances of a node was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// What it may read.
    Clearance,
    /// What it may carry sealed.
    Carriage,
    /// What the person or system that submits may read.
    Person,
}

/// Why a gate stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unknown,
    NotTransit,
    Short(Shortfall),
}

impl Policy {
    /// Passes every gate, also after one has failed, and notes what is lacking.
    pub(crate) fn check_gates(
        &self,
        facts: &Facts<'_>,
        catalogue: &Catalogue,
        label: &Label,
        reasons: &mut Vec<Reason>,
    ) {
        self.ask_gates(facts, catalogue, label, |asked| {
            if asked.answer.is_err() {
                asked.note(catalogue, label, reasons);
            }
        });
    }

    /// Asks one node about a label, whatever the way.
    pub(crate) fn ask_one(
        &self,
        gate: Gate,
        node: NodeId,
        by: Holding,
        (catalogue, label): (&Catalogue, &Label),
        reasons: &mut Vec<Reason>,
    ) {
        let told = |asked: Asked<'_>| asked.note(catalogue, label, reasons);
        let sealed = by == Holding::Carriage;
        let mut asker = Asker { policy: self, catalogue, label, sealed, told };
        match gate {
            Gate::Next | Gate::Own => asker.ask_hub(gate, node),
            Gate::Prev => asker.ask_carrier(gate, node),
            Gate::Origin | Gate::Dest => asker.ask_reader(gate, node),
        }
    }

    /// Asks every gate on the way, in order, and hands over each answer.
    #[inline]
    pub(crate) fn ask_gates<'a>(
        &'a self,
        facts: &Facts<'a>,
        catalogue: &'a Catalogue,
        label: &'a Label,
        told: impl FnMut(Asked<'a>),
    ) {
        let mut asker = Asker { policy: self, catalogue, label, sealed: facts.sealed, told };
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

struct Asker<'a, F> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    label: &'a Label,
    sealed: bool,
    told: F,
}

impl<'a, F: FnMut(Asked<'a>)> Asker<'a, F> {
    /// A node that reads the content.
    #[inline]
    fn ask_reader(&mut self, gate: Gate, node: NodeId) {
        if let Some(member) = self.member(gate, node) {
            self.ask((gate, node, member), Holding::Clearance, &member.clearances);
        }
    }

    /// A node that has held the message for others: sealed, it needs carriage and need not read.
    #[inline]
    fn ask_carrier(&mut self, gate: Gate, node: NodeId) {
        if let Some(member) = self.member(gate, node) {
            if self.sealed {
                self.ask((gate, node, member), Holding::Carriage, &member.carriage);
            } else {
                self.ask((gate, node, member), Holding::Clearance, &member.clearances);
            }
        }
    }

    /// A node that is to hold the message for others.
    #[inline]
    fn ask_hub(&mut self, gate: Gate, node: NodeId) {
        match self.member(gate, node) {
            Some(member) if !member.transit => {
                let by = if self.sealed { Holding::Carriage } else { Holding::Clearance };
                let (member, answer) = (Some(member), Err(Refusal::NotTransit));
                (self.told)(Asked { gate, node, member, by, held: None, answer });
            }
            Some(_) => self.ask_carrier(gate, node),
            None => {}
        }
    }

    /// The person or system that submits, who may hold less than the node.
    fn ask_person(&mut self, facts: &Facts<'a>) {
        let member = self.policy.member(facts.origin);
        if let (Some(held), Some(member)) = (facts.person, member) {
            self.ask((Gate::Origin, facts.origin, member), Holding::Person, held);
        }
    }

    #[inline]
    fn ask(
        &mut self,
        (gate, node, member): (Gate, NodeId, &'a Member),
        by: Holding,
        held: &'a [Clearance],
    ) {
        let held = held.iter().find(|c| c.catalogue == self.label.catalogue);
        let admitted = held
            .map_or(Err(Shortfall::NO_CLEARANCE), |held| admits(self.catalogue, self.label, held));
        let answer = admitted.map_err(Refusal::Short);
        (self.told)(Asked { gate, node, member: Some(member), by, held, answer });
    }

    #[inline]
    fn member(&mut self, gate: Gate, node: NodeId) -> Option<&'a Member> {
        let member = self.policy.member(node);
        if member.is_none() {
            let (by, answer) = (Holding::Clearance, Err(Refusal::Unknown));
            (self.told)(Asked { gate, node, member, by, held: None, answer });
        }
        member
    }
}

impl Asked<'_> {
    /// What people call who was asked.
    pub(crate) fn name(&self) -> Option<Arc<Phrase>> {
        let member = self.member?;
        Some(match self.by {
            Holding::Clearance | Holding::Carriage => Arc::clone(&member.name),
            Holding::Person => {
                Arc::new(member.name.noted(["lähettäjä", "avsändaren", "the sender"]))
            }
        })
    }

    /// Adds what is lacking to the reasons. Most gates lack nothing.
    #[cold]
    pub(crate) fn note(&self, catalogue: &Catalogue, label: &Label, reasons: &mut Vec<Reason>) {
        let Err(refusal) = self.answer else {
            return;
        };
        let Some(node) = self.name() else {
            reasons.push(Reason::UnknownNode(self.gate));
            return;
        };
        let gate = self.gate;
        let mut lacks = |lack| reasons.push(Reason::Gate { gate, node: Arc::clone(&node), lack });
        match refusal {
            Refusal::Unknown => {}
            Refusal::NotTransit => lacks(Lack::Transit),
            Refusal::Short(shortfall) => list_lacks(shortfall, catalogue, label, lacks),
        }
    }
}

fn list_lacks(
    shortfall: Shortfall,
    catalogue: &Catalogue,
    label: &Label,
    mut lacks: impl FnMut(Lack),
) {
    if shortfall.foreign {
        lacks(Lack::Clearance);
    }
    if let Some(level) = catalogue.level(label).filter(|_| shortfall.level) {
        lacks(Lack::Level(Arc::clone(&level.marking)));
    }
    for (kind, tag, missing) in shortfall.lacking_tags(catalogue) {
        let ids = catalogue.values(missing).map(|value| value.id.to_string());
        let (tag, values) = (tag.to_owned(), list(ids.collect()));
        lacks(match kind {
            TagKind::Permissive => Lack::Permissive { tag, values },
            TagKind::Restrictive | TagKind::Informative => Lack::Restrictive { tag, values },
        });
    }
}
