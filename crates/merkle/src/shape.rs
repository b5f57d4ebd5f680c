//! How a tree divides, which RFC 9162 §2.1.1 says, and everything here follows.

use kuriiri_types::Digest;

use crate::{Nodes, digest, node};

/// Leaves in one tree. The tree would take twice as many; a size above this does not fit the
/// signed 64 bits in which other tools read it. Larger: refused.
pub const SIZE_MAX: u64 = u64::MAX >> 1;

/// Hashes on the way from a leaf to the root: a tree within [`SIZE_MAX`] is at most so high.
/// More: no proof.
pub const PATH_MAX: usize = 63;

/// The root of the tree without leaves: SHA-256 of nothing (RFC 9162 §2.1.1).
pub fn empty_root() -> Digest {
    digest(b"")
}

/// How many of `leaves` stand on the left: the largest power of two below. One leaf, or none, is
/// not divided, and this is then 1.
pub(crate) fn left_part(leaves: u64) -> u64 {
    let last = leaves.saturating_sub(1);
    1 << last.checked_ilog2().unwrap_or(0)
}

/// The hash over the leaves `start..end` of a tree, where they are one subtree of it, perfect or
/// at the right edge. Without leaves: that of the empty tree.
pub(crate) fn subtree<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Digest, N::Error> {
    let (mut hash, mut at, mut rest) = (None, end, end.saturating_sub(start));
    // Perfect subtrees from the right, where the smallest is: one for each bit of the length.
    while rest > 0 {
        let level = rest.trailing_zeros();
        at -= 1 << level;
        // Below 64, because the rest is not 0.
        let left = nodes.node(u8::try_from(level).unwrap_or(u8::MAX), at >> level)?;
        hash = Some(hash.map_or(left, |right| node(&left, &right)));
        rest &= rest - 1;
    }
    Ok(hash.unwrap_or_else(empty_root))
}

/// The root over perfect subtrees that stand side by side, the largest first.
pub(crate) fn fold(perfect: &[Digest]) -> Digest {
    let mut smallest_first = perfect.iter().rev();
    let Some(last) = smallest_first.next() else {
        return empty_root();
    };
    smallest_first.fold(*last, |right, left| node(left, &right))
}
