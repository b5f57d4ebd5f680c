//! Leaves that were signed together.

use kuriiri_types::{
    SignedPart,
    limits::{BATCH_LEAVES_MAX, BATCH_MESSAGES_MAX},
};

use crate::{
    error::Flaw,
    field, hashes,
    limits::{PROOF_PATH_MAX, SIGNATURE_BYTES},
    proto,
    shape::{Field, Shape},
};

/// Bytes of a place in a signed batch, as protobuf writes it.
const POSITION_BYTES_MAX: usize = 3;

pub(crate) static SIGNED_PART: Shape = Shape::new(
    "SignedPart",
    &[Field::numbers("positions", 4, BATCH_MESSAGES_MAX * POSITION_BYTES_MAX)],
);

/// Messages of one signed batch, in the order of their leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// What was signed, with one leaf for each message: the leaf hash of its header.
    pub signed: SignedPart,
    /// The messages, at least one.
    pub messages: Vec<T>,
}

/// Reads the parts of a frame, with their messages. There is a message in the frame, at most
/// [`BATCH_MESSAGES_MAX`] over all parts, and one in each part.
pub(crate) fn read_all<W, M, T>(
    parts: Vec<W>,
    take: impl Fn(W) -> (Option<proto::SignedPart>, Vec<M>),
    read_one: impl Fn(M) -> Result<T, Flaw>,
) -> Result<Vec<Part<T>>, Flaw> {
    let parts: Vec<_> = parts.into_iter().map(take).collect();
    let count = parts.iter().map(|(_, messages)| messages.len()).sum();
    field::some_at_most("messages", BATCH_MESSAGES_MAX, count)?;
    field::each(parts, |(signed, messages)| {
        field::some_at_most("messages", BATCH_MESSAGES_MAX, messages.len())?;
        let signed = read(field::present("signed", signed)?, messages.len())?;
        Ok(Part { signed, messages: field::each(messages, &read_one)? })
    })
}

pub(crate) fn write(part: &SignedPart) -> proto::SignedPart {
    let positions = if is_whole(part) { Vec::new() } else { part.positions.clone() };
    proto::SignedPart {
        signer: hashes::write_one(part.signer),
        size: part.size,
        signature: part.signature.clone(),
        positions,
        proof: hashes::write(&part.proof),
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
        proof: hashes::read("batch.proof", leaves * PROOF_PATH_MAX, &wire.proof)?,
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
