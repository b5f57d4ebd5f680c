//! Whom this side believes: the CAs of the members, and what they have revoked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use kuriiri_types::{Code, Ministry};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, TrustAnchor, pem, pem::PemObject,
};
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

/// The members, each with its own CAs and revocation lists. Cheap to clone.
///
/// As in a SPIFFE federation, a CA vouches for its own trust domain only: that a certificate was
/// issued by some member's CA means nothing when it names another member. A CA's own expiry is not
/// looked at (RFC 5280 §6.1.1): take it out to end it.
#[derive(Clone)]
pub struct Trust {
    members: Arc<BTreeMap<Ministry, Member>>,
}

/// Gathers members into a [`Trust`].
#[derive(Default)]
pub struct TrustBuilder {
    members: BTreeMap<Ministry, Member>,
    unrevocable: BTreeSet<Ministry>,
}

/// What is known of one ministry's PKI. Without lists, revocation is not checked.
pub(crate) struct Member {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    pub(crate) lists: Vec<CertRevocationList<'static>>,
}

impl Trust {
    /// A trust without members, to which they are added.
    pub fn builder() -> TrustBuilder {
        TrustBuilder::default()
    }

    pub(crate) fn member(&self, ministry: &Ministry) -> Option<&Member> {
        self.members.get(ministry)
    }
}

impl TrustBuilder {
    /// Adds a ministry with its CA certificates and their revocation lists, all PEM (RFC 7468).
    ///
    /// Several CAs stand for one that is being replaced. Each needs a list of its own, complete
    /// (RFC 5280 §5), signed by itself. A list whose next update is overdue refuses everybody; it
    /// is not refused here, because it may be current again after the next swap.
    ///
    /// # Errors
    /// When something cannot be read, or the ministry was added before.
    pub fn member(
        mut self,
        ministry: Ministry,
        ca_pem: &str,
        crl_pem: Option<&str>,
    ) -> Result<Self, TrustError> {
        if self.members.contains_key(&ministry) {
            return Err(TrustError::Twice(ministry));
        }
        let member = Member {
            anchors: anchors(&ministry, ca_pem)?,
            lists: lists(&ministry, crl_pem.unwrap_or_default())?,
        };
        self.members.insert(ministry, member);
        Ok(self)
    }

    /// Believes a ministry's certificates until they expire, because it has no revocation lists.
    ///
    /// A stolen key then opens the door until its certificate expires. A list that is given is
    /// nevertheless enforced.
    pub fn danger_without_revocation(mut self, ministry: Ministry) -> Self {
        self.unrevocable.insert(ministry);
        self
    }

    /// The finished trust.
    ///
    /// # Errors
    /// When a CA has no revocation list and that was not asked for in so many words.
    pub fn build(self) -> Result<Trust, TrustError> {
        for (ministry, member) in &self.members {
            let without = member.lists.is_empty() && self.unrevocable.contains(ministry);
            if !without && !member.is_covered() {
                return Err(TrustError::NoRevocationList(ministry.clone()));
            }
        }
        Ok(Trust { members: Arc::new(self.members) })
    }
}

impl Member {
    /// Whether every CA has a list in its name.
    fn is_covered(&self) -> bool {
        self.anchors.iter().all(|anchor| {
            let mut lists = self.lists.iter();
            lists.any(|list| list.issuer() == anchor.subject.as_ref())
        })
    }
}

fn anchors(ministry: &Ministry, pem: &str) -> Result<Vec<TrustAnchor<'static>>, TrustError> {
    let mut anchors = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| TrustError::pem(ministry, e))?;
        let anchor = anchor_from_trusted_cert(&certificate)
            .map_err(|e| TrustError::Authority(ministry.clone(), e.to_string()))?;
        anchors.push(anchor.to_owned());
    }
    if anchors.is_empty() {
        return Err(TrustError::NoAuthority(ministry.clone()));
    }
    Ok(anchors)
}

fn lists(ministry: &Ministry, pem: &str) -> Result<Vec<CertRevocationList<'static>>, TrustError> {
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()) {
        let list = list.map_err(|e| TrustError::pem(ministry, e))?;
        let list = OwnedCertRevocationList::from_der(&list)
            .map_err(|e| TrustError::RevocationList(ministry.clone(), e.to_string()))?;
        lists.push(list.into());
    }
    Ok(lists)
}

