//! Everything that decides, compiled from the signed files of the federation.

use std::sync::Arc;

use kuriiri_types::{FileKind, Ministry, Timestamp};

use crate::{
    catalogue::Catalogue,
    clearance::Clearance,
    error::{Flaw, PolicyError},
    federation::{Federation, Node, WrittenClearance},
    label::Label,
    nearest::{UnknownNode, nearest},
    node_id::NodeId,
    obligations::Obligations,
    plan::{self, Compiled, Marker, Plans, Words},
    rules::Rules,
    text::Phrase,
    translate::{self, Table, Translation},
    trial::{Embedded, Trial},
    window::Window,
};

/// The files that a policy is compiled from, each read and checked by itself.
#[derive(Debug, Clone)]
pub struct Sources {
    /// One for each label policy that is understood here.
    pub catalogues: Vec<Catalogue>,
    /// Who the members are.
    pub federation: Federation,
    /// The rules of the federation. Only they can give a level leave to move.
    pub rules: Rules,
    /// Rules of the ministry itself: they can only tighten, whatever they say.
    pub local: Vec<Rules>,
    /// How labels of other policies are read.
    pub translations: Vec<Translation>,
}

/// A policy in force: immutable, shared by reference, asked by
/// [`decide`](Policy::decide) and [`next_hop`](Policy::next_hop).
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) catalogues: Box<[Catalogue]>,
    pub(crate) federation: Federation,
    pub(crate) members: Box<[Member]>,
    pub(crate) plans: Plans,
    pub(crate) tables: Box<[Table]>,
    /// Every rule by itself, in the order of the ids.
    pub(crate) rules: Box<[Compiled]>,
    pub(crate) tests: Box<[Embedded]>,
    pub(crate) words: Words,
}

/// A node with its clearances compiled; same position as in the federation.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: Arc<Phrase>,
    /// Position of the catalogue that governs the node.
    pub(crate) governing: usize,
    pub(crate) transit: bool,
    pub(crate) clearances: Box<[Clearance]>,
    pub(crate) carriage: Box<[Clearance]>,
}

impl Policy {
    /// Compiles and cross-checks all files.
    ///
    /// # Errors
    /// The first flaw, with file and place. Flaws that only make a policy useless, not wrong, are
    /// told by [`findings`](Self::findings).
    pub fn compile(sources: Sources) -> Result<Self, PolicyError> {
        let Sources { catalogues, federation, rules, local, translations } = sources;
        check_distinct(&catalogues)?;
        let members = federation.nodes().map(|(_, node)| Member::compile(node, &catalogues));
        let members = members.collect::<Result<_, _>>()?;
        let tests =
            carried(&catalogues, &federation, [&rules].into_iter().chain(&local), &translations);
        let (plans, words, rules) = plan::compile(&catalogues, &federation, &rules, &local)?;
        Ok(Self {
            tests,
            rules,
            members,
            plans,
            tables: translate::compile(&catalogues, &translations)?,
            catalogues: catalogues.into(),
            federation,
            words,
        })
    }

    /// The members.
    pub fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The node that owns a trust domain.
    pub fn node(&self, domain: &Ministry) -> Option<NodeId> {
        self.federation.by_domain(domain)
    }

    /// The node with this id, or that owns this trust domain.
    pub fn named(&self, name: &str) -> Option<NodeId> {
        let federation = self.federation();
        let owner = || name.parse::<Ministry>().ok().and_then(|d| federation.by_domain(&d));
        federation.by_id(name).or_else(owner)
    }

    /// The node with this id or trust domain.
    ///
    /// # Errors
    /// There is none; tells those that look like it.
    pub fn require_node(&self, name: &str) -> Result<NodeId, UnknownNode> {
        let ids = || self.federation().nodes().map(|(_, node)| node.id());
        let unknown = || UnknownNode { name: name.into(), nearest: nearest(name, ids()) };
        self.named(name).ok_or_else(unknown)
    }

    /// All catalogues.
    pub fn catalogues(&self) -> &[Catalogue] {
        &self.catalogues
    }

    /// The catalogue with this name or OID URN.
    pub fn catalogue(&self, policy: &str) -> Option<&Catalogue> {
        self.catalogues.iter().find(|c| c.is_called(policy))
    }

    /// The catalogue that made a label.
    pub fn catalogue_of(&self, label: &Label) -> Option<&Catalogue> {
        self.catalogues.iter().find(|c| c.key == label.catalogue)
    }

    /// The texts that are shown with a message, in the order of their rules' ids.
    pub fn markers(&self, obligations: &Obligations) -> impl Iterator<Item = &Marker> {
        chosen(&self.words.markers, obligations.markers)
    }

