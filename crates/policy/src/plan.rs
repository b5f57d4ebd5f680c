//! The rules of one catalogue, sorted by level and merged as far as can be done in advance.

mod compile;

use kuriiri_types::MessageType;

use crate::{
    bits::Bits, label::Label, merge::Terms, node_id::NodeId, rules::type_bit, text::Phrase,
    window::Window,
};
pub(crate) use compile::compile;

/// Rules with a marker, rules with a window, roles of approvers, named encryptors: at most this
/// many of each in one policy, so that a set of them is one word. More: refused.
pub const KINDS_MAX: usize = 64;

/// For each level what always applies and what may.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    levels: Box<[LevelPlan]>,
}

#[derive(Debug, Clone)]
struct LevelPlan {
    always: Terms,
    /// Rules that no label without one of these values can match: most labels have none.
    triggers: Bits,
    by_value: Box<[(Matcher, Terms)]>,
    sometimes: Box<[(Matcher, Terms)]>,
}

/// The conditions of a rule besides its level.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    pub(crate) has: Bits,
    pub(crate) any: Option<Bits>,
    pub(crate) types: u8,
    pub(crate) from: Option<Box<[NodeId]>>,
    pub(crate) to: Option<Box<[NodeId]>>,
}

const TYPES: [(MessageType, &str); 3] = [
    (MessageType::Operation, "operation"),
    (MessageType::Exercise, "exercise"),
    (MessageType::Drill, "drill"),
];
/// The bits of all message types that there are.
const ALL_TYPES: u8 = 0b111;

/// By catalogue; none where no rule speaks of it.
pub(crate) type Plans = Box<[Option<Plan>]>;

/// What rules name and decisions only number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub(crate) markers: Vec<Marker>,
    pub(crate) windows: Vec<Box<[Window]>>,
    pub(crate) roles: Vec<Box<str>>,
    pub(crate) systems: Vec<Box<str>>,
}

/// A text that is shown with a message, first and last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    rule: Box<str>,
    text: Phrase,
}

impl Marker {
    /// The id of the rule that asks for it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What is shown.
    pub fn text(&self) -> &Phrase {
        &self.text
    }
}

/// A rule with its names resolved.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    id: Box<str>,
    /// It stands in a ministry's own file.
    pub(crate) local: bool,
    /// Position of its catalogue.
    pub(crate) catalogue: usize,
    /// One bit per level.
    pub(crate) levels: u64,
    pub(crate) when: Matcher,
    pub(crate) then: Terms,
}

impl Compiled {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// True when it speaks of a message with this label of its catalogue.
    pub(crate) fn matches(
        &self,
        label: &Label,
        message_type: MessageType,
        from: NodeId,
        to: NodeId,
    ) -> bool {
        (self.levels >> (label.level & 63)) & 1 == 1
            && self.when.matches(label.values, message_type, from, to)
    }
}

impl Plan {
    /// What the rules ask of a message with this label.
    pub(crate) fn terms(
        &self,
        label: &Label,
        message_type: MessageType,
        from: NodeId,
        to: NodeId,
    ) -> Terms {
        let Some(level) = self.levels.get(usize::from(label.level)) else {
            return Terms::NEUTRAL;
        };
        let mut terms = level.always;
        let mut merge = |rules: &[(Matcher, Terms)]| {
            for (when, then) in rules {
                if when.matches(label.values, message_type, from, to) {
                    terms = terms.merge(then);
                }
            }
        };
        merge(&level.sometimes);
        if label.values.meets(level.triggers) {
            merge(&level.by_value);
        }
        terms
    }

    /// True when some rule names the level.
    pub(crate) fn covers(&self, level: usize) -> bool {
        self.levels.get(level).is_some_and(|plan| {
            let mut rules = plan.sometimes.iter().chain(&plan.by_value);
            plan.always.covered || rules.any(|(_, then)| then.covered)
        })
    }

    /// The strictest that can be said of a level whatever the message: for the linter.
    pub(crate) fn always(&self, level: usize) -> Option<&Terms> {
        self.levels.get(level).map(|plan| &plan.always)
    }
}

impl Matcher {
    pub(crate) fn matches(
        &self,
        values: Bits,
        message_type: MessageType,
        from: NodeId,
        to: NodeId,
    ) -> bool {
        self.has.within(values)
            && self.any.is_none_or(|any| any.meets(values))
            && self.types & type_bit(message_type) != 0
            && self.is_between(from, to)
    }

    fn is_always(&self) -> bool {
        let no_nodes = self.from.is_none() && self.to.is_none();
        self.has.is_empty() && self.any.is_none() && self.types == u8::MAX && no_nodes
    }

    /// Values of which a label that matches has at least one; none when it may have none of them.
    fn triggers(&self) -> Bits {
        if self.has.is_empty() { self.any.unwrap_or_default() } else { self.has }
    }

    /// True when it depends on more than the two ends.
    pub(crate) fn is_conditional(&self) -> bool {
        !self.has.is_empty() || self.any.is_some() || self.types & ALL_TYPES != ALL_TYPES
    }

    /// True when it speaks of messages between these two.
    pub(crate) fn is_between(&self, from: NodeId, to: NodeId) -> bool {
        let within = |nodes: &Option<Box<[NodeId]>>, node| {
            nodes.as_ref().is_none_or(|nodes| nodes.contains(&node))
        };
        within(&self.from, from) && within(&self.to, to)
    }

    /// The message types that it speaks of; empty for all.
    pub(crate) fn type_words(&self) -> Vec<&'static str> {
        if self.types & ALL_TYPES == ALL_TYPES {
            return Vec::new();
        }
        let spoken = TYPES.into_iter().filter(|(kind, _)| self.types & type_bit(*kind) != 0);
        spoken.map(|(_, word)| word).collect()
    }

    /// False only when no message can match both.
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: &Option<Box<[NodeId]>>, b: &Option<Box<[NodeId]>>| {
            let pair = a.as_ref().zip(b.as_ref());
            pair.is_none_or(|(a, b)| a.iter().any(|node| b.contains(node)))
        };
        self.types & other.types != 0 && meet(&self.from, &other.from) && meet(&self.to, &other.to)
    }
}
