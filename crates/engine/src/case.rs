//! A message as it is decided on.

use kuriiri_types::{Approval, Digest, Header, Ministry, SpiffeId, Timestamp};

/// One message on its way to one of its ministries.
pub(crate) struct Case<'a> {
    pub(crate) header: &'a Header,
    /// The leaf hash of the header: what officers approve.
    pub(crate) subject: Digest,
    pub(crate) dest: &'a Ministry,
    /// The relays that had it before this one; empty at the origin.
    pub(crate) path: &'a [Ministry],
    /// What officers have said of it.
    pub(crate) releases: &'a [Release],
    /// The system that submits it now.
    pub(crate) submitter: Option<&'a SpiffeId>,
}

/// What a decision needs of one officer's approval. Only ever made of one that was verified and
/// found to be of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) officer: String,
    pub(crate) subject: Digest,
    pub(crate) until: Option<Timestamp>,
    pub(crate) roles: Vec<String>,
}

impl From<&Approval> for Release {
    fn from(approval: &Approval) -> Self {
        Self {
            officer: approval.officer.name().to_owned(),
            subject: approval.subject,
            until: approval.until,
            roles: approval.roles.clone(),
        }
    }
}
