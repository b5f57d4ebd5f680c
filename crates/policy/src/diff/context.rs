//! One level between two nodes on one way: which values matter, and what either policy says of
//! every combination of them.

use std::collections::BTreeMap;

use super::{
    domain::{Both, Domain, Holder, LevelItem, NodeClass, ValueItem},
    terms::{Lexicon, Plain},
};
use crate::{
    catalogue::TagKind, clearance::Clearance, merge::Transit, node_id::NodeId, plan::Compiled,
};

/// Kinds of values at one level on one way: a set of them is one word. More: not compared.
const CLASSES_MAX: usize = 64;
/// Kinds of values that are combined. More: compared only when both policies say the same.
const COMBINED_MAX: usize = 20;

/// Sealed and clear: how hubs are asked, and whether the seal is there.
pub(super) const FORMS: [&str; 2] = ["sealed", "clear"];

/// The way that is compared.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) from: &'a NodeClass<'a>,
    pub(super) to: &'a NodeClass<'a>,
    pub(super) via: Option<&'a NodeClass<'a>>,
}

/// Values that neither policy tells apart on this way.
pub(super) struct ValueClass<'a> {
    pub(super) tag: usize,
    pub(super) values: Vec<&'a ValueItem>,
    /// Their positions in the domain.
    places: Vec<usize>,
    traits: Both<Traits>,
}

/// All that matters about a value in one policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Traits {
    /// It exists and may stand with the level.
    valid: bool,
    /// A new message may have it.
    fresh: bool,
    /// Held by the sender, the recipient, the hub sealed, the hub in clear.
    held: [bool; 4],
    /// Positions of the values that it may not stand with.
    excludes: Vec<usize>,
    /// Rules and conditions that it satisfies.
    meets: Vec<(usize, usize)>,
}

/// One policy's view of the way.
#[derive(PartialEq, Eq)]
pub(super) struct View {
    possible: bool,
    /// The hub may take the level, by form.
    hub: Both<bool>,
    via: bool,
    fresh: bool,
    invalid: u64,
    stale: u64,
    excludes: Vec<u64>,
    required: Vec<u64>,
    /// Restrictive classes that somebody lacks, by form.
    lacking: Both<u64>,
    audiences: Vec<Audience>,
    rules: Vec<(Vec<u64>, u8, Plain)>,
}

/// A permissive tag: its classes, and those that let each node in.
#[derive(PartialEq, Eq)]
struct Audience {
    tag: u64,
    from: u64,
    to: u64,
    hub: Both<u64>,
}

/// One level on one way, in both policies.
pub(super) struct Context<'a> {
    pub(super) classes: Vec<ValueClass<'a>>,
    pub(super) views: Both<View>,
    /// One of each kind of message types, with all of its kind.
    pub(super) types: Vec<(u8, Vec<&'static str>)>,
}

/// A message type that no rule tells from others of its kind.
const TYPES: [(u8, &str); 3] = [(1, "operation"), (2, "exercise"), (4, "drill")];

impl<'a> Context<'a> {
    /// True when both policies say the same of every label.
    pub(super) fn is_same(&self) -> bool {
        let [old, new] = &self.views;
        old == new
    }

    /// How many labels have to be compared; none when there are too many.
    pub(super) fn labels(&self) -> Option<u64> {
        (self.classes.len() <= COMBINED_MAX).then(|| 1 << self.classes.len())
    }

    /// None when there are too many kinds of values.
    pub(super) fn new(
        domain: &'a Domain<'a>,
        lexicon: &Lexicon,
        level: &LevelItem,
        way: Way<'_>,
    ) -> Option<Self> {
        let rules = [0, 1].map(|side| rules_of(domain, side, level, way));
        let classes = classes(domain, level, way, &rules);
        if classes.len() > CLASSES_MAX {
            return None;
        }
        let [old, new] = &rules;
        let views = [(0, old), (1, new)]
            .map(|(side, rules)| view(domain, lexicon, (side, rules), level, way, &classes));
        let all = || rules.iter().flatten().map(|rule| rule.when.types);
        let kind = |bit: u8| all().map(|types| types & bit != 0).collect::<Vec<bool>>();
        let mut types: BTreeMap<Vec<bool>, (u8, Vec<&'static str>)> = BTreeMap::new();
        for (bit, word) in TYPES {
            types.entry(kind(bit)).or_insert((bit, Vec::new())).1.push(word);
        }
        Some(Self { classes, views, types: types.into_values().collect() })
    }
}

/// The rules of one policy that speak of the level between these ends.
fn rules_of<'a>(
    domain: &Domain<'a>,
    side: usize,
    level: &LevelItem,
    way: Way<'_>,
) -> Vec<&'a Compiled> {
    let find = || {
        let policy = domain.policies.get(side).copied()?;
        let (place, _) = domain.catalogues.get(side).copied().flatten()?;
        let found = level.on.get(side).copied().flatten()?;
        let node = |class: &NodeClass<'_>| {
            let name = class.names.first()?;
            policy.federation.by_id(name)
        };
        let from = node(way.from).unwrap_or(NodeId::UNKNOWN);
        let to = node(way.to).unwrap_or(NodeId::UNKNOWN);
        let speaks = move |rule: &&Compiled| {
            rule.catalogue == place
                && (rule.levels >> (found.index & 63)) & 1 == 1
                && rule.when.is_between(from, to)
        };
        Some(policy.rules.iter().filter(speaks).collect())
    };
    find().unwrap_or_default()
}

