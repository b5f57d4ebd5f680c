//! One decision, taken apart: every step with what was needed and what was there.
//!
//! Nothing here decides. The outcome and its reasons are those of [`Policy::decide`]; the rest
//! shows what that decision looked at.

mod render;

use std::time::Duration;

use kuriiri_types::{Onward, Timestamp, WireLabel};
use serde::Serialize;

use crate::{
    approvals::counted,
    case::Case,
    catalogue::Catalogue,
    decide::{Decision, in_transit, passed},
    effective_label::Source,
    facts::Facts,
    gates::{Asked, Holding},
    label::{Label, Use},
    merge::{Terms, Transit},
    nearest::UnknownNode,
    obligations::Obligations,
    plan::Compiled,
    policy::Policy,
    report::{Duties, Told, Word},
    text::Phrase,
    units::bytes,
};

/// Everything about one decision, for people ([`render`](Self::render)) and programs (serde).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The outcome.
    pub decision: Word,
    /// Every reason of a denial, or everything that a hold waits for.
    pub reasons: Vec<Told>,
    /// Which label counts.
    pub label: ExplainedLabel,
    /// Every rule that matches, by id, with what it asks by itself.
    pub rules: Vec<ExplainedRule>,
    /// What all of them together ask; none when no label counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Duties>,
    /// Every node that was asked, in order.
    pub gates: Vec<ExplainedGate>,
    /// Every limit, kept or not.
    pub limits: Vec<ExplainedLimit>,
    /// What people have to do; empty when nothing is asked of them.
    pub acts: Vec<ExplainedAct>,
}

/// Which label counts, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedLabel {
    /// As the originator wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The label that the decision rests on; none when none can be relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marking: Option<Phrase>,
    /// Where the effective label comes from.
    pub source: LabelSource,
    /// Whether the originator's label is one that changes at a planned time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succession: Option<InForce>,
}

/// Where an effective label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelSource {
    /// It is the originator's own.
    Own,
    /// There was none, and the catalogue names a default.
    Default,
    /// A table of ours translates the originator's label.
    Translation,
    /// A trusted translator has read the originator's label for us.
    Alternative,
    /// No label can be relied on.
    None,
}

impl From<Source> for LabelSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Own => Self::Own,
            Source::Default => Self::Default,
            Source::Translated => Self::Translation,
            Source::Alternative => Self::Alternative,
        }
    }
}

/// Which of the two labels of a planned change binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InForce {
    /// The first: the time has not come.
    Old,
    /// The successor: the time has surely come.
    New,
    /// Both at once, while clocks may disagree.
    Both,
}

/// One rule that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedRule {
    /// Its id.
    pub id: String,
    /// It stands in a ministry's own file, and so can only tighten.
    pub local: bool,
    /// It forbids the message.
    pub forbids: bool,
    /// It says how the level is handled, so that the level may move at all.
    pub covers: bool,
    /// What it leaves of the way through hubs: `no`, `sealed` or `clear`.
    pub transit: &'static str,
    /// What it asks by itself.
    pub asks: Duties,
}

/// One node that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedGate {
    /// `origin`, `prev`, `self`, `next` or `dest`.
    pub gate: &'static str,
    /// The node's id; `?` for one that the federation does not know.
    pub node: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Phrase>,
    /// `clearance` (may read), `carriage` (may carry sealed) or `person` (who submits).
    pub by: &'static str,
    /// It may have the message.
    pub passed: bool,
    /// What the label needs: the level, then `TAG{…}`, of which a permissive tag needs one value
    /// and a restrictive one all.
    pub needs: Vec<String>,
    /// The levels held.
    pub levels: Vec<String>,
    /// The values held, groups included.
    pub grants: Vec<String>,
    /// What is lacking.
    pub lacks: Vec<Told>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedLimit {
    /// The code that a denial would give.
    pub code: &'static str,
    /// What is limited.
    pub what: Phrase,
    /// What the message has.
    pub given: String,
    /// What is allowed.
    pub allowed: String,
    /// The limit is kept.
    pub kept: bool,
}

/// Something that only people can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedAct {
    /// `approvals`, `role` with the role's name, or `consent`.
    pub act: String,
    /// How many are needed.
    pub need: usize,
    /// How many there are that count.
    pub have: usize,
}

impl Policy {
    /// Explains the decision on a case, whose names must all be those of nodes.
    ///
    /// # Errors
    /// A name that no node has, with those that look like it.
    pub fn explain(&self, case: &Case) -> Result<Explanation, UnknownNode> {
        case.check_names(self)?;
        Ok(case.with(self, |facts| self.explain_facts(case.now, facts)))
    }

