//! Envelopes and the proofs in them.

use bytes::{BufMut, Bytes, BytesMut};
use kuriiri_types::{BatchProof, Digest, Envelope, limits::BATCH_LEAVES_MAX};

use crate::{
    error::Flaw,
    field,
    limits::{PROOF_PATH_MAX, SIGNATURE_BYTES},
    proto,
    shape::{Field, Shape},
};

/// Bytes of a SHA-256 hash.
const HASH_BYTES: usize = 32;

pub(crate) static BATCH_PROOF: Shape = Shape::new("BatchProof", &[]);
pub(crate) static ENVELOPE: Shape = Shape::new("Envelope", &[Field::one("proof", 2, &BATCH_PROOF)]);

pub(crate) fn write(envelope: &Envelope) -> proto::Envelope {
    proto::Envelope { header: envelope.header.clone(), proof: Some(write_proof(&envelope.proof)) }
}

pub(crate) fn read(wire: Option<proto::Envelope>) -> Result<Envelope, Flaw> {
    let wire = field::present("envelope", wire)?;
    Ok(Envelope { header: crate::part::header(wire.header)?, proof: read_proof(wire.proof)? })
}

pub(crate) fn write_proof(proof: &BatchProof) -> proto::BatchProof {
    proto::BatchProof {
        signer: Bytes::copy_from_slice(proof.signer.as_bytes()),
        index: proof.index,
        size: proof.size,
        path: write_path(&proof.path),
        signature: proof.signature.clone(),
    }
}

pub(crate) fn read_proof(wire: Option<proto::BatchProof>) -> Result<BatchProof, Flaw> {
    let wire = field::present("proof", wire)?;
    if wire.index >= wire.size {
        let (field, rule) = ("proof.index", "must be below `proof.size`");
        return Err(Flaw::Form { field, rule });
    }
    if wire.size > BATCH_LEAVES_MAX {
        return Err(Flaw::OverLimit {
            field: "proof.size",
            max: BATCH_LEAVES_MAX.into(),
            found: wire.size.into(),
        });
    }
    field::fixed::<SIGNATURE_BYTES>("proof.signature", &wire.signature)?;
    Ok(BatchProof {
        signer: field::digest("proof.signer", &wire.signer)?,
        index: wire.index,
        size: wire.size,
        path: read_path("proof.path", PROOF_PATH_MAX, &wire.path)?,
        signature: wire.signature,
    })
}

/// Hashes, one after the other.
pub(crate) fn write_path(hashes: &[Digest]) -> Bytes {
    let mut path = BytesMut::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        path.put_slice(hash.as_bytes());
    }
    path.freeze()
}

pub(crate) fn read_path(field: field::Name, max: usize, bytes: &[u8]) -> Result<Vec<Digest>, Flaw> {
    field::at_most(field, max * HASH_BYTES, bytes.len())?;
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() {
        let rule = "must be whole hashes of 32 bytes";
        return Err(Flaw::Form { field, rule });
    }
    Ok(hashes.iter().copied().map(Digest).collect())
}
