//! Signing, verifying, body commitment and end-to-end sealing.
//!
//! - A [`Signer`] signs a whole batch once; every message or approval gets a proof of its own.
//! - A [`Verifier`] turns an envelope into a [`VerifiedHeader`] and, with its body, into a
//!   [`VerifiedMessage`]. Nothing else can make these values, so who holds one knows that the
//!   signature, the certificate and the names in it were checked.
//! - A [`VerifiedApproval`] is an officer's word; it says itself whether it is of a given message.
//! - [`sign_file`] and [`PinnedSigners`] are for the files that rules come in, which several people
//!   sign; [`file_signers`] is for those who look back at such files.
//! - [`commit`] binds a body to its header without telling anything about the body.
//! - [`seal`] and [`open`] encrypt a body for ministries, so that relays carry what they cannot read.
//!
//! This crate does NOT know how a header is encoded: decoding is a function that the caller
//! brings. It reads no clock, no network and of files only private keys ([`read_secret`]), keeps no private key beyond its value, and
//! decides nothing about labels. That a signature is genuine says who sent a message, never that
//! the message may be delivered.
//!
//! ```
//! use kuriiri_certs::{Authority, Purpose as For, Validity};
//! use kuriiri_merkle::leaf;
//! use kuriiri_seal::{Authorities, Purpose, Signer, Verifier};
//! use kuriiri_types::Timestamp;
//!
//! let now = Timestamp::from_millis(1_795_000_000_000);
//! let year = Validity::days(now, 365);
//! let ministry = "sm.example".parse()?;
//! let authority = Authority::new(&ministry, year)?;
//! let id = "spiffe://sm.example/system/kirjaamo".parse()?;
//! let issued = authority.issue(&id, For::Signing, year)?;
//!
//! let signer = Signer::from_pem(&issued.certificate_pem, &issued.key_pem)?;
//! let proofs = signer.sign(Purpose::Messages, &[leaf(b"one header"), leaf(b"another")]);
//! assert_eq!(proofs.len(), 2);
//!
//! let mut authorities = Authorities::new();
//! authorities.add(&ministry, authority.certificate_pem())?;
//! let verifier = Verifier::new(authorities);
//! assert_eq!(verifier.admit_certificate(signer.certificate(), now)?, signer.fingerprint());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod approval;
mod batch;
mod certificate;
mod commitment;
mod crl;
mod der;
mod error;
mod hex;
mod key;
mod part;
mod raw;
mod remember;
mod revocation;
mod sealing;
mod secret_file;
mod signed_file;
mod verify;

pub use approval::VerifiedApproval;
pub use batch::Purpose;
pub use certificate::{Authorities, CertificateValidity};
pub use commitment::{commit, salted};
pub use crl::{ListNumber, ListNumberError};
pub use error::{CertificateError, KeyError, SealError, SignedFileError, VerifyError};
pub use key::Signer;
pub use part::{divide, gather, is_behind, join};
pub use raw::{NoteKey, random_secret, verify_ed25519};
pub use revocation::{RevocationList, authority_ids};
pub use sealing::{SUITE, SealingKey, SealingPublicKey, check_layout, open, seal};
pub use secret_file::{SecretFileError, read_secret};
pub use signed_file::{
    FileSigner, PinnedSigners, VerifiedFile, file_signers, payload_type, sign_file,
};
pub use verify::{ROOTS_REMEMBERED, SIGNERS_REMEMBERED, VerifiedHeader, VerifiedMessage, Verifier};
