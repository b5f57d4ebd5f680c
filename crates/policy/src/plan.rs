//! The rules of one catalogue, sorted by level and merged as far as can be done in advance.

use kuriiri_types::MessageType;

use crate::{
    bits::Bits,
    catalogue::Catalogue,
    error::{Flaw, PolicyError},
    federation::Federation,
    file::OneOrMany,
    label::Label,
    merge::Terms,
    node_id::NodeId,
    rules::{Rules, Seal, WrittenRule, type_bit, wrong},
    text::Phrase,
    window::Window,
};

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

// === compiling ===

/// Compiles all files of rules into one plan per catalogue; no plan where no rule speaks.
///
/// Only `shared` rules can give a level leave to move. `local` ones can only tighten.
pub(crate) fn compile(
    catalogues: &[Catalogue],
    federation: &Federation,
    shared: &Rules,
    local: &[Rules],
) -> Result<(Plans, Words, Box<[Compiled]>), PolicyError> {
    let shared = shared.rules.iter().map(|rule| (rule, true));
    let local = local.iter().flat_map(|file| &file.rules);
    let mut all: Vec<(&WrittenRule, bool)> =
        shared.chain(local.map(|rule| (rule, false))).collect();
    all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    if let Some([_, (rule, _)]) = all.array_windows().find(|[(a, _), (b, _)]| a.id == b.id) {
        return Err(wrong(rule.item(), Flaw::Duplicate(rule.id.clone())));
    }
    let mut words = Words::default();
    let mut compiled = Vec::with_capacity(all.len());
    for (rule, may_cover) in all {
        compiled.push(words.compile(rule, may_cover, catalogues, federation)?);
    }
    check_conflicts(&compiled)?;
    let plans = (0..catalogues.len()).map(|index| {
        let rules: Vec<&Compiled> = compiled.iter().filter(|r| r.catalogue == index).collect();
        let levels = catalogues.get(index).map_or(0, |c| c.levels.len());
        (!rules.is_empty())
            .then(|| Plan { levels: (0..levels).map(|level| plan_level(&rules, level)).collect() })
    });
    let plans = plans.collect();
    Ok((plans, words, compiled.into()))
}

fn plan_level(rules: &[&Compiled], level: usize) -> LevelPlan {
    let of_level = |rule: &&&Compiled| (rule.levels >> level) & 1 == 1;
    let always = rules.iter().filter(of_level).filter(|rule| rule.when.is_always());
    let sometimes = rules.iter().filter(of_level).filter(|rule| !rule.when.is_always());
    let entry = |rule: &&Compiled| (rule.when.clone(), rule.then);
    let (by_value, sometimes): (Vec<_>, Vec<_>) =
        sometimes.map(entry).partition(|(when, _)| !when.triggers().is_empty());
    LevelPlan {
        always: always.fold(Terms::NEUTRAL, |terms, rule| terms.merge(&rule.then)),
        triggers: by_value.iter().fold(Bits::EMPTY, |set, (when, _)| set.or(when.triggers())),
        by_value: by_value.into(),
        sometimes: sometimes.into(),
    }
}

fn check_conflicts(rules: &[Compiled]) -> Result<(), PolicyError> {
    for (place, a) in rules.iter().enumerate() {
        for b in rules.iter().skip(place) {
            let together = a.catalogue == b.catalogue && a.levels & b.levels != 0;
            if together
                && a.when.overlaps(&b.when)
                && let Some(why) = a.then.conflict(&b.then)
            {
                let flaw = Flaw::Conflict(format!("with rule `{}`: {why}", b.id));
                return Err(wrong(format!("rule `{}`", a.id), flaw));
            }
        }
    }
    Ok(())
}

impl Words {
    fn compile(
        &mut self,
        rule: &WrittenRule,
        may_cover: bool,
        catalogues: &[Catalogue],
        federation: &Federation,
    ) -> Result<Compiled, PolicyError> {
        let unknown = |name: &str| wrong(rule.item(), Flaw::Unknown(name.into()));
        let found = catalogues.iter().position(|c| c.is_called(&rule.policy));
        let index = found.ok_or_else(|| unknown(&rule.policy))?;
        let catalogue = catalogues.get(index).ok_or_else(|| unknown(&rule.policy))?;
        let value = |name: &String| catalogue.find_value(name).ok_or_else(|| unknown(name));
        let node = |name: &String| federation.by_id(name).ok_or_else(|| unknown(name));
        let nodes = |list: &Option<OneOrMany>| {
            let list = list.as_ref().map(OneOrMany::as_slice);
            list.map(|list| list.iter().map(node).collect::<Result<Box<[_]>, _>>()).transpose()
        };
        let has = rule.has.as_ref().map_or(&[][..], OneOrMany::as_slice);
        let any = rule.any.as_ref();
        Ok(Compiled {
            id: rule.id.as_str().into(),
            local: !may_cover,
            catalogue: index,
            levels: levels(rule, catalogue)?,
            when: Matcher {
                has: has.iter().map(value).collect::<Result<_, _>>()?,
                any: any.map(|any| any.iter().map(value).collect::<Result<_, _>>()).transpose()?,
                types: rule.message_types()?,
                from: nodes(&rule.from)?,
                to: nodes(&rule.to)?,
            },
            then: self.terms(rule, may_cover && rule.names_level())?,
        })
    }

