//! What a link is for, and who may be at its ends.

use kuriiri_types::{Ministry, SpiffeId, SpiffeRole};

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
