//! What every task of a relay has.

use std::sync::Arc;

use kuriiri_store::Store;
use kuriiri_types::Ministry;
use kuriiri_wire::relay::Hello;

use crate::{
    certificates::Certificates, checks::Checks, inbox::Inbox, peers::Peers, proving::Prover,
};

/// Shared by every task of a relay.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) checks: Checks,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) inbox: Inbox,
    pub(crate) peers: Peers,
    pub(crate) store: Arc<Store>,
    pub(crate) prover: Prover,
    /// What it says first to every peer.
    pub(crate) hello: Hello,
    /// What it is called.
    pub(crate) relay: String,
}

impl Shared {
    /// What this relay says first to a peer: with what it cosigned of the peer's log.
    pub(crate) fn hello_to(&self, peer: &Ministry) -> Hello {
        // A state that cannot be read shows elsewhere, and stops the relay there.
        let seen = self.store.seen_log(peer).ok().flatten();
        Hello { witnessed: seen.map(|seen| seen.note), ..self.hello.clone() }
    }
}
