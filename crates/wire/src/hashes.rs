//! Hashes in bytes: one, or many one after the other.

use bytes::{BufMut, Bytes, BytesMut};
use kuriiri_types::Digest;

use crate::{error::Flaw, field};

/// Bytes of a SHA-256 hash.
const HASH_BYTES: usize = 32;

pub(crate) fn write_one(digest: Digest) -> Bytes {
    Bytes::copy_from_slice(digest.as_bytes())
}

pub(crate) fn write(hashes: &[Digest]) -> Bytes {
    let mut path = BytesMut::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        path.put_slice(hash.as_bytes());
    }
    path.freeze()
}

pub(crate) fn read(field: field::Name, max: usize, bytes: &[u8]) -> Result<Vec<Digest>, Flaw> {
    field::at_most(field, max * HASH_BYTES, bytes.len())?;
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() {
        let rule = "must be whole hashes of 32 bytes";
        return Err(Flaw::Form { field, rule });
    }
    Ok(hashes.iter().copied().map(Digest).collect())
}
