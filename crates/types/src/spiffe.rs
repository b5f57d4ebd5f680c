//! SPIFFE ids: how a certificate names its holder.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Ministry, limits::SPIFFE_NAME_BYTES_MAX};

/// What kind of holder a SPIFFE id names: the first segment of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpiffeRole {
    /// A ministry's relay: `spiffe://sm.example/relay/r1`.
    Relay,
    /// A client application of a ministry: `…/system/kirjaamo`.
    System,
    /// A person who runs the relay: `…/operator/anna`.
    Operator,
    /// A person who releases messages and writes policy: `…/officer/…`.
    Officer,
    /// A person who verifies: `…/auditor/…`.
    Auditor,
}

impl SpiffeRole {
    const ALL: [Self; 5] =
        [Self::Relay, Self::System, Self::Operator, Self::Officer, Self::Auditor];

    /// The path segment that names this role.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::System => "system",
            Self::Operator => "operator",
            Self::Officer => "officer",
            Self::Auditor => "auditor",
        }
    }
}

/// `spiffe://<ministry>/<role>/<name>`: the identity in a certificate's URI SAN.
///
/// The only source of identity in Kuriiri: what a peer or a system says of itself in a message
/// is compared with this, never believed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    ministry: Ministry,
    role: SpiffeRole,
    name: Arc<str>,
}

impl SpiffeId {
    /// An id from its parts.
    ///
    /// # Errors
    /// When the name is empty, longer than 64 bytes, or not of letters, digits, `-`, `_`, `.`.
    pub fn new(ministry: Ministry, role: SpiffeRole, name: &str) -> Result<Self, SpiffeError> {
        if Self::is_name(name) {
            Ok(Self { ministry, role, name: name.into() })
        } else {
            Err(SpiffeError(name.into()))
        }
    }

    /// Whether this can be a holder's name: 1 to [`SPIFFE_NAME_BYTES_MAX`] bytes of letters, digits,
    /// `-`, `_` and `.`, and neither `.` nor `..`.
    pub fn is_name(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = !text.is_empty() && text.len() <= SPIFFE_NAME_BYTES_MAX;
        fits && text.bytes().all(plain) && text != "." && text != ".."
    }

    /// The trust domain, which is the ministry.
    pub fn ministry(&self) -> &Ministry {
        &self.ministry
    }

    /// What kind of holder this is.
    pub fn role(&self) -> SpiffeRole {
        self.role
    }

    /// The holder's name within its ministry and role.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The text is not a SPIFFE id of the form that Kuriiri uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an identity of the form spiffe://ministry.example/role/name")]
pub struct SpiffeError(String);

impl FromStr for SpiffeId {
    type Err = SpiffeError;

    fn from_str(text: &str) -> Result<Self, SpiffeError> {
        let wrong = || SpiffeError(text.into());
        let rest = text.strip_prefix("spiffe://").ok_or_else(wrong)?;
        let mut parts = rest.split('/');
        let (Some(ministry), Some(role), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let role = SpiffeRole::ALL.into_iter().find(|r| r.as_str() == role).ok_or_else(wrong)?;
        Self::new(ministry.parse().map_err(|_| wrong())?, role, name).map_err(|_| wrong())
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = SpiffeError;

    fn try_from(text: String) -> Result<Self, SpiffeError> {
        text.parse()
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.ministry, self.role.as_str(), self.name)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_an_identity() {
        let id: SpiffeId = "spiffe://sm.example/relay/r1".parse().unwrap();
        assert_eq!(
            (id.ministry().as_str(), id.role(), id.name()),
            ("sm.example", SpiffeRole::Relay, "r1")
        );
        assert_eq!(id.to_string(), "spiffe://sm.example/relay/r1");
        for bad in [
            "spiffe://sm.example/relay",
            "spiffe://sm.example/relay/r1/",
            "spiffe://sm.example/boss/r1",
            "spiffe://SM.example/relay/r1",
            "https://sm.example/relay/r1",
            "spiffe:///relay/r1",
            "spiffe://sm.example/relay/..",
            "spiffe://sm.example/relay/a%20b",
            "spiffe://u@sm.example/relay/r1",
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
        }
    }
}
