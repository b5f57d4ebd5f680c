//! What systems, officers and operators need alike: who one is, where the relay is, whom to believe.

use std::{collections::BTreeSet, path::Path};

use kuriiri_seal::{Authorities, Signer};
use kuriiri_transport::{Identity, Trust, TrustBuilder};
use kuriiri_types::{Code, Ministry, SpiffeId, SpiffeRole};

use crate::error::ProfileError;

/// One side of a link to the own relay, checked.
pub(crate) struct Party {
    pub(crate) id: SpiffeId,
    pub(crate) relay: String,
    pub(crate) identity: Identity,
    pub(crate) trust: Trust,
    pub(crate) authorities: Authorities,
    pub(crate) members: BTreeSet<Ministry>,
}

/// Gathers a [`Party`], and what it signs with, part by part.
pub(crate) struct PartyBuilder {
    pub(crate) id: SpiffeId,
    pub(crate) relay: String,
    identity: Option<Identity>,
    signer: Option<Signer>,
    trust: TrustBuilder,
    authorities: Authorities,
    /// Whose authorities are believed.
    pub(crate) members: BTreeSet<Ministry>,
}

impl PartyBuilder {
    /// `relay` is `host:port`.
    pub(crate) fn new(id: SpiffeId, relay: &str) -> Self {
        Self {
            id,
            relay: relay.into(),
            identity: None,
            signer: None,
            trust: Trust::builder(),
            authorities: Authorities::new(),
            members: BTreeSet::new(),
        }
    }

    /// What the relay is shown; `place` is where it came from.
    pub(crate) fn tls(
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

    /// What is signed with; `place` is where it came from.
    pub(crate) fn signing(
        self,
        place: &Path,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Self, ProfileError> {
        let signer = signer(place, certificate_pem, key_pem)?;
        self.require_own(place, signer.id())?;
        Ok(Self { signer: Some(signer), ..self })
    }

    /// Believes a ministry's authority; `place` is where it came from.
    pub(crate) fn trust(
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
        self.members.insert(ministry.clone());
        Ok(Self { trust, ..self })
    }

    /// The finished party, which must hold this role, and what it signs with, if anything. `place`
    /// is the file that the role's own key (`system`, `officer`) stands in.
    pub(crate) fn build(
        self,
        place: &Path,
        role: SpiffeRole,
    ) -> Result<(Party, Option<Signer>), ProfileError> {
        let wrong = |what: String| ProfileError::new(place, Code::CONFIG, what);
        if self.id.role() != role {
            let what = format!("`{role}` is {}, which is no {role}", self.id, role = role.as_str());
            return Err(wrong(what));
        }
        check_relay(&self.relay).map_err(wrong)?;
        let trust = self.trust.build().map_err(|error| {
            let what = "`trust` cannot be used";
            ProfileError::new(place, error.code(), what).because(error)
        })?;
        let party = Party {
            identity: self.identity.ok_or_else(|| missing(place, "tls"))?,
            id: self.id,
            relay: self.relay,
            trust,
            authorities: self.authorities,
            members: self.members,
        };
        Ok((party, self.signer))
    }

    fn require_own(&self, place: &Path, named: &SpiffeId) -> Result<(), ProfileError> {
        if *named == self.id {
            return Ok(());
        }
        let what = format!("this certificate names {named}, not {}", self.id);
        Err(ProfileError::new(place, Code::KEY_FILE, what))
    }
}

/// What one signs with; `place` is where it came from.
pub(crate) fn signer(
    place: &Path,
    certificate_pem: &str,
    key_pem: &str,
) -> Result<Signer, ProfileError> {
    Signer::from_pem(certificate_pem, key_pem).map_err(|error| {
        let what = "certificate and key cannot be used for signing";
        ProfileError::new(place, error.code(), what).because(error)
    })
}

/// A key of a profile is missing.
pub(crate) fn missing(place: &Path, key: &str) -> ProfileError {
    ProfileError::new(place, Code::CONFIG, format!("`{key}` is missing"))
}

fn check_relay(relay: &str) -> Result<(), String> {
    let port = relay.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port.and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(1..) => Ok(()),
        Some(0) | None => Err(format!("`relay` is `{relay}`; write it as host:port")),
    }
}
