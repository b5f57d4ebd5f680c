//! Who the members are: their nodes, how they are reached, what they are cleared for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kuriiri_types::{Digest, FileKind, Ministry, Timestamp, is_label_id};
use serde::Deserialize;
use toml::value::Datetime;

use crate::{
    error::{Flaw, PolicyError},
    file::{check_format, optional_instant, read},
    node_id::NodeId,
    seal_keys::SealKeys,
    text::Phrase,
    trial::{Trial, Value, read_embedded},
};

/// Nodes in one federation. More: the file is refused.
pub const NODES_MAX: usize = 4096;

/// The members of the federation, read and checked by themselves. What their clearances mean is
/// settled when a policy is compiled.
#[derive(Debug, Clone)]
pub struct Federation {
    serial: u64,
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
    nodes: Box<[Node]>,
    pub(crate) tests: Arc<[Trial]>,
    by_id: BTreeMap<Box<str>, NodeId>,
    by_domain: BTreeMap<Ministry, NodeId>,
}

/// One node: the relay of a ministry, a hub, or a system with a clearance of its own.
#[derive(Debug, Clone)]
pub struct Node {
    id: Box<str>,
    pub(crate) name: Arc<Phrase>,
    domain: Option<Ministry>,
    endpoints: Box<[String]>,
    reachable: bool,
    links: Option<Box<[NodeId]>>,
    transit: bool,
    ca: Option<Box<str>>,
    keys: SealKeys,
    log: Option<Box<str>>,
    witness: Option<Box<str>>,
    pub(crate) governing: Box<str>,
    pub(crate) clearance: Box<[WrittenClearance]>,
    pub(crate) carriage: Box<[WrittenClearance]>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenClearance {
    pub(crate) policy: String,
    #[serde(default)]
    pub(crate) levels: Vec<String>,
    /// Short for every level up to this one by rank.
    pub(crate) up_to: Option<String>,
    #[serde(default)]
    pub(crate) grants: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    serial: u64,
    issued: Option<Datetime>,
    expires: Option<Datetime>,
    #[serde(default)]
    node: Vec<WrittenNode>,
    #[serde(default)]
    test: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNode {
    id: String,
    name: Phrase,
    domain: Option<Ministry>,
    host: Option<String>,
    #[serde(default)]
    endpoints: Vec<String>,
    links: Option<Vec<String>>,
    ca: Option<String>,
    /// Short for one of `sealing_keys`.
    sealing_key: Option<String>,
    #[serde(default)]
    sealing_keys: Vec<String>,
    #[serde(default)]
    release_keys: Vec<String>,
    log: Option<String>,
    witness: Option<String>,
    governing: String,
    #[serde(default)]
    transit: bool,
    #[serde(default)]
    clearance: Vec<WrittenClearance>,
    #[serde(default)]
    carriage: Vec<WrittenClearance>,
}

impl Federation {
    /// Reads a `federation/1` file.
    ///
    /// # Errors
    /// The place and the flaw, for whoever wrote the file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let written: Written = read(FileKind::Federation, text)?;
        check_format(FileKind::Federation, &written.format)?;
        if written.node.is_empty() {
            return Err(wrong("its nodes", Flaw::Empty));
        }
        if written.node.len() > NODES_MAX {
            return Err(wrong("its nodes", Flaw::TooMany(NODES_MAX)));
        }
        let (by_id, by_domain) = index(&written.node)?;
        let nodes = written.node.into_iter().map(|node| Node::new(node, &by_id));
        let nodes: Box<[Node]> = nodes.collect::<Result<_, _>>()?;
        check_holders(&nodes)?;
        Ok(Self {
            serial: written.serial,
            issued: optional_instant(FileKind::Federation, "issued", written.issued.as_ref())?,
            expires: optional_instant(FileKind::Federation, "expires", written.expires.as_ref())?,
            nodes,
            tests: read_embedded(FileKind::Federation, &written.test)?,
            by_id,
            by_domain,
        })
    }

    /// Rises with each issue.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When this serial was issued, if the file says.
    pub fn issued(&self) -> Option<Timestamp> {
        self.issued
    }

    /// When a newer serial should long be in force, if the file says. Not enforced by decisions.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The node that owns a trust domain.
    pub fn by_domain(&self, domain: &Ministry) -> Option<NodeId> {
        self.by_domain.get(domain).copied()
    }

    /// The node with this id in the file, such as `sm`.
    pub fn by_id(&self, id: &str) -> Option<NodeId> {
        self.by_id.get(id).copied()
    }

    /// What the file says of a node; nothing for [`NodeId::UNKNOWN`].
    pub fn get(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node.place())
    }

