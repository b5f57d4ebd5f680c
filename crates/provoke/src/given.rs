//! What one tells the kit.

use std::path::PathBuf;

use kuriiri_types::{Address, Ministry, WireLabel};

/// What one tells the kit.
#[derive(Debug, Clone)]
pub struct Given {
    /// Where the relay listens, as `host:port`.
    pub relay: String,
    /// Whose relay it is; otherwise the member whose `endpoints` have that address.
    pub ministry: Option<Ministry>,
    /// The folder of the member as which the kit acts, with its `relay.toml`.
    pub member: PathBuf,
    /// The folder of a system of that member, with its `system.toml`.
    pub system: PathBuf,
    /// A mailbox that the relay has.
    pub mailbox: Option<Address>,
    /// A folder with certificates of the member whose time is over: `tls.pem`, `tls.key`, and `signing.pem`,
    /// `signing.key` of the system.
    pub expired: Option<PathBuf>,
    /// The same, of certificates that the member's revocation list names.
    pub revoked: Option<PathBuf>,
    /// The folder of a member that has no link with the relay, with its `relay.toml`.
    pub stranger: Option<PathBuf>,
    /// The folder of a system of the relay's own ministry, with its `system.toml`.
    pub theirs: Option<PathBuf>,
    /// Labels and what they mean between the two.
    pub labels: Labels,
}

/// Labels with a known meaning between the member and the relay.
#[derive(Debug, Clone)]
pub struct Labels {
    /// May go unsealed.
    pub open: WireLabel,
    /// May go sealed, and not otherwise, and needs nobody's release.
    pub sealed: WireLabel,
    /// May not go.
    pub forbidden: WireLabel,
}
