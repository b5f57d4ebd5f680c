//! Who signed a file, as somebody finds it who reads of it later.

use kuriiri_merkle::digest;
use kuriiri_types::{FileKind, Fingerprint, SpiffeId, Timestamp};
use rustls_pki_types::CertificateDer;

use super::{Entry, payload_type, pinned, read};
use crate::{SignedFileError, batch::pae, certificate::CertificateValidity};

/// One signature in a file of signatures, and what it is worth.
#[derive(Debug)]
pub struct FileSigner {
    /// Whose signature it is said to be.
    pub signer: SpiffeId,
    /// SHA-256 of the certificate (DER) that it names.
    pub certificate: Fingerprint,
    /// When that certificate is valid. Nothing when it is not known, or not one that files are signed
    /// with.
    pub validity: Option<CertificateValidity>,
    /// Why the signature is not believed; nothing when it is genuine.
    pub flaw: Option<SignedFileError>,
}

impl FileSigner {
    /// Whether the certificate is known.
    pub fn is_known(&self) -> bool {
        !matches!(self.flaw, Some(SignedFileError::UnknownCertificate(_)))
    }

    /// Whether the signature is over this file as a file of this kind, by the key in the certificate,
    /// which names the signer. Who issued the certificate, and when it is valid, is not looked at.
    pub fn is_genuine(&self) -> bool {
        self.flaw.is_none()
    }

    /// Whether the signature is genuine and its certificate was valid then.
    pub fn counts_at(&self, at: Timestamp) -> bool {
        self.is_genuine() && self.validity.is_some_and(|validity| validity.includes(at))
    }
}

/// Checks every signature over a file, for whoever has pinned nobody: an auditor, who knows the
/// certificates that a log shows.
///
/// `find` gives a certificate (DER) by its SHA-256; one that has another is none. The signatures come in
/// the order of their text. One that is not genuine spoils no other, and a person may be there several
/// times: whoever counts persons counts names. Nobody at all is no error.
///
/// # Errors
/// When the text is not a file of signatures over this kind.
pub fn file_signers<'a>(
    kind: FileKind,
    bytes: &[u8],
    signatures: &str,
    find: impl Fn(&Fingerprint) -> Option<&'a [u8]>,
) -> Result<Vec<FileSigner>, SignedFileError> {
    let signed = pae(payload_type(kind), bytes);
    let judge = |entry: Entry| {
        let der = find(&entry.certificate).filter(|der| digest(der) == entry.certificate);
        let (validity, flaw) = judged(&entry, der, &signed);
        let Entry { signer, certificate, .. } = entry;
        FileSigner { signer, certificate, validity, flaw }
    };
    Ok(read(kind, signatures)?.into_iter().map(judge).collect())
}

fn judged(
    entry: &Entry,
    der: Option<&[u8]>,
    signed: &[u8],
) -> (Option<CertificateValidity>, Option<SignedFileError>) {
    let Some(der) = der else {
        return (None, Some(SignedFileError::UnknownCertificate(entry.signer.clone())));
    };
    let certificate = CertificateDer::from(der.to_vec());
    let validity = CertificateValidity::of(&certificate);
    match (pinned(certificate), validity) {
        (Ok((_, holder)), Ok(validity)) => (Some(validity), holder.check(entry, signed).err()),
        _ => (None, Some(SignedFileError::Unfit(entry.signer.clone()))),
    }
}
