//! What can be wrong with keys, certificates, signatures and sealed bodies.

use std::{error::Error, sync::Arc};

use kuriiri_types::{
    Code, Fingerprint, Ministry, SpiffeId, SpiffeRole, Timestamp,
    limits::{FILE_SIGNATURES_BYTES_MAX, FILE_SIGNATURES_MAX},
};
use rustls_pki_types::pem;

/// What is wrong with a signing certificate.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CertificateError {
    /// Longer than any certificate that Kuriiri takes.
    #[error("the certificate has {0} bytes, more than any signing certificate needs")]
    TooLong(usize),
    /// Not X.509.
    #[error("the certificate is not readable X.509")]
    Unreadable(#[source] webpki::Error),
    /// No URI SAN, several, or one that is not a SPIFFE id of Kuriiri.
    #[error("the certificate must name exactly one holder, as spiffe://ministry.example/role/name")]
    Name,
    /// Another kind of key than Ed25519.
    #[error("the certificate of {0} does not hold an Ed25519 key")]
    Key(SpiffeId),
    /// Nobody here vouches for certificates of that ministry.
    #[error("no certificate authority of {0} is known here")]
    UnknownMinistry(Ministry),
    /// Not issued by the ministry, not valid now, revoked, or not for signing documents.
    #[error("the certificate of {id} is not one that its ministry issued for signing, valid now")]
    Refused {
        /// Whom the certificate names.
        id: SpiffeId,
        /// What is wrong with it.
        source: webpki::Error,
    },
}

impl CertificateError {
    /// Whether it may be this side that lacks something, or the time: an authority, a revocation list that is not
    /// over, a clock that is right. Then nothing is said against the certificate, and it can be good later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::UnknownMinistry(_) => true,
            Self::Refused { source, .. } => matches!(
                source,
                webpki::Error::CrlExpired { .. }
                    | webpki::Error::UnknownRevocationStatus
                    | webpki::Error::CertNotValidYet { .. }
            ),
            Self::TooLong(_) | Self::Unreadable(_) | Self::Name | Self::Key(_) => false,
        }
    }
}