    /// All nodes in the order of the file.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        NodeId::in_order().zip(&self.nodes)
    }

    /// The ids of the nodes that a node lists as its links, and whether it can be reached: all
    /// that makes a link. None for its links when it lists none.
    pub(crate) fn link_names(&self, id: &str) -> Option<(bool, Option<Vec<&str>>)> {
        let node = self.get(self.by_id(id)?)?;
        let name = |link: &NodeId| self.get(*link).map_or("?", Node::id);
        let links = node.links.as_ref().map(|links| {
            let mut names: Vec<&str> = links.iter().map(name).collect();
            names.sort_unstable();
            names
        });
        Some((node.reachable, links))
    }

    /// Gives a node another clearance, or carriage, under a policy (none: the first that it has);
    /// without `held` it has none. False when there is no such node or clearance.
    pub(crate) fn revise(
        &mut self,
        id: &str,
        carriage: bool,
        policy: Option<&str>,
        held: Option<(Vec<String>, Vec<String>)>,
    ) -> bool {
        let found = self.by_id(id).and_then(|node| self.nodes.get_mut(node.place()));
        let Some(node) = found else {
            return false;
        };
        let entries = if carriage { &mut node.carriage } else { &mut node.clearance };
        let mut entries_new = std::mem::take(entries).into_vec();
        let named = |entry: &WrittenClearance| policy.is_none_or(|name| entry.policy == name);
        let place = entries_new.iter().position(named);
        let revised = match (place, held) {
            (Some(place), None) => {
                entries_new.remove(place);
                true
            }
            (Some(place), Some((levels, grants))) => {
                if let Some(entry) = entries_new.get_mut(place) {
                    (entry.levels, entry.grants, entry.up_to) = (levels, grants, None);
                }
                true
            }
            (None, Some((levels, grants))) => policy.is_some_and(|policy| {
                let policy = policy.to_owned();
                entries_new.push(WrittenClearance { policy, levels, up_to: None, grants });
                true
            }),
            (None, None) => false,
        };
        *entries = entries_new.into();
        revised
    }

    /// The hubs: nodes that carry what is meant for others, in the order of the file.
    pub fn hubs(&self) -> impl Iterator<Item = NodeId> {
        let hubs = self.nodes().filter(|(_, node)| node.transit);
        hubs.map(|(id, _)| id)
    }

    /// The hubs that are linked with both, in the order of the file.
    pub(crate) fn hubs_between(&self, a: NodeId, b: NodeId) -> impl Iterator<Item = NodeId> {
        self.hubs().filter(move |hub| self.linked(a, *hub) && self.linked(*hub, b))
    }

    /// The next node on the way from one to another by links alone, whatever the rules say: the other itself
    /// if they are linked, else the first hub that is linked with both. So go receipts and their proofs, which
    /// carry nothing but ids.
    pub fn hop_by_links(&self, from: NodeId, to: NodeId) -> Option<NodeId> {
        if self.linked(from, to) { Some(to) } else { self.hubs_between(from, to).next() }
    }

    /// True when two nodes talk directly: at least one of them can be reached, and neither lists
    /// its links without the other. Links have no direction.
    pub fn linked(&self, a: NodeId, b: NodeId) -> bool {
        let (Some(one), Some(other)) = (self.get(a), self.get(b)) else {
            return false;
        };
        a != b && (one.reachable || other.reachable) && one.lists(b) && other.lists(a)
    }
}

