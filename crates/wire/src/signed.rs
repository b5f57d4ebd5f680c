//! The rule for bytes that are signed: one value has one encoding.

use prost::Message;

use crate::{error::Flaw, field};

/// The message in these bytes, if they are its canonical encoding.
///
/// Protobuf would let a field stand twice, out of order, in more bytes than needed, or unknown to
/// the reader, so that two readers could see two different things under one signature.
pub(crate) fn canonical<P: Message + Default>(max: usize, bytes: &[u8]) -> Result<P, Flaw> {
    field::some_at_most("bytes", max, bytes.len())?;
    let wire = P::decode(bytes).map_err(|e| Flaw::Garbled(e.to_string()))?;
    if wire.encode_to_vec() == bytes { Ok(wire) } else { Err(Flaw::NotCanonical) }
}
