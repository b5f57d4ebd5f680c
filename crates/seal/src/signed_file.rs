//! Files that people read and compare, and several people sign.
//!
//! A signed file is TOML, and what is signed are its exact bytes: a comment or a space changed makes
//! another file. The signatures stand beside it in a file of the same name and `.sig`, TOML too:
//!
//! ```toml
//! format = "signatures/1"
//! type = "application/vnd.kuriiri.catalogue+toml"
//!
//! [[signature]]
//! signer = "spiffe://sm.example/officer/anna"
//! certificate = "…"
//! signature = "…"
//! ```
//!
//! `certificate` is the SHA-256 of the signer's certificate (DER) and `signature` is Ed25519
//! (RFC 8032) over the DSSE pre-authentication encoding (DSSE v1, `PAE`) of `type` and the bytes of
//! the file, both as lower-case hexadecimal. Each kind of file has a type of its own, so a signature
//! over one is none over another.
//!
//! Who may sign is told by a set of pinned certificates and not by an authority: else whoever can
//! issue certificates could also make rules. How many must sign is for others to decide. Auditors pin
//! nobody and look back: [`file_signers`] tells them who signed, whatever the certificates are now.

mod auditing;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::{self, Write},
};

use bytes::Bytes;
use kuriiri_merkle::digest;
use kuriiri_types::{
    Digest, FileKind, Fingerprint, SpiffeId, SpiffeRole, Timestamp,
    limits::{FILE_SIGNATURES_BYTES_MAX, FILE_SIGNATURES_MAX},
};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;

use crate::{
    CertificateValidity, KeyError, SignedFileError, Signer,
    batch::pae,
    certificate::{Claims, check_pinned},
    hex,
    key::fingerprint,
};

pub use auditing::{FileSigner, file_signers};

/// The format of a file of signatures that this version reads and writes.
const FORMAT: &str = "signatures/1";

/// The DSSE payload type of a kind of file.
pub const fn payload_type(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Catalogue => "application/vnd.kuriiri.catalogue+toml",
        FileKind::Federation => "application/vnd.kuriiri.federation+toml",
        FileKind::Rules => "application/vnd.kuriiri.policy+toml",
        FileKind::Translation => "application/vnd.kuriiri.translation+toml",
    }
}

// === signing ===

/// Signs a file, and gives the text for the file of signatures beside it.
///
/// `signatures` is that text so far, or nothing for a file that nobody has signed; signatures of
/// others are kept as they are, an earlier one with the same certificate is replaced. When the file
/// itself was changed, what was signed before is void: begin with nothing.
///
/// # Errors
/// When the text so far is not a file of signatures over this kind, or is full.
pub fn sign_file(
    kind: FileKind,
    bytes: &[u8],
    signatures: Option<&str>,
    signer: &Signer,
) -> Result<String, SignedFileError> {
    let mut entries = signatures.map_or(Ok(Vec::new()), |text| read(kind, text))?;
    entries.retain(|entry| entry.certificate != signer.fingerprint());
    let signature = signer.sign_text(&pae(payload_type(kind), bytes));
    let wrong = SignedFileError::Signature(signer.id().clone());
    let signature = signature.as_ref().try_into().map_err(|_| wrong)?;
    let (signer, certificate) = (signer.id().clone(), signer.fingerprint());
    entries.push(Entry { signer, certificate, signature });
    check_count(entries.len())?;
    let text = write(kind, &entries);
    check_length(text.len())?;
    Ok(text)
}

// === verifying ===

/// The certificates of the persons whose signatures on files count.
///
/// `Debug` shows whose they are.
#[derive(Default)]
pub struct PinnedSigners(HashMap<Fingerprint, Pinned>);

struct Pinned {
    certificate: CertificateDer<'static>,
    claims: Claims,
}