impl Node {
    /// The id in the file, such as `sm`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people call it.
    pub fn name(&self) -> &Phrase {
        &self.name
    }

    /// The trust domain that it owns, if the file says.
    pub fn domain(&self) -> Option<&Ministry> {
        self.domain.as_ref()
    }

    /// Where it listens, `host:port` each, best first; empty when it only calls out.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// True when it carries messages meant for others.
    pub fn is_transit(&self) -> bool {
        self.transit
    }

    /// The certificates that issue its identities, in PEM. Not looked at here.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// The ids of the keys to which bodies for it are sealed, in order: the one in use, and those before and
    /// after it while it changes.
    pub fn sealing_keys(&self) -> &[Digest] {
        &self.keys.sealing
    }

    /// The ids of the keys to which bodies are sealed that its officers read before they release them, in
    /// order.
    pub fn release_keys(&self) -> &[Digest] {
        &self.keys.release
    }

    /// The public key of its relay's transparency log, as a C2SP `vkey`. Not looked at here.
    pub fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// The public key with which its relay witnesses the logs of others, as a C2SP `vkey`. Not looked
    /// at here.
    pub fn witness(&self) -> Option<&str> {
        self.witness.as_deref()
    }

    fn new(written: WrittenNode, by_id: &BTreeMap<Box<str>, NodeId>) -> Result<Self, PolicyError> {
        let item = format!("node `{}`", written.id);
        let bad = written.endpoints.iter().find(|text| !is_endpoint(text));
        if let Some(endpoint) = bad {
            return Err(wrong(item, Flaw::Endpoint(endpoint.clone())));
        }
        if !written.transit && !written.carriage.is_empty() {
            let flaw = Flaw::Conflict("carriage is for nodes with transit = true".into());
            return Err(wrong(item, flaw));
        }
        let known = |link: &String| {
            let found = by_id.get(link.as_str()).copied();
            found.ok_or_else(|| wrong(&item, Flaw::Unknown(link.clone())))
        };
        let sealing: Vec<String> =
            written.sealing_key.into_iter().chain(written.sealing_keys).collect();
        let keys = SealKeys::read(&sealing, &written.release_keys);
        let keys = keys.map_err(|flaw| wrong(&item, flaw))?;
        let links = written.links.as_ref();
        let links = links.map(|links| links.iter().map(known).collect::<Result<_, _>>());
        Ok(Self {
            links: links.transpose()?,
            reachable: written.host.is_some() || !written.endpoints.is_empty(),
            id: written.id.into(),
            name: Arc::new(written.name),
            domain: written.domain,
            endpoints: written.endpoints.into(),
            transit: written.transit,
            ca: written.ca.map(Into::into),
            keys,
            log: written.log.map(Into::into),
            witness: written.witness.map(Into::into),
            governing: written.governing.into(),
            clearance: written.clearance.into(),
            carriage: written.carriage.into(),
        })
    }

    fn lists(&self, other: NodeId) -> bool {
        self.links.as_ref().is_none_or(|links| links.contains(&other))
    }
}

type Index = (BTreeMap<Box<str>, NodeId>, BTreeMap<Ministry, NodeId>);

fn index(nodes: &[WrittenNode]) -> Result<Index, PolicyError> {
    let (mut by_id, mut by_domain) = Index::default();
    for (place, node) in NodeId::in_order().zip(nodes) {
        let item = || format!("node `{}`", node.id);
        if !is_label_id(&node.id) {
            return Err(wrong(item(), Flaw::NotAnId));
        }
        if by_id.insert(node.id.as_str().into(), place).is_some() {
            return Err(wrong(item(), Flaw::Duplicate(node.id.clone())));
        }
        if let Some(domain) = &node.domain
            && by_domain.insert(domain.clone(), place).is_some()
        {
            return Err(wrong(item(), Flaw::Duplicate(domain.to_string())));
        }
    }
    Ok((by_id, by_domain))
}

