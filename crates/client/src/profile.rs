//! What a system needs to speak with its relay.

mod files;
pub(crate) mod folder;
pub(crate) mod party;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use kuriiri_seal::{SealingKey, SealingPublicKey, Signer};
use kuriiri_tlog::{KeyKind, LogKeys, VerifierKey, log_origin};
use kuriiri_types::{Address, Code, Ministry, SpiffeId, SpiffeRole};

use crate::error::ProfileError;
use party::{Party, PartyBuilder, missing};

/// Who a system is, where its relay is, and whom it trusts: everything that
/// [`Client::connect`](crate::Client::connect) needs, checked.
///
/// `Debug` shows no key.
pub struct Profile {
    pub(crate) party: Party,
    pub(crate) address: Address,
    pub(crate) signer: Signer,
    pub(crate) log_keys: LogKeys,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) sealing_keys: HashMap<Ministry, SealingPublicKey>,
    pub(crate) release_key: Option<Box<SealingPublicKey>>,
    pub(crate) trust_folder: PathBuf,
}

impl Profile {
    /// A profile from what is at hand, without files.
    ///
    /// `relay` is `host:port`; the host may be a name, which is looked up at every connection.
    pub fn builder(system: SpiffeId, address: Address, relay: &str) -> ProfileBuilder {
        ProfileBuilder {
            party: PartyBuilder::new(system, relay),
            address,
            log_keys: LogKeys::new(),
            sealing_key: None,
            sealing_keys: HashMap::new(),
            release_key: None,
            trust_folder: PathBuf::new(),
        }
    }

    /// The system's own name.
    pub fn system(&self) -> &SpiffeId {
        &self.party.id
    }

    /// The system's own mailbox, from which it sends and which it reads unless told otherwise.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Gathers a [`Profile`] part by part.
pub struct ProfileBuilder {
    party: PartyBuilder,
    address: Address,
    log_keys: LogKeys,
    sealing_key: Option<SealingKey>,
    sealing_keys: HashMap<Ministry, SealingPublicKey>,
    release_key: Option<Box<SealingPublicKey>>,
    trust_folder: PathBuf,
}

impl ProfileBuilder {
    /// The certificate and key that the relay is shown, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn tls(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        let party = self.party.tls(Path::new("tls"), certificate_pem, key_pem)?;
        Ok(Self { party, ..self })
    }

    /// The certificate and key that messages are signed with, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn signing(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        let party = self.party.signing(Path::new("signing"), certificate_pem, key_pem)?;
        Ok(Self { party, ..self })
    }

    /// The key that opens sealed messages.
    pub fn sealing_key(self, key: SealingKey) -> Self {
        Self { sealing_key: Some(key), ..self }
    }

    /// Trusts a ministry's certificate authority, whose revocation list comes along, both PEM.
    ///
    /// # Errors
    /// When they cannot be used, or the ministry was added before.
    pub fn trust(
        self,
        ministry: &Ministry,
        ca_pem: &str,
        crl_pem: &str,
    ) -> Result<Self, ProfileError> {
        let place = Path::new(ministry.as_str());
        let party = self.party.trust(place, ministry, ca_pem, crl_pem)?;
        Ok(Self { party, ..self })
    }

    /// Believes the receipts that stand in the log of a ministry's relay, which has this public key.
    /// That of the own ministry is needed.
    ///
    /// # Errors
    /// When the key is not for `<ministry>/log`, or not one that logs sign with.
    pub fn log_key(self, ministry: &Ministry, key: &VerifierKey) -> Result<Self, ProfileError> {
        self.log_key_from(Path::new(&log_key_file(ministry)), ministry, key)
    }

    /// `place` is where it came from.
    fn log_key_from(
        mut self,
        place: &Path,
        ministry: &Ministry,
        key: &VerifierKey,
    ) -> Result<Self, ProfileError> {
        let origin = log_origin(ministry);
        let unfit = |what| ProfileError::new(place, Code::KEY_FILE, what);
        if key.kind() != KeyKind::Note {
            return Err(unfit(format!("this is a witness's key, not that of `{origin}`")));
        }
        if key.name().as_str() != origin {
            return Err(unfit(format!("this key is for `{}`, not for `{origin}`", key.name())));
        }
        let added = self.log_keys.add(key);
        added.map_err(|error| unfit("this log key cannot be used".into()).because(error))?;
        Ok(self)
    }

    /// Seals what goes to a ministry with this key.
    pub fn seal_to(mut self, ministry: &Ministry, key: SealingPublicKey) -> Self {
        self.sealing_keys.insert(ministry.clone(), key);
        self
    }

    /// Seals what officers of the own ministry release with their key too, so that they can read it.
    pub fn release_with(self, key: SealingPublicKey) -> Self {
        Self { release_key: Some(Box::new(key)), ..self }
    }

    /// The finished profile.
    ///
    /// # Errors
    /// When a part is missing or two do not fit each other.
    pub fn build(self) -> Result<Profile, ProfileError> {
        self.build_from(Path::new("profile"))
    }

    pub(crate) fn build_from(self, place: &Path) -> Result<Profile, ProfileError> {
        let home = self.party.id.ministry();
        if self.address.ministry() != home {
            let what = format!("`address` is {}, which is not at {home}", self.address);
            return Err(ProfileError::new(place, Code::CONFIG, what));
        }
        if self.log_keys.find(&log_origin(home)).is_none() {
            let file = self.trust_folder.join(log_key_file(home));
            let what = "the key of the own relay's log is missing";
            return Err(ProfileError::new(file, Code::KEY_FILE, what));
        }
        let (party, signer) = self.party.build(place, SpiffeRole::System)?;
        Ok(Profile {
            party,
            signer: signer.ok_or_else(|| missing(place, "signing"))?,
            address: self.address,
            log_keys: self.log_keys,
            sealing_key: self.sealing_key,
            sealing_keys: self.sealing_keys,
            release_key: self.release_key,
            trust_folder: self.trust_folder,
        })
    }
}

/// The file with the key of the log of a ministry's relay.
pub(crate) fn log_key_file(ministry: &Ministry) -> String {
    format!("{ministry}.log.vkey")
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Profile");
        debug.field("system", &self.party.id).field("address", &self.address);
        debug.field("relay", &self.party.relay).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProfileBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ProfileBuilder");
        debug.field("system", &self.party.id).field("address", &self.address);
        debug.field("relay", &self.party.relay).finish_non_exhaustive()
    }
}
