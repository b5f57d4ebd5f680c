//! The links to peers that stand.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kuriiri_engine::LinkId;
use kuriiri_transport::Link;
use kuriiri_types::Ministry;

/// The link to each peer that the loop uses, of those that this relay dialled. Only the loop
/// writes it: two may be made at once, and the one that it lets go must not be the one noted.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<HashMap<Ministry, (LinkId, Link)>>);

impl Peers {
    /// Notes that a link to a peer stands.
    pub(crate) fn stands(&self, peer: &Ministry, id: LinkId, link: &Link) {
        self.locked().insert(peer.clone(), (id, link.clone()));
    }

    /// Notes that a link has ended. Another one to the same peer may have taken its place.
    pub(crate) fn ended(&self, peer: &Ministry, id: LinkId) {
        let mut peers = self.locked();
        if peers.get(peer).is_some_and(|(standing, _)| *standing == id) {
            peers.remove(peer);
        }
    }

    /// The link to a peer, if one stands, and its number.
    pub(crate) fn link(&self, peer: &Ministry) -> Option<(LinkId, Link)> {
        self.locked().get(peer).cloned()
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Ministry, (LinkId, Link)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
