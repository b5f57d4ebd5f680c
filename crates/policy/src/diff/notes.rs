//! Changes whose effect is not compared message by message.

use std::collections::BTreeMap;

use super::change::Note;
use crate::{catalogue::Catalogue, federation::Node, policy::Policy, translate::Table};

/// Notes everything about reading labels, about links and about tables.
pub(super) fn note_all(old: &Policy, new: &Policy, notes: &mut Vec<Note>) {
    for catalogue in new.catalogues() {
        let before = old.catalogues().iter().find(|c| c.id() == catalogue.id());
        if let Some(before) = before {
            note_catalogue(before, catalogue, notes);
        }
    }
    note_nodes(old, new, notes);
    note_links(old, new, notes);
    note_tables(old, new, notes);
    notes.sort();
    notes.dedup();
}

fn note(notes: &mut Vec<Note>, widens: bool, text: String) {
    notes.push(Note { widens, text });
}

fn note_catalogue(old: &Catalogue, new: &Catalogue, notes: &mut Vec<Note>) {
    let name = new.name();
    if old.name() != name {
        note(notes, true, format!("catalogue {} is now called {name}", old.name()));
    }
    if old.folds() != new.folds() {
        let text = format!(
            "catalogue {name}: letters of either case are {}",
            match new.folds() {
                true => "now the same",
                false => "no longer the same",
            }
        );
        note(notes, new.folds(), text);
    }
    let default = |c: &Catalogue| {
        let level = c.default.and_then(|level| c.levels.get(usize::from(level)));
        level.map_or("none", |level| &*level.id).to_owned()
    };
    let (before, after) = (default(old), default(new));
    if before != after {
        // What the other default admits is not compared: it depends on both levels.
        let text =
            format!("catalogue {name}: unlabelled content counted as {before}, now as {after}");
        note(notes, new.default.is_some(), text);
    }
    let common = |a: &Catalogue, b: &Catalogue| -> Vec<String> {
        let known = |level: &&str| b.levels().any(|other| other == *level);
        a.levels().filter(known).map(Into::into).collect()
    };
    if common(old, new) != common(new, old) {
        let text = format!("catalogue {name}: the order of the levels changes");
        note(notes, true, text);
    }
    for tag in &new.tags {
        let before = old.tags.iter().find(|before| before.id == tag.id);
        if before.is_some_and(|before| before.kind != tag.kind) {
            let text = format!("catalogue {name}: tag {} is of another kind", tag.id);
            note(notes, true, text);
        }
    }
}

fn note_nodes(old: &Policy, new: &Policy, notes: &mut Vec<Note>) {
    let governs = |policy: &Policy, id: &str| {
        let node = policy.federation.by_id(id)?;
        let place = policy.member(node)?.governing;
        policy.catalogues.get(place).map(|catalogue| catalogue.id().to_owned())
    };
    for (_, node) in new.federation.nodes() {
        let id = node.id();
        match (governs(old, id), governs(new, id)) {
            // Whoever names a new member lets its authority in, whatever the labels say.
            (None, _) => note(notes, true, format!("node {id} is new")),
            (Some(before), Some(after)) if before != after => {
                note(notes, true, format!("node {id} is governed by another policy"));
            }
            (Some(_), _) => {}
        }
        let before = old.federation.by_id(id).and_then(|node| old.federation.get(node));
        if let Some(before) = before {
            note_member(before, node, notes);
        }
    }
    for (_, node) in old.federation.nodes() {
        if new.federation.by_id(node.id()).is_none() {
            note(notes, false, format!("node {} is gone", node.id()));
        }
    }
}

/// What a member is trusted by. Whoever can replace a key or a place takes the member's part, whatever the
/// labels say.
fn note_member(old: &Node, new: &Node, notes: &mut Vec<Note>) {
    let id = new.id();
    if old.domain() != new.domain() {
        note(notes, true, format!("node {id} stands for another trust domain"));
    }
    let keys = [
        ("another certificate authority", old.ca() != new.ca()),
        ("other sealing keys", old.sealing_keys() != new.sealing_keys()),
        ("other release keys", old.release_keys() != new.release_keys()),
        ("another log key", old.log() != new.log()),
        ("another witness key", old.witness() != new.witness()),
    ];
    for (key, _) in keys.into_iter().filter(|(_, is_other)| *is_other) {
        note(notes, true, format!("node {id} has {key}"));
    }
    if old.endpoints() != new.endpoints() {
        note(notes, true, format!("node {id} is reached at another place"));
    }
}

