//! Going through everything, and putting together what comes out alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    change::{
        Change, ChangeKind, DIFF_CHANGES_MAX, DIFF_LABELS_MAX, DIFF_WORK_MAX, FieldChange, Note,
        PolicyDiff,
    },
    context::{Context, FORMS, Way},
    domain::{Both, Domain, LevelItem, NodeClass},
    terms::{Lexicon, Plain},
};
use crate::policy::Policy;

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    /// Changes without their ends, with the ends.
    changes: BTreeMap<Change, BTreeSet<(String, String)>>,
    pub(super) notes: Vec<Note>,
    work: u64,
    left_out: usize,
    widens_left_out: bool,
    too_much: bool,
}

/// A difference in the outcome of one label, with the place of the terms that differ.
type Outcome = (ChangeKind, Option<usize>);
/// The forms and types in which it comes out like that: every form with every type.
type When = (Vec<usize>, Vec<usize>);

impl Found {
    pub(super) fn complete(&self) -> bool {
        !self.too_much
    }

    /// Takes work off the budget; false when it is used up.
    fn afford(&mut self, work: u64) -> bool {
        self.work = self.work.saturating_add(work);
        self.too_much |= self.work > DIFF_WORK_MAX;
        !self.too_much
    }

    fn add(&mut self, change: Change, ends: BTreeSet<(String, String)>) {
        if self.changes.len() >= DIFF_CHANGES_MAX && !self.changes.contains_key(&change) {
            self.left_out += 1;
            self.widens_left_out |= change.widens;
            return;
        }
        self.changes.entry(change).or_default().extend(ends);
    }

    pub(super) fn conclude(self) -> PolicyDiff {
        let mut changes = Vec::new();
        for (change, ends) in self.changes {
            for (from, to) in rectangles(&ends) {
                changes.push(Change { from, to, ..change.clone() });
            }
        }
        let widens = changes.iter().any(|change| change.widens)
            || self.notes.iter().any(|note| note.widens)
            || self.widens_left_out
            || self.too_much;
        PolicyDiff {
            widens,
            complete: !self.too_much,
            changes,
            changes_left_out: self.left_out,
            notes: self.notes,
        }
    }
}

/// Pairs as few products of senders and recipients.
fn rectangles(ends: &BTreeSet<(String, String)>) -> Vec<(Vec<String>, Vec<String>)> {
    let mut by_from: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (from, to) in ends {
        by_from.entry(from).or_default().push(to.clone());
    }
    let mut by_to: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (from, to) in by_from {
        by_to.entry(to).or_default().push(from.clone());
    }
    by_to.into_iter().map(|(to, from)| (from, to)).collect()
}

/// Compares one label policy.
pub(super) fn catalogue(policies: Both<&Policy>, id: &str, found: &mut Found) {
    let domain = Domain::new(policies, id);
    let lexicon = Lexicon::new(policies);
    let nodes = domain.node_classes();
    let hubs: Vec<&NodeClass<'_>> = nodes.iter().filter(|class| is_hub(class)).collect();
    let name = domain.catalogues.iter().flatten().next().map_or(id, |(_, c)| c.name());
    for from in &nodes {
        for to in &nodes {
            let vias = [None].into_iter().chain(hubs.iter().copied().map(Some));
            let apart = |a: &NodeClass<'_>, b: &NodeClass<'_>| a.names != b.names;
            let vias = vias.filter(|via| via.is_none_or(|hub| apart(hub, from) && apart(hub, to)));
            for via in vias {
                let way = Way { from, to, via };
                for level in &domain.levels {
                    if !one_level(&domain, &lexicon, (name, level), way, found) {
                        return;
                    }
                }
            }
        }
    }
}

fn is_hub(class: &NodeClass<'_>) -> bool {
    class.on.iter().flatten().any(|holder| holder.transit)
}

/// Compares one level on one way; false when the work is too much.
fn one_level(
    domain: &Domain<'_>,
    lexicon: &Lexicon,
    (policy, level): (&str, &LevelItem),
    way: Way<'_>,
    found: &mut Found,
) -> bool {
    // Reading what there is costs about as much as comparing this many combinations.
    if !found.afford(1 + domain.values.len() as u64) {
        return false;
    }
    let Some(context) = Context::new(domain, lexicon, level, way) else {
        found.too_much = true;
        return false;
    };
    if context.is_same() {
        return true;
    }
    let Some(labels) = context.labels() else {
        found.too_much = true;
        return false;
    };
    let kinds = context.types.len() as u64;
    if !found.afford(labels * kinds * FORMS.len() as u64) {
        return false;
    }
    let mut differences = Differences { lexicon, met: Vec::new() };
    let mut outcomes: BTreeMap<(Outcome, When), Vec<u64>> = BTreeMap::new();
    for label in 0..labels {
        // By form the types, so that what comes out alike is told as forms times types.
        let mut of_label: BTreeMap<(Outcome, usize), Vec<usize>> = BTreeMap::new();
        for form in 0..FORMS.len() {
            for (place, (kind, _)) in context.types.iter().enumerate() {
                if let Some(outcome) = differences.outcome(&context, label, form, *kind) {
                    of_label.entry((outcome, form)).or_default().push(place);
                }
            }
        }
        let mut products: BTreeMap<(Outcome, Vec<usize>), Vec<usize>> = BTreeMap::new();
        for ((outcome, form), types) in of_label {
            products.entry((outcome, types)).or_default().push(form);
        }
        for ((outcome, types), forms) in products {
            outcomes.entry((outcome, (forms, types))).or_default().push(label);
        }
    }
    for ((outcome, when), labels) in outcomes {
        let what = (outcome.0, differences.fields(&outcome));
        let change = describe(domain, &context, (policy, level), way, (what, &when, &labels));
        found.add(change, ends(way));
    }
    true
}