/// A key that stood twice would have two holders, or two purposes.
fn check_holders(nodes: &[Node]) -> Result<(), PolicyError> {
    let mut held = BTreeSet::new();
    for node in nodes {
        if let Some(key) = node.keys.all().find(|key| !held.insert(**key)) {
            let flaw = Flaw::Duplicate(format!("the sealing or release key {key}"));
            return Err(wrong(format!("node `{}`", node.id), flaw));
        }
    }
    Ok(())
}

fn is_endpoint(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn wrong(item: impl Into<String>, flaw: Flaw) -> PolicyError {
    PolicyError::content(FileKind::Federation, item, flaw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARED: &str = include_str!("../../../tests/vectors/labels/federation.toml");

    fn federation(nodes: &[(&str, &str)]) -> Result<Federation, String> {
        let mut text = "format='federation/1'\nserial=1\n".to_owned();
        for (id, rest) in nodes {
            text.push_str(&format!(
                "[[node]]\nid='{id}'\nname={{fi='a',sv='b',en='c'}}\ngoverning='FI'\n{rest}\n"
            ));
        }
        Federation::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_shared_file_needs_none_of_the_optional_keys() {
        let federation = Federation::parse(SHARED).unwrap();
        let (sm, hub) = (federation.by_id("sm").unwrap(), federation.by_id("hub").unwrap());
        assert!(federation.linked(sm, hub));
        assert_eq!(federation.hubs().collect::<Vec<_>>(), [hub]);
        assert_eq!(federation.by_domain(&"sm.example".parse().unwrap()), None);
    }

    #[test]
    fn a_link_needs_the_consent_of_both_and_one_that_can_be_reached() {
        let open = "endpoints=['127.0.0.1:4433']";
        let federation = federation(&[
            ("a", open),
            ("b", "endpoints=['[::1]:1']\nlinks=['hub']\ndomain='b.example'"),
            ("hub", open),
            ("deaf", ""),
            ("mute", "links=['deaf', 'hub']"),
        ])
        .unwrap();
        let node = |id| federation.by_id(id).unwrap();
        let linked = |a, b| federation.linked(node(a), node(b));
        assert!(linked("a", "hub") && linked("b", "hub") && linked("mute", "hub"));
        assert!(!linked("a", "b") && !linked("b", "a"), "b talks to the hub only");
        assert!(linked("a", "deaf") && !linked("mute", "deaf"));
        assert!(!linked("a", "a"));
        assert!(!federation.linked(node("a"), NodeId::UNKNOWN));
        assert_eq!(federation.by_domain(&"b.example".parse().unwrap()), Some(node("b")));
    }

    #[test]
    fn impossible_files_are_refused_with_the_place() {
        for (nodes, words) in [
            (&[][..], "empty"),
            (&[("a", ""), ("a", "")], "twice"),
            (&[("a", "domain='x.y'"), ("b", "domain='x.y'")], "twice"),
            (&[("a", "endpoints=['a']")], "host:port"),
            (&[("a", "endpoints=['a:0']")], "host:port"),
            (&[("a", "links=['z']")], "`z` is not defined"),
            (&[("a", "domain='X'")], "cannot be read"),
            (&[("a", "color='red'")], "cannot be read"),
            (&[("a", "[[node.carriage]]\npolicy='FI'")], "transit"),
        ] {
            let error = federation(nodes).unwrap_err();
            assert!(error.contains(words), "{nodes:?}\n{error}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "(?s).{0,200}", cut in 0_usize..2100) {
            let part: String = SHARED.chars().take(cut).chain(text.chars()).collect();
            let _ = Federation::parse(&part);
            let _ = Federation::parse(&text);
        }
    }
}
