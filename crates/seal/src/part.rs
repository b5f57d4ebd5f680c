//! Some of the leaves that a system signed at once: apart, each has a proof of its own; together they
//! have one.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::{Opened, join_paths, leaf, open_many};
use kuriiri_types::{
    BatchProof, Digest, Envelope, Header, SignedPart, SpiffeId, SpiffeRole, Timestamp,
};

use crate::{
    Purpose, VerifiedHeader, Verifier, VerifyError,
    batch::Statement,
    verify::{require_ministry, require_role},
};

/// What leaves of one signed batch have in common, from the proof of each; they must come in their order.
///
/// Nothing when there is none, or they are not of one batch. The signature is not looked at.
pub fn join(proofs: &[&BatchProof]) -> Option<SignedPart> {
    let first = proofs.first()?;
    if !proofs.iter().all(|proof| are_of_one_batch(first, proof)) {
        return None;
    }
    let paths: Vec<_> =
        proofs.iter().map(|proof| (proof.index.into(), proof.path.as_slice())).collect();
    Some(SignedPart {
        signer: first.signer,
        size: first.size,
        signature: first.signature.clone(),
        positions: proofs.iter().map(|proof| proof.index).collect(),
        proof: join_paths(&paths, first.size.into())?,
    })
}

/// Divides items, in their order, into parts of signed batches, so that neighbours that were signed together
/// share one signature, as long as they are alike.
///
/// A proof that fits no tree makes a part of its own, which nobody can open.
pub fn gather<T>(
    items: impl IntoIterator<Item = T>,
    proof: impl Fn(&T) -> &BatchProof,
    are_alike: impl Fn(&T, &T) -> bool,
) -> Vec<(SignedPart, Vec<T>)> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    for item in items {
        let belongs = |before: &T| is_behind(proof(before), proof(&item));
        match parts.last_mut() {
            Some(part)
                if part.last().is_some_and(|last| belongs(last) && are_alike(last, &item)) =>
            {
                part.push(item);
            }
            _ => parts.push(vec![item]),
        }
    }
    let signed = |items: Vec<T>| {
        let proofs: Vec<&BatchProof> = items.iter().map(&proof).collect();
        match join(&proofs) {
            Some(part) => vec![(part, items)],
            None => items.into_iter().map(|item| (alone(proof(&item)), vec![item])).collect(),
        }
    };
    parts.into_iter().flat_map(signed).collect()
}

/// The proof of each leaf of a part, in their order; nothing when leaves and part do not fit together. The
/// signature is not looked at.
pub fn divide(part: &SignedPart, leaves: &[Digest]) -> Option<Vec<BatchProof>> {
    proofs(part, &open(part, leaves)?)
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
        let opened = open(part, leaves).ok_or(VerifyError::Path)?;
        self.signer_of_part(part, &opened, now)
    }

    /// Checks that a system signed all of these headers, for its own ministry: one look at the signature
    /// for all. The bytes are decoded only once it is known to be good, and are copied, so that nothing
    /// that is kept of a message holds the frame that it came in.
    ///
    /// Where the signature is not good, each header has that error: with [`VerifyError::UnknownSigner`] the
    /// certificate must be admitted first. Other errors are about one header: it cannot be decoded, or its
    /// sender is of another ministry.
    pub fn headers<E>(
        &self,
        part: &SignedPart,
        headers: &[Bytes],
        decode: impl Fn(&Bytes) -> Result<Header, E>,
        now: Timestamp,
    ) -> Vec<Result<VerifiedHeader, VerifyError>>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let leaves: Vec<Digest> = headers.iter().map(|header| leaf(header)).collect();
        let genuine = || {
            let opened = open(part, &leaves).ok_or(VerifyError::Path)?;
            let signer = self.signer_of_part(part, &opened, now)?;
            Ok((signer, proofs(part, &opened).ok_or(VerifyError::Path)?))
        };
        let (signer, proofs) = match genuine() {
            Ok((signer, proofs)) => (Arc::new(signer), proofs),
            Err(error) => return vec![Err(error); headers.len()],
        };
        let verified = |((bytes, leaf), proof): ((&Bytes, Digest), BatchProof)| {
            let bytes = Bytes::copy_from_slice(bytes);
            let header = decode(&bytes).map_err(|error| VerifyError::decode(error))?;
            require_ministry(&signer, header.from.ministry())?;
            let envelope = Envelope { header: bytes, proof };
            Ok(VerifiedHeader::new(header, envelope, leaf, Arc::clone(&signer)))
        };
        headers.iter().zip(leaves).zip(proofs).map(verified).collect()
    }

    fn signer_of_part(
        &self,
        part: &SignedPart,
        opened: &Opened,
        now: Timestamp,
    ) -> Result<SpiffeId, VerifyError> {
        let statement = Statement::new(Purpose::Messages, part.size, opened.root());
        let signer = self.signed(part.signer, statement, &part.signature, now)?;
        require_role(&signer, SpiffeRole::System)?;
        Ok(signer)
    }
}

/// Whether a proof is of a later leaf of the same signed batch.
pub fn is_behind(before: &BatchProof, proof: &BatchProof) -> bool {
    before.index < proof.index && are_of_one_batch(before, proof)
}

fn are_of_one_batch(one: &BatchProof, other: &BatchProof) -> bool {
    (one.signer, one.size, &one.signature) == (other.signer, other.size, &other.signature)
}

fn open(part: &SignedPart, leaves: &[Digest]) -> Option<Opened> {
    if part.positions.len() != leaves.len() {
        return None;
    }
    let placed: Vec<(u64, Digest)> =
        part.positions.iter().map(|at| u64::from(*at)).zip(leaves.iter().copied()).collect();
    open_many(&placed, part.size.into(), &part.proof)
}

fn proofs(part: &SignedPart, opened: &Opened) -> Option<Vec<BatchProof>> {
    // A copy for all of them: the signature may be a slice of a whole frame.
    let signature = Bytes::copy_from_slice(&part.signature);
    let proof = |index: &u32| {
        let (path, signature) = (opened.path((*index).into())?, signature.clone());
        Some(BatchProof { signer: part.signer, index: *index, size: part.size, path, signature })
    };
    part.positions.iter().map(proof).collect()
}

fn alone(proof: &BatchProof) -> SignedPart {
    SignedPart {
        signer: proof.signer,
        size: proof.size,
        signature: proof.signature.clone(),
        positions: vec![proof.index],
        proof: proof.path.clone(),
    }
}

#[cfg(test)]
mod tests;
