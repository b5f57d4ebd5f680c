//! From an envelope to something that is known to be genuine.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_types::{
    BatchProof, Digest, Envelope, Fingerprint, Header, Ministry, SpiffeId, SpiffeRole, Timestamp,
    limits::{BATCHES_IN_FLIGHT_MAX, BODY_SALT_BYTES, CONNECTIONS_MAX},
};

use crate::{
    Authorities, Purpose, VerifyError, batch::Statement, certificate::Certified, commit,
    key::fingerprint, remember::Remembered, sealing::check_layout,
};

/// Signatures over roots that a verifier remembers, about 150 bytes each: twice the batches that
/// can be under way on all connections, so that the rest of a batch finds its root still there.
/// When it is full, the half longest unused goes; a forgotten signature is verified again.
pub const ROOTS_REMEMBERED: usize = 2 * CONNECTIONS_MAX * BATCHES_IN_FLIGHT_MAX;

/// Signers that a verifier remembers, about 300 bytes each: several systems behind each
/// connection. When it is full, the half longest unused goes and must show its certificate again.
pub const SIGNERS_REMEMBERED: usize = 8 * CONNECTIONS_MAX;

/// Checks who signed what. Shared by all tasks of a relay, a client or an auditor.
///
/// It remembers certificates that it has accepted and signatures that it has verified, both within
/// bounds; no lock is held while it verifies. To change authorities or revocations, make a new one.
///
/// A certificate counts if it is valid, and the revocation list that covers it not overdue, at the moment of receipt, `now`, whatever the header says of
/// its own time: the sender's clock proves nothing. Whoever keeps evidence keeps that moment too.
pub struct Verifier {
    authorities: Authorities,
    signers: Mutex<Remembered<Fingerprint, Arc<Certified>>>,
    roots: Mutex<Remembered<Signed, ()>>,
    signatures_checked: AtomicU64,
}

/// A statement, its signer and the very signature.
type Signed = (Fingerprint, Statement, Bytes);

impl Verifier {
    /// A verifier that has not yet admitted anybody.
    pub fn new(authorities: Authorities) -> Self {
        Self {
            authorities,
            signers: Mutex::new(Remembered::new(SIGNERS_REMEMBERED)),
            roots: Mutex::new(Remembered::new(ROOTS_REMEMBERED)),
            signatures_checked: AtomicU64::new(0),
        }
    }

    /// Accepts a signing certificate (DER) and gives the name by which proofs refer to it.
    ///
    /// It must be issued by an authority of the ministry that its URI SAN names, by no other
    /// member's and through no intermediate; be valid at `now`; and carry the extended key usage
    /// id-kp-documentSigning (RFC 9336). Admitting it again is cheap.
    ///
    /// # Errors
    /// [`VerifyError::Certificate`] with what is wrong.
    pub fn admit_certificate(
        &self,
        der: &Bytes,
        now: Timestamp,
    ) -> Result<Fingerprint, VerifyError> {
        let fingerprint = fingerprint(der);
        if self.signer(fingerprint, now).is_err() {
            let certified = Arc::new(self.authorities.certify(der, now)?);
            locked(&self.signers).remember(fingerprint, certified);
        }
        Ok(fingerprint)
    }

    /// Checks that a system signed this header, for its own ministry. The bytes are decoded only
    /// once the signature is known to be good.
    ///
    /// # Errors
    /// [`VerifyError::UnknownSigner`] when the certificate must be admitted first; otherwise what
    /// is not genuine, or the error of `decode`.
    pub fn message<E>(
        &self,
        envelope: Envelope,
        decode: impl FnOnce(&Bytes) -> Result<Header, E>,
        now: Timestamp,
    ) -> Result<VerifiedHeader, VerifyError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let leaf = leaf(&envelope.header);
        let signer = self.signer_of(Purpose::Messages, leaf, &envelope.proof, now)?;
        require_role(&signer, SpiffeRole::System)?;
        let header = decode(&envelope.header).map_err(|error| VerifyError::decode(error))?;
        require_ministry(&signer, header.from.ministry())?;
        Ok(VerifiedHeader::new(header, envelope, leaf, Arc::new(signer)))
    }

    /// How many signatures it has really verified since it was made; the rest were remembered. It
    /// wraps around at 2⁶⁴.
    pub fn signatures_checked(&self) -> u64 {
        self.signatures_checked.load(Ordering::Relaxed)
    }

    /// Who signed a batch that this leaf is part of.
    pub(crate) fn signer_of(
        &self,
        purpose: Purpose,
        leaf: Digest,
        proof: &BatchProof,
        now: Timestamp,
    ) -> Result<SpiffeId, VerifyError> {
        let statement = Statement::required(purpose, leaf, proof).ok_or(VerifyError::Path)?;
        self.signed(proof.signer, statement, &proof.signature, now)
    }

    /// Who made a statement, by the name of the certificate.
    pub(crate) fn signed(
        &self,
        signer: Fingerprint,
        statement: Statement,
        signature: &Bytes,
        now: Timestamp,
    ) -> Result<SpiffeId, VerifyError> {
        let certified = self.signer(signer, now)?;
        let signed = (signer, statement, signature.clone());
        if locked(&self.roots).recall(&signed).is_none() {
            self.signatures_checked.fetch_add(1, Ordering::Relaxed);
            if !statement.is_signed(certified.public_key(), signature) {
                return Err(VerifyError::Signature(certified.id().clone()));
            }
            locked(&self.roots).remember(own(signed), ());
        }
        Ok(certified.id().clone())
    }

    fn signer(&self, name: Fingerprint, now: Timestamp) -> Result<Arc<Certified>, VerifyError> {
        let known = locked(&self.signers).recall(&name);
        match known {
            None => Err(VerifyError::UnknownSigner(name)),
            Some(certified) if certified.is_over(now) => {
                Err(VerifyError::Expired { signer: certified.id().clone(), at: now })
            }
            Some(certified) => match certified.unvouched_since(now) {
                Some(since) => {
                    Err(VerifyError::Unvouched { signer: certified.id().clone(), since })
                }
                None => Ok(certified),
            },
        }
    }
}

