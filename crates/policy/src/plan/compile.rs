//! From the rules as written to a plan for each catalogue.

use super::{Compiled, KINDS_MAX, LevelPlan, Marker, Matcher, Plan, Plans, Words};
use crate::{
    bits::Bits,
    catalogue::Catalogue,
    error::{Flaw, PolicyError},
    federation::Federation,
    file::OneOrMany,
    merge::Terms,
    rules::{Rules, Seal, WrittenRule, wrong},
};

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