    /// Explains the decision on any facts, unknown nodes included.
    pub fn explain_facts(&self, now: Timestamp, facts: &Facts<'_>) -> Explanation {
        let decision = self.decide(now, facts);
        let effective = self.effective_with(now, facts).ok();
        let mut explanation = Explanation {
            decision: decision.word(),
            reasons: decision.told(),
            label: self.explain_label(now, facts, effective.as_ref()),
            rules: Vec::new(),
            asked: None,
            gates: Vec::new(),
            limits: Vec::new(),
            acts: Vec::new(),
        };
        if let Some((label, _)) = effective
            && let Some((place, catalogue)) = self.home_of(&label)
        {
            let terms = self.terms(place, facts, &label);
            let rules = self.matching(facts, &label);
            explanation.rules = rules.map(|rule| self.explain_rule(rule, label)).collect();
            let asked = Obligations::new(label, &terms, in_transit(facts));
            explanation.asked = Some(self.duties(&asked));
            self.ask_gates(facts, catalogue, &label, |asked| {
                explanation.gates.push(self.explain_gate(&asked, catalogue, &label));
            });
            explanation.limits = explain_limits(now, facts, &terms, &decision);
            explanation.acts = self.explain_acts(now, facts, &terms);
        }
        explanation
    }

    fn explain_label(
        &self,
        now: Timestamp,
        facts: &Facts<'_>,
        effective: Option<&(Label, Source)>,
    ) -> ExplainedLabel {
        let source = effective.map_or(LabelSource::None, |(_, source)| (*source).into());
        let found = effective.and_then(|(label, _)| Some((self.catalogue_of(label)?, label)));
        let written = facts.label.filter(|label| !label.level.is_empty());
        ExplainedLabel {
            written: written.map(ToString::to_string),
            effective: found.and_then(|(c, label)| c.write(label)).map(|wire| wire.to_string()),
            marking: found.map(|(c, label)| Phrase::build(|lang| c.marking(label, lang))),
            source,
            succession: written.and_then(|wire| self.in_force_of(now, facts, wire)),
        }
    }

    fn in_force_of(&self, now: Timestamp, facts: &Facts<'_>, wire: &WireLabel) -> Option<InForce> {
        let (_, next) = wire.succession.as_deref()?;
        let catalogue = self.catalogue(&wire.policy)?;
        let resolve =
            |wire: &WireLabel| catalogue.resolve(wire, Use::Carriage, now, facts.skew).ok();
        let found = resolve(wire)?;
        let old = resolve(&WireLabel { succession: None, ..wire.clone() });
        let (old, new) = (old == Some(found), resolve(next) == Some(found));
        Some(match (old, new) {
            (true, false) => InForce::Old,
            (false, true) => InForce::New,
            (true, true) | (false, false) => InForce::Both,
        })
    }

    pub(crate) fn explain_rule(&self, rule: &Compiled, label: Label) -> ExplainedRule {
        // A rule that does not name the level leaves the way open; only those that do can close
        // it by saying nothing.
        let granted = if rule.then.covered { rule.then.granted } else { Some(Transit::Clear) };
        let alone = Terms { granted, ..rule.then };
        ExplainedRule {
            id: rule.id().into(),
            local: rule.local,
            forbids: rule.then.forbid,
            covers: rule.then.covered,
            transit: alone.transit().as_str(),
            asks: self.duties(&Obligations::new(label, &alone, false)),
        }
    }

    fn explain_gate(
        &self,
        asked: &Asked<'_>,
        catalogue: &Catalogue,
        label: &Label,
    ) -> ExplainedGate {
        let mut reasons = Vec::new();
        asked.note(catalogue, label, &mut reasons);
        let held = asked.held;
        let node = self.federation.get(asked.node);
        ExplainedGate {
            gate: asked.gate.as_str(),
            node: node.map_or("?", |node| node.id()).into(),
            name: asked.name().map(|name| Phrase::clone(&name)),
            by: match asked.by {
                Holding::Clearance => "clearance",
                Holding::Carriage => "carriage",
                Holding::Person => "person",
            },
            passed: asked.answer.is_ok(),
            needs: needs(catalogue, label),
            levels: held.map_or_else(Vec::new, |held| {
                catalogue.levels_in(held.levels).map(Into::into).collect()
            }),
            grants: held.map_or_else(Vec::new, |held| catalogue.written(held.grants)),
            lacks: reasons.iter().map(Told::from).collect(),
        }
    }

