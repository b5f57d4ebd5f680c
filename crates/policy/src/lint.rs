//! What is odd about a policy that is not wrong: for whoever writes it, before it is signed.

use std::{collections::BTreeSet, fmt};

use kuriiri_types::Timestamp;

use crate::{
    bits::Bits,
    catalogue::{Tag, TagKind},
    merge::Transit,
    policy::Policy,
    text::Lang,
};

/// A level that so many officers must release is one where a missing audience is dangerous.
const OFFICERS_OF_GRAVE_LEVELS: u8 = 2;

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
    /// Two levels look the same to people.
    SameMarking {
        /// The catalogue.
        policy: String,
        /// The less sensitive level.
        level: String,
        /// The other.
        other: String,
    },
    /// A tag that names the audience may be left out at this level, and then everyone who is
    /// cleared is in it; at a less sensitive level, or because of how much release this one
    /// needs, it may not.
    AudienceNotRequired {
        /// The catalogue.
        policy: String,
        /// The level.
        level: String,
        /// The permissive tag.
        tag: String,
    },
    /// The rules leave no hour in which a message at this level may leave.
    NeverOpen {
        /// The catalogue.
        policy: String,
        /// The level.
        level: String,
    },
    /// A level has rules that let it move and nobody is cleared for it.
    LevelWithoutHolder {
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
    /// No valid label meets the conditions of a rule.
    RuleWithoutLabel {
        /// The rule's id.
        rule: String,
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
    /// True when a policy with it should not be activated: traffic would stop without a word, or
    /// people would be led to release more than they mean.
    pub fn is_serious(&self) -> bool {
        match self {
            Self::LevelWithoutRule { .. }
            | Self::SameMarking { .. }
            | Self::AudienceNotRequired { .. }
            | Self::NeverOpen { .. } => true,
            Self::LevelWithoutHolder { .. }
            | Self::ValueWithoutHolder { .. }
            | Self::RuleWithoutLabel { .. }
            | Self::IdleCarriage { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LevelWithoutRule { policy, level } => {
                write!(f, "no rule of the federation names level `{level}` of {policy}: ")?;
                f.write_str("write one, or forbid it")
            }
            Self::SameMarking { policy, level, other } => {
                write!(f, "levels `{level}` and `{other}` of {policy} have the same marking")
            }
            Self::AudienceNotRequired { policy, level, tag } => {
                write!(f, "level `{level}` of {policy} does not require `{tag}`: ")?;
                f.write_str("a label without it is meant for everyone who is cleared")
            }
            Self::NeverOpen { policy, level } => {
                write!(f, "the windows of the rules leave no hour for level `{level}` of {policy}")
            }
            Self::LevelWithoutHolder { policy, level } => {
                write!(f, "nobody is cleared for level `{level}` of {policy}, which may move")
            }
            Self::ValueWithoutHolder { policy, value } => {
                write!(f, "nobody is granted `{value}` of {policy}: a label with it goes nowhere")
            }
            Self::RuleWithoutLabel { rule } => {
                write!(f, "rule `{rule}` speaks of labels that its catalogue does not allow")
            }
            Self::IdleCarriage { node, level } => {
                write!(f, "node `{node}` has carriage for `{level}`, which may not pass a hub")
            }
        }
    }
}

impl Policy {
    /// Everything odd: catalogues in order, then rules by id, then nodes in order.
    ///
    /// What is wrong and not only odd does not compile: names, ranks and colours that stand
    /// twice, references that lead nowhere, texts that lack a language, groups that contain
    /// themselves, a required tag whose values are all obsolete, rules that cannot both be kept.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (place, plan) in self.plans.iter().enumerate() {
            self.note_markings(place, &mut findings);
            let governs = self.members.iter().any(|member| member.governing == place);
            if plan.is_some() || governs {
                self.note_levels(place, &mut findings);
                self.note_audiences(place, &mut findings);
                self.note_handling(place, &mut findings);
                self.note_values(place, &mut findings);
            }
        }
        self.note_rules(&mut findings);
        self.note_carriage(&mut findings);
        findings
    }

    fn note_markings(&self, place: usize, findings: &mut Vec<Finding>) {
        let Some(catalogue) = self.catalogues.get(place) else {
            return;
        };
        for (index, one) in catalogue.levels.iter().enumerate() {
            for other in catalogue.levels.iter().skip(index + 1) {
                let same = |lang| one.marking.pick(lang) == other.marking.pick(lang);
                if Lang::ALL.into_iter().any(same) {
                    findings.push(Finding::SameMarking {
                        policy: catalogue.name().into(),
                        level: one.id.to_string(),
                        other: other.id.to_string(),
                    });
                }
            }
        }
    }

    /// A permissive tag must be required from the first level on that requires it, and somewhere
    /// where two officers have to release: there an absent audience is dangerous.
    fn note_audiences(&self, place: usize, findings: &mut Vec<Finding>) {
        let plan = self.plans.get(place).and_then(Option::as_ref);
        let Some(catalogue) = self.catalogues.get(place) else {
            return;
        };
        let tags = (0_u8..).zip(&catalogue.tags);
        let tags: Vec<(u8, &Tag)> =
            tags.filter(|(_, tag)| tag.kind == TagKind::Permissive).collect();
        let mut required_below = BTreeSet::new();
        for (index, level) in catalogue.levels.iter().enumerate() {
            let terms = plan.and_then(|plan| plan.always(index));
            let grave = terms.is_some_and(|t| t.approvals >= OFFICERS_OF_GRAVE_LEVELS);
            let any = tags.iter().any(|(tag, _)| level.required.contains(tag));
            for (index, tag) in &tags {
                let required = level.required.contains(index);
                let expected = required_below.contains(index) || (grave && !any);
                if expected && !required {
                    findings.push(Finding::AudienceNotRequired {
                        policy: catalogue.name().into(),
                        level: level.id.to_string(),
                        tag: tag.id.to_string(),
                    });
                }
                if required {
                    required_below.insert(*index);
                }
            }
        }
    }

    /// Levels that may move by the rules, and cannot in fact.
    fn note_handling(&self, place: usize, findings: &mut Vec<Finding>) {
        let plan = self.plans.get(place).and_then(Option::as_ref);
        let Some((catalogue, plan)) = self.catalogues.get(place).zip(plan) else {
            return;
        };
        let held = self.members.iter().flat_map(|member| &member.clearances);
        let held = held.filter(|clearance| clearance.catalogue == catalogue.key);
        let held = held.fold(0_u64, |levels, clearance| levels | clearance.levels);
        for (index, level) in catalogue.levels().enumerate() {
            let Some(terms) = plan.always(index).filter(|t| !t.forbid && plan.covers(index)) else {
                continue;
            };
            let (policy, level) = (catalogue.name().to_owned(), level.to_owned());
            if !self.ever_open(terms.windows) {
                let (policy, level) = (policy.clone(), level.clone());
                findings.push(Finding::NeverOpen { policy, level });
            }
            if (held >> index) & 1 == 0 {
                findings.push(Finding::LevelWithoutHolder { policy, level });
            }
        }
    }

    /// True when some minute of the week is open in all of these windows.
    fn ever_open(&self, windows: u64) -> bool {
        const WEEK_MINUTES: i64 = 7 * 24 * 60;
        let all: Vec<_> = self.windows(windows).collect();
        let open = |minute: i64| {
            let now = Timestamp::from_millis(minute * 60_000);
            all.iter().all(|windows| windows.iter().any(|window| window.is_open(now)))
        };
        (0..WEEK_MINUTES).any(open)
    }

    fn note_rules(&self, findings: &mut Vec<Finding>) {
        for rule in &self.rules {
            let Some(catalogue) = self.catalogues.get(rule.catalogue) else {
                continue;
            };
            // Of `any`, one value is enough; each is tried by itself.
            let alternatives: Vec<Bits> = match rule.when.any {
                None => vec![Bits::EMPTY],
                Some(any) => any.iter().map(Bits::one).collect(),
            };
            let may_stand = |values: Bits| {
                let clash = catalogue.values(values).any(|value| value.excludes.meets(values));
                let levels = (0_u32..).zip(&catalogue.levels);
                let mut spoken = levels.filter(|(place, _)| (rule.levels >> place) & 1 == 1);
                !clash && spoken.any(|(_, level)| !level.excluded.meets(values))
            };
            if !alternatives.iter().any(|one| may_stand(rule.when.has.or(*one))) {
                findings.push(Finding::RuleWithoutLabel { rule: rule.id().into() });
            }
        }
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