impl PinnedSigners {
    /// Nobody: no signature counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the certificates in a PEM text, one or several: Ed25519, for signing documents
    /// (id-kp-documentSigning, RFC 9336), each naming one officer. Their dates are looked at when
    /// something is verified; who issued them is not looked at.
    ///
    /// # Errors
    /// When the text holds no certificate, or one that is not so. Nothing is added then.
    pub fn add(&mut self, certificates_pem: &str) -> Result<(), KeyError> {
        let missing = |source| KeyError::Pem { what: "certificate", source };
        let text = certificates_pem.as_bytes();
        CertificateDer::from_pem_slice(text).map_err(missing)?;
        let read = |certificate| pinned(certificate?);
        let certificates = CertificateDer::pem_slice_iter(text).map(|der| der.map_err(missing));
        let all = certificates.map(read).collect::<Result<Vec<_>, _>>()?;
        self.0.extend(all);
        Ok(())
    }

    /// Whose signatures count, each person once, by name.
    pub fn persons(&self) -> BTreeSet<&SpiffeId> {
        self.0.values().map(|pinned| &pinned.claims.id).collect()
    }

    /// The certificates, by SHA-256 of their DER.
    pub fn certificates(&self) -> impl Iterator<Item = Fingerprint> {
        self.0.keys().copied()
    }

    /// Whose signatures count, and from when to when each certificate of theirs is valid.
    pub fn validities(&self) -> impl Iterator<Item = (&SpiffeId, CertificateValidity)> {
        self.0.values().filter_map(|pinned| {
            let dates = CertificateValidity::of_der(&pinned.certificate).ok()?;
            Some((&pinned.claims.id, dates))
        })
    }

    /// Checks the signatures over a file.
    ///
    /// Signatures of persons who are not pinned are passed over. So are those of certificates that
    /// are not valid at `now`, but [`VerifiedFile::lapsed`] tells of them. No signature that counts
    /// is no error: see [`VerifiedFile::signers`].
    ///
    /// # Errors
    /// When the text is not a file of signatures over this kind, or a pinned person's signature is
    /// not over these bytes: then the whole is refused, however many others are good.
    pub fn verify(
        &self,
        kind: FileKind,
        bytes: &[u8],
        signatures: &str,
        now: Timestamp,
    ) -> Result<VerifiedFile, SignedFileError> {
        let signed = pae(payload_type(kind), bytes);
        let (mut signers, mut lapsed) = (BTreeSet::new(), BTreeMap::new());
        let mut certificates = BTreeMap::new();
        for entry in read(kind, signatures)? {
            let Some(pinned) = self.0.get(&entry.certificate) else {
                continue;
            };
            pinned.check(&entry, &signed)?;
            let certificate = Bytes::copy_from_slice(&pinned.certificate);
            if check_pinned(&pinned.certificate, now).is_ok() {
                certificates.insert(entry.certificate, certificate);
                signers.insert(entry.signer);
            } else {
                lapsed.insert(entry.signer, (entry.certificate, certificate));
            }
        }
        // Whoever renewed a certificate and signed again has signed.
        lapsed.retain(|person, _| !signers.contains(person));
        Ok(VerifiedFile { kind, digest: digest(bytes), signers, certificates, lapsed })
    }
}

impl Pinned {
    fn check(&self, entry: &Entry, signed: &[u8]) -> Result<(), SignedFileError> {
        if self.claims.id != entry.signer {
            let (written, holder) = (entry.signer.clone(), self.claims.id.clone());
            return Err(SignedFileError::Name { written, holder });
        }
        UnparsedPublicKey::new(&ED25519, &self.claims.public_key)
            .verify(signed, &entry.signature)
            .map_err(|_| SignedFileError::Signature(entry.signer.clone()))
    }
}

fn pinned(certificate: CertificateDer<'static>) -> Result<(Fingerprint, Pinned), KeyError> {
    let claims = Claims::read(&certificate)?;
    if claims.id.role() != SpiffeRole::Officer {
        return Err(KeyError::NotAnOfficer(claims.id));
    }
    Ok((fingerprint(&certificate), Pinned { certificate, claims }))
}

