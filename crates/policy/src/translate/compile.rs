//! From the written table to the compiled one. What could lose a restriction is refused here, so
//! that no label can meet it later.

use kuriiri_types::{FileKind, Timestamp};

use super::{
    Applied, Mapping, Translation, Written,
    table::{Action, Table},
};
use crate::{
    bits::Bits,
    catalogue::{Catalogue, TagKind},
    error::{Flaw, PolicyError},
};

/// Compiles all tables and holds them against each other.
pub(crate) fn compile(
    catalogues: &[Catalogue],
    written: &[Translation],
) -> Result<Box<[Table]>, PolicyError> {
    let tables = written.iter().map(|table| compile_table(catalogues, table));
    let tables: Box<[Table]> = tables.collect::<Result<_, _>>()?;
    for (place, (table, source)) in tables.iter().zip(written).enumerate() {
        let item = item(&source.written);
        for other in tables.iter().skip(place + 1) {
            let same = table.from == other.from && table.to == other.to;
            let times = table.created_from < other.created_until
                && other.created_from < table.created_until;
            if same && times && table.on_reception && other.on_reception {
                return Err(wrong(item, Flaw::Conflict("two tables claim the same labels".into())));
            }
        }
        for back in tables.iter().filter(|t| t.from == table.to && t.to == table.from) {
            check_round_trip(table, back, &item)?;
        }
    }
    Ok(tables)
}

fn compile_table(catalogues: &[Catalogue], source: &Translation) -> Result<Table, PolicyError> {
    let written = &source.written;
    let item = item(written);
    let place = |name: &str| {
        let found = catalogues.iter().position(|c| c.is_called(name));
        let found = found.and_then(|place| catalogues.get(place).map(|c| (place, c)));
        found.ok_or_else(|| wrong(&item, Flaw::Unknown(name.into())))
    };
    let (from_place, from) = place(&written.from)?;
    let (to_place, to) = place(&written.to)?;
    if from_place == to_place {
        let flaw = Flaw::Conflict("a policy is not translated to itself".into());
        return Err(wrong(item, flaw));
    }
    let table = Table {
        from: from_place,
        to: to_place,
        signer: written.signed_by.as_str().into(),
        on_reception: written.applied != Applied::Origination,
        created_from: source.created_from.unwrap_or(Timestamp::from_millis(i64::MIN)),
        created_until: source.created_until.unwrap_or(Timestamp::from_millis(i64::MAX)),
        levels: compile_levels(written, from, to)?,
        values: compile_values(written, from, to)?,
        adds: compile_adds(written, to)?,
    };
    check_audiences(&table, from, to, &item)?;
    Ok(table)
}

fn compile_levels(
    written: &Written,
    from: &Catalogue,
    to: &Catalogue,
) -> Result<Box<[Option<u8>]>, PolicyError> {
    let mut levels: Vec<Option<Option<u8>>> = vec![None; from.levels.len()];
    for (source, target) in &written.level {
        let found = from.level_names.find(source).map(|found| usize::from(found.index));
        let slot = found.and_then(|place| levels.get_mut(place));
        let slot = slot.ok_or_else(|| wrong(item(written), Flaw::Unknown(source.clone())))?;
        if slot.is_some() {
            return Err(wrong(item(written), Flaw::Duplicate(source.clone())));
        }
        let target = match target.as_str() {
            "refuse" => None,
            name => {
                let found = to.level_names.find(name).map(|found| found.index);
                Some(found.ok_or_else(|| wrong(item(written), Flaw::Unknown(name.into())))?)
            }
        };
        *slot = Some(target);
    }
    for (slot, level) in levels.iter().zip(&from.levels) {
        if slot.is_none() {
            let flaw = Flaw::Loses(format!("level `{}` is neither mapped nor refused", level.id));
            return Err(wrong(item(written), flaw));
        }
    }
    let levels: Box<[Option<u8>]> = levels.into_iter().map(Option::flatten).collect();
    let mapped: Vec<u8> = levels.iter().copied().flatten().collect();
    if !mapped.is_sorted() {
        let flaw = Flaw::Loses("a more sensitive level becomes a less sensitive one".into());
        return Err(wrong(item(written), flaw));
    }
    Ok(levels)
}