fn holders(side: usize, way: Way<'_>) -> [Option<Clearance>; 4] {
    let of = |class: &NodeClass<'_>| class.on.get(side).copied().flatten().unwrap_or_default();
    let hub = way.via.map(of).unwrap_or_default();
    let hub = if hub.transit { hub } else { Holder::default() };
    [of(way.from).clearance, of(way.to).clearance, hub.carriage, hub.clearance]
}

// === classes of values ===

fn classes<'a>(
    domain: &'a Domain<'a>,
    level: &LevelItem,
    way: Way<'_>,
    rules: &Both<Vec<&Compiled>>,
) -> Vec<ValueClass<'a>> {
    type Members<'a> = (Vec<&'a ValueItem>, Vec<usize>);
    let mut classes: BTreeMap<(usize, Both<Traits>), Members<'a>> = BTreeMap::new();
    let excluded: Vec<Both<Vec<usize>>> =
        domain.values.iter().map(|v| [0, 1].map(|side| excludes(domain, side, v))).collect();
    for (place, value) in domain.values.iter().enumerate() {
        let [old, new] = rules;
        let traits = [(0, old), (1, new)].map(|(side, rules)| {
            let mut excludes: Vec<usize> = Vec::new();
            for (other, rows) in excluded.iter().enumerate() {
                let row = rows.get(side);
                let by_other = row.is_some_and(|row| row.contains(&place));
                let own = excluded.get(place).and_then(|rows| rows.get(side));
                if by_other || own.is_some_and(|row| row.contains(&other)) {
                    excludes.push(other);
                }
            }
            traits(domain, (side, rules), level, way, (value, excludes))
        });
        if !is_idle(domain, level, way, value, &traits) {
            let (values, places) = classes.entry((value.tag, traits)).or_default();
            values.push(value);
            places.push(place);
        }
    }
    let class = |((tag, traits), (values, places))| ValueClass { tag, values, places, traits };
    classes.into_iter().map(class).collect()
}

/// Positions of the values that a value says it may not stand with.
fn excludes(domain: &Domain<'_>, side: usize, value: &ValueItem) -> Vec<usize> {
    let catalogue = domain.catalogues.get(side).copied().flatten().map(|(_, c)| c);
    let index = value.on.get(side).copied().flatten().map(|found| usize::from(found.index));
    let row = catalogue.zip(index).and_then(|(c, index)| c.values.get(index));
    let Some(row) = row.map(|value| value.excludes).filter(|row| !row.is_empty()) else {
        return Vec::new();
    };
    let at = |item: &ValueItem| item.on.get(side).copied().flatten();
    let others = domain.values.iter().enumerate();
    let others = others.filter(|(_, item)| at(item).is_some_and(|found| row.has(found.index)));
    others.map(|(place, _)| place).collect()
}