/// Links between nodes that are in both: a new one is a way that was not there.
fn note_links(old: &Policy, new: &Policy, notes: &mut Vec<Note>) {
    let both: Vec<&str> = old
        .federation
        .nodes()
        .map(|(_, node)| node.id())
        .filter(|id| new.federation.by_id(id).is_some())
        .collect();
    let linked = |policy: &Policy, a: &str, b: &str| {
        let federation = &policy.federation;
        let pair = federation.by_id(a).zip(federation.by_id(b));
        pair.is_some_and(|(a, b)| federation.linked(a, b))
    };
    let changed = |id: &&str| old.federation.link_names(id) != new.federation.link_names(id);
    let changed: Vec<&str> = both.iter().copied().filter(changed).collect();
    for a in &changed {
        for b in &both {
            if changed.contains(b) && b < a {
                continue;
            }
            match (linked(old, a, b), linked(new, a, b)) {
                (false, true) => note(notes, true, format!("{a} and {b} are now linked")),
                (true, false) => note(notes, false, format!("{a} and {b} are no longer linked")),
                (true, true) | (false, false) => {}
            }
        }
    }
}

// === translation tables ===

/// What a table says, by name: comparable between policies.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    signer: String,
    reads: bool,
    times: (i64, i64),
    levels: BTreeMap<String, Option<(usize, String)>>,
    values: BTreeMap<String, Option<Vec<String>>>,
    adds: Vec<String>,
}

fn note_tables(old: &Policy, new: &Policy, notes: &mut Vec<Note>) {
    let (before, after) = (rows(old), rows(new));
    for (pair, old_rows) in &before {
        let [from, to] = pair;
        if !after.contains_key(pair) {
            // Without a table the labels are refused, unless rules of their own let them move.
            let ruled = new.catalogues.iter().position(|c| c.id() == from);
            let ruled = ruled.and_then(|place| new.plans.get(place)).is_some_and(Option::is_some);
            let text = format!("the table from {from} to {to} is gone");
            note(notes, ruled && old_rows.iter().any(|row| row.reads), text);
        }
    }
    for (pair, new_rows) in &after {
        let [from, to] = pair;
        match before.get(pair).map(Vec::as_slice) {
            None => note(notes, true, format!("the table from {from} to {to} is new")),
            Some(old_rows) if old_rows == new_rows.as_slice() => {}
            Some([old_row]) if new_rows.len() == 1 => {
                for new_row in new_rows {
                    note_row(&format!("table from {from} to {to}"), old_row, new_row, notes);
                }
            }
            Some(_) => note(notes, true, format!("the tables from {from} to {to} change")),
        }
    }
}

fn note_row(name: &str, old: &Row, new: &Row, notes: &mut Vec<Note>) {
    if old.signer != new.signer {
        let text =
            format!("{name}: labels by {} are now trusted instead of {}", new.signer, old.signer);
        note(notes, true, text);
    }
    if old.reads != new.reads {
        note(notes, new.reads, format!("{name}: is now used on other messages"));
    }
    if old.times != new.times {
        let within = new.times.0 >= old.times.0 && new.times.1 <= old.times.1;
        note(notes, !within, format!("{name}: reads labels of another time"));
    }
    for (level, target) in &new.levels {
        let before = old.levels.get(level).cloned().flatten();
        if before != *target {
            let lower = |(rank, _): &(usize, String)| before.as_ref().is_none_or(|b| *rank <= b.0);
            let to = target.as_ref().map_or("refused", |(_, name)| name.as_str());
            note(
                notes,
                target.as_ref().is_some_and(lower),
                format!("{name}: {level} becomes {to}"),
            );
        }
    }
    for (value, target) in &new.values {
        let before = old.values.get(value).cloned().flatten();
        if before != *target {
            // A refusal is never wider; anything else may be, one way or the other.
            note(notes, target.is_some(), format!("{name}: {value} is translated otherwise"));
        }
    }
    if old.adds != new.adds {
        let dropped = old.adds.iter().any(|value| !new.adds.contains(value));
        note(notes, dropped, format!("{name}: adds {}", new.adds.join(", ")));
    }
}

fn rows(policy: &Policy) -> BTreeMap<[String; 2], Vec<Row>> {
    let mut rows: BTreeMap<[String; 2], Vec<Row>> = BTreeMap::new();
    for table in &policy.tables {
        let from = policy.catalogues.get(table.from);
        let to = policy.catalogues.get(table.to);
        if let Some((from, to)) = from.zip(to) {
            let pair = [from, to].map(|catalogue| catalogue.id().to_owned());
            rows.entry(pair).or_default().push(row(table, from, to));
        }
    }
    rows.values_mut().for_each(|rows| rows.sort());
    rows
}

fn row(table: &Table, from: &Catalogue, to: &Catalogue) -> Row {
    let level = |place: u8| {
        let name = to.levels.get(usize::from(place)).map_or("", |level| &*level.id);
        (usize::from(place), name.to_owned())
    };
    let levels = from.levels().zip(table.level_map());
    let values = (0..=u8::MAX).zip(&from.values);
    let name = |index: u8| from.written(crate::bits::Bits::one(index)).join("");
    Row {
        signer: table.signer.to_string(),
        reads: table.is_read(),
        times: table.times(),
        levels: levels.map(|(id, target)| (id.to_owned(), target.map(level))).collect(),
        values: values
            .map(|(index, _)| (name(index), table.image_of(index).map(|set| to.written(set))))
            .collect(),
        adds: to.written(table.added()),
    }
}