/// A header that its originating system is known to have signed. The body is still to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHeader {
    header: Arc<Header>,
    envelope: Envelope,
    leaf: Digest,
    signer: Arc<SpiffeId>,
}

impl VerifiedHeader {
    /// Only for who has seen that it is so.
    pub(crate) fn new(
        header: Header,
        envelope: Envelope,
        leaf: Digest,
        signer: Arc<SpiffeId>,
    ) -> Self {
        Self { header: Arc::new(header), envelope, leaf, signer }
    }

    /// What was signed, decoded.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was signed, verbatim, with its proof.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The leaf hash of the header's bytes.
    pub fn leaf(&self) -> Digest {
        self.leaf
    }

    /// The system that signed it; its ministry is that of the sender's address.
    pub fn signer(&self) -> &SpiffeId {
        &self.signer
    }

    /// Joins the body, salt in front, if it is the one that the header commits to; and if the header says that
    /// it is sealed, it is laid out so, whoever made it.
    ///
    /// # Errors
    /// When the body has another length than the header says, or is another, or is not laid out as a body that
    /// is sealed as the header says.
    pub fn with_body(self, salted_body: Bytes) -> Result<VerifiedMessage, VerifyError> {
        let expected = self.header.body_size;
        let length = salted_body.len().checked_sub(BODY_SALT_BYTES);
        if length.and_then(|length| u64::try_from(length).ok()) != Some(expected) {
            return Err(VerifyError::BodySize { expected });
        }
        if commit(&salted_body) != Some(self.header.body_commitment) {
            return Err(VerifyError::BodyCommitment);
        }
        if let Some(sealing) = &self.header.sealing {
            let body = salted_body.get(BODY_SALT_BYTES..).unwrap_or_default();
            check_layout(body, sealing).map_err(VerifyError::Seal)?;
        }
        Ok(VerifiedMessage { header: self, salted_body })
    }

    /// The header and its envelope, giving up the proof.
    pub fn into_parts(self) -> (Header, Envelope) {
        (Arc::unwrap_or_clone(self.header), self.envelope)
    }
}

/// A message whose header is genuine and whose body is the one that the header commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedMessage {
    header: VerifiedHeader,
    salted_body: Bytes,
}

impl VerifiedMessage {
    /// What was signed, decoded.
    pub fn header(&self) -> &Header {
        self.header.header()
    }

    /// What it says, to be kept without a copy.
    pub fn shared_header(&self) -> Arc<Header> {
        Arc::clone(&self.header.header)
    }

    /// What was signed, verbatim, with its proof.
    pub fn envelope(&self) -> &Envelope {
        self.header.envelope()
    }

    /// The leaf hash of the header's bytes.
    pub fn leaf(&self) -> Digest {
        self.header.leaf()
    }

    /// The system that signed it; its ministry is that of the sender's address.
    pub fn signer(&self) -> &SpiffeId {
        self.header.signer()
    }

    /// The body without its salt: what the recipient reads, or opens if it is sealed.
    pub fn body(&self) -> Bytes {
        self.salted_body.slice(BODY_SALT_BYTES..)
    }

    /// The body with its salt in front: what is stored and passed on.
    pub fn salted_body(&self) -> &Bytes {
        &self.salted_body
    }

    /// The verified header, and the body with its salt in front.
    pub fn into_parts(self) -> (VerifiedHeader, Bytes) {
        (self.header, self.salted_body)
    }
}

pub(crate) fn require_role(signer: &SpiffeId, needed: SpiffeRole) -> Result<(), VerifyError> {
    if signer.role() == needed {
        return Ok(());
    }
    let signer = signer.clone();
    Err(VerifyError::Role { signer, needed })
}

pub(crate) fn require_ministry(signer: &SpiffeId, named: &Ministry) -> Result<(), VerifyError> {
    if signer.ministry() == named {
        return Ok(());
    }
    let (signer, named) = (signer.clone(), named.clone());
    Err(VerifyError::Ministry { signer, named })
}

/// A copy of the 64 bytes, because the signature may be a slice of a whole frame, and remembering
/// it would keep the frame.
fn own((signer, statement, signature): Signed) -> Signed {
    (signer, statement, Bytes::copy_from_slice(&signature))
}

/// The guard, also after a panic elsewhere: both memories are whole between any two calls.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
