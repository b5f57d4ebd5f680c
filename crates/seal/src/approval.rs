//! From an officer's signature to an approval that is known to be of this very message.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_types::{Approval, Digest, Header, SignedApproval, SpiffeId, SpiffeRole, Timestamp};

use crate::{
    Purpose, VerifiedHeader, Verifier, VerifyError,
    verify::{require_ministry, require_role},
};

impl Verifier {
    /// Checks that an officer signed this approval, in the officer's own name. The bytes are decoded
    /// only once the signature is known to be good.
    ///
    /// Whether it is of a given message is for [`VerifiedApproval::check`]; whether the officer is
    /// enrolled, holds the roles and may act on it is for who knows the officers.
    ///
    /// # Errors
    /// [`VerifyError::UnknownSigner`] when the certificate must be admitted first; otherwise what
    /// is not genuine, or the error of `decode`.
    pub fn approval<E>(
        &self,
        signed: SignedApproval,
        decode: impl FnOnce(&Bytes) -> Result<Approval, E>,
        now: Timestamp,
    ) -> Result<VerifiedApproval, VerifyError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let leaf = leaf(&signed.approval);
        let signer = self.signer_of(Purpose::Approvals, leaf, &signed.proof, now)?;
        require_role(&signer, SpiffeRole::Officer)?;
        let decoded = decode(&signed.approval);
        let approval = decoded.map_err(|error| VerifyError::decode(error))?;
        if approval.officer != signer {
            let named = approval.officer;
            return Err(VerifyError::Person { signer, named });
        }
        Ok(VerifiedApproval { approval, signed })
    }
}

/// An approval that the officer whom it names is known to have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedApproval {
    approval: Approval,
    signed: SignedApproval,
}

impl VerifiedApproval {
    /// What was signed, decoded.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// What was signed, verbatim, with its proof.
    pub fn signed(&self) -> &SignedApproval {
        &self.signed
    }

    /// The officer who signed it.
    pub fn officer(&self) -> &SpiffeId {
        &self.approval.officer
    }

    /// Whether its own time has not run out at `now`.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.approval.until.is_none_or(|until| now <= until)
    }

    /// Checks that it is of this message: all that the officer read is what the message says, and
    /// the officer is one of the sender's ministry. Any edit of the message voids it.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_verified(&self, header: &VerifiedHeader) -> Result<(), VerifyError> {
        self.check(header.header(), header.leaf())
    }

    /// The same for a header and the leaf hash of its exact bytes.
    ///
    /// # Errors
    /// [`VerifyError::Void`] with what differs; [`VerifyError::Ministry`] when the officer is not of
    /// the sender's ministry.
    pub fn check(&self, header: &Header, leaf: Digest) -> Result<(), VerifyError> {
        let Approval { message, subject, content, label, recipients, keys, expires, .. } =
            &self.approval;
        let sealed_to = header.sealing.as_ref().map_or(&[][..], |sealing| &sealing.keys);
        // The leaf alone says it all; the rest keeps an approval from showing people one message
        // while it binds another, and names what differs.
        let same = [
            ("message", *message == header.id),
            ("content", *content == header.content()),
            ("label", Some(label) == header.label.as_ref()),
            ("list of recipients", *recipients == header.to),
            ("list of sealing keys", keys.as_slice() == sealed_to),
            ("expiry", *expires == header.expires),
            ("header", *subject == leaf),
        ];
        if let Some((what, _)) = same.into_iter().find(|(_, is_same)| !is_same) {
            return Err(VerifyError::Void(what));
        }
        require_ministry(self.officer(), header.from.ministry())
    }

    /// The approval and its signed form, giving up the proof.
    pub fn into_parts(self) -> (Approval, SignedApproval) {
        (self.approval, self.signed)
    }
}