fn traits(
    domain: &Domain<'_>,
    (side, rules): (usize, &[&Compiled]),
    level: &LevelItem,
    way: Way<'_>,
    (value, excludes): (&ValueItem, Vec<usize>),
) -> Traits {
    let catalogue = domain.catalogues.get(side).copied().flatten().map(|(_, c)| c);
    let found = value.on.get(side).copied().flatten();
    let at = level.on.get(side).copied().flatten();
    let excluded = catalogue.zip(at).and_then(|(catalogue, at)| {
        let level = catalogue.levels.get(usize::from(at.index))?;
        Some(level.excluded)
    });
    let (Some(catalogue), Some(found), Some(excluded)) = (catalogue, found, excluded) else {
        let held = [false; 4];
        return Traits { valid: false, fresh: false, held, excludes, meets: Vec::new() };
    };
    let holds = |held: Option<Clearance>| held.is_some_and(|held| held.grants.has(found.index));
    let mut meets = Vec::new();
    for (rule, compiled) in rules.iter().enumerate() {
        for (condition, values) in conditions(compiled).into_iter().enumerate() {
            if values.has(found.index) {
                meets.push((rule, condition));
            }
        }
    }
    Traits {
        valid: !excluded.has(found.index),
        fresh: !found.alias && !catalogue.obsolete.has(found.index),
        held: holders(side, way).map(holds),
        excludes,
        meets,
    }
}

/// The conditions of a rule on values: of each set, one must be in the label.
fn conditions(rule: &Compiled) -> Vec<crate::bits::Bits> {
    let has = rule.when.has.iter().map(crate::bits::Bits::one);
    has.chain(rule.when.any).collect()
}

/// True when a label with the value is denied in both policies, or the value changes nothing in
/// either.
fn is_idle(
    domain: &Domain<'_>,
    level: &LevelItem,
    way: Way<'_>,
    value: &ValueItem,
    traits: &Both<Traits>,
) -> bool {
    let kinds = domain.tags.get(value.tag).map_or([None; 2], |tag| tag.kind);
    let via = way.via.is_some();
    let everywhere = |t: &Traits| {
        let [from, to, sealed, clear] = t.held;
        from && to && (!via || (sealed && clear))
    };
    let nowhere = |t: &Traits| t.held == [false; 4];
    let free = |t: &Traits| t.valid && t.fresh && t.excludes.is_empty() && t.meets.is_empty();
    let barred = |t: &Traits, kind: Option<TagKind>| {
        let [from, to, sealed, clear] = t.held;
        let passes = from && to && (!via || sealed || clear);
        !t.valid || (kind == Some(TagKind::Restrictive) && !passes)
    };
    let [old, new] = traits;
    let [old_kind, new_kind] = kinds;
    if barred(old, old_kind) && barred(new, new_kind) {
        return true;
    }
    if old_kind != new_kind || !free(old) || !free(new) {
        return false;
    }
    match old_kind {
        Some(TagKind::Permissive) => nowhere(old) && nowhere(new),
        Some(TagKind::Restrictive) => {
            everywhere(old) && everywhere(new) && !is_required(domain, level, value.tag)
        }
        Some(TagKind::Informative) | None => !is_required(domain, level, value.tag),
    }
}

fn is_required(domain: &Domain<'_>, level: &LevelItem, tag: usize) -> bool {
    [0, 1].into_iter().any(|side| required(domain, side, level).contains(&tag))
}

/// Positions of the tags that the level asks for.
fn required(domain: &Domain<'_>, side: usize, level: &LevelItem) -> Vec<usize> {
    let catalogue = domain.catalogues.get(side).copied().flatten().map(|(_, c)| c);
    let at = level.on.get(side).copied().flatten();
    let Some((catalogue, at)) = catalogue.zip(at) else {
        return Vec::new();
    };
    let required = catalogue.levels.get(usize::from(at.index)).map(|level| &level.required);
    let tags = required.into_iter().flatten().filter_map(|t| catalogue.tags.get(usize::from(*t)));
    let named = |id: &str| domain.tags.iter().position(|tag| tag.name == id);
    tags.filter_map(|tag| named(&tag.id)).collect()
}

// === one policy's view ===

