//! Envelopes and the proofs in them.

use bytes::Bytes;
use kuriiri_types::{BatchProof, Envelope, limits::BATCH_LEAVES_MAX};

use crate::{
    error::Flaw,
    field, hashes,
    limits::{PROOF_PATH_MAX, SIGNATURE_BYTES},
    proto,
    shape::{Field, Shape},
};

pub(crate) static BATCH_PROOF: Shape = Shape::new("BatchProof", &[]);
pub(crate) static ENVELOPE: Shape = Shape::new("Envelope", &[Field::one("proof", 2, &BATCH_PROOF)]);

pub(crate) fn write(envelope: &Envelope) -> proto::Envelope {
    proto::Envelope { header: envelope.header.clone(), proof: Some(write_proof(&envelope.proof)) }
}

pub(crate) fn read(wire: Option<proto::Envelope>) -> Result<Envelope, Flaw> {
    let wire = field::present("envelope", wire)?;
    Ok(Envelope { header: field::header(wire.header)?, proof: read_proof(wire.proof)? })
}

pub(crate) fn write_proof(proof: &BatchProof) -> proto::BatchProof {
    proto::BatchProof {
        signer: Bytes::copy_from_slice(proof.signer.as_bytes()),
        index: proof.index,
        size: proof.size,
        path: hashes::write(&proof.path),
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
        path: hashes::read("proof.path", PROOF_PATH_MAX, &wire.path)?,
        signature: wire.signature,
    })
}
