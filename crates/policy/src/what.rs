//! From one node to another: every label that can go, and what each needs.
//!
//! Conditions on different tags are independent of each other, so the answer is by level and by
//! tag, not by every combination: complete, and short enough to read.

mod render;

use serde::Serialize;

use crate::{
    bits::Bits,
    catalogue::{Catalogue, Tag, TagKind},
    clearance::Clearance,
    explain::ExplainedRule,
    gates::Holding,
    label::Label,
    merge::{Terms, Transit},
    nearest::UnknownNode,
    node_id::NodeId,
    obligations::Obligations,
    plan::Compiled,
    policy::Policy,
    reason::{Gate, Reason},
    report::{Duties, Told},
    text::Phrase,
    who::refusals,
};

/// Hubs that are looked at for one pair of nodes, in the order of the federation. More: left out.
pub const WHAT_HUBS_MAX: usize = 16;

/// All labels of one policy that can go from one node to another.
///
/// A label that the catalogue allows can go over a form of a route exactly when the form is
/// [`open`](WhatForm::open), each of its tags satisfies the [`WhatTag`] of the form, and no rule
/// of [`WhatLevel::rules`] that it meets forbids it or asks for what the form is not. What it then
/// needs is [`WhatLevel::asks`] with what those rules add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct What {
    /// The id of the node that sends.
    pub from: String,
    /// The id of the node that receives.
    pub to: String,
    /// The policy whose labels these are: the one that governs the sender.
    pub policy: String,
    /// Least sensitive first.
    pub levels: Vec<WhatLevel>,
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatLevel {
    /// Its id.
    pub level: String,
    /// The same for people.
    pub marking: Phrase,
    /// Some label at this level can go.
    pub can_go: bool,
    /// What stands against every label at this level, whatever the way.
    pub never: Vec<Told>,
    /// What every message at this level must satisfy.
    pub asks: Duties,
    /// Tags without which a label at this level is not valid.
    pub required_tags: Vec<String>,
    /// Values that may not stand with this level.
    pub excluded_values: Vec<String>,
    /// The direct way, then each hub that is linked to both ends.
    pub routes: Vec<WhatRoute>,
    /// Rules that speak of some messages at this level only, with when they do.
    pub rules: Vec<WhatRule>,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatRoute {
    /// The hub; none for the direct way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Sealed end to end.
    pub sealed: WhatForm,
    /// In clear.
    pub clear: WhatForm,
}

/// A way with or without sealing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatForm {
    /// Some label can go like this.
    pub open: bool,
    /// Why not.
    pub why: Vec<Told>,
    /// What may stand in a label that goes like this; tags of the catalogue in order. Empty when
    /// it is not open.
    pub tags: Vec<WhatTag>,
}

/// What a label may have of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatTag {
    /// The tag.
    pub tag: String,
    /// `restrictive`, `permissive` or `informative`.
    pub kind: &'static str,
    /// Values that may stand in the label. For a permissive tag any may, as long as `one_of` is
    /// satisfied.
    pub usable: Vec<String>,
    /// For a permissive tag that stands in the label: it must have one of the values of each of
    /// these nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<WhatNeed>,
}

/// The values of a permissive tag that let one node in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatNeed {
    /// The id of the node.
    pub node: String,
    /// The values that it holds; when there are none, the tag cannot stand in the label at all.
    pub values: Vec<String>,
}

/// A rule that speaks of some messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatRule {
    /// All these values must stand in the label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// One of these values must stand in the label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<String>,
    /// The message is of one of these types; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<&'static str>,
    /// The rule and what it asks.
    #[serde(flatten)]
    pub rule: ExplainedRule,
}

/// The two ends, with the catalogue that is asked about.
#[derive(Clone, Copy)]
struct Pair<'a> {
    from: NodeId,
    to: NodeId,
    place: usize,
    catalogue: &'a Catalogue,
}