fn view(
    domain: &Domain<'_>,
    lexicon: &Lexicon,
    (side, rules): (usize, &[&Compiled]),
    level: &LevelItem,
    way: Way<'_>,
    classes: &[ValueClass<'_>],
) -> View {
    let at = level.on.get(side).copied().flatten();
    let catalogue = domain.catalogues.get(side).copied().flatten().map(|(_, c)| c);
    let obsolete = catalogue.zip(at).is_some_and(|(catalogue, at)| {
        catalogue.levels.get(usize::from(at.index)).is_some_and(|level| level.obsolete)
    });
    let clears = |held: Option<Clearance>| {
        held.zip(at).is_some_and(|(held, at)| (held.levels >> (at.index & 63)) & 1 == 1)
    };
    let [from, to, sealed, clear] = holders(side, way).map(clears);
    let mask = |test: &dyn Fn(&ValueClass<'_>, &Traits) -> bool| {
        let numbered = (0_u32..).zip(classes);
        let chosen = numbered.filter(|(_, c)| c.traits.get(side).is_some_and(|t| test(c, t)));
        chosen.fold(0_u64, |mask, (place, _)| mask | 1 << place)
    };
    let kind = |tag: usize| domain.tags.get(tag).and_then(|tag| *tag.kind.get(side)?);
    let lacks = |hub: usize| {
        mask(&|class, t| {
            let hub = way.via.is_none() || t.held.get(hub) == Some(&true);
            let [from, to, ..] = t.held;
            kind(class.tag) == Some(TagKind::Restrictive) && !(from && to && hub)
        })
    };
    let permissive = (0..domain.tags.len()).filter(|tag| kind(*tag) == Some(TagKind::Permissive));
    let policy = domain.policies.get(side).copied();
    View {
        possible: at.is_some() && from && to,
        hub: [sealed, clear].map(|hub| way.via.is_none() || hub),
        via: way.via.is_some(),
        fresh: !obsolete && at.is_some_and(|at| !at.alias),
        invalid: mask(&|_, t| !t.valid),
        stale: mask(&|_, t| !t.fresh),
        excludes: classes.iter().map(|class| excluded_by(class, side, classes)).collect(),
        required: required(domain, side, level)
            .into_iter()
            .map(|tag| mask(&|class, _| class.tag == tag))
            .collect(),
        lacking: [lacks(2), lacks(3)],
        audiences: permissive
            .map(|tag| {
                let holds = |place: usize| {
                    mask(&|class, t| class.tag == tag && t.held.get(place) == Some(&true))
                };
                let (from, to, hub) = (holds(0), holds(1), [holds(2), holds(3)]);
                Audience { tag: mask(&|class, _| class.tag == tag), from, to, hub }
            })
            .collect(),
        rules: rules
            .iter()
            .enumerate()
            .filter_map(|(place, rule)| {
                let met = (0..conditions(rule).len())
                    .map(|condition| mask(&|_, t| t.meets.contains(&(place, condition))));
                let plain = lexicon.plain(policy?, &rule.then);
                Some((met.collect(), rule.when.types, plain))
            })
            .collect(),
    }
}

/// The classes that a class may not stand with. Values of a class have the same row, so that one
/// of them speaks for all.
fn excluded_by(class: &ValueClass<'_>, side: usize, classes: &[ValueClass<'_>]) -> u64 {
    let row = class.traits.get(side).map_or(&[][..], |traits| &traits.excludes);
    let numbered = (0_u32..).zip(classes);
    let meets = numbered.filter(|(_, other)| other.places.iter().any(|place| row.contains(place)));
    meets.fold(0, |mask, (place, _)| mask | 1 << place)
}

impl View {
    /// What is asked of the label with these classes, by form and type, and whether a new message
    /// may have it; none when it is denied whatever people do.
    pub(super) fn outcome(&self, label: u64, form: usize, kind: u8) -> Option<(Plain, bool)> {
        if !self.possible || label & self.invalid != 0 || !self.gates(label, form) {
            return None;
        }
        let clash = |(place, row): (usize, &u64)| (label >> place) & 1 == 1 && label & row != 0;
        if self.excludes.iter().enumerate().any(clash)
            || self.required.iter().any(|tag| label & tag == 0)
        {
            return None;
        }
        let matching = self.rules.iter().filter(|(met, types, _)| {
            types & kind != 0 && met.iter().all(|condition| label & condition != 0)
        });
        let asked = matching.fold(Plain::NEUTRAL, |plain, (_, _, then)| plain.merge(then));
        let terms = &asked.terms;
        let transit = terms.transit();
        let seal = terms.seal || (self.via && transit == Transit::Sealed);
        let goes = terms.covered
            && !terms.forbid
            && !(self.via && transit == Transit::No)
            && (form == 0 || !seal);
        goes.then_some((asked, self.fresh && label & self.stale == 0))
    }

    fn gates(&self, label: u64, form: usize) -> bool {
        let hub = self.hub.get(form).copied().unwrap_or(false);
        let lacking = self.lacking.get(form).copied().unwrap_or(u64::MAX);
        let admits = |audience: &Audience| {
            let values = label & audience.tag;
            let by_hub = audience.hub.get(form).copied().unwrap_or(0);
            values == 0
                || (values & audience.from != 0
                    && values & audience.to != 0
                    && (!self.via || values & by_hub != 0))
        };
        hub && label & lacking == 0 && self.audiences.iter().all(admits)
    }
}