/// What one policy asks of a label, and whether a new message may have it.
type Asked = (Plain, bool);

/// Differences in terms that were met on one way: few, and each many times.
struct Differences<'a> {
    lexicon: &'a Lexicon,
    met: Vec<(Both<Asked>, Vec<FieldChange>)>,
}

impl Differences<'_> {
    /// What happens to one label; none when nothing does.
    fn outcome(
        &mut self,
        context: &Context<'_>,
        label: u64,
        form: usize,
        kind: u8,
    ) -> Option<Outcome> {
        let [old, new] = &context.views;
        match (old.outcome(label, form, kind), new.outcome(label, form, kind)) {
            (None, None) => None,
            (None, Some(_)) => Some((ChangeKind::NewlyPermitted, None)),
            (Some(_), None) => Some((ChangeKind::NewlyDenied, None)),
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => {
                let place = self.place([old, new]);
                let differs = self.met.get(place).is_some_and(|(_, fields)| !fields.is_empty());
                differs.then_some((ChangeKind::Obligations, Some(place)))
            }
        }
    }

    fn place(&mut self, pair: Both<Asked>) -> usize {
        if let Some(place) = self.met.iter().position(|(met, _)| *met == pair) {
            return place;
        }
        let [(old, old_fresh), (new, new_fresh)] = &pair;
        let mut fields = self.lexicon.changes(old, new);
        if old_fresh != new_fresh {
            let word = |fresh: bool| if fresh { "allowed" } else { "refused" }.to_owned();
            fields.push(FieldChange {
                field: "origination",
                old: word(*old_fresh),
                new: word(*new_fresh),
                looser: *new_fresh,
            });
        }
        self.met.push((pair, fields));
        self.met.len() - 1
    }

    fn fields(&self, outcome: &Outcome) -> Vec<FieldChange> {
        let met = outcome.1.and_then(|place| self.met.get(place));
        met.map_or_else(Vec::new, |(_, fields)| fields.clone())
    }
}

/// Every sender with every recipient of a way. A class of one node sends to itself; members of a
/// larger one send to each other and to themselves alike.
fn ends(way: Way<'_>) -> BTreeSet<(String, String)> {
    let to = || way.to.names.iter().map(|name| (*name).to_owned());
    let from = way.from.names.iter().map(|name| (*name).to_owned());
    from.flat_map(|from| to().map(move |to| (from.clone(), to))).collect()
}

fn describe(
    domain: &Domain<'_>,
    context: &Context<'_>,
    (policy, level): (&str, &LevelItem),
    way: Way<'_>,
    ((kind, fields), (forms, types), labels): ((ChangeKind, Vec<FieldChange>), &When, &[u64]),
) -> Change {
    let widens = match kind {
        ChangeKind::NewlyPermitted => true,
        ChangeKind::NewlyDenied => false,
        ChangeKind::Obligations => fields.iter().any(|field| field.looser),
    };
    let types = types.iter().filter_map(|place| context.types.get(*place));
    let written = |label: u64| {
        let numbered = (0_u32..).zip(&context.classes);
        let chosen = numbered.filter(|(place, _)| (label >> place) & 1 == 1);
        let text = |(_, class): (u32, &super::context::ValueClass<'_>)| {
            let values: Vec<&str> = class.values.iter().map(|v| v.name.as_str()).collect();
            let tag = domain.tags.get(class.tag).map_or("", |tag| &tag.name);
            format!("{tag}:{}", values.join("|"))
        };
        chosen.map(text).collect::<Vec<String>>()
    };
    Change {
        kind,
        widens,
        policy: policy.into(),
        level: level.name.clone(),
        labels: least(labels).into_iter().map(written).collect(),
        label_kinds: labels.len(),
        from: Vec::new(),
        to: Vec::new(),
        via: way.via.and_then(|hub| hub.names.first()).map(|name| (*name).to_owned()),
        forms: forms.iter().filter_map(|form| FORMS.get(*form).copied()).collect(),
        types: types.flat_map(|(_, words)| words.iter().copied()).collect(),
        fields,
    }
}

/// The labels that have no other of them as a part, fewest values first.
fn least(labels: &[u64]) -> Vec<u64> {
    let mut sorted = labels.to_vec();
    sorted.sort_by_key(|label| (label.count_ones(), *label));
    let mut least: Vec<u64> = Vec::new();
    for label in sorted {
        if least.len() < DIFF_LABELS_MAX && !least.iter().any(|part| part & !label == 0) {
            least.push(label);
        }
    }
    least
}
