//! The commitment by which a header binds its body.
//!
//! Before every body stand 32 random bytes of salt. Without them nobody can tell from the
//! commitment which of two likely bodies it was; and once salt and body are erased, the header,
//! its signature and every proof still hold.
//!
//! - Up to 1 MiB of body: SHA-256(`"kuriiri body v1"` ‖ salt ‖ body).
//! - Above: the root (RFC 9162 §2.1.1) over chunks of 64 KiB, the last one shorter, where the leaf
//!   input of a chunk is `"kuriiri chunk v1"` ‖ salt ‖ chunk.
//!
//! A root is the hash of something that begins with 0x01, so the two can never be mistaken for each
//! other; the length stands in the header.

use bytes::Bytes;
use kuriiri_merkle::{Frontier, digest_parts, leaf};
use kuriiri_types::{Digest, limits::BODY_SALT_BYTES};
use ring::rand::{SecureRandom, SystemRandom};

use crate::KeyError;

const WHOLE: &[u8] = b"kuriiri body v1";
const CHUNK: &[u8] = b"kuriiri chunk v1";
/// Bytes of body up to which it is hashed in one piece.
const WHOLE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes in a chunk of a larger body.
const CHUNK_BYTES: usize = 64 * 1024;

/// The commitment to a body with its salt in front; nothing when it is too short to have a salt.
pub fn commit(salted_body: &[u8]) -> Option<Digest> {
    let (salt, body) = salted_body.split_at_checked(BODY_SALT_BYTES)?;
    if body.len() <= WHOLE_BYTES_MAX {
        return Some(digest_parts(&[WHOLE, salt, body]));
    }
    let chunks = body.chunks(CHUNK_BYTES);
    let leaves = chunks.map(|chunk| leaf(&[CHUNK, salt, chunk].concat()));
    Some(leaves.collect::<Frontier>().root())
}

/// The body with a fresh random salt in front, as it is carried and committed to.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn salted(body: &[u8]) -> Result<Bytes, KeyError> {
    let mut salted = vec![0; BODY_SALT_BYTES];
    SystemRandom::new().fill(&mut salted).map_err(|_| KeyError::Randomness)?;
    salted.extend_from_slice(body);
    Ok(salted.into())
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::Tree;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_salt_no_commitment() {
        assert_eq!(commit(&[0; BODY_SALT_BYTES - 1]), None);
        assert!(commit(&[0; BODY_SALT_BYTES]).is_some());
    }

    #[test]
    fn the_salt_is_fresh_and_makes_the_commitment_unlike() {
        let (one, two) = (salted(b"yes").unwrap(), salted(b"yes").unwrap());
        assert_eq!(&one[BODY_SALT_BYTES..], b"yes");
        assert_ne!(commit(&one), commit(&two));
    }

    #[test]
    fn a_large_body_is_the_root_of_its_chunks() {
        let salt = [9; BODY_SALT_BYTES];
        let body: Vec<u8> =
            (0_u32..).flat_map(u32::to_be_bytes).take(WHOLE_BYTES_MAX + 1).collect();
        let commit_body = |body: &[u8]| commit(&[&salt, body].concat()).unwrap();
        let chunk = |at: usize| {
            let end = body.len().min(at + CHUNK_BYTES);
            leaf(&[CHUNK, &salt, &body[at..end]].concat())
        };
        let tree: Tree = (0..body.len()).step_by(CHUNK_BYTES).map(chunk).collect();
        assert_eq!((commit_body(&body), tree.size()), (tree.root(), 17));

        let whole = &body[..WHOLE_BYTES_MAX];
        assert_eq!(commit_body(whole), digest_parts(&[WHOLE, &salt, whole]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_flipped_bit_of_salt_or_body_shows(
            length in prop_oneof![32_usize..200, WHOLE_BYTES_MAX..WHOLE_BYTES_MAX + 200],
            place in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut body = vec![0x5c; length];
            let before = commit(&body);
            body[place.index(length)] ^= 1_u8 << bit;
            prop_assert_ne!(before, commit(&body));
        }
    }
}
