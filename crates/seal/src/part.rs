//! Some of the leaves that a system signed at once.

use kuriiri_merkle::{join_paths, open_many};
use kuriiri_types::{BatchProof, Digest, SignedPart, SpiffeId, SpiffeRole, Timestamp};

use crate::{Purpose, Verifier, VerifyError, batch::Statement, verify::require_role};

/// What leaves of one signed batch have in common, from the proof of each; they must come in their order.
///
/// Nothing when there is none, or they are not of one batch. The signature is not looked at.
pub fn join(leaves: &[(Digest, &BatchProof)]) -> Option<SignedPart> {
    let (_, first) = leaves.first()?;
    let is_one = |proof: &BatchProof| {
        (proof.signer, proof.size, &proof.signature) == (first.signer, first.size, &first.signature)
    };
    if !leaves.iter().all(|(_, proof)| is_one(proof)) {
        return None;
    }
    let paths: Vec<_> =
        leaves.iter().map(|(_, proof)| (proof.index.into(), proof.path.as_slice())).collect();
    Some(SignedPart {
        signer: first.signer,
        size: first.size,
        signature: first.signature.clone(),
        positions: leaves.iter().map(|(_, proof)| proof.index).collect(),
        proof: join_paths(&paths, first.size.into())?,
    })
}

impl Verifier {
    /// Checks that a system signed all of these headers, given by their leaf hashes in order. Gives the
    /// system; that it may speak for the senders is for the caller to see.
    ///
    /// # Errors
    /// When the signer is not known, is no system, or did not sign them.
    pub fn part(
        &self,
        part: &SignedPart,
        leaves: &[Digest],
        now: Timestamp,
    ) -> Result<SpiffeId, VerifyError> {
        if part.positions.len() != leaves.len() {
            return Err(VerifyError::Path);
        }
        let placed: Vec<(u64, Digest)> =
            part.positions.iter().map(|at| u64::from(*at)).zip(leaves.iter().copied()).collect();
        let opened = open_many(&placed, part.size.into(), &part.proof);
        let root = opened.ok_or(VerifyError::Path)?.root();
        let statement = Statement::new(Purpose::Messages, part.size, root);
        let signer = self.signed(part.signer, statement, &part.signature, now)?;
        require_role(&signer, SpiffeRole::System)?;
        Ok(signer)
    }
}

#[cfg(test)]
mod tests;
