//! For one label: which nodes may have it, and which may carry it for others.

use kuriiri_types::{Timestamp, WireLabel};
use serde::Serialize;

use crate::{
    case::Case,
    catalogue::Catalogue,
    effective_label::Source,
    explain::LabelSource,
    facts::Facts,
    gates::Holding,
    label::Label,
    merge::{Terms, Transit},
    nearest::UnknownNode,
    node_id::NodeId,
    policy::Policy,
    reason::{Gate, Reason},
    report::Told,
    text::{Lang, Phrase, pick},
};

/// Every node of the federation with what it may do with messages under one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The label that counts; none when no label can be relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marking: Option<Phrase>,
    /// Where it comes from.
    pub source: LabelSource,
    /// Why no label can be relied on; else empty.
    pub reasons: Vec<Told>,
    /// In the order of the federation file; empty when no label can be relied on.
    pub nodes: Vec<WhoNode>,
}

/// What one node may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhoNode {
    /// Its id.
    pub node: String,
    /// What people call it.
    pub name: Phrase,
    /// May be the recipient.
    pub receive: Access,
    /// May carry it sealed for others; none for a node that is no hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry_sealed: Option<Access>,
    /// May carry it in clear for others; none for a node that is no hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carry_clear: Option<Access>,
}

/// Whether something is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// It is.
    pub allowed: bool,
    /// Why not; empty when it is.
    pub why: Vec<Told>,
}

impl Policy {
    /// Tells of every node whether it may receive a label and, for hubs, carry it.
    ///
    /// The label is read as `from` would read it, and rules that speak of the originator are
    /// applied to `from`. Without it the label is read by the first node that its policy governs
    /// (else the first of all), and rules that speak of an originator do not apply. Rules on
    /// recipients apply to receiving, not to carrying. Whether a message in particular may go is
    /// for [`explain`](Self::explain).
    ///
    /// # Errors
    /// `from` is not a node.
    pub fn who(
        &self,
        now: Timestamp,
        label: &WireLabel,
        from: Option<&str>,
    ) -> Result<Who, UnknownNode> {
        let origin = from.map(|name| self.require_node(name)).transpose()?;
        let reader = origin.or_else(|| self.reader_of(&label.policy));
        let reader = reader.unwrap_or(NodeId::UNKNOWN);
        let case = Case::new(now, "", "", Some(label.clone()));
        Ok(case.with(self, |facts| {
            let facts = Facts { at: reader, origin: reader, ..*facts };
            let facts = Facts { next: None, dest: NodeId::UNKNOWN, ..facts };
            match self.effective_with(now, &facts) {
                Err(reasons) => Who {
                    label: None,
                    marking: None,
                    source: LabelSource::None,
                    reasons: reasons.iter().map(Told::from).collect(),
                    nodes: Vec::new(),
                },
                Ok((label, source)) => self.who_may(&facts, origin, label, source),
            }
        }))
    }

    fn who_may(
        &self,
        facts: &Facts<'_>,
        origin: Option<NodeId>,
        label: Label,
        source: Source,
    ) -> Who {
        let home = self.home_of(&label);
        let facts = Facts { origin: origin.unwrap_or(NodeId::UNKNOWN), ..*facts };
        let nodes = home.into_iter().flat_map(|(place, catalogue)| {
            let ids = self.federation.nodes().map(|(id, _)| id);
            ids.filter_map(move |id| self.who_node(&facts, (place, catalogue), &label, id))
        });
        let catalogue = home.map(|(_, catalogue)| catalogue);
        let text = catalogue.and_then(|c| c.write(&label)).map(|wire| wire.to_string());
        Who {
            label: text,
            marking: catalogue.map(|c| Phrase::build(|lang| c.marking(&label, lang))),
            source: source.into(),
            reasons: Vec::new(),
            nodes: nodes.collect(),
        }
    }

