//! Everything that decides, compiled from the signed files of the federation.

mod compile;

use std::sync::Arc;

use kuriiri_types::{Ministry, Timestamp};

use crate::{
    catalogue::Catalogue,
    clearance::Clearance,
    federation::Federation,
    label::Label,
    nearest::{UnknownNode, nearest},
    node_id::NodeId,
    obligations::Obligations,
    plan::{Compiled, Marker, Plans, Words},
    text::Phrase,
    translate::Table,
    trial::Embedded,
    window::Window,
};
pub use compile::Sources;

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

fn chosen<T>(all: &[T], set: u64) -> impl Iterator<Item = &T> {
    let numbered = (0_u32..64).zip(all);
    numbered.filter(move |(place, _)| (set >> place) & 1 == 1).map(|(_, entry)| entry)
}
