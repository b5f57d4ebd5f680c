//! From a certificate to the one it names, and the only way there.

use std::{fmt, sync::Arc};

use kuriiri_types::{Fingerprint, Ministry, SpiffeId};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
    ring::{ECDSA_P256_SHA256, ED25519},
};

use crate::{CertificateError, Trust, trust::Member};

/// The holder at the other end of a link, proven by a certificate. Cheap to clone.
///
/// There is no way to make one but to verify a certificate in a handshake.
#[derive(Clone)]
pub struct Peer {
    id: SpiffeId,
    fingerprint: Fingerprint,
    chain: Arc<[CertificateDer<'static>]>,
    side: Side,
}

/// Which end of the connection the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one who dialled.
    Dialler,
    /// The one who answered.
    Listener,
}

impl Peer {
    /// The holder that the certificate names.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Verifies a chain, the peer's own certificate first (RFC 5280 §6, X509-SVID §5).
    ///
    /// It leads to a CA of the ministry that the certificate names, is not revoked by that CA's
    /// current list, and every certificate in it says that it is for this side of TLS.
    pub(crate) fn verify(
        trust: &Trust,
        chain: Vec<CertificateDer<'static>>,
        side: Side,
        now: UnixTime,
    ) -> Result<Self, CertificateError> {
        let id = verify(trust, &chain, side, now)?;
        Ok(Self { fingerprint: fingerprint(&chain)?, id, chain: chain.into(), side })
    }

    /// Verifies the same chain under another trust or at another time.
    pub(crate) fn verify_again(
        &self,
        trust: &Trust,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        verify(trust, &self.chain, self.side, now).map(|_| ())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// The one holder that a certificate names. It proves nothing yet.
pub(crate) fn named(certificate: &CertificateDer<'_>) -> Result<SpiffeId, CertificateError> {
    let certificate = EndEntityCert::try_from(certificate).map_err(unreadable)?;
    name_of(&certificate)
}

/// The signature algorithms in certificates and revocation lists.
pub(crate) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[ED25519, ECDSA_P256_SHA256];

// === the rules ===

/// id-kp-serverAuth, 1.3.6.1.5.5.7.3.1, as the content of its DER.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

fn verify(
    trust: &Trust,
    chain: &[CertificateDer<'static>],
    side: Side,
    now: UnixTime,
) -> Result<SpiffeId, CertificateError> {
    let Some((own, intermediates)) = chain.split_first() else {
        return Err(CertificateError::Malformed("it is empty".into()));
    };
    let certificate = EndEntityCert::try_from(own).map_err(unreadable)?;
    let id = name_of(&certificate)?;
    let Some(member) = trust.member(id.ministry()) else {
        return Err(CertificateError::UnknownMinistry(id.ministry().clone()));
    };
    verify_path(&certificate, intermediates, member, side, now)
        .map_err(|error| sorted(error, id.ministry()))?;
    Ok(id)
}

fn name_of(certificate: &EndEntityCert<'_>) -> Result<SpiffeId, CertificateError> {
    let mut names = certificate.valid_uri_names();
    match (names.next(), names.count()) {
        (Some(name), 0) => name.parse().map_err(CertificateError::Name),
        (None, _) => Err(CertificateError::Names(0)),
        (Some(_), more) => Err(CertificateError::Names(more.saturating_add(1))),
    }
}

fn verify_path(
    certificate: &EndEntityCert<'_>,
    intermediates: &[CertificateDer<'_>],
    member: &Member,
    side: Side,
    now: UnixTime,
) -> Result<(), webpki::Error> {
    let purpose = KeyUsage::required(match side {
        Side::Dialler => CLIENT_AUTH,
        Side::Listener => SERVER_AUTH,
    });
    let lists: Vec<&CertRevocationList<'_>> = member.lists.iter().collect();
    // Without lists the builder of options fails, and by the promise of `Trust` that was asked for.
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
        options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build()
    });
    certificate
        .verify_for_usage(
            ALGORITHMS,
            &member.anchors,
            intermediates,
            now,
            purpose,
            revocation,
            None,
        )
        .map(|_| ())
}

fn fingerprint(chain: &[CertificateDer<'_>]) -> Result<Fingerprint, CertificateError> {
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider);
    sha256
        .zip(chain.first())
        .and_then(|(sha256, own)| Fingerprint::from_slice(sha256.hash(own).as_ref()))
        .ok_or_else(|| CertificateError::Invalid("it cannot be hashed".into()))
}

// === the reasons ===

fn unreadable(error: webpki::Error) -> CertificateError {
    CertificateError::Malformed(error.to_string())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "webpki may add errors, and all but those named mean the same here"
)]
fn sorted(error: webpki::Error, ministry: &Ministry) -> CertificateError {
    use webpki::Error;
    match error {
        // A CA of the same name but with another key shows as a wrong signature.
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            CertificateError::Issuer(ministry.clone())
        }
        Error::CertExpired { .. } => CertificateError::Expired,
        Error::CertNotValidYet { .. } => CertificateError::NotYetValid,
        Error::CertRevoked => CertificateError::Revoked,
        Error::UnknownRevocationStatus
        | Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner => CertificateError::RevocationUnknown(ministry.clone()),
        Error::CrlExpired { .. } => CertificateError::RevocationStale(ministry.clone()),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
            CertificateError::Purpose
        }
        other => CertificateError::Invalid(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kuriiri_certs::{Authority, Purpose, Validity};
    use kuriiri_types::Timestamp;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    /// A link is held to this once a minute, whoever is at its other end.
    #[test]
    fn nobody_is_believed_longer_than_the_list_that_covers_them() {
        let (begin, ministry) = (1_795_000_000, "sm.example".parse().unwrap());
        let days = |days| Validity::days(Timestamp::from_millis(begin * 1000), days);
        let authority = Authority::new(&ministry, days(100)).unwrap();
        let list = authority.crl(&[], days(7)).unwrap();
        let trust = Trust::builder();
        let trust = trust.member(ministry, authority.certificate_pem(), Some(&list)).unwrap();
        let trust = trust.build().unwrap();
        let at = |seconds: u64| {
            let begin = u64::try_from(begin).unwrap();
            UnixTime::since_unix_epoch(Duration::from_secs(begin + seconds))
        };
        for holder in ["relay/r1", "system/kirjaamo", "officer/anna", "operator/anna"] {
            let id = format!("spiffe://sm.example/{holder}").parse().unwrap();
            let issued = authority.issue(&id, Purpose::Tls, days(30)).unwrap();
            let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
            let peer = Peer::verify(&trust, chain, Side::Dialler, at(0)).unwrap();
            let week = 7 * 24 * 3600;
            assert_eq!(peer.verify_again(&trust, at(week - 1)), Ok(()));
            let stale = CertificateError::RevocationStale(id.ministry().clone());
            assert_eq!(peer.verify_again(&trust, at(week)), Err(stale), "{holder}");
        }
    }
}