impl Policy {
    /// Tells every label that can go from one node to another, and what each needs.
    ///
    /// Only for labels of the policy that governs the sender; holds until the policy changes.
    ///
    /// # Errors
    /// One of the two is not a node.
    pub fn what(&self, from: &str, to: &str) -> Result<What, UnknownNode> {
        let (from, to) = (self.require_node(from)?, self.require_node(to)?);
        let place = self.member(from).map_or(0, |member| member.governing);
        let id = |node| self.federation.get(node).map_or("?", |node| node.id()).to_owned();
        let catalogue = self.catalogues.get(place);
        let levels = catalogue.map_or_else(Vec::new, |catalogue| {
            let pair = Pair { from, to, place, catalogue };
            (0..).zip(&catalogue.levels).map(|(level, _)| self.what_level(pair, level)).collect()
        });
        let policy = catalogue.map_or("?", Catalogue::name).to_owned();
        Ok(What { from: id(from), to: id(to), policy, levels })
    }

    fn what_level(&self, pair: Pair<'_>, level: u8) -> WhatLevel {
        let catalogue = pair.catalogue;
        let label = Label { catalogue: catalogue.key, level, values: Bits::EMPTY };
        let spoken = || self.speaking(pair, level);
        let always = spoken().filter(|rule| !rule.when.is_conditional());
        let always = always.fold(Terms::NEUTRAL, |terms, rule| terms.merge(&rule.then));
        let sometimes = spoken().filter(|rule| rule.when.is_conditional());
        let mut refused = refusals(catalogue, &label, &always);
        if spoken().any(|rule| rule.then.covered) {
            refused.retain(|reason| !matches!(reason, Reason::NoRule(_)));
        }
        let routes = self.what_routes(pair, &label, &always, refused.is_empty());
        let written = catalogue.levels.get(usize::from(level));
        let required = written.into_iter().flat_map(|level| &*level.required);
        let required = required.filter_map(|tag| catalogue.tags.get(usize::from(*tag)));
        WhatLevel {
            level: written.map_or("", |level| &*level.id).into(),
            marking: Phrase::build(|lang| catalogue.marking(&label, lang)),
            can_go: routes.iter().any(|route| route.sealed.open || route.clear.open),
            never: refused.iter().map(Told::from).collect(),
            asks: self.duties(&Obligations::new(label, &always, false)),
            required_tags: required.map(|tag| tag.id.to_string()).collect(),
            excluded_values: catalogue.written(written.map_or(Bits::EMPTY, |l| l.excluded)),
            routes,
            rules: sometimes.map(|rule| self.what_rule(pair, rule, label)).collect(),
        }
    }

    /// The rules that speak of a level between the two.
    fn speaking<'a>(&'a self, pair: Pair<'_>, level: u8) -> impl Iterator<Item = &'a Compiled> {
        let Pair { from, to, place, .. } = pair;
        let under = self.rules.iter().filter(move |rule| rule.catalogue == place);
        under.filter(move |rule| {
            (rule.levels >> (level & 63)) & 1 == 1 && rule.when.is_between(from, to)
        })
    }

    fn what_rule(&self, pair: Pair<'_>, rule: &Compiled, label: Label) -> WhatRule {
        let written = |set: Bits| pair.catalogue.written(set);
        WhatRule {
            has: written(rule.when.has),
            any: rule.when.any.map_or_else(Vec::new, written),
            types: rule.when.type_words(),
            rule: self.explain_rule(rule, label),
        }
    }

    fn what_routes(
        &self,
        pair: Pair<'_>,
        label: &Label,
        always: &Terms,
        possible: bool,
    ) -> Vec<WhatRoute> {
        let federation = &self.federation;
        let direct = federation.linked(pair.from, pair.to) || pair.from == pair.to;
        let hubs = self.federation.hubs_between(pair.from, pair.to).take(WHAT_HUBS_MAX);
        let ways = direct.then_some(None).into_iter().chain(hubs.map(Some));
        let form = |via, sealed| self.what_form(pair, label, always, (via, sealed, possible));
        ways.map(|via: Option<NodeId>| WhatRoute {
            via: via.and_then(|hub| federation.get(hub)).map(|hub| hub.id().into()),
            sealed: form(via, true),
            clear: form(via, false),
        })
        .collect()
    }