/// A file whose signatures have been looked at, and who is known to have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFile {
    kind: FileKind,
    digest: Digest,
    signers: BTreeSet<SpiffeId>,
    certificates: BTreeMap<Fingerprint, Bytes>,
    lapsed: BTreeMap<SpiffeId, (Fingerprint, Bytes)>,
}

impl VerifiedFile {
    /// The same, in which those count too whose certificates are over: for a file whose signatures were looked at
    /// when it was put in force, while they were valid. Nothing that is new may be judged so.
    pub fn as_it_was_signed(mut self) -> Self {
        for (person, (fingerprint, certificate)) in std::mem::take(&mut self.lapsed) {
            self.signers.insert(person);
            self.certificates.insert(fingerprint, certificate);
        }
        self
    }

    /// As what it was signed.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// SHA-256 of its exact bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The distinct persons who signed it. May be nobody.
    pub fn signers(&self) -> &BTreeSet<SpiffeId> {
        &self.signers
    }

    /// The certificates (DER) with which they signed, by their SHA-256. Whoever renewed a certificate
    /// and signed again may have several.
    pub fn certificates(&self) -> &BTreeMap<Fingerprint, Bytes> {
        &self.certificates
    }

    /// Persons who signed it, and with certificates that are not, or not yet or no longer, valid for
    /// signing: to be told to people who wonder why a signature does not count.
    pub fn lapsed(&self) -> impl Iterator<Item = &SpiffeId> {
        self.lapsed.keys()
    }
}

// === the file of signatures ===

struct Entry {
    signer: SpiffeId,
    certificate: Fingerprint,
    signature: [u8; 64],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    format: String,
    r#type: String,
    #[serde(default)]
    signature: Vec<WrittenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    signer: SpiffeId,
    certificate: String,
    signature: String,
}

fn read(kind: FileKind, text: &str) -> Result<Vec<Entry>, SignedFileError> {
    check_length(text.len())?;
    let written: WrittenFile =
        toml::from_str(text).map_err(|cause| SignedFileError::Syntax(Box::new(cause)))?;
    if written.format != FORMAT {
        return Err(SignedFileError::Format);
    }
    if written.r#type != payload_type(kind) {
        return Err(SignedFileError::Type { needed: payload_type(kind) });
    }
    check_count(written.signature.len())?;
    written.signature.into_iter().map(read_entry).collect()
}

fn read_entry(written: WrittenEntry) -> Result<Entry, SignedFileError> {
    let WrittenEntry { signer, certificate, signature } = written;
    let bytes = hex::decode(&certificate).zip(hex::decode(&signature));
    match bytes {
        Some((certificate, signature)) => {
            Ok(Entry { signer, certificate: Digest(certificate), signature })
        }
        None => Err(SignedFileError::Digits(signer)),
    }
}

fn write(kind: FileKind, entries: &[Entry]) -> String {
    let mut text = format!("format = \"{FORMAT}\"\ntype = \"{}\"\n", payload_type(kind));
    for Entry { signer, certificate, signature } in entries {
        let signature = hex::encode(signature);
        // Ids and digits need no escapes, and writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[signature]]\nsigner = \"{signer}\"\ncertificate = \"{certificate}\"\n\
             signature = \"{signature}\"\n"
        );
    }
    text
}

fn check_length(bytes: usize) -> Result<(), SignedFileError> {
    if bytes > FILE_SIGNATURES_BYTES_MAX { Err(SignedFileError::TooLong) } else { Ok(()) }
}

fn check_count(signatures: usize) -> Result<(), SignedFileError> {
    if signatures > FILE_SIGNATURES_MAX { Err(SignedFileError::TooMany) } else { Ok(()) }
}

impl fmt::Debug for PinnedSigners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.persons()).finish()
    }
}

#[cfg(test)]
mod tests;
