//! Reading hashes and entries. What comes from a file is held against the tile above it.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_engine::ViewError;
use kuriiri_merkle::{Nodes, Tree, leaf};
use kuriiri_tlog::{Bundle, Place, TILE_HEIGHT, TILE_WIDTH, Tile};
use kuriiri_types::Digest;

use super::{
    edge::{Edge, WIDTH},
    fault::Fault,
    state::{Log, TILE_BYTES, lock},
};

impl Log {
    /// The hash of a perfect subtree.
    fn find(&self, level: u8, index: u64) -> Result<Digest, Fault> {
        self.find_beside(&self.edge(), level, index)
    }

    /// The same, of a tree with this right edge.
    pub(super) fn find_beside(&self, edge: &Edge, level: u8, index: u64) -> Result<Digest, Fault> {
        let missing = || Fault::damaged(&self.files.log, format!("no node {index} on {level}"));
        let place = Place::of(level, index).ok_or_else(missing)?;
        let (row, at) = (level % TILE_HEIGHT, u64::from(place.first / place.count));
        let full = edge.size().checked_shr(8 * (u32::from(place.level) + 1)).unwrap_or(0);
        let node = if place.index < full {
            let tile = Tile { level: place.level, index: place.index, width: TILE_WIDTH };
            self.tile(tile)?.node(row, at)
        } else {
            let partial = edge.tile(place.level).filter(|_| place.index == full);
            partial.and_then(|tree| tree.node(row, at))
        };
        node.ok_or_else(missing)
    }

    /// An entry, if there is one at this place.
    pub(crate) fn entry(&self, index: u64) -> Result<Option<Bytes>, ViewError> {
        let edge = self.edge();
        if index >= edge.size() {
            return Ok(None);
        }
        if let Some(entry) = edge.entry(index) {
            return Ok(Some(entry.clone()));
        }
        let bundle = self.bundle(Bundle { index: index / WIDTH, width: TILE_WIDTH })?;
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        // A copy, because who keeps it must not keep its whole bundle in memory.
        Ok(bundle.get(at).map(|entry| Bytes::copy_from_slice(entry)))
    }

    /// A full tile, which must be what the tile above it says.
    fn tile(&self, tile: Tile) -> Result<Arc<Tree>, Fault> {
        if let Some(tree) = lock(&self.tiles).get(&tile) {
            return Ok(tree);
        }
        let tree = Arc::new(self.files.read_tile(tile)?);
        if tree.root() != self.find(TILE_HEIGHT * (tile.level + 1), tile.index)? {
            return Err(self.files.damaged(&tile.path(), "it is not what the log shows"));
        }
        lock(&self.tiles).put(tile, Arc::clone(&tree), TILE_BYTES);
        Ok(tree)
    }

    /// A full bundle, which must be what its tile says.
    pub(super) fn bundle(&self, bundle: Bundle) -> Result<Arc<Vec<Bytes>>, Fault> {
        if let Some(entries) = lock(&self.bundles).get(&bundle) {
            return Ok(entries);
        }
        let entries = Arc::new(self.files.read_bundle(bundle)?);
        let tile = self.tile(Tile { level: 0, index: bundle.index, width: TILE_WIDTH })?;
        if !is_of(&entries, &tile) {
            return Err(self.files.damaged(&bundle.path(), "it is not what the log shows"));
        }
        let bytes = entries.iter().map(|entry| entry.len() + size_of::<Bytes>()).sum();
        lock(&self.bundles).put(bundle, Arc::clone(&entries), bytes);
        Ok(entries)
    }
}

impl Nodes for Log {
    type Error = ViewError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, ViewError> {
        Ok(self.find(level, index)?)
    }
}

/// Whether a tile has the leaves of these entries.
pub(super) fn is_of(entries: &[Bytes], tile: &Tree) -> bool {
    entries.iter().map(|entry| leaf(entry)).eq(tile.leaves().iter().copied())
}
