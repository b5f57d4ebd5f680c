//! What cases need.

/// What a case needs besides a member with a link to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Certificates of the member whose time is over.
    Expired,
    /// Certificates of the member that its revocation list names.
    Revoked,
    /// A member with which the relay has no link.
    Stranger,
    /// A third member of the federation.
    Third,
    /// A system of the relay's own ministry, to send through it.
    Theirs,
}

impl Need {
    /// What is missing, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "an expired certificate of the member",
            Self::Revoked => "a revoked certificate of the member",
            Self::Stranger => "a member that has no link with the relay",
            Self::Theirs => "a system of the relay's own ministry",
            Self::Third => "a third member in the federation file",
        }
    }
}
