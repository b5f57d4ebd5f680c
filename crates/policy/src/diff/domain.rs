//! What there is to compare: levels, values and nodes of both policies, by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalogue::{Catalogue, TagKind},
    clearance::Clearance,
    names::Found,
    policy::Policy,
};

/// Old and new.
pub(super) type Both<T> = [T; 2];

/// A level in one spelling, with where it leads in either policy.
pub(super) struct LevelItem {
    pub(super) name: String,
    pub(super) on: Both<Option<Found>>,
}

/// A value in one spelling, with where it leads in either policy.
pub(super) struct ValueItem {
    pub(super) tag: usize,
    /// Without its tag.
    pub(super) name: String,
    pub(super) on: Both<Option<Found>>,
}

pub(super) struct TagItem {
    pub(super) name: String,
    pub(super) kind: Both<Option<TagKind>>,
}

/// A label policy as both policies have it.
pub(super) struct Domain<'a> {
    pub(super) policies: Both<&'a Policy>,
    /// With its place; none where the policy does not have it.
    pub(super) catalogues: Both<Option<(usize, &'a Catalogue)>>,
    pub(super) levels: Vec<LevelItem>,
    pub(super) tags: Vec<TagItem>,
    pub(super) values: Vec<ValueItem>,
}

/// What a node holds under the label policy.
#[derive(Clone, Copy, Default)]
pub(super) struct Holder {
    pub(super) clearance: Option<Clearance>,
    pub(super) carriage: Option<Clearance>,
    pub(super) transit: bool,
}

/// Nodes that nothing here tells apart.
pub(super) struct NodeClass<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) on: Both<Option<Holder>>,
}

/// The OIDs of the catalogues of both policies.
pub(super) fn catalogue_ids(old: &Policy, new: &Policy) -> BTreeSet<String> {
    let all = old.catalogues().iter().chain(new.catalogues());
    all.map(|catalogue| catalogue.id().to_owned()).collect()
}

impl<'a> Domain<'a> {
    pub(super) fn new(policies: Both<&'a Policy>, id: &str) -> Self {
        let find = |policy: &'a Policy| {
            policy.catalogues.iter().enumerate().find(|(_, catalogue)| catalogue.id() == id)
        };
        let catalogues = policies.map(find);
        let under = || catalogues.iter().flatten().map(|(_, catalogue)| *catalogue);
        let names: BTreeSet<&str> =
            under().flat_map(|c| c.level_names.iter().map(|(name, _)| name)).collect();
        let levels = names.into_iter().map(|name| LevelItem {
            name: name.into(),
            on: catalogues.map(|c| c.and_then(|(_, c)| c.level_names.find(name))),
        });
        let tag_names: BTreeSet<&str> =
            under().flat_map(|c| c.tags.iter().map(|tag| &*tag.id)).collect();
        let mut values = Vec::new();
        for (tag, tag_name) in tag_names.iter().enumerate() {
            let names: BTreeSet<&str> = under()
                .filter_map(|c| c.find_tag(tag_name))
                .flat_map(|(_, tag)| tag.names.iter().map(|(name, _)| name))
                .collect();
            values.extend(names.into_iter().map(|name| {
                let find =
                    |c: Option<(usize, &Catalogue)>| c?.1.find_tag(tag_name)?.1.names.find(name);
                ValueItem { tag, name: name.into(), on: catalogues.map(find) }
            }));
        }
        let tags = tag_names.iter().map(|name| TagItem {
            name: (*name).to_owned(),
            kind: catalogues.map(|c| c?.1.find_tag(name).map(|(_, tag)| tag.kind)),
        });
        Self { policies, catalogues, levels: levels.collect(), tags: tags.collect(), values }
    }

    /// The nodes of both policies, those together that nothing tells apart.
    pub(super) fn node_classes(&self) -> Vec<NodeClass<'a>> {
        let names: BTreeSet<&str> = self
            .policies
            .iter()
            .flat_map(|policy| policy.federation.nodes().map(|(_, node)| node.id()))
            .collect();
        let mut classes: BTreeMap<Vec<u64>, NodeClass<'a>> = BTreeMap::new();
        for name in names {
            let on = [0, 1].map(|side| self.holder(side, name));
            let held = [0, 1].map(|side| self.key(side, on));
            let mentions = [0, 1].map(|side| self.mentions(side, name));
            // A hub stands for itself: it may be an end of a way and the hub of another.
            let hub = on.iter().flatten().any(|holder| holder.transit);
            let mut key: Vec<u64> = held.into_iter().chain(mentions).flatten().collect();
            if hub {
                key.extend(name.bytes().map(u64::from));
            }
            let class = classes.entry(key);
            class.or_insert_with(|| NodeClass { names: Vec::new(), on }).names.push(name);
        }
        classes.into_values().collect()
    }

    fn holder(&self, side: usize, name: &str) -> Option<Holder> {
        let policy = self.policies.get(side)?;
        let member = policy.federation.by_id(name).and_then(|node| policy.member(node))?;
        let key = self.catalogues.get(side).copied().flatten().map(|(_, c)| c.key);
        let under = |held: &[Clearance]| held.iter().find(|c| Some(c.catalogue) == key).copied();
        Some(Holder {
            clearance: under(&member.clearances),
            carriage: under(&member.carriage),
            transit: member.transit,
        })
    }

    /// What a node holds, by the names of levels and values, so that both policies can be compared.
    fn key(&self, side: usize, on: Both<Option<Holder>>) -> Vec<u64> {
        let Some(holder) = on.get(side).copied().flatten() else {
            return vec![0];
        };
        let mut key = vec![1, u64::from(holder.transit)];
        for held in [holder.clearance, holder.carriage] {
            let Some(held) = held else {
                key.push(0);
                continue;
            };
            key.push(1);
            let levels = self.levels.iter().map(|level| {
                let found = level.on.get(side).copied().flatten();
                found.is_some_and(|found| (held.levels >> (found.index & 63)) & 1 == 1)
            });
            pack(levels, &mut key);
            let values = self.values.iter().map(|value| {
                let found = value.on.get(side).copied().flatten();
                found.is_some_and(|found| held.grants.has(found.index))
            });
            pack(values, &mut key);
        }
        key
    }

    /// Which rules of a policy name a node.
    fn mentions(&self, side: usize, name: &str) -> Vec<u64> {
        let mut key = vec![2];
        let policy = self.policies.get(side);
        let node = policy.and_then(|policy| policy.federation.by_id(name));
        let rules = policy.into_iter().flat_map(|policy| &policy.rules);
        let lists = rules.flat_map(|rule| [&rule.when.from, &rule.when.to]).flatten();
        pack(lists.map(|list| node.is_some_and(|node| list.contains(&node))), &mut key);
        key
    }
}

fn pack(bits: impl Iterator<Item = bool>, into: &mut Vec<u64>) {
    let (mut word, mut count) = (0_u64, 0_u32);
    for bit in bits {
        word |= u64::from(bit) << count;
        count += 1;
        if count == 64 {
            into.push(word);
            (word, count) = (0, 0);
        }
    }
    into.push(word);
}
