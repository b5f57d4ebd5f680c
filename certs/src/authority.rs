//! A ministry's certificate authority.

use std::fmt;

use kuriiri_types::{Ministry, SpiffeId};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, RevocationReason, RevokedCertParams, SanType, SerialNumber,
};

use crate::{CertsError, Serial, Validity};

/// id-kp-documentSigning (RFC 9336): what a key must be certified for to sign messages.
const DOCUMENT_SIGNING: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 36];

/// A ministry's own certificate authority, with its private key in memory only.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    certificate_pem: String,
}

/// What a certificate may be used for. Keys are separate by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Either side of a connection: extended key usage clientAuth and serverAuth.
    Tls,
    /// Signing messages, receipts, approvals or files: extended key usage id-kp-documentSigning,
    /// 1.3.6.1.5.5.7.3.36 (RFC 9336).
    Signing,
}

/// A certificate and the private key that was made for it.
///
/// `Debug` leaves the key out. Whoever writes it to a file gives the file mode 0600.
pub struct Issued {
    /// The certificate, PEM (RFC 7468).
    pub certificate_pem: String,
    /// Its private key, PKCS#8 in PEM.
    pub key_pem: String,
    /// Its serial number, for revoking it.
    pub serial: Serial,
}

impl Authority {
    /// A new authority with a fresh key and a self-signed certificate.
    ///
    /// Its name is `CN=<ministry> CA`, so no two ministries share one. It may sign certificates
    /// and revocation lists, and certificates below it may not sign others (path length 0).
    ///
    /// # Errors
    /// When the validity is empty or beyond X.509, or the system gives no randomness.
    pub fn new(ministry: &Ministry, validity: Validity) -> Result<Self, CertsError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = params(&format!("{ministry} CA"), &key, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority's own certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's own certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// A fresh key and its certificate, with the id as the only URI SAN.
    ///
    /// It does NOT check that the id belongs to this authority's ministry: tests of those who must
    /// refuse such a certificate need one.
    ///
    /// # Errors
    /// When the validity is empty or beyond X.509, or the system gives no randomness.
    pub fn issue(
        &self,
        id: &SpiffeId,
        purpose: Purpose,
        validity: Validity,
    ) -> Result<Issued, CertsError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = params(id.name(), &key, validity)?;
        params.subject_alt_names = vec![SanType::URI(id.to_string().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purpose.extended_key_usages();
        params.use_authority_key_identifier_extension = true;
        Ok(Issued {
            certificate_pem: params.signed_by(&key, &self.issuer)?.pem(),
            key_pem: key.serialize_pem(),
            serial: Serial::of_fresh_key(key.public_key_raw()),
        })
    }

    /// A complete certificate revocation list, PEM (RFC 5280 §5).
    ///
    /// All certificates in it count as revoked from its issue, for key compromise. Its number is
    /// the millisecond of its issue, so that a later list has a higher number.
    ///
    /// # Errors
    /// When the validity is empty or beyond X.509.
    pub fn crl(&self, revoked: &[Serial], validity: Validity) -> Result<String, CertsError> {
        let (this_update, next_update) = validity.ends()?;
        let number = u64::try_from(validity.not_before.as_millis()).unwrap_or(0);
        let entry = |serial: &Serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial.as_bytes()),
            revocation_time: this_update,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

impl Purpose {
    fn extended_key_usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Tls => {
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth]
            }
            Self::Signing => vec![ExtendedKeyUsagePurpose::Other(DOCUMENT_SIGNING.to_vec())],
        }
    }
}

/// What all certificates have in common: a common name, a serial and a validity.
fn params(
    common_name: &str,
    key: &KeyPair,
    validity: Validity,
) -> Result<CertificateParams, CertsError> {
    let serial = Serial::of_fresh_key(key.public_key_raw());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    (params.not_before, params.not_after) = validity.ends()?;
    Ok(params)
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("certificate_pem", &self.certificate_pem)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::Timestamp;

    use super::*;

    fn authority(ministry: &str) -> (Authority, Validity) {
        let validity = Validity::days(Timestamp::from_millis(1_795_000_000_000), 30);
        let authority = Authority::new(&ministry.parse().unwrap(), validity).unwrap();
        (authority, validity)
    }

    fn holds(der: &[u8], part: &[u8]) -> bool {
        der.windows(part.len()).any(|window| window == part)
    }

    /// Base64 (RFC 4648 §4) between the lines that frame it.
    fn der(pem: &str) -> Vec<u8> {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let body = pem.lines().filter(|line| !line.starts_with("-----"));
        let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
        for symbol in body.flat_map(str::bytes).filter(|b| *b != b'=') {
            let sextet = ALPHABET.iter().position(|x| *x == symbol).unwrap();
            bits = bits << 6 | u32::try_from(sextet).unwrap();
            held += 6;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held).to_le_bytes()[0]);
            }
        }
        bytes
    }

    #[test]
    fn a_certificate_names_its_holder_and_its_purpose() {
        let (authority, validity) = authority("sm.example");
        let id = "spiffe://sm.example/system/kirjaamo".parse().unwrap();
        let tls = authority.issue(&id, Purpose::Tls, validity).unwrap();
        let signing = authority.issue(&id, Purpose::Signing, validity).unwrap();
        let document_signing = [0x2b, 6, 1, 5, 5, 7, 3, 36];
        for issued in [&tls, &signing] {
            let der = der(&issued.certificate_pem);
            assert!(holds(&der, b"spiffe://sm.example/system/kirjaamo"));
            assert!(holds(&der, b"sm.example CA"));
            assert!(holds(&der, issued.serial.as_bytes()));
            assert!(issued.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        }
        assert!(holds(&der(&signing.certificate_pem), &document_signing));
        assert!(!holds(&der(&tls.certificate_pem), &document_signing));
        assert_ne!(tls.serial, signing.serial);
    }

    #[test]
    fn a_list_holds_what_is_revoked_and_nothing_else() {
        let (authority, validity) = authority("sm.example");
        let id = "spiffe://sm.example/relay/r1".parse().unwrap();
        let good = authority.issue(&id, Purpose::Tls, validity).unwrap();
        let bad = authority.issue(&id, Purpose::Tls, validity).unwrap();
        let pem = authority.crl(&[bad.serial], validity).unwrap();
        assert!(pem.starts_with("-----BEGIN X509 CRL-----"));
        let list = der(&pem);
        assert!(holds(&list, bad.serial.as_bytes()));
        assert!(!holds(&list, good.serial.as_bytes()));
    }

    #[test]
    fn no_key_is_ever_printed() {
        let (authority, validity) = authority("sm.example");
        let id = "spiffe://sm.example/relay/r1".parse().unwrap();
        let issued = authority.issue(&id, Purpose::Tls, validity).unwrap();
        let printed = format!("{authority:?} {issued:?}");
        assert!(printed.contains("CERTIFICATE") && !printed.contains("PRIVATE"));
    }
}