    /// The named encryptor through which alone the message may leave, if one is demanded.
    pub fn seal_system(&self, obligations: &Obligations) -> Option<&str> {
        let place = usize::from(obligations.seal_system?);
        self.words.systems.get(place).map(|name| &**name)
    }

    /// True while every rule that limits the hours lets the message leave.
    pub fn may_leave(&self, obligations: &Obligations, now: Timestamp) -> bool {
        let open = |windows: &[Window]| windows.iter().any(|window| window.is_open(now));
        chosen(&self.words.windows, obligations.windows).all(|windows| open(windows))
    }

    /// The windows of each rule in a set.
    pub(crate) fn windows(&self, set: u64) -> impl Iterator<Item = &[Window]> {
        chosen(&self.words.windows, set).map(|windows| &**windows)
    }

    pub(crate) fn member(&self, node: NodeId) -> Option<&Member> {
        self.members.get(node.place())
    }

    /// The names of the roles in a set.
    pub(crate) fn roles(&self, set: u64) -> impl Iterator<Item = &str> {
        chosen(&self.words.roles, set).map(|role| &**role)
    }
}

impl Member {
    fn compile(node: &Node, catalogues: &[Catalogue]) -> Result<Self, PolicyError> {
        let wrong = |name: &str| {
            let item = format!("node `{}`", node.id());
            PolicyError::content(FileKind::Federation, item, Flaw::Unknown(name.into()))
        };
        let governing = catalogues.iter().position(|c| c.is_called(&node.governing));
        Ok(Self {
            name: Arc::clone(&node.name),
            governing: governing.ok_or_else(|| wrong(&node.governing))?,
            transit: node.is_transit(),
            clearances: compile_clearances(&node.clearance, catalogues, &wrong)?,
            carriage: compile_clearances(&node.carriage, catalogues, &wrong)?,
        })
    }
}

fn compile_clearances(
    written: &[WrittenClearance],
    catalogues: &[Catalogue],
    wrong: &impl Fn(&str) -> PolicyError,
) -> Result<Box<[Clearance]>, PolicyError> {
    let mut clearances: Vec<Clearance> = Vec::with_capacity(written.len());
    for entry in written {
        let catalogue = catalogues.iter().find(|c| c.is_called(&entry.policy));
        let catalogue = catalogue.ok_or_else(|| wrong(&entry.policy))?;
        let mut levels = entry.levels.clone();
        if let Some(top) = &entry.up_to {
            levels.extend(catalogue.levels_up_to(top).map_err(|unknown| wrong(&unknown.0))?);
        }
        let clearance = catalogue.clearance(&levels, &entry.grants);
        let clearance = clearance.map_err(|unknown| wrong(&unknown.0))?;
        if clearances.iter().any(|known| known.catalogue == clearance.catalogue) {
            let item = format!("clearance under `{}`", entry.policy);
            let flaw = Flaw::Duplicate(entry.policy.clone());
            return Err(PolicyError::content(FileKind::Federation, item, flaw));
        }
        clearances.push(clearance);
    }
    Ok(clearances.into())
}

/// The tests of all files that carry any.
fn carried<'a>(
    catalogues: &[Catalogue],
    federation: &Federation,
    rules: impl Iterator<Item = &'a Rules>,
    translations: &[Translation],
) -> Box<[Embedded]> {
    let of = |file: FileKind, tests: &Arc<[Trial]>| Embedded { file, tests: Arc::clone(tests) };
    let catalogues = catalogues.iter().map(|c| of(FileKind::Catalogue, &c.tests));
    let federation = [of(FileKind::Federation, &federation.tests)];
    let rules = rules.map(|rules| of(FileKind::Rules, &rules.tests));
    let translations = translations.iter().map(|t| of(FileKind::Translation, &t.tests));
    let all = catalogues.chain(federation).chain(rules).chain(translations);
    all.filter(|embedded| !embedded.tests.is_empty()).collect()
}

fn check_distinct(catalogues: &[Catalogue]) -> Result<(), PolicyError> {
    for (place, one) in catalogues.iter().enumerate() {
        for other in catalogues.iter().skip(place + 1) {
            let same = [other.id(), other.name()].into_iter().find(|name| one.is_called(name));
            if same.is_some() || one.key == other.key {
                let name = same.unwrap_or_else(|| other.name()).to_owned();
                let item = format!("catalogue `{}`", other.name());
                return Err(PolicyError::content(FileKind::Catalogue, item, Flaw::Duplicate(name)));
            }
        }
    }
    Ok(())
}

fn chosen<T>(all: &[T], set: u64) -> impl Iterator<Item = &T> {
    let numbered = (0_u32..64).zip(all);
    numbered.filter(move |(place, _)| (set >> place) & 1 == 1).map(|(_, entry)| entry)
}
