//! What tests in several files need.

use kuriiri_types::Digest;

use crate::{Growth, empty_root, leaf, node};

pub(crate) fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|index| leaf(&index.to_be_bytes())).collect()
}

/// A tree with all its nodes.
pub(crate) fn tree(size: u64) -> Growth {
    leaves(size).into_iter().collect()
}

/// RFC 9162 §2.1.1, word for word.
pub(crate) fn by_definition(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [only] => *only,
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            node(&by_definition(left), &by_definition(right))
        }
    }
}

/// The hashes with one bit flipped, for every bit of each.
pub(crate) fn flipped(hashes: &[Digest]) -> impl Iterator<Item = Vec<Digest>> {
    (0..hashes.len() * 256).map(|bit| {
        let mut mutant = hashes.to_vec();
        mutant[bit / 256].0[bit / 8 % 32] ^= 1 << (bit % 8);
        mutant
    })
}
