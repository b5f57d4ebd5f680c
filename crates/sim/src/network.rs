//! Links between relays, and from systems to their relays: what is under way on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_engine::LinkId;
use kuriiri_types::{Envelope, Lane, Ministry, SignedApproval, SignedReceipt};

use crate::sender::Sent;

/// Batches that may come again long after their time.
const OLD_BATCHES_MAX: usize = 32;

/// Who dialled a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A relay.
    Relay(Ministry),
    /// The sender with this number.
    System(usize),
}

/// What one batch carries.
#[derive(Debug, Clone)]
pub(crate) enum Cargo {
    /// Messages from a system.
    Messages(u32, Vec<Arc<Sent>>),
    /// Messages from a relay.
    Parcels(u32, Vec<Parcel>),
    /// Receipts from a relay.
    Receipts(Vec<SignedReceipt>),
}

/// A message between two relays.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) dest: Ministry,
    pub(crate) path: Vec<Ministry>,
    pub(crate) envelope: Envelope,
    pub(crate) approvals: Vec<SignedApproval>,
    pub(crate) body: Bytes,
}

/// One connection. Its ends learn of its loss one after the other; until then what was under way
/// may still arrive, or not.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) caller: Caller,
    pub(crate) called: Ministry,
    pub(crate) is_cut: bool,
    pub(crate) caller_open: bool,
    pub(crate) called_open: bool,
    lanes: BTreeMap<Lane, Gate>,
}

/// Puts the batches of a lane back in the order of their numbers, as a relay does.
#[derive(Debug, Default)]
struct Gate {
    next: u64,
    early: BTreeMap<u64, Cargo>,
    under_way: usize,
}

/// All links, and who cannot reach whom.
#[derive(Debug, Default)]
pub(crate) struct Network {
    links: BTreeMap<LinkId, Link>,
    apart: BTreeSet<(Ministry, Ministry)>,
    /// Batches that were taken whole: caller, called, lane, cargo.
    old: Vec<(Ministry, Ministry, Lane, Cargo)>,
    /// A canary: batches pass as they come.
    pub(crate) has_no_gates: bool,
}

impl Network {
    pub(crate) fn open(&mut self, id: LinkId, caller: Caller, called: Ministry) {
        let lanes = BTreeMap::new();
        let link =
            Link { caller, called, is_cut: false, caller_open: true, called_open: true, lanes };
        self.links.insert(id, link);
    }

    pub(crate) fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub(crate) fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Forgets a link that both ends know is gone.
    pub(crate) fn tidy(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| !link.caller_open && !link.called_open) {
            self.links.remove(&id);
        }
    }

    /// The links that stand, of those that a condition holds for.
    pub(crate) fn standing(&self, which: impl Fn(&Link) -> bool) -> Vec<LinkId> {
        let standing = self.links.iter().filter(|(_, link)| !link.is_cut && which(link));
        standing.map(|(id, _)| *id).collect()
    }

    /// Every link that is not forgotten, of those that a condition holds for.
    pub(crate) fn all(&self, which: impl Fn(&Link) -> bool) -> Vec<LinkId> {
        self.links.iter().filter(|(_, link)| which(link)).map(|(id, _)| *id).collect()
    }

    /// Takes a batch that arrives, and gives all that may pass now, in the order of their numbers.
    pub(crate) fn pass(
        &mut self,
        id: LinkId,
        lane: Lane,
        number: u64,
        cargo: Cargo,
    ) -> Vec<(u64, Cargo)> {
        let Some(link) = self.links.get_mut(&id) else {
            return Vec::new();
        };
        if self.has_no_gates {
            return vec![(number, cargo)];
        }
        let gate = link.lanes.entry(lane).or_default();
        gate.early.insert(number, cargo);
        let mut passing = Vec::new();
        while let Some(cargo) = gate.early.remove(&gate.next) {
            passing.push((gate.next, cargo));
            gate.next = gate.next.saturating_add(1);
        }
        passing
    }

    /// Counts a batch that goes out; gives how many are under way in its lane now.
    pub(crate) fn depart(&mut self, id: LinkId, lane: Lane) -> usize {
        let Some(link) = self.links.get_mut(&id) else {
            return 0;
        };
        let gate = link.lanes.entry(lane).or_default();
        gate.under_way = gate.under_way.saturating_add(1);
        gate.under_way
    }

    /// Counts an answer that came back.
    pub(crate) fn come_back(&mut self, id: LinkId, lane: Lane) {
        if let Some(link) = self.links.get_mut(&id) {
            let gate = link.lanes.entry(lane).or_default();
            gate.under_way = gate.under_way.saturating_sub(1);
        }
    }

    // === partitions ===

    pub(crate) fn part(&mut self, one: &Ministry, other: &Ministry) {
        self.apart.insert(pair(one, other));
    }

    pub(crate) fn join(&mut self, one: &Ministry, other: &Ministry) {
        self.apart.remove(&pair(one, other));
    }

    pub(crate) fn join_all(&mut self) {
        self.apart.clear();
    }

    pub(crate) fn are_apart(&self, one: &Ministry, other: &Ministry) -> bool {
        self.apart.contains(&pair(one, other))
    }

    // === batches that come again ===

    /// Remembers a batch of a relay that was taken whole.
    pub(crate) fn remember(&mut self, caller: &Ministry, called: &Ministry, lane: Lane, it: Cargo) {
        if self.old.len() >= OLD_BATCHES_MAX {
            self.old.remove(0);
        }
        self.old.push((caller.clone(), called.clone(), lane, it));
    }

    pub(crate) fn old(&self) -> &[(Ministry, Ministry, Lane, Cargo)] {
        &self.old
    }
}

fn pair(one: &Ministry, other: &Ministry) -> (Ministry, Ministry) {
    (one.min(other).clone(), one.max(other).clone())
}
