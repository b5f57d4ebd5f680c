//! What is odd about a policy that is not wrong: for whoever writes it, before it is signed.

use std::fmt;

use crate::{bits::Bits, merge::Transit, policy::Policy};

/// Something that its author surely did not mean. The engine denies anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No rule names the level, so nothing at that level can move.
    LevelWithoutRule {
        /// The catalogue.
        policy: String,
        /// The level.
        level: String,
    },
    /// No node is granted a restrictive value, so a label with it goes nowhere.
    ValueWithoutHolder {
        /// The catalogue.
        policy: String,
        /// The value as `TAG:VALUE`.
        value: String,
    },
    /// A hub has carriage for a level that may never pass a hub.
    IdleCarriage {
        /// The hub's id.
        node: String,
        /// The level.
        level: String,
    },
}

impl Finding {
    /// True when a policy with it should not be activated: traffic would stop without a word.
    pub fn is_serious(&self) -> bool {
        match self {
            Self::LevelWithoutRule { .. } => true,
            Self::ValueWithoutHolder { .. } | Self::IdleCarriage { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LevelWithoutRule { policy, level } => {
                write!(
                    f,
                    "no rule of the federation names level `{level}` of {policy}: write one, or forbid it"
                )
            }
            Self::ValueWithoutHolder { policy, value } => {
                write!(f, "nobody is granted `{value}` of {policy}: a label with it goes nowhere")
            }
            Self::IdleCarriage { node, level } => {
                write!(f, "node `{node}` has carriage for `{level}`, which may not pass a hub")
            }
        }
    }
}

impl Policy {
    /// Everything odd: catalogues in order, then nodes in order.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, plan) in self.plans.iter().enumerate() {
            let governs = self.members.iter().any(|member| member.governing == place);
            if plan.is_some() || governs {
                self.note_levels(place, &mut findings);
                self.note_values(place, &mut findings);
            }
        }
        self.note_carriage(&mut findings);
        findings
    }

    fn note_levels(&self, place: usize, findings: &mut Vec<Finding>) {
        let plan = self.plans.get(place).and_then(Option::as_ref);
        let Some(catalogue) = self.catalogues.get(place) else {
            return;
        };
        for (index, level) in catalogue.levels().enumerate() {
            if !plan.is_some_and(|plan| plan.covers(index)) {
                let (policy, level) = (catalogue.name().into(), level.into());
                findings.push(Finding::LevelWithoutRule { policy, level });
            }
        }
    }

    fn note_values(&self, place: usize, findings: &mut Vec<Finding>) {
        let Some(catalogue) = self.catalogues.get(place) else {
            return;
        };
        let held = self.members.iter().flat_map(|member| &member.clearances);
        let held = held.filter(|clearance| clearance.catalogue == catalogue.key);
        let held = held.fold(Bits::EMPTY, |set, clearance| set.or(clearance.grants));
        for value in catalogue.written(catalogue.restrictive.minus(held)) {
            let policy = catalogue.name().into();
            findings.push(Finding::ValueWithoutHolder { policy, value });
        }
    }

    fn note_carriage(&self, findings: &mut Vec<Finding>) {
        for (member, (_, node)) in self.members.iter().zip(self.federation.nodes()) {
            for carriage in &member.carriage {
                let place = self.catalogues.iter().position(|c| c.key == carriage.catalogue);
                let plan = place.and_then(|p| self.plans.get(p)).and_then(Option::as_ref);
                let catalogue = place.and_then(|p| self.catalogues.get(p));
                let levels = catalogue.iter().flat_map(|c| c.levels().enumerate());
                for (index, level) in levels.filter(|(i, _)| (carriage.levels >> i) & 1 == 1) {
                    let always = plan.and_then(|plan| plan.always(index));
                    if always.is_some_and(|t| t.covered && t.transit() == Transit::No) {
                        let (node, level) = (node.id().into(), level.into());
                        findings.push(Finding::IdleCarriage { node, level });
                    }
                }
            }
        }
    }
}