    fn explain_acts(&self, now: Timestamp, facts: &Facts<'_>, terms: &Terms) -> Vec<ExplainedAct> {
        let mut acts = Vec::new();
        let need = usize::from(terms.approvals);
        if need > 0 {
            let have = counted(now, facts).count();
            acts.push(ExplainedAct { act: "approvals".into(), need, have });
            for role in self.roles(terms.roles) {
                let have = counted(now, facts).filter(|a| a.roles.contains(&role)).count();
                acts.push(ExplainedAct { act: format!("role {role}"), need: 1, have });
            }
        }
        if facts.onward && terms.onward == Onward::OriginatorConsent {
            let have = usize::from(facts.consent);
            acts.push(ExplainedAct { act: "consent".into(), need: 1, have });
        }
        acts
    }
}

/// What a label asks of a clearance; informative tags ask nothing.
fn needs(catalogue: &Catalogue, label: &Label) -> Vec<String> {
    let level = catalogue.level_id(label).map(Into::into);
    let tags = catalogue.tags.iter().filter_map(|tag| {
        let values = tag.values.and(label.values);
        let asks = tag.kind != crate::TagKind::Informative && !values.is_empty();
        let ids = || catalogue.values(values).map(|v| v.id.to_string()).collect::<Vec<_>>();
        asks.then(|| format!("{}{{{}}}", tag.id, ids().join(",")))
    });
    level.into_iter().chain(tags).collect()
}

/// Every limit with what was held against it. Whether it is kept is read off the decision.
fn explain_limits(
    now: Timestamp,
    facts: &Facts<'_>,
    terms: &Terms,
    decision: &Decision,
) -> Vec<ExplainedLimit> {
    let codes = match decision {
        Decision::Deny(_) => decision.codes(),
        Decision::Permit(_) | Decision::Hold(..) => Vec::new(),
    };
    let mut limits = Vec::new();
    let mut note = |code: &'static str, what: [&str; 3], given: String, allowed: String| {
        let kept = !codes.iter().any(|failed| failed == code);
        let what = phrase(what);
        limits.push(ExplainedLimit { code, what, given, allowed, kept });
    };
    let transit = terms.transit();
    let way = if in_transit(facts) { "hub" } else { "direct" };
    let ways = match transit {
        Transit::No => "direct",
        Transit::Sealed => "direct, hub (sealed)",
        Transit::Clear => "direct, hub",
    };
    note("TRANSIT_FORBIDDEN", WAY, way.into(), ways.into());
    let sealed = |sealed: bool| if sealed { "sealed" } else { "clear" };
    let must = terms.seal || (in_transit(facts) && transit == Transit::Sealed);
    let allowed = if must { "sealed" } else { "sealed, clear" };
    note("SEAL_REQUIRED", FORM, sealed(facts.sealed).into(), allowed.into());
    let none = || "–".to_owned();
    let size = (terms.max_size != u64::MAX).then(|| bytes(terms.max_size));
    note("TOO_BIG", SIZE, bytes(facts.size), size.unwrap_or_else(none));
    let end = facts.created.after(terms.ttl);
    let end = facts.expires.map_or(end, |expires| expires.min(end));
    let limited = terms.ttl != Duration::MAX || facts.expires.is_some();
    let end = if limited { end.to_string() } else { none() };
    note("EXPIRED", DELIVERY, now.to_string(), end);
    let hops = passed(facts).len().to_string();
    note("HOPS", HOPS, hops, terms.max_hops.to_string());
    let precedence = facts.precedence.to_string();
    note("PRECEDENCE", URGENCY, precedence, terms.precedence_max.to_string());
    if facts.onward {
        note("ONWARD_FORBIDDEN", ONWARD, "onward".into(), terms.onward.as_str().into());
    }
    limits
}

pub(crate) fn phrase(words: [&str; 3]) -> Phrase {
    let [fi, sv, en] = words;
    Phrase::build(|lang| {
        match lang {
            crate::Lang::Fi => fi,
            crate::Lang::Sv => sv,
            crate::Lang::En => en,
        }
        .to_owned()
    })
}

const WAY: [&str; 3] = ["reitti", "väg", "way"];
const FORM: [&str; 3] = ["muoto", "form", "form"];
const SIZE: [&str; 3] = ["koko", "storlek", "size"];
const DELIVERY: [&str; 3] = ["perillä viimeistään", "framme senast", "delivered by"];
const HOPS: [&str; 3] = ["välittäneitä solmuja", "passerade noder", "relays passed"];
const URGENCY: [&str; 3] = ["kiireellisyys", "angelägenhetsgrad", "precedence"];
const ONWARD: [&str; 3] = ["edelleen lähetys", "vidarebefordran", "passing on"];
