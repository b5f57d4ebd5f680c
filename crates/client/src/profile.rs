//! What a system needs to speak with its relay.

mod files;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use kuriiri_seal::{Authorities, SealingKey, SealingPublicKey, Signer};
use kuriiri_transport::{Identity, Trust, TrustBuilder};
use kuriiri_types::{Address, Code, Ministry, SpiffeId, SpiffeRole};

use crate::error::ProfileError;

/// Who a system is, where its relay is, and whom it trusts: everything that
/// [`Client::connect`](crate::Client::connect) needs, checked.
///
/// `Debug` shows no key.
pub struct Profile {
    pub(crate) system: SpiffeId,
    pub(crate) address: Address,
    pub(crate) relay: String,
    pub(crate) identity: Identity,
    pub(crate) signer: Signer,
    pub(crate) sealing_key: Option<SealingKey>,
    pub(crate) trust: Trust,
    pub(crate) authorities: Authorities,
    pub(crate) sealing_keys: HashMap<Ministry, SealingPublicKey>,
    pub(crate) trust_folder: PathBuf,
}

impl Profile {
    /// Reads `system.toml` in a folder, and everything that it names. Nothing is written and no
    /// socket is opened.
    ///
    /// ```toml
    /// system = "spiffe://sm.example/system/kirjaamo"
    /// address = "kirjaamo@sm.example"        # its own mailbox
    /// relay = "127.0.0.1:7101"               # host:port
    /// tls = { certificate = "tls.pem", key = "tls.key" }
    /// signing = { certificate = "signing.pem", key = "signing.key" }
    /// sealing-key = "sealing.key"            # only to receive sealed messages
    /// trust = "../../../federation/trust"
    /// ```
    ///
    /// Paths are relative to the folder. Nobody but their owner may read the key files (mode
    /// 0600). The folder `trust` holds for every ministry `<ministry>.ca.pem`,
    /// `<ministry>.crl.pem` and, to send sealed messages there, `<ministry>.seal.pub`.
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong; an unknown key with the nearest known one.
    pub fn load(folder: &Path) -> Result<Self, ProfileError> {
        files::load(folder)
    }

    /// A profile from what is at hand, without files.
    ///
    /// `relay` is `host:port`; the host may be a name, which is looked up at every connection.
    pub fn builder(system: SpiffeId, address: Address, relay: &str) -> ProfileBuilder {
        ProfileBuilder {
            system,
            address,
            relay: relay.into(),
            identity: None,
            signer: None,
            sealing_key: None,
            trust: Trust::builder(),
            authorities: Authorities::new(),
            sealing_keys: HashMap::new(),
            trust_folder: PathBuf::new(),
        }
    }

    /// The system's own name.
    pub fn system(&self) -> &SpiffeId {
        &self.system
    }

    /// The system's own mailbox, from which it sends and which it reads unless told otherwise.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Gathers a [`Profile`] part by part.
pub struct ProfileBuilder {
    system: SpiffeId,
    address: Address,
    relay: String,
    identity: Option<Identity>,
    signer: Option<Signer>,
    sealing_key: Option<SealingKey>,
    trust: TrustBuilder,
    authorities: Authorities,
    sealing_keys: HashMap<Ministry, SealingPublicKey>,
    trust_folder: PathBuf,
}

impl ProfileBuilder {
    /// The certificate and key that the relay is shown, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn tls(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        self.tls_from(Path::new("tls"), certificate_pem, key_pem)
    }

