//! The Merkle tree of RFC 9162 §2.1, over SHA-256.
//!
//! - [`leaf`] and [`node`] are the hashes that a tree is made of; [`digest`] is plain SHA-256.
//!
//! This crate does NOT know what a leaf stands for or who signs a root. It reads no clock, no file
//! and no network, and knows `ring` for SHA-256 alone.

mod hash;

pub use hash::{digest, digest_parts, leaf, node};
