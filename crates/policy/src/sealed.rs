//! Whether a message counts as sealed, by its header and the keys that the federation file lists.

use kuriiri_types::{Header, Ministry, SealKeyId, Sealing};

use crate::federation::{Federation, Node};

/// Why a body does not count as sealed, for the sender: whose key it is about, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// The header names no keys.
    #[error("the header names no sealing keys")]
    Open,
    /// The header names another suite than the one that there is.
    #[error("it is sealed with suite {0}, which this version does not know")]
    Suite(u32),
    /// The federation file has no sealing key of a recipient's ministry.
    #[error(
        "the federation file lists no sealing key of {0}, so nothing counts as sealed to it: have its `sealing_keys` listed there, and the file signed and put in force"
    )]
    NoKey(Ministry),
    /// The header names none of the keys of a recipient's ministry.
    #[error("it is sealed to no key of {0}, where a recipient is: seal it to that ministry too")]
    NotTo(Ministry),
    /// The header names a key of a recipient's ministry that the federation file does not list.
    #[error(
        "it is sealed to a key of {0} that the federation file does not list: put a key that is listed there into `{0}.seal.pub` of the sender's trust folder, and send it again"
    )]
    UnknownKey(Ministry),
    /// The header names a key of the sender's own ministry that is not one of its officers' either.
    #[error(
        "it is sealed to a key of {0} that is no release key in the federation file: put one that is listed there into `{0}.release.pub` of the sender's trust folder, and send it again"
    )]
    UnknownReleaseKey(Ministry),
    /// The header names a key of a ministry that the message is not for.
    #[error("it is sealed to a key of {0}, for which it is not: seal it to its recipients alone")]
    Stranger(Ministry),
}

impl Unsealed {
    /// The stable code, which stands before the sentence; codes are never reused with another meaning.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open => "SEAL_NONE",
            Self::Suite(_) => "SEAL_SUITE",
            Self::NoKey(_) => "SEAL_KEY_NOT_LISTED",
            Self::NotTo(_) => "SEAL_KEY_MISSING",
            Self::UnknownKey(_) => "SEAL_KEY_UNKNOWN",
            Self::UnknownReleaseKey(_) => "SEAL_RELEASE_KEY_UNKNOWN",
            Self::Stranger(_) => "SEAL_STRANGER",
        }
    }
}

impl Federation {
    /// Whether a message counts as sealed for a copy that goes to one of its ministries, by what its header
    /// says: the suite is the one that there is, each key that it names is one that this file lists, as a
    /// sealing key of a recipient's ministry or as a release key of the sender's, and each recipient's
    /// ministry has one of them.
    ///
    /// That the body is laid out so is asked where header and body are joined, and who can really open it
    /// nobody sees from outside.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn check_seal(&self, header: &Header, dest: &Ministry) -> Result<(), Unsealed> {
        let sealing = header.sealing.as_ref().ok_or(Unsealed::Open)?;
        if sealing.suite != Sealing::SUITE {
            return Err(Unsealed::Suite(sealing.suite));
        }
        sealing.keys.iter().try_for_each(|key| self.check_key(header, key))?;
        let ministries = header.to.iter().map(|recipient| recipient.address.ministry());
        ministries.chain([dest]).try_for_each(|ministry| self.check_is_to(sealing, ministry))
    }

    /// Whether the sender's officers can read the body: it is open, or sealed to one of their release keys.
    pub fn is_readable_by_officers(&self, header: &Header) -> bool {
        let home = header.from.ministry();
        let Some(sealing) = &header.sealing else { return true };
        let mut own = sealing.keys.iter().filter(|key| key.ministry == *home);
        own.any(|key| self.lists_release_key(key))
    }

    /// Whether bodies can count as sealed to a ministry: this file lists a sealing key of it.
    pub fn has_sealing_key(&self, ministry: &Ministry) -> bool {
        self.member(ministry).is_some_and(|node| !node.sealing_keys().is_empty())
    }

    fn check_key(&self, header: &Header, key: &SealKeyId) -> Result<(), Unsealed> {
        let ministry = || key.ministry.clone();
        let is_recipient = header.recipients_at(&key.ministry).next().is_some();
        let is_sender = key.ministry == *header.from.ministry();
        match (is_recipient, is_sender) {
            (true, _) if self.lists_sealing_key(key) => Ok(()),
            (_, true) if self.lists_release_key(key) => Ok(()),
            (true, false) if !self.has_sealing_key(&key.ministry) => {
                Err(Unsealed::NoKey(ministry()))
            }
            (true, _) => Err(Unsealed::UnknownKey(ministry())),
            (false, true) => Err(Unsealed::UnknownReleaseKey(ministry())),
            (false, false) => Err(Unsealed::Stranger(ministry())),
        }
    }

    fn check_is_to(&self, sealing: &Sealing, ministry: &Ministry) -> Result<(), Unsealed> {
        if !self.has_sealing_key(ministry) {
            return Err(Unsealed::NoKey(ministry.clone()));
        }
        let mut own = sealing.keys.iter().filter(|key| key.ministry == *ministry);
        if own.any(|key| self.lists_sealing_key(key)) {
            return Ok(());
        }
        Err(Unsealed::NotTo(ministry.clone()))
    }

    fn lists_sealing_key(&self, key: &SealKeyId) -> bool {
        self.member(&key.ministry).is_some_and(|node| node.sealing_keys().contains(&key.key))
    }

    fn lists_release_key(&self, key: &SealKeyId) -> bool {
        self.member(&key.ministry).is_some_and(|node| node.release_keys().contains(&key.key))
    }

    fn member(&self, ministry: &Ministry) -> Option<&Node> {
        self.by_domain(ministry).and_then(|node| self.get(node))
    }
}

#[cfg(test)]
mod tests;