    /// The certificate and key that messages are signed with, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn signing(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        self.signing_from(Path::new("signing"), certificate_pem, key_pem)
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
        self.trust_from(Path::new(ministry.as_str()), ministry, ca_pem, crl_pem)
    }

    /// Seals what goes to a ministry with this key.
    pub fn seal_to(mut self, ministry: &Ministry, key: SealingPublicKey) -> Self {
        self.sealing_keys.insert(ministry.clone(), key);
        self
    }

    /// The finished profile.
    ///
    /// # Errors
    /// When a part is missing or two do not fit each other.
    pub fn build(self) -> Result<Profile, ProfileError> {
        self.build_from(Path::new("profile"))
    }

    pub(crate) fn tls_from(
        self,
        place: &Path,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Self, ProfileError> {
        let identity = Identity::from_pem(certificate_pem, key_pem).map_err(|error| {
            let what = "certificate and key cannot be used for the link to the relay";
            ProfileError::new(place, error.code(), what).because(error)
        })?;
        self.require_own(place, identity.id())?;
        Ok(Self { identity: Some(identity), ..self })
    }

    pub(crate) fn signing_from(
        self,
        place: &Path,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Self, ProfileError> {
        let signer = Signer::from_pem(certificate_pem, key_pem).map_err(|error| {
            let what = "certificate and key cannot be used for signing";
            ProfileError::new(place, error.code(), what).because(error)
        })?;
        self.require_own(place, signer.id())?;
        Ok(Self { signer: Some(signer), ..self })
    }

    pub(crate) fn trust_from(
        mut self,
        place: &Path,
        ministry: &Ministry,
        ca_pem: &str,
        crl_pem: &str,
    ) -> Result<Self, ProfileError> {
        let what = "the certificate authority or its revocation list cannot be used";
        let trust = self
            .trust
            .member(ministry.clone(), ca_pem, Some(crl_pem))
            .map_err(|e| ProfileError::new(place, e.code(), what).because(e))?;
        let authorities = &mut self.authorities;
        authorities
            .add(ministry, ca_pem)
            .and_then(|()| authorities.add_revocations(ministry, crl_pem))
            .map_err(|e| ProfileError::new(place, e.code(), what).because(e))?;
        Ok(Self { trust, ..self })
    }

    pub(crate) fn trust_folder(self, trust_folder: PathBuf) -> Self {
        Self { trust_folder, ..self }
    }

    pub(crate) fn build_from(self, place: &Path) -> Result<Profile, ProfileError> {
        let wrong = |what: String| ProfileError::new(place, Code::CONFIG, what);
        let missing = |key: &str| wrong(format!("`{key}` is missing"));
        if self.system.role() != SpiffeRole::System {
            return Err(wrong(format!("`system` is {}, which is no system", self.system)));
        }
        if self.address.ministry() != self.system.ministry() {
            let (address, ministry) = (&self.address, self.system.ministry());
            return Err(wrong(format!("`address` is {address}, which is not at {ministry}")));
        }
        check_relay(&self.relay).map_err(wrong)?;
        let trust = self.trust.build().map_err(|error| {
            let what = "`trust` cannot be used";
            ProfileError::new(place, error.code(), what).because(error)
        })?;
        Ok(Profile {
            identity: self.identity.ok_or_else(|| missing("tls"))?,
            signer: self.signer.ok_or_else(|| missing("signing"))?,
            system: self.system,
            address: self.address,
            relay: self.relay,
            sealing_key: self.sealing_key,
            trust,
            authorities: self.authorities,
            sealing_keys: self.sealing_keys,
            trust_folder: self.trust_folder,
        })
    }

    fn require_own(&self, place: &Path, named: &SpiffeId) -> Result<(), ProfileError> {
        if *named == self.system {
            return Ok(());
        }
        let what = format!("this certificate names {named}, not {}", self.system);
        Err(ProfileError::new(place, Code::KEY_FILE, what))
    }
}

fn check_relay(relay: &str) -> Result<(), String> {
    let port = relay.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Ok(()),
        Some(0) | None => Err(format!("`relay` is `{relay}`; write it as host:port")),
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Profile");
        debug.field("system", &self.system).field("address", &self.address);
        debug.field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProfileBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ProfileBuilder");
        debug.field("system", &self.system).field("address", &self.address);
        debug.field("relay", &self.relay).finish_non_exhaustive()
    }
}