/// A key, certificate or revocation list that was configured here cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or PEM of something else.
    #[error("there is no PEM of a {what}")]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// Why it was not found.
        source: pem::Error,
    },
    /// The certificate is not usable.
    #[error("the certificate cannot be used")]
    Certificate(#[from] CertificateError),
    /// The authority's certificate is not usable.
    #[error("the certificate authority of {ministry} cannot be used")]
    Authority {
        /// Whose authority it is said to be.
        ministry: Ministry,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// The revocation list is not usable.
    #[error("the certificate revocation list of {ministry} cannot be used")]
    Revocations {
        /// Whose list it is said to be.
        ministry: Ministry,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// A revocation list is in the name of the ministry's authority, which has not signed it.
    #[error(
        "a revocation list in the name of the authority of {0} is not signed by it; get the list again"
    )]
    NotTheirList(Ministry),
    /// The private key is not Ed25519 in PKCS#8. What exactly is wrong is not told.
    #[error("the private key is not an Ed25519 key in PKCS#8")]
    PrivateKey,
    /// Key and certificate are both good, and not a pair.
    #[error("the private key does not belong to the certificate of {0}")]
    Mismatch(SpiffeId),
    /// The certificate is good, and names somebody who signs no files.
    #[error("files are signed by officers, and {0} is none")]
    NotAnOfficer(SpiffeId),
    /// The text of a sealing key is not one. The text is not repeated here: it may be a secret.
    #[error("this is not a {0}; copy it whole, with the words before the colon")]
    SealingText(&'static str),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
}

/// Why a message or an approval is not believed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VerifyError {
    /// The certificate that the proof names has not been admitted, or was forgotten since. Ask the
    /// one who gave the message for the certificate, admit it, and try again.
    #[error("the signer's certificate {0} has not been shown")]
    UnknownSigner(Fingerprint),
    /// The signer's certificate is not accepted.
    #[error("the signer's certificate is not accepted")]
    Certificate(#[from] CertificateError),
    /// The certificate was good once, and its time has passed.
    #[error("the certificate of {signer} was no longer valid at {at}")]
    Expired {
        /// Whom the certificate names.
        signer: SpiffeId,
        /// The moment of receipt.
        at: Timestamp,
    },
    /// The certificate was good once, and the revocation list that covers it is overdue.
    #[error(
        "the revocation list that covers the certificate of {signer} was due for replacement at {since}"
    )]
    Unvouched {
        /// Whom the certificate names.
        signer: SpiffeId,
        /// When the list was due for replacement.
        since: Timestamp,
    },
    /// Position, size and path of the proof do not fit each other.
    #[error("the proof is not the path of one leaf to the root of its batch")]
    Path,
    /// The signature is not the signer's, or not over these bytes and this purpose.
    #[error("the signature is not one that {0} made over this")]
    Signature(SpiffeId),
    /// The signature is genuine, and what it is over cannot be read.
    #[error("the signed bytes cannot be read")]
    Decode(#[source] Arc<dyn Error + Send + Sync>),
    /// The signer is genuine, and not of the kind that may sign this.
    #[error("{signer} signed this, and only a {} may", needed.as_str())]
    Role {
        /// Who signed.
        signer: SpiffeId,
        /// Who may.
        needed: SpiffeRole,
    },
    /// The signer is genuine, and speaks for a ministry that is not its own.
    #[error("{signer} signed this in the name of {named}")]
    Ministry {
        /// Who signed.
        signer: SpiffeId,
        /// Whose name stands in what was signed.
        named: Ministry,
    },
    /// The signer is genuine, and speaks as another person.
    #[error("{signer} signed this as {named}")]
    Person {
        /// Who signed.
        signer: SpiffeId,
        /// Whose name stands in what was signed.
        named: SpiffeId,
    },
    /// The approval is genuine, and of another message: the message was changed, or the approval was
    /// made for another one.
    #[error("the approval is not of this message: another {0} stands in it")]
    Void(&'static str),
    /// The body has another length than the header says, or no salt.
    #[error("the body has another length than the {expected} bytes that its header says")]
    BodySize {
        /// What the header says, in bytes.
        expected: u64,
    },
    /// The body is not the one that the sender committed to.
    #[error("the body is not the one that its header commits to")]
    BodyCommitment,
    /// The header names the keys that the body is sealed to, and the body is not laid out so.
    #[error("the header says that the body is sealed, and it is not: {0}")]
    Seal(#[source] SealError),
}

/// Why a body was not sealed or not opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SealError {
    /// There is no key to seal to, or there are more than a body may carry.
    #[error("a body is sealed to 1 to {max} keys, not to {given}")]
    Keys {
        /// How many there were.
        given: usize,
        /// How many there may be.
        max: usize,
    },
    /// The body would be larger than a message may carry.
    #[error("the sealed body would have {given} bytes, and a message carries at most {max}")]
    TooBig {
        /// Bytes of the body once sealed.
        given: u64,
        /// Bytes that there may be.
        max: u64,
    },
    /// The header names another way of sealing than this version knows.
    #[error("the body is sealed with suite {0}, which this version does not know")]
    Suite(u32),
    /// The body is sealed to others, or to another key of the same ministry.
    #[error("the body is not sealed to this key of {0}")]
    NotForThisKey(Ministry),
    /// The sealed body has not the layout that it must have.
    #[error("the sealed body is cut short or is not a sealed body")]
    Layout,
    /// It was altered, sealed for another message, or the key is not the one it names.
    #[error("the sealed body does not open: it was altered, or belongs to another message")]
    Altered,
    /// It opens to another body than the one that the header commits to: whoever sealed it meant
    /// different readers to see different bodies.
    #[error("the sealed body is not the one that its header commits to")]
    Content,
    /// A recipient's key could not be used.
    #[error("the sealing key of {0} cannot be used")]
    RecipientKey(Ministry),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
}

/// Why the signatures over a file are refused as a whole, or one is not added to them.
#[derive(Debug, thiserror::Error)]
pub enum SignedFileError {
    /// Larger than any file of signatures.
    #[error("a file of signatures has at most {FILE_SIGNATURES_BYTES_MAX} bytes")]
    TooLong,
    /// Not TOML, or TOML of something else.
    #[error("this is not a file of signatures")]
    Syntax(#[source] Box<toml::de::Error>),
    /// Another format or version.
    #[error("this version reads signatures of the format `signatures/1`")]
    Format,
    /// Signatures over another kind of file.
    #[error("the signatures are over another kind of file; needed is `{needed}`")]
    Type {
        /// The payload type that the file needs.
        needed: &'static str,
    },
    /// More signatures than a file has.
    #[error("a file has at most {FILE_SIGNATURES_MAX} signatures")]
    TooMany,
    /// A digest or a signature is not the hexadecimal digits of its length.
    #[error("certificate or signature of {0} is not in 64 and 128 lower-case hexadecimal digits")]
    Digits(SpiffeId),
    /// The certificate that is named belongs to another person.
    #[error("the certificate beside the name {written} is that of {holder}")]
    Name {
        /// Who is said to have signed.
        written: SpiffeId,
        /// Whose certificate it is.
        holder: SpiffeId,
    },
    /// The signature is not the person's, or not over these bytes.
    #[error("the signature of {0} is not over this file as it is now")]
    Signature(SpiffeId),
    /// Nobody has shown the certificate that is named.
    #[error("the certificate that the signature of {0} names is not known")]
    UnknownCertificate(SpiffeId),
    /// Files are not signed with such a certificate.
    #[error("the certificate beside the name {0} is not that of an officer for signing documents")]
    Unfit(SpiffeId),
}

impl SignedFileError {
    /// The stable number under which people find help.
    pub fn code(&self) -> Code {
        Code::POLICY_SIGNATURE
    }
}

impl KeyError {
    /// The stable number under which people find help.
    pub fn code(&self) -> Code {
        match self {
            Self::Randomness => Code::INTERNAL,
            Self::SealingText(_) => Code::CONFIG,
            Self::Pem { .. }
            | Self::Certificate(_)
            | Self::Authority { .. }
            | Self::Revocations { .. }
            | Self::NotTheirList(_)
            | Self::PrivateKey
            | Self::NotAnOfficer(_)
            | Self::Mismatch(_) => Code::KEY_FILE,
        }
    }
}

impl VerifyError {
    pub(crate) fn decode(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Decode(error.into().into())
    }

    /// The stable number under which people find help.
    pub fn code(&self) -> Code {
        match self {
            Self::Certificate(error) if error.may_pass() => Code::TRUST_LAPSED,
            Self::Unvouched { .. } => Code::TRUST_LAPSED,
            Self::UnknownSigner(_)
            | Self::Certificate(_)
            | Self::Expired { .. }
            | Self::Path
            | Self::Signature(_)
            | Self::Role { .. }
            | Self::Ministry { .. }
            | Self::Person { .. } => Code::SIGNATURE,
            Self::Void(_) => Code::APPROVAL_VOID,
            Self::Seal(_) => Code::SEAL_FALSE,
            Self::Decode(_) | Self::BodySize { .. } | Self::BodyCommitment => Code::MALFORMED,
        }
    }
}

impl SealError {
    /// The stable number under which people find help.
    pub fn code(&self) -> Code {
        match self {
            Self::TooBig { .. } => Code::TOO_BIG,
            Self::NotForThisKey(_) | Self::RecipientKey(_) => Code::KEY_FILE,
            Self::Randomness => Code::INTERNAL,
            Self::Keys { .. } | Self::Suite(_) | Self::Layout | Self::Altered | Self::Content => {
                Code::MALFORMED
            }
        }
    }
}