    fn who_node(
        &self,
        facts: &Facts<'_>,
        (place, catalogue): (usize, &Catalogue),
        label: &Label,
        id: NodeId,
    ) -> Option<WhoNode> {
        let node = self.federation.get(id)?;
        let carried = self.terms(place, facts, label);
        let carry = |by: Holding| {
            let mut reasons = refusals(catalogue, label, &carried);
            if carried.covered && carried.transit() == Transit::No {
                let level = catalogue.level(label).map(|level| level.marking.clone());
                reasons.extend(level.map(Reason::TransitForbidden));
            }
            let clear = by == Holding::Clearance;
            if clear && (carried.seal || carried.transit() == Transit::Sealed) {
                reasons.push(Reason::SealRequired);
            }
            self.ask_one(Gate::Next, id, by, (catalogue, label), &mut reasons);
            Access::new(&reasons)
        };
        let received = self.terms(place, &Facts { dest: id, ..*facts }, label);
        let mut reasons = refusals(catalogue, label, &received);
        self.ask_one(Gate::Dest, id, Holding::Clearance, (catalogue, label), &mut reasons);
        Some(WhoNode {
            node: node.id().into(),
            name: node.name().clone(),
            receive: Access::new(&reasons),
            carry_sealed: node.is_transit().then(|| carry(Holding::Carriage)),
            carry_clear: node.is_transit().then(|| carry(Holding::Clearance)),
        })
    }

    /// The first node that a policy governs, else the first of all.
    fn reader_of(&self, policy: &str) -> Option<NodeId> {
        let governed = |id: &NodeId| {
            let place = self.member(*id).map(|member| member.governing);
            let catalogue = place.and_then(|place| self.catalogues.get(place));
            catalogue.is_some_and(|catalogue| catalogue.is_called(policy))
        };
        let mut ids = self.federation.nodes().map(|(id, _)| id);
        let first = self.federation.nodes().map(|(id, _)| id).next();
        ids.find(governed).or(first)
    }
}

/// What the rules say against any message with this label.
pub(crate) fn refusals(catalogue: &Catalogue, label: &Label, terms: &Terms) -> Vec<Reason> {
    let level = || catalogue.level(label).map(|level| level.marking.clone());
    let mut reasons = Vec::new();
    if terms.forbid {
        reasons.extend(level().map(Reason::Forbidden));
    }
    if !terms.covered {
        reasons.extend(level().map(Reason::NoRule));
    }
    reasons
}

impl Access {
    pub(crate) fn new(reasons: &[Reason]) -> Self {
        Self { allowed: reasons.is_empty(), why: reasons.iter().map(Told::from).collect() }
    }

    fn word(&self, lang: Lang) -> String {
        if self.allowed {
            return pick(["kyllä", "ja", "yes"], lang).into();
        }
        let why: Vec<&str> = self.why.iter().map(|told| told.text.pick(lang)).collect();
        format!("{}: {}", pick(["ei", "nej", "no"], lang), why.join(" "))
    }
}

impl Who {
    /// Lines of plain text: the label, then each node with what it may do and why not.
    pub fn render(&self, lang: Lang) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(label), Some(marking)) = (&self.label, &self.marking) {
            lines.push(format!("{label} – {}", marking.pick(lang)));
        }
        lines.extend(self.reasons.iter().map(|told| format!("✗ {}", told.text.pick(lang))));
        for node in &self.nodes {
            lines.push(format!("{} ({})", node.name.pick(lang), node.node));
            let rows = [
                (RECEIVE, Some(&node.receive)),
                (CARRY_SEALED, node.carry_sealed.as_ref()),
                (CARRY_CLEAR, node.carry_clear.as_ref()),
            ];
            for (words, access) in rows {
                lines.extend(access.map(|a| format!("  {}: {}", pick(words, lang), a.word(lang))));
            }
        }
        lines
    }
}

const RECEIVE: [&str; 3] = ["saa vastaanottaa", "får ta emot", "may receive"];
const CARRY_SEALED: [&str; 3] =
    ["saa välittää salattuna", "får förmedla krypterat", "may carry sealed"];
const CARRY_CLEAR: [&str; 3] =
    ["saa välittää salaamatta", "får förmedla okrypterat", "may carry in clear"];
