//! Leaves that were signed together.

use kuriiri_types::{SignedPart, limits::BATCH_LEAVES_MAX};

use crate::{
    entry::digest_bytes,
    envelope,
    error::Flaw,
    field,
    limits::{PROOF_PATH_MAX, SIGNATURE_BYTES},
    proto,
};

pub(crate) fn write(part: &SignedPart) -> proto::SignedPart {
    let positions = if is_whole(part) { Vec::new() } else { part.positions.clone() };
    proto::SignedPart {
        signer: digest_bytes(part.signer),
        size: part.size,
        signature: part.signature.clone(),
        positions,
        proof: envelope::write_path(&part.proof),
    }
}

/// `leaves`: how many there are beside it.
pub(crate) fn read(wire: proto::SignedPart, leaves: usize) -> Result<SignedPart, Flaw> {
    let (max, found) = (BATCH_LEAVES_MAX.into(), wire.size.into());
    if wire.size == 0 {
        return Err(Flaw::Missing("batch.size"));
    }
    if wire.size > BATCH_LEAVES_MAX {
        return Err(Flaw::OverLimit { field: "batch.size", max, found });
    }
    field::fixed::<SIGNATURE_BYTES>("batch.signature", &wire.signature)?;
    let part = SignedPart {
        signer: field::digest("batch.signer", &wire.signer)?,
        size: wire.size,
        signature: wire.signature,
        proof: envelope::read_path("batch.proof", leaves * PROOF_PATH_MAX, &wire.proof)?,
        positions: positions(wire.positions, wire.size, leaves)?,
    };
    if is_whole(&part) && !part.proof.is_empty() {
        return Err(Flaw::Form {
            field: "batch.proof",
            rule: "must be empty when all leaves are here",
        });
    }
    Ok(part)
}

fn positions(listed: Vec<u32>, size: u32, leaves: usize) -> Result<Vec<u32>, Flaw> {
    const FIELD: field::Name = "batch.positions";
    let are_all = usize::try_from(size) == Ok(leaves);
    if listed.is_empty() && are_all {
        return Ok((0..size).collect());
    }
    let rise = listed.is_sorted_by(|left, right| left < right);
    let fit = listed.last().is_some_and(|last| *last < size) && listed.len() == leaves;
    if !rise || !fit {
        let rule = "must rise below `batch.size`, one for each message";
        return Err(Flaw::Form { field: FIELD, rule });
    }
    if are_all { Err(Flaw::NotCanonical) } else { Ok(listed) }
}

fn is_whole(part: &SignedPart) -> bool {
    usize::try_from(part.size) == Ok(part.positions.len())
}
