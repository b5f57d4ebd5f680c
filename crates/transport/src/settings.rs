//! What an endpoint is made with.

use kuriiri_types::limits::CONNECTIONS_MAX;

use crate::{Identity, Trust};

/// What an [`Endpoint`](crate::Endpoint) is made with. [`Settings::new`] gives the usual ones.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who this side is.
    pub identity: Identity,
    /// Whom it believes.
    pub trust: Trust,
    /// How keys are agreed.
    pub key_agreement: KeyAgreement,
    /// Whether the kernel cuts large writes into packets (UDP GSO): faster, and on unless a
    /// network driver is broken.
    pub segmentation_offload: bool,
    /// Links open at once, dialled ones counted. More are refused at the door; dialling is not
    /// limited by it.
    pub connections_max: usize,
}

impl Settings {
    /// The usual settings: the best key agreement of this build but none refused, segmentation
    /// offload on, [`CONNECTIONS_MAX`] links.
    pub fn new(identity: Identity, trust: Trust) -> Self {
        Self {
            identity,
            trust,
            key_agreement: KeyAgreement::default(),
            segmentation_offload: true,
            connections_max: CONNECTIONS_MAX,
        }
    }
}

/// How the keys of a link are agreed. Signatures are classic in any case: who records traffic
/// today can forge nothing with a quantum computer of tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyAgreement {
    /// Only X25519MLKEM768; a peer without it is refused. Needs the feature `pq`.
    PqRequired,
    /// X25519MLKEM768 first, X25519 with peers that have no better. Without the feature `pq` it is
    /// the same as `Classic`.
    #[default]
    PqPreferred,
    /// Only X25519.
    Classic,
}