fn compile_values(
    written: &Written,
    from: &Catalogue,
    to: &Catalogue,
) -> Result<Box<[Action]>, PolicyError> {
    let mut actions: Vec<Option<Action>> = vec![None; from.values.len()];
    for (source, mapping) in &written.category {
        let item = format!("{}, category `{source}`", item(written));
        let found = from.find_value(source).map(usize::from);
        let kind = found.and_then(|place| kind_of(from, place));
        let slot = found.and_then(|place| actions.get_mut(place));
        let (Some(kind), Some(slot)) = (kind, slot) else {
            return Err(wrong(item, Flaw::Unknown(source.clone())));
        };
        let action = compile_mapping(mapping, kind, to, &item)?;
        if slot.replace(action).is_some() {
            return Err(wrong(item, Flaw::Duplicate(source.clone())));
        }
    }
    // A value that the table does not know may be a restriction.
    let actions = actions.into_iter().map(|action| action.unwrap_or(Action::Refuse));
    Ok(actions.collect())
}

fn compile_mapping(
    mapping: &Mapping,
    kind: TagKind,
    to: &Catalogue,
    item: &str,
) -> Result<Action, PolicyError> {
    let targets = match mapping {
        Mapping::Word(word) if word == "refuse" => return Ok(Action::Refuse),
        Mapping::Word(word) if word == "discard" => {
            return if kind == TagKind::Informative {
                Ok(Action::To(Bits::EMPTY))
            } else {
                let flaw = Flaw::Loses("only informative values may be discarded".into());
                Err(wrong(item, flaw))
            };
        }
        Mapping::Word(word) => return Err(wrong(item, Flaw::Unknown(word.clone()))),
        Mapping::To(targets) => targets,
    };
    let find = |name: &String| {
        let found = to.find_value(name);
        found.ok_or_else(|| wrong(item, Flaw::Unknown(name.clone())))
    };
    let set: Bits = targets.iter().map(find).collect::<Result<_, _>>()?;
    let places = set.iter().map(usize::from);
    let other = places.filter_map(|place| kind_of(to, place)).find(|target| *target != kind);
    if other.is_some() || (set.is_empty() && kind != TagKind::Permissive) {
        let flaw = Flaw::Loses("it must become values of a tag of the same type".into());
        return Err(wrong(item, flaw));
    }
    Ok(Action::To(set))
}

fn compile_adds(written: &Written, to: &Catalogue) -> Result<Bits, PolicyError> {
    let find = |name: &String| {
        let found = to.find_value(name);
        found.ok_or_else(|| wrong(item(written), Flaw::Unknown(name.clone())))
    };
    let adds: Bits = written.adds.iter().map(find).collect::<Result<_, _>>()?;
    if to.permissive.iter().any(|tag| tag.meets(adds)) {
        let flaw = Flaw::Loses("an added permissive value would widen the audience".into());
        return Err(wrong(item(written), flaw));
    }
    Ok(adds)
}

/// Two tags must not become one: what had to meet both would then need to meet either. And one
/// must not become two, or a wider audience would become a narrower one.
fn check_audiences(
    table: &Table,
    from: &Catalogue,
    to: &Catalogue,
    item: &str,
) -> Result<(), PolicyError> {
    let mut taken = Bits::EMPTY;
    for (tag, values) in from.permissive_tags() {
        let image = table.image(values);
        let targets: Vec<Bits> = to.permissive.iter().copied().filter(|t| t.meets(image)).collect();
        if targets.len() > 1 || image.meets(taken) || targets.iter().any(|t| t.meets(taken)) {
            let flaw = Flaw::Loses(format!("tag `{tag}` needs one permissive tag of its own"));
            return Err(wrong(item, flaw));
        }
        taken = targets.into_iter().fold(taken, Bits::or);
    }
    Ok(())
}

fn check_round_trip(there: &Table, back: &Table, item: &str) -> Result<(), PolicyError> {
    for (level, target) in (0_u8..).zip(&there.levels) {
        let target = target.and_then(|target| back.levels.get(usize::from(target)).copied());
        if target.flatten().is_some_and(|returned| returned < level) {
            let flaw = Flaw::Loses("there and back, a level becomes less sensitive".into());
            return Err(wrong(item, flaw));
        }
    }
    Ok(())
}

fn kind_of(catalogue: &Catalogue, value: usize) -> Option<TagKind> {
    let tag = catalogue.values.get(value)?.tag;
    catalogue.tags.get(usize::from(tag)).map(|tag| tag.kind)
}

fn item(written: &Written) -> String {
    format!("table `{}` to `{}`", written.from, written.to)
}

fn wrong(item: impl Into<String>, flaw: Flaw) -> PolicyError {
    PolicyError::content(FileKind::Translation, item, flaw)
}
