//! The hashes that a tree is made of.

use kuriiri_types::Digest;
use ring::digest::{Context, SHA256};

const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// The leaf hash of bytes: SHA-256(0x00 ‖ bytes), RFC 9162 §2.1.1.
pub fn leaf(bytes: &[u8]) -> Digest {
    digest_parts(&[&[LEAF], bytes])
}

/// The hash of two subtrees beside each other: SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1.
pub fn node(left: &Digest, right: &Digest) -> Digest {
    digest_parts(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

/// SHA-256 of bytes that somebody wants to recognise again.
pub fn digest(bytes: &[u8]) -> Digest {
    digest_parts(&[bytes])
}

/// SHA-256 over the parts, one after the other. Where one part ends and the next begins does not
/// show in it: whoever calls this gives parts of known length, or one that tells them apart.
pub fn digest_parts(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut bytes = [0; 32];
    // Both are 32 bytes long.
    bytes.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    Digest(bytes)
}
