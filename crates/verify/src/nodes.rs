//! Nodes of a log's tree for many proofs at once.

use std::{cell::RefCell, collections::HashMap};

use kuriiri_merkle::Nodes;
use kuriiri_tlog::{Place, Tile, node_in_tile};
use kuriiri_types::Digest;

use crate::folder::{FolderError, LogFolder};

/// Tiles that are kept, 8 KiB each; with more, all go.
const TILES_MAX: usize = 1024;

/// A log's nodes that reads each tile once for many proofs.
#[derive(Debug)]
pub(crate) struct CachedNodes<'a> {
    folder: &'a LogFolder,
    tiles: RefCell<HashMap<Tile, Vec<Digest>>>,
}

impl<'a> CachedNodes<'a> {
    pub(crate) fn new(folder: &'a LogFolder) -> Self {
        Self { folder, tiles: RefCell::default() }
    }

    /// The log.
    pub(crate) fn folder(&self) -> &'a LogFolder {
        self.folder
    }
}

impl Nodes for CachedNodes<'_> {
    type Error = FolderError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, FolderError> {
        let none =
            || FolderError::form(self.folder.path(), format!("no node {index} on level {level}"));
        let place = Place::of(level, index).ok_or_else(none)?;
        let tile = place.tile(self.folder.size()).ok_or_else(none)?;
        let mut tiles = self.tiles.borrow_mut();
        if tiles.len() >= TILES_MAX && !tiles.contains_key(&tile) {
            tiles.clear();
        }
        let hashes = match tiles.entry(tile) {
            std::collections::hash_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => free.insert(self.folder.tile(tile)?),
        };
        node_in_tile(hashes, &place).ok_or_else(none)
    }
}
