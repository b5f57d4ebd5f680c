//! Salted bodies in a frame.

use bytes::Bytes;
use kuriiri_types::limits::{BATCH_BYTES_MAX, BODY_BYTES_MAX, BODY_SALT_BYTES};

use crate::error::Flaw;

/// Holds the bodies of one frame against their limits. The salt in front of each is not counted.
pub(crate) fn check<'a>(bodies: impl Iterator<Item = &'a Bytes>) -> Result<(), Flaw> {
    let (mut count, mut total) = (0, 0);
    for body in bodies {
        count += 1;
        total += check_one(body)?;
    }
    match BATCH_BYTES_MAX as u64 {
        max if total > max && count > 1 => Err(over("bodies", max, total)),
        _ => Ok(()),
    }
}

fn check_one(body: &Bytes) -> Result<u64, Flaw> {
    let length = body
        .len()
        .checked_sub(BODY_SALT_BYTES)
        .ok_or(Flaw::Form { field: "body", rule: "must begin with 32 bytes of salt" })?
        as u64;
    if length > BODY_BYTES_MAX {
        return Err(over("body", BODY_BYTES_MAX, length));
    }
    Ok(length)
}

fn over(field: &'static str, max: u64, found: u64) -> Flaw {
    Flaw::OverLimit { field, max, found }
}
