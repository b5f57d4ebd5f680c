//! Where proofs get the hashes of a tree from.

use kuriiri_types::Digest;

/// The perfect subtrees of a tree, wherever they are kept: in memory, in tiles on a disk.
///
/// Level 0 are the leaf hashes; node `index` of level `level` is the root over the leaves
/// `index << level` up to `(index + 1) << level` without the last. A subtree that is not full yet
/// is no node, and nobody asks for it.
pub trait Nodes {
    /// Why a node cannot be had.
    type Error;

    /// The hash of one node.
    ///
    /// # Errors
    /// When it is not there or cannot be read. A proof that needs it then fails with this error.
    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error>;
}

impl<N: Nodes + ?Sized> Nodes for &N {
    type Error = N::Error;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error> {
        (**self).node(level, index)
    }
}
