//! The links to peers that stand.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kuriiri_engine::LinkId;
use kuriiri_transport::Link;
use kuriiri_types::{
    Ministry,
    limits::{RETRY_GRACE, RETRY_WAIT_MAX},
};

/// The link to each peer that the loop uses, of those that this relay dialled. Only the loop
/// writes it: two may be made at once, and the one that it lets go must not be the one noted.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    standing: Mutex<HashMap<Ministry, (LinkId, Link)>>,
    /// Links to each peer that ended one after the other without an answer to what was sent.
    in_vain: Mutex<HashMap<Ministry, u32>>,
}

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

    /// Notes that a link to a peer ended before the peer had answered anything that was sent on it.
    pub(crate) fn was_in_vain(&self, peer: &Ministry) {
        let mut in_vain = locked(&self.in_vain);
        let count = in_vain.entry(peer.clone()).or_default();
        *count = count.saturating_add(1);
    }

    /// Notes that a peer has answered something.
    pub(crate) fn has_answered(&self, peer: &Ministry) {
        locked(&self.in_vain).remove(peer);
    }

    /// How long a peer is left alone before it is dialled again: a link alone is no progress, and what it could
    /// not take it will most likely not take now.
    pub(crate) fn rest(&self, peer: &Ministry) -> Duration {
        let in_vain = locked(&self.in_vain).get(peer).copied().unwrap_or(0);
        let doublings = in_vain.checked_sub(1).map(|more| 2_u32.saturating_pow(more));
        doublings.map_or(Duration::ZERO, |doublings| {
            RETRY_GRACE.saturating_mul(doublings).min(RETRY_WAIT_MAX)
        })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Ministry, (LinkId, Link)>> {
        locked(&self.standing)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_answers_nothing_is_left_alone_longer_each_time_until_it_answers() {
        let (peers, peer) = (Peers::default(), "um.example".parse().unwrap());
        assert_eq!(peers.rest(&peer), Duration::ZERO);
        let mut last = Duration::ZERO;
        for _ in 0..5 {
            peers.was_in_vain(&peer);
            assert!(peers.rest(&peer) > last, "{last:?}");
            last = peers.rest(&peer);
        }
        (0..100).for_each(|_| peers.was_in_vain(&peer));
        assert_eq!(peers.rest(&peer), RETRY_WAIT_MAX);
        assert_eq!(peers.rest(&"plm.example".parse().unwrap()), Duration::ZERO);
        peers.has_answered(&peer);
        assert_eq!(peers.rest(&peer), Duration::ZERO);
    }
}