    fn what_form(
        &self,
        pair: Pair<'_>,
        label: &Label,
        always: &Terms,
        (via, sealed, possible): (Option<NodeId>, bool, bool),
    ) -> WhatForm {
        let catalogue = pair.catalogue;
        let level = || catalogue.level(label).map(|level| level.marking.clone());
        let mut reasons = Vec::new();
        let transit = always.transit();
        if via.is_some() && transit == Transit::No {
            reasons.extend(level().map(Reason::TransitForbidden));
        }
        if !sealed && (always.seal || (via.is_some() && transit == Transit::Sealed)) {
            reasons.push(Reason::SealRequired);
        }
        let hub = via.map(|hub| {
            let by = if sealed { Holding::Carriage } else { Holding::Clearance };
            (Gate::Next, hub, by)
        });
        let ends = [(Gate::Origin, pair.from), (Gate::Dest, pair.to)];
        let ends = ends.map(|(gate, node)| (gate, node, Holding::Clearance));
        let [origin, dest] = ends;
        let asked: Vec<(Gate, NodeId, Holding)> =
            [origin].into_iter().chain(hub).chain([dest]).collect();
        for (gate, node, by) in &asked {
            self.ask_one(*gate, *node, *by, (catalogue, label), &mut reasons);
        }
        let tags = self.what_tags(pair, label, &asked);
        let required = catalogue.level(label).map_or(&[][..], |level| &level.required);
        let lacking = required.iter().filter_map(|tag| catalogue.tags.get(usize::from(*tag)));
        let satisfied = |tag: &&Tag| tags.iter().any(|t| t.tag == *tag.id && t.can_stand());
        let mut missing = lacking.filter(|tag| !satisfied(tag)).peekable();
        let closed = missing.peek().is_some();
        reasons.extend(
            missing
                .map(|tag| Reason::Label(crate::LabelFault::RequiredCategory(tag.id.to_string()))),
        );
        let open = possible && reasons.is_empty() && !closed;
        let why = reasons.iter().map(Told::from).collect();
        WhatForm { open, why, tags: if open { tags } else { Vec::new() } }
    }

    fn what_tags(
        &self,
        pair: Pair<'_>,
        label: &Label,
        asked: &[(Gate, NodeId, Holding)],
    ) -> Vec<WhatTag> {
        let catalogue = pair.catalogue;
        let level = catalogue.level(label);
        let excluded = level.map_or(Bits::EMPTY, |level| level.excluded);
        let held: Vec<(NodeId, Bits)> = asked
            .iter()
            .map(|(_, node, by)| {
                (*node, self.held(*node, *by, label).map_or(Bits::EMPTY, |c| c.grants))
            })
            .collect();
        let tag = |tag: &Tag| {
            let values = tag.values.minus(excluded);
            let all = held.iter().fold(values, |set, (_, grants)| set.and(*grants));
            let id = |node: NodeId| self.federation.get(node).map_or("?", |node| node.id());
            let one_of = held.iter().map(|(node, grants)| WhatNeed {
                node: id(*node).into(),
                values: bare(catalogue, values.and(*grants)),
            });
            let (kind, usable) = match tag.kind {
                TagKind::Restrictive => ("restrictive", all),
                TagKind::Permissive => ("permissive", values),
                TagKind::Informative => ("informative", values),
            };
            let permissive = tag.kind == TagKind::Permissive;
            WhatTag {
                tag: tag.id.to_string(),
                kind,
                usable: bare(catalogue, usable),
                one_of: if permissive { one_of.collect() } else { Vec::new() },
            }
        };
        catalogue.tags.iter().map(tag).collect()
    }

    fn held(&self, node: NodeId, by: Holding, label: &Label) -> Option<&Clearance> {
        let member = self.member(node)?;
        let held = match by {
            Holding::Clearance | Holding::Person => &member.clearances,
            Holding::Carriage => &member.carriage,
        };
        held.iter().find(|clearance| clearance.catalogue == label.catalogue)
    }
}

/// The values without their tag.
fn bare(catalogue: &Catalogue, set: Bits) -> Vec<String> {
    catalogue.values(set).map(|value| value.id.to_string()).collect()
}

impl WhatTag {
    /// True when a label that goes may have some value of the tag.
    fn can_stand(&self) -> bool {
        !self.usable.is_empty() && self.one_of.iter().all(|need| !need.values.is_empty())
    }
}
