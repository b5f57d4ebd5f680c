//! What every task of a relay has.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kuriiri_policy::Policy;
use kuriiri_store::Store;
use kuriiri_transport::Figure;
use kuriiri_types::Ministry;
use kuriiri_wire::relay::Hello;

use crate::{
    certificates::Certificates, checks::Checks, inbox::Inbox, lines::Lines, names::Names,
    peers::Peers, proving::Prover, turns::Turns,
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
    /// At checking signatures.
    pub(crate) checking: Turns,
    /// At reading the log for newer proofs.
    pub(crate) proving: Turns,
    /// At asking other relays for newer proofs.
    pub(crate) asking: Turns,
    pub(crate) names: Names,
    /// Lines of the log that others can cause.
    pub(crate) lines: Lines,
    /// Whose relay this is.
    pub(crate) home: Ministry,
    /// The rules in force.
    pub(crate) policy: ArcSwap<Policy>,
    /// What it says first to every peer.
    pub(crate) hello: Hello,
    /// What it is called.
    pub(crate) relay: String,
}

impl Shared {
    /// The peer that receipts towards a ministry go to, and what is asked about them.
    pub(crate) fn hop_to(&self, ministry: &Ministry) -> Option<Ministry> {
        let policy = self.policy.load();
        let (here, there) = (policy.node(&self.home)?, policy.node(ministry)?);
        let hop = policy.federation().hop_by_links(here, there)?;
        policy.federation().get(hop)?.domain().cloned()
    }

    /// Whether the federation file in force links this relay with another.
    pub(crate) fn is_linked(&self, ministry: &Ministry) -> bool {
        let policy = self.policy.load();
        let ends = policy.node(&self.home).zip(policy.node(ministry));
        ends.is_some_and(|(here, there)| policy.federation().linked(here, there))
    }

    /// How many turns are taken.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        [&self.checking, &self.proving, &self.asking].map(Turns::figure).into()
    }

    /// What this relay says first to a peer: with what it cosigned of the peer's log.
    pub(crate) fn hello_to(&self, peer: &Ministry) -> Hello {
        // A state that cannot be read shows elsewhere, and stops the relay there.
        let seen = self.store.seen_log(peer).ok().flatten();
        Hello { witnessed: seen.map(|seen| seen.note), ..self.hello.clone() }
    }
}
