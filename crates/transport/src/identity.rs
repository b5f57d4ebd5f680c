//! Who this side is: its certificate, the chain to its CA, and the key.

use std::{fmt, sync::Arc};

use kuriiri_types::{Code, SpiffeId};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use crate::{CertificateError, peer, restart::RestartKeys};

/// A certificate that names its holder, and the key that belongs to it. Cheap to clone.
///
/// `Debug` prints the name only. Nothing gives the key out again.
#[derive(Clone)]
pub struct Identity {
    id: SpiffeId,
    key: Arc<SingleCertAndKey>,
    restart: RestartKeys,
}

impl Identity {
    /// Reads a certificate, followed by intermediate ones if there are any, and a private key.
    ///
    /// Both are PEM (RFC 7468). The key is Ed25519 or ECDSA P-256, PKCS#8 or SEC 1. Whether the
    /// certificate is current and of which CA is for the other side to judge.
    ///
    /// # Errors
    /// When either cannot be read, the two do not belong together, or the certificate does not
    /// name its holder.
    pub fn from_pem(certificates_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(certificates_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(IdentityError::Certificate)?;
        let first = chain.first().ok_or(IdentityError::NoCertificate)?;
        let id = peer::named(first).map_err(IdentityError::Name)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(IdentityError::Key)?;
        let restart = RestartKeys::derive(key.secret_der());
        let key = any_supported_type(&key).map_err(|_| IdentityError::Algorithm)?;
        if key.choose_scheme(&SCHEMES).is_none() {
            return Err(IdentityError::Algorithm);
        }
        let pair = CertifiedKey::new(chain, key);
        pair.keys_match().map_err(|_| IdentityError::Pair)?;
        Ok(Self { id, key: Arc::new(pair.into()), restart })
    }

    /// The name in the certificate.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    pub(crate) fn restart(&self) -> &RestartKeys {
        &self.restart
    }

    pub(crate) fn key(&self) -> Arc<SingleCertAndKey> {
        Arc::clone(&self.key)
    }
}

/// The signatures that either side makes and accepts, best first.
pub(crate) const SCHEMES: [SignatureScheme; 2] =
    [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.id).finish()
    }
}

/// Why a certificate and a key are not an identity. Each is the operator's to correct.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file of certificates is not PEM.
    #[error("the certificate is not PEM")]
    Certificate(#[source] pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in the file")]
    NoCertificate,
    /// The certificate does not name its holder.
    #[error("the certificate cannot be an identity")]
    Name(#[source] CertificateError),
    /// There is no private key in the file of the key.
    #[error("the private key is not PEM")]
    Key(#[source] pem::Error),
    /// The key is of a kind that nobody here accepts.
    #[error("the private key is neither Ed25519 nor ECDSA P-256")]
    Algorithm,
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate")]
    Pair,
    /// A running endpoint renews its certificate; it does not become somebody else.
    #[error("the new certificate names {new}, but this is {current}; restart to change the name")]
    OtherHolder {
        /// Who the endpoint is.
        current: SpiffeId,
        /// Whom the new certificate names.
        new: SpiffeId,
    },
}

impl IdentityError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        Code::KEY_FILE
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use rcgen::{PKCS_ED25519, SanType, SignatureAlgorithm};

    use super::*;

    fn pair(algorithm: &'static SignatureAlgorithm, uris: &[&str]) -> (String, String) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    const R1: &str = "spiffe://sm.example/relay/r1";

    #[test]
    fn ed25519_and_p256_are_identities_and_print_no_key() {
        for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
            let (certificate, key) = pair(algorithm, &[R1]);
            let identity = Identity::from_pem(&certificate, &key).unwrap();
            assert_eq!(identity.id().to_string(), R1);
            assert_eq!(format!("{identity:?}"), format!("Identity({R1})"));
        }
    }

    #[test]
    fn what_is_no_identity_is_told_apart() {
        let (good, key) = pair(&PKCS_ED25519, &[R1]);
        let why = |certificate: &str, key: &str| Identity::from_pem(certificate, key).unwrap_err();
        assert!(matches!(why("", &key), IdentityError::NoCertificate));
        assert!(matches!(why(&good, ""), IdentityError::Key(_)));
        let (_, other) = pair(&PKCS_ED25519, &[R1]);
        assert!(matches!(why(&good, &other), IdentityError::Pair));
        let (certificate, key) = pair(&PKCS_ECDSA_P384_SHA384, &[R1]);
        assert!(matches!(why(&certificate, &key), IdentityError::Algorithm));
        for uris in [&[][..], &[R1, "spiffe://sm.example/relay/r2"]] {
            let (certificate, key) = pair(&PKCS_ED25519, uris);
            let IdentityError::Name(error) = why(&certificate, &key) else {
                panic!("an identity with {} names", uris.len());
            };
            assert_eq!(error, CertificateError::Names(uris.len()));
        }
    }
}