/// Why certificates and lists are not a trust. Each is the operator's to correct.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file is not PEM.
    #[error("a certificate or revocation list of {ministry} is not PEM")]
    Pem {
        /// Whose file it is.
        ministry: Ministry,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A CA certificate cannot be read.
    #[error("a CA certificate of {0} cannot be read: {1}")]
    Authority(Ministry, String),
    /// There is no CA certificate.
    #[error("there is no CA certificate of {0}")]
    NoAuthority(Ministry),
    /// A revocation list cannot be read, or is of a kind that is not supported.
    #[error("a revocation list of {0} cannot be used: {1}")]
    RevocationList(Ministry, String),
    /// A CA has no revocation list.
    #[error("a CA of {0} has no revocation list; get one, or say that it needs none")]
    NoRevocationList(Ministry),
    /// A ministry was added twice.
    #[error("{0} is given twice; put its CAs into one file")]
    Twice(Ministry),
}

impl TrustError {
    fn pem(ministry: &Ministry, source: pem::Error) -> Self {
        Self::Pem { ministry: ministry.clone(), source }
    }

    /// The stable number of this error.
    pub fn code(&self) -> Code {
        Code::KEY_FILE
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

impl fmt::Debug for TrustBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_certs::{Authority, Validity};
    use kuriiri_types::Timestamp;

    use super::*;

    fn ministry() -> Ministry {
        "sm.example".parse().unwrap()
    }

    fn authority(name: &str) -> (Authority, String) {
        let validity = Validity::days(Timestamp::from_millis(1_795_000_000_000), 30);
        let authority = Authority::new(&name.parse().unwrap(), validity).unwrap();
        let list = authority.crl(&[], validity).unwrap();
        (authority, list)
    }

    fn build(ca: &str, crl: Option<&str>) -> Result<Trust, TrustError> {
        Trust::builder().member(ministry(), ca, crl)?.build()
    }

    #[test]
    fn every_authority_needs_a_list_of_its_own() {
        let (one, list) = authority("sm.example");
        let (two, other) = authority("new.sm.example");
        let pem = one.certificate_pem();
        assert!(build(pem, Some(&list)).is_ok());
        for crl in [None, Some(""), Some(other.as_str())] {
            let error = build(pem, crl).unwrap_err();
            assert!(matches!(error, TrustError::NoRevocationList(_)), "{error}");
        }
        let both = format!("{pem}{}", two.certificate_pem());
        let error = build(&both, Some(&list)).unwrap_err();
        assert!(matches!(error, TrustError::NoRevocationList(_)), "{error}");
        assert!(build(&both, Some(&format!("{list}{other}"))).is_ok());
    }

    #[test]
    fn doing_without_a_list_must_be_said_and_allows_no_foreign_one() {
        let (one, _) = authority("sm.example");
        let (_, other) = authority("um.example");
        let build = |crl| {
            Trust::builder()
                .member(ministry(), one.certificate_pem(), crl)
                .unwrap()
                .danger_without_revocation(ministry())
                .build()
        };
        assert!(build(None).is_ok());
        assert!(matches!(build(Some(&other)), Err(TrustError::NoRevocationList(_))));
    }

    #[test]
    fn what_is_no_authority_is_told_apart() {
        let (one, list) = authority("sm.example");
        let pem = one.certificate_pem();
        assert!(matches!(build("", None), Err(TrustError::NoAuthority(_))));
        assert!(matches!(
            build("-----BEGIN CERTIFICATE-----\n!\n", None),
            Err(TrustError::Pem { .. })
        ));
        assert!(matches!(
            build("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None),
            Err(TrustError::Authority(..))
        ));
        assert!(matches!(
            build(pem, Some("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")),
            Err(TrustError::RevocationList(..))
        ));
        let twice = Trust::builder().member(ministry(), pem, Some(&list)).unwrap().member(
            ministry(),
            pem,
            Some(&list),
        );
        assert!(matches!(twice, Err(TrustError::Twice(_))));
    }
}
