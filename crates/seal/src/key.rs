//! The key that signs, and the certificate that says whose it is.

use std::fmt;

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_types::{Fingerprint, SpiffeId};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroize;

use crate::{KeyError, certificate::Claims};

/// A private Ed25519 key (RFC 8032) with its certificate: what a system signs messages with, and an
/// officer approvals.
///
/// `Debug` shows whose it is and never the key.
pub struct Signer {
    key: Ed25519KeyPair,
    certificate: Bytes,
    fingerprint: Fingerprint,
    id: SpiffeId,
}

impl Signer {
    /// A signer from PEM: one certificate, and its private key in PKCS#8 (RFC 5958, with or
    /// without the public key in it).
    ///
    /// Whether the certificate is issued by its ministry, valid, and meant for signing is judged by
    /// those who verify.
    ///
    /// # Errors
    /// When either text is not what it should be, the key is not Ed25519, the certificate does not
    /// name exactly one holder, or the two do not belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, KeyError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|source| KeyError::Pem { what: "certificate", source })?;
        let claims = Claims::read(&certificate)?;
        let key = private_key(key_pem)?;
        if key.public_key().as_ref() != claims.public_key {
            return Err(KeyError::Mismatch(claims.id));
        }
        Ok(Self {
            key,
            fingerprint: fingerprint(&certificate),
            certificate: Bytes::copy_from_slice(&certificate),
            id: claims.id,
        })
    }

    /// SHA-256 of the certificate, by which proofs name it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate, DER; those who verify need it once.
    pub fn certificate(&self) -> &Bytes {
        &self.certificate
    }

    /// Whom the certificate names.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    pub(crate) fn sign_text(&self, text: &[u8]) -> Bytes {
        Bytes::copy_from_slice(self.key.sign(text).as_ref())
    }
}

/// The SHA-256 of a certificate's DER.
pub(crate) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    digest(certificate)
}

pub(crate) fn private_key(pem: &str) -> Result<Ed25519KeyPair, KeyError> {
    let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|source| KeyError::Pem { what: "private key in PKCS#8", source })?;
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
    der.zeroize();
    key.map_err(|_| KeyError::PrivateKey)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_certs::{Authority, Purpose, Validity};
    use kuriiri_types::Timestamp;

    use super::*;

    impl Signer {
        /// A signer with a key that anybody can know, for the vectors.
        pub(crate) fn for_vectors(seed: &[u8; 32]) -> Self {
            Self {
                key: Ed25519KeyPair::from_seed_unchecked(seed).unwrap(),
                certificate: Bytes::new(),
                fingerprint: fingerprint(b""),
                id: "spiffe://sm.example/system/vectors".parse().unwrap(),
            }
        }

        pub(crate) fn public_key(&self) -> Vec<u8> {
            self.key.public_key().as_ref().to_vec()
        }
    }

    #[test]
    fn only_a_pair_is_a_signer() {
        let validity = Validity::days(Timestamp::from_millis(1_795_000_000_000), 30);
        let authority = Authority::new(&"sm.example".parse().unwrap(), validity).unwrap();
        let id = "spiffe://sm.example/system/kirjaamo".parse().unwrap();
        let issue = || authority.issue(&id, Purpose::Signing, validity).unwrap();
        let (one, two) = (issue(), issue());

        let signer = Signer::from_pem(&one.certificate_pem, &one.key_pem).unwrap();
        assert_eq!(signer.id(), &id);
        assert_eq!(signer.fingerprint(), fingerprint(signer.certificate()));

        let mixed = Signer::from_pem(&one.certificate_pem, &two.key_pem);
        assert!(matches!(mixed, Err(KeyError::Mismatch(_))));
        let swapped = Signer::from_pem(&one.key_pem, &one.certificate_pem);
        assert!(matches!(swapped, Err(KeyError::Pem { .. })));
        let nameless = Signer::from_pem(authority.certificate_pem(), &one.key_pem);
        assert!(matches!(nameless, Err(KeyError::Certificate(_))));
    }

    #[test]
    fn no_key_is_ever_printed() {
        let seed = [0x5a; 32];
        let printed = format!("{:?}", Signer::for_vectors(&seed));
        assert!(printed.contains("spiffe://sm.example/system/vectors"));
        assert!(!printed.contains("5a5a") && !printed.contains("90, 90"));
    }
}
