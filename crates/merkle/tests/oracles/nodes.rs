//! Trees of ours, with their nodes for another implementation to prove with. Shared with the oracles of
//! `tlog`.

use kuriiri_merkle::{Growth, leaf};
use kuriiri_types::Digest;
use tlog_tiles::{Hash, HashReader, split_stored_hash_index};

pub(crate) fn entry(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// A tree with all its nodes.
pub(crate) fn tree(size: u64) -> Growth {
    (0..size).map(|index| leaf(&entry(index))).collect()
}

pub(crate) fn hash(digest: Digest) -> Hash {
    Hash(digest.0)
}

pub(crate) struct Reader<'a>(pub &'a Growth);

impl HashReader for Reader<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let node = |index: &u64| {
            let (level, index) = split_stored_hash_index(*index);
            hash(self.0.node(level, index).expect("a node of the tree"))
        };
        Ok(indexes.iter().map(node).collect())
    }
}