    fn terms(&mut self, rule: &WrittenRule, covered: bool) -> Result<Terms, PolicyError> {
        let none = Terms::NEUTRAL;
        let (seal, system) = match &rule.seal {
            None => (false, None),
            Some(Seal::Plain(seal)) => (*seal, None),
            Some(Seal::Approved(system)) => {
                (true, Some(number(rule, &mut self.systems, &system.0)?))
            }
        };
        let terms = Terms {
            covered,
            forbid: rule.forbid,
            seal,
            system,
            approvals: rule.approvals,
            roles: self.roles(rule)?,
            onward: rule.onward.unwrap_or(none.onward),
            max_size: rule.max_size.map_or(none.max_size, |size| size.0),
            ttl: rule.ttl.map_or(none.ttl, |span| span.0),
            max_hops: rule.max_hops.map_or(none.max_hops, |hops| hops.min(none.max_hops)),
            retain_max: rule.retain_max.map_or(none.retain_max, |span| span.0),
            retain_min: rule.retain_min.map_or(none.retain_min, |span| span.0),
            rate: rule.rate.map_or(none.rate, |rate| rate.0),
            precedence_max: rule.precedence_max.map_or(none.precedence_max, |p| p.0),
            receipt: rule.receipt.unwrap_or(none.receipt),
            markers: self.marker(rule)?,
            windows: self.window(rule)?,
            ..none
        };
        Ok(terms.with_transit(rule.transit))
    }

    fn roles(&mut self, rule: &WrittenRule) -> Result<u64, PolicyError> {
        let roles = rule.approver_role.as_ref().map_or(&[][..], OneOrMany::as_slice);
        roles
            .iter()
            .try_fold(0, |set, role| Ok(set | 1_u64 << number(rule, &mut self.roles, role)?))
    }

    fn marker(&mut self, rule: &WrittenRule) -> Result<u64, PolicyError> {
        let Some(text) = &rule.marker else {
            return Ok(0);
        };
        let marker = Marker { rule: rule.id.as_str().into(), text: text.clone() };
        push(rule, &mut self.markers, marker)
    }

    fn window(&mut self, rule: &WrittenRule) -> Result<u64, PolicyError> {
        let windows = rule.windows()?;
        if windows.is_empty() {
            return Ok(0);
        }
        push(rule, &mut self.windows, windows.into())
    }
}

fn levels(rule: &WrittenRule, catalogue: &Catalogue) -> Result<u64, PolicyError> {
    let find = |name: &str| {
        let found = catalogue.level_names.find(name).map(|found| found.index);
        found.ok_or_else(|| wrong(rule.item(), Flaw::Unknown(name.into())))
    };
    let mut set = u64::MAX;
    if let Some(level) = &rule.level {
        set &= 1 << find(level)?;
    }
    if let Some(levels) = &rule.levels {
        let mut named = levels.iter().map(|name| find(name));
        set &= named.try_fold(0, |set, level| level.map(|level| set | 1_u64 << level))?;
    }
    if let Some(level) = &rule.at_least {
        set &= u64::MAX << find(level)?;
    }
    if set == 0 {
        let flaw = Flaw::Conflict("its conditions on the level exclude each other".into());
        return Err(wrong(rule.item(), flaw));
    }
    Ok(set)
}

/// The position of a word, which is added when it is new.
fn number(rule: &WrittenRule, words: &mut Vec<Box<str>>, word: &str) -> Result<u8, PolicyError> {
    let place = words.iter().position(|known| &**known == word);
    let place = place.unwrap_or(words.len());
    if place == words.len() {
        push(rule, words, word.into())?;
    }
    u8::try_from(place).map_err(|_| wrong(rule.item(), Flaw::TooMany(KINDS_MAX)))
}

/// Adds an entry and gives its position as a bit.
fn push<T>(rule: &WrittenRule, list: &mut Vec<T>, entry: T) -> Result<u64, PolicyError> {
    if list.len() >= KINDS_MAX {
        return Err(wrong(rule.item(), Flaw::TooMany(KINDS_MAX)));
    }
    list.push(entry);
    Ok(1_u64 << (list.len() - 1))
}
