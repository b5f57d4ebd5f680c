//! What other people's implementations say about the same files and notes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod notes;
mod tiles;

use kuriiri_merkle::{Frontier, Growth, leaf};
use kuriiri_types::Digest;
use tlog_tiles::{Hash, HashReader, split_stored_hash_index};

fn entry(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// A tree with all its nodes.
fn tree(size: u64) -> Growth {
    let mut tree = Growth::on(&Frontier::new());
    for index in 0..size {
        tree.push(leaf(&entry(index)));
    }
    tree
}

fn hash(digest: Digest) -> Hash {
    Hash(digest.0)
}

/// Our nodes, for the other implementation to prove with.
struct Reader<'a>(&'a Growth);

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let node = |index: &u64| {
            let (level, index) = split_stored_hash_index(*index);
            hash(self.0.node(level, index).expect("a node of the tree"))
        };
        Ok(indexes.iter().map(node).collect())
    }
}
