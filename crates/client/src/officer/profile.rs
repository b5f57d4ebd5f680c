//! What an officer or operator needs to speak with the ministry's relay.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use kuriiri_seal::{SealingKey, Signer};
use kuriiri_types::{Ministry, SpiffeId, SpiffeRole};
use serde::Deserialize;

use crate::{
    error::ProfileError,
    profile::{
        folder::{Folder, KeyPair, read_trust},
        party::{Party, PartyBuilder, missing},
    },
};

/// The file in an officer's folder.
const OFFICER: &str = "officer.toml";
/// The file in an operator's folder.
const OPERATOR: &str = "operator.toml";

/// Who an officer or operator is, where the ministry's relay is, and whom to trust: everything that
/// [`Officer::connect`](crate::Officer::connect) needs, checked.
///
/// `Debug` shows no key.
pub struct OfficerProfile {
    pub(super) party: Party,
    pub(super) signer: Option<Signer>,
    pub(super) release_key: Option<Box<SealingKey>>,
    /// Sorted, none twice.
    pub(super) roles: Vec<String>,
}

/// `officer.toml`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawOfficer {
    officer: SpiffeId,
    relay: String,
    tls: KeyPair,
    signing: KeyPair,
    release_key: Option<PathBuf>,
    #[serde(default)]
    roles: Vec<String>,
    trust: PathBuf,
}

/// `operator.toml`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOperator {
    operator: SpiffeId,
    relay: String,
    tls: KeyPair,
    trust: PathBuf,
}

impl OfficerProfile {
    /// Reads `officer.toml` in a folder or, if there is none, `operator.toml`, and everything that it
    /// names. Nothing is written and no socket is opened.
    ///
    /// ```toml
    /// officer = "spiffe://sm.example/officer/anna"
    /// relay = "127.0.0.1:7101"               # host:port
    /// tls = { certificate = "tls.pem", key = "tls.key" }
    /// signing = { certificate = "signing.pem", key = "signing.key" }
    /// release-key = "release.key"            # only to read what is sealed
    /// roles = ["release"]                    # in which the officer signs
    /// trust = "../../../federation/trust"
    /// ```
    ///
    /// An operator's has `operator` in place of `officer`, and neither `signing`, `release-key` nor
    /// `roles`. Paths are relative to the folder. Nobody but their owner may read the key files
    /// (mode 0600). The folder `trust` is that of [`Profile::load`](crate::Profile::load).
    ///
    /// # Errors
    /// The file, the place in it, and what is wrong; an unknown key with the nearest known one.
    pub fn load(folder: &Path) -> Result<Self, ProfileError> {
        let is_operator = !folder.join(OFFICER).exists() && folder.join(OPERATOR).exists();
        if is_operator { load_operator(folder) } else { load_officer(folder) }
    }

    /// A profile from what is at hand, without files. `relay` is `host:port`.
    pub fn builder(person: SpiffeId, relay: &str) -> OfficerProfileBuilder {
        OfficerProfileBuilder {
            party: PartyBuilder::new(person, relay),
            release_key: None,
            roles: Vec::new(),
        }
    }

    /// What a person signs files with: the pair that `officer.toml` in a folder names or, if there
    /// is none, `signing.pem` and `signing.key`. Who only signs files needs no more than these two.
    ///
    /// # Errors
    /// The file, and what is wrong.
    pub fn load_signer(folder: &Path) -> Result<Signer, ProfileError> {
        let files = Folder(folder);
        if folder.join(OFFICER).exists() {
            let raw: RawOfficer = files.toml(OFFICER)?;
            return files.signer(&raw.signing);
        }
        files.signer(&KeyPair::named("signing"))
    }

    /// The person's own name.
    pub fn id(&self) -> &SpiffeId {
        &self.party.id
    }

    /// The roles in which the person signs, sorted.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }
}

fn load_officer(path: &Path) -> Result<OfficerProfile, ProfileError> {
    let folder = Folder(path);
    let raw: RawOfficer = folder.toml(OFFICER)?;
    let party = folder.tls(PartyBuilder::new(raw.officer, &raw.relay), &raw.tls)?;
    let party = folder.signing(party, &raw.signing)?;
    let (party, _) = read_trust(party, &path.join(raw.trust))?;
    let key = raw.release_key.map(|key| folder.secret_key(&key)).transpose()?.map(Box::new);
    let builder = OfficerProfileBuilder { party, release_key: key, roles: raw.roles };
    builder.build_from(&path.join(OFFICER), SpiffeRole::Officer)
}

fn load_operator(path: &Path) -> Result<OfficerProfile, ProfileError> {
    let folder = Folder(path);
    let raw: RawOperator = folder.toml(OPERATOR)?;
    let party = folder.tls(PartyBuilder::new(raw.operator, &raw.relay), &raw.tls)?;
    let (party, _) = read_trust(party, &path.join(raw.trust))?;
    let builder = OfficerProfileBuilder { party, release_key: None, roles: Vec::new() };
    builder.build_from(&path.join(OPERATOR), SpiffeRole::Operator)
}

/// Gathers an [`OfficerProfile`] part by part.
pub struct OfficerProfileBuilder {
    party: PartyBuilder,
    release_key: Option<Box<SealingKey>>,
    roles: Vec<String>,
}

impl OfficerProfileBuilder {
    /// The certificate and key that the relay is shown, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn tls(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        let party = self.party.tls(Path::new("tls"), certificate_pem, key_pem)?;
        Ok(Self { party, ..self })
    }

    /// The certificate and key that an officer signs approvals with, PEM.
    ///
    /// # Errors
    /// When they cannot be used or name somebody else.
    pub fn signing(self, certificate_pem: &str, key_pem: &str) -> Result<Self, ProfileError> {
        let party = self.party.signing(Path::new("signing"), certificate_pem, key_pem)?;
        Ok(Self { party, ..self })
    }

    /// The ministry's key with which its officers read what is sealed.
    pub fn release_key(self, key: SealingKey) -> Self {
        Self { release_key: Some(Box::new(key)), ..self }
    }

    /// A role in which the officer signs. The relay knows who holds which.
    pub fn role(mut self, role: &str) -> Self {
        self.roles.push(role.into());
        self
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

    /// The finished profile: an operator's if the person is one, else an officer's.
    ///
    /// # Errors
    /// When a part is missing or two do not fit each other.
    pub fn build(self) -> Result<OfficerProfile, ProfileError> {
        let role = match self.party.id.role() {
            SpiffeRole::Operator => SpiffeRole::Operator,
            SpiffeRole::Officer | SpiffeRole::Relay | SpiffeRole::System | SpiffeRole::Auditor => {
                SpiffeRole::Officer
            }
        };
        self.build_from(Path::new("profile"), role)
    }

    fn build_from(
        mut self,
        place: &Path,
        role: SpiffeRole,
    ) -> Result<OfficerProfile, ProfileError> {
        let (party, signer) = self.party.build(place, role)?;
        if role == SpiffeRole::Officer && signer.is_none() {
            return Err(missing(place, "signing"));
        }
        self.roles.sort_unstable();
        self.roles.dedup();
        Ok(OfficerProfile { party, signer, release_key: self.release_key, roles: self.roles })
    }
}

impl fmt::Debug for OfficerProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("OfficerProfile");
        debug.field("id", &self.party.id).field("relay", &self.party.relay);
        debug.field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl fmt::Debug for OfficerProfileBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("OfficerProfileBuilder");
        debug.field("id", &self.party.id).field("relay", &self.party.relay);
        debug.field("roles", &self.roles).finish_non_exhaustive()
    }
}
