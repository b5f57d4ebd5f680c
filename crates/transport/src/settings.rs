//! What an endpoint is made with.

use kuriiri_types::{Ministry, SpiffeId, SpiffeRole, limits::CONNECTIONS_MAX};

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

/// What a link is for; the two sides agree on it by ALPN (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conversation {
    /// Between the relays of two ministries: `kuriiri-relay/2`.
    Relay,
    /// Between a relay and the holders of its own ministry, its systems first: `kuriiri-client/2`.
    Client,
    /// Between a relay and its ministry's officers and operators: `kuriiri-admin/2`.
    Admin,
}

impl Conversation {
    const ALL: [Self; 3] = [Self::Relay, Self::Client, Self::Admin];

    /// The protocol name on the wire.
    pub const fn alpn(self) -> &'static str {
        match self {
            Self::Relay => "kuriiri-relay/2",
            Self::Client => "kuriiri-client/2",
            Self::Admin => "kuriiri-admin/2",
        }
    }

    pub(crate) fn from_alpn(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.alpn().as_bytes() == name)
    }

    /// Whether the one who dialled may hold this conversation with a relay of `home`.
    pub(crate) fn admits(self, dialler: &SpiffeId, home: &Ministry) -> bool {
        let (role, at_home) = (dialler.role(), dialler.ministry() == home);
        match self {
            Self::Relay => role == SpiffeRole::Relay,
            Self::Client => role != SpiffeRole::Relay && at_home,
            Self::Admin => matches!(role, SpiffeRole::Officer | SpiffeRole::Operator) && at_home,
        }
    }
}

/// Whom a dialler expects to answer. Anybody else is refused, however good the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// A relay of this ministry.
    Relay(Ministry),
}

impl Expect {
    pub(crate) fn is_met_by(&self, id: &SpiffeId) -> bool {
        let Self::Relay(ministry) = self;
        id.role() == SpiffeRole::Relay && id.ministry() == ministry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_for_its_own_kind() {
        let home: Ministry = "sm.example".parse().unwrap();
        let may =
            |conversation: Conversation, id: &str| conversation.admits(&id.parse().unwrap(), &home);
        assert!(may(Conversation::Relay, "spiffe://um.example/relay/r1"));
        assert!(!may(Conversation::Relay, "spiffe://sm.example/system/a"));
        assert!(may(Conversation::Client, "spiffe://sm.example/system/a"));
        assert!(may(Conversation::Client, "spiffe://sm.example/operator/a"));
        assert!(!may(Conversation::Client, "spiffe://um.example/system/a"));
        assert!(!may(Conversation::Client, "spiffe://sm.example/relay/r1"));
        assert!(may(Conversation::Admin, "spiffe://sm.example/officer/anna"));
        assert!(may(Conversation::Admin, "spiffe://sm.example/operator/olli"));
        for stranger in ["um.example/officer/anna", "sm.example/system/a", "sm.example/relay/r1"] {
            assert!(!may(Conversation::Admin, &format!("spiffe://{stranger}")), "{stranger}");
        }
        for conversation in Conversation::ALL {
            let alpn = conversation.alpn().as_bytes();
            assert_eq!(Conversation::from_alpn(alpn), Some(conversation));
        }
        assert_eq!(Conversation::from_alpn(b"h3"), None);
    }
}
