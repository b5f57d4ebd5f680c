//! The Merkle tree of RFC 9162 §2.1, over SHA-256: the one that batches of signatures, large bodies,
//! sums of channels and the log are made of.
//!
//! - [`leaf`] and [`node`] are the hashes that a tree is made of; [`digest`] is plain SHA-256.
//! - A [`Frontier`] is all that a tree needs to grow; a [`Growth`] is one that grows and keeps what
//!   it completes; a [`Tree`] is a whole one in memory. [`Nodes`] is where proofs find the nodes of
//!   a tree.
//! - [`inclusion`] and [`consistency`] prove what RFC 9162 defines; [`prove_many`] proves several
//!   leaves at once.
//!
//! This crate does NOT know what a leaf stands for or who signs a root. It keeps nothing, reads no
//! clock, no file and no network, and knows `ring` for SHA-256 alone.
//!
//! ```
//! use kuriiri_merkle::{Growth, inclusion, leaf, root_from_inclusion};
//!
//! let mut tree = Growth::default();
//! for entry in ["one", "two", "three"] {
//!     tree.push(leaf(entry.as_bytes()));
//! }
//! let proof = inclusion(&tree, 1, tree.size())?;
//! assert_eq!(root_from_inclusion(leaf(b"two"), 1, 3, &proof), Some(tree.root()));
//! assert_ne!(root_from_inclusion(leaf(b"three"), 1, 3, &proof), Some(tree.root()));
//! # Ok::<(), kuriiri_merkle::MissingNode>(())
//! ```

mod frontier;
mod growth;
mod hash;
mod many;
mod nodes;
mod proof;
mod shape;
#[cfg(test)]
mod testing;
mod tree;

pub use frontier::Frontier;
pub use growth::{Growth, MissingNode};
pub use hash::{digest, digest_parts, leaf, node};
pub use many::{Opened, join_paths, open_many, prove_many};
pub use nodes::Nodes;
pub use proof::{
    consistency, inclusion, inclusions, root, root_from_inclusion, verify_consistency,
};
pub use shape::{PATH_MAX, SIZE_MAX, empty_root};
pub use tree::Tree;
