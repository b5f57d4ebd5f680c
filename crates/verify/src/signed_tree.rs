//! What the entries of a copy must be, by the tiles of the copy as far as they lead to the root that the
//! log signed. So a copy that was damaged is told from a log that is wrong, and what is good in it is read.

use kuriiri_merkle::{Nodes, Tree, leaf, root};
use kuriiri_tlog::{Place, TILE_HEIGHT, TILE_WIDTH, Tile, node_in_tile};
use kuriiri_types::Digest;

use crate::{
    folder::{FolderError, LogFolder, bundle_of},
    tree::width_of_tile,
};

/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;

/// What the entries of one bundle must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// Their leaf hashes.
    Leaves(Vec<Digest>),
    /// The root over their leaf hashes: their tile is not as it was signed.
    Root(Digest),
    /// No tile of the copy tells.
    Unknown,
}

/// The tiles of a copy that lead to the root which its checkpoint names. One tile of each level is kept.
#[derive(Debug)]
pub(crate) struct SignedTree<'a> {
    edge: Edge<'a>,
    held: Vec<Option<(u64, Option<Vec<Digest>>)>>,
}

/// The right edge of the tree. Its lowest tile is made of the last entries where the copy's does not lead to
/// the root.
#[derive(Debug)]
struct Edge<'a> {
    folder: &'a LogFolder,
    lowest: Option<(u64, Vec<Digest>)>,
}

impl Edge<'_> {
    fn is_signed(&self) -> bool {
        let said = self.folder.checkpoint();
        root(self, said.size).is_ok_and(|root| root == said.root)
    }

    fn tile(&self, level: u8, index: u64) -> Option<Vec<Digest>> {
        let width = width_of_tile(self.folder.size(), level, index);
        let made = self.lowest.as_ref().filter(|(last, _)| (level, index) == (0, *last));
        match made {
            _ if width == 0 => None,
            Some((_, hashes)) => Some(hashes.clone()),
            None => self.folder.tile(Tile { level, index, width }).ok(),
        }
    }
}

impl Nodes for Edge<'_> {
    type Error = FolderError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, FolderError> {
        let none =
            || FolderError::form(self.folder.path(), format!("no node {index} on level {level}"));
        let place = Place::of(level, index).ok_or_else(none)?;
        let hashes = self.tile(place.level, place.index).ok_or_else(none)?;
        node_in_tile(&hashes, &place).ok_or_else(none)
    }
}

impl<'a> SignedTree<'a> {
    /// Nothing when neither the tiles of the right edge nor the last entries lead to the root.
    pub(crate) fn of(folder: &'a LogFolder) -> Option<Self> {
        let mut edge = Edge { folder, lowest: None };
        if !edge.is_signed() {
            let last = folder.size().checked_sub(1)? / WIDTH;
            let entries = folder.bundle(bundle_of(folder.size(), last)?).ok()?.entries;
            edge.lowest = Some((last, entries.iter().map(|entry| leaf(entry)).collect()));
        }
        edge.is_signed().then(|| Self { edge, held: Vec::new() })
    }

    /// What the entries of the bundle of this index must be.
    pub(crate) fn bundle(&mut self, index: u64) -> Signed {
        if let Some(leaves) = self.tile(0, index) {
            return Signed::Leaves(leaves);
        }
        self.above(0, index).map_or(Signed::Unknown, Signed::Root)
    }

    /// The hashes of a tile, if they are those that were signed.
    fn tile(&mut self, level: u8, index: u64) -> Option<Vec<Digest>> {
        let at = usize::from(level);
        if let Some(Some((_, hashes))) = self.held.get(at).filter(|held| is_of(held, index)) {
            return hashes.clone();
        }
        let hashes = self.signed(level, index);
        if self.held.len() <= at {
            self.held.resize(at + 1, None);
        }
        if let Some(held) = self.held.get_mut(at) {
            *held = Some((index, hashes.clone()));
        }
        hashes
    }

    fn signed(&mut self, level: u8, index: u64) -> Option<Vec<Digest>> {
        let width = width_of_tile(self.edge.folder.size(), level, index);
        let found = self.edge.tile(level, index);
        if width < TILE_WIDTH {
            // Every hash of it is part of what leads to the root.
            return found;
        }
        let must_be = self.above(level, index)?;
        let fits = |hashes: &Vec<Digest>| root_of(hashes) == Some(must_be);
        found.filter(fits).or_else(|| self.made(level, index).filter(fits))
    }

    /// The hash that the tile above has of this tile.
    fn above(&mut self, level: u8, index: u64) -> Option<Digest> {
        let hashes = self.tile(level.checked_add(1)?, index / WIDTH)?;
        hashes.get(usize::try_from(index % WIDTH).ok()?).copied()
    }

    /// A full tile made of those below it.
    fn made(&self, level: u8, index: u64) -> Option<Vec<Digest>> {
        let (below, first) = (level.checked_sub(1)?, index.checked_mul(WIDTH)?);
        (first..first + WIDTH).map(|index| root_of(&self.edge.tile(below, index)?)).collect()
    }
}

fn is_of(held: &Option<(u64, Option<Vec<Digest>>)>, index: u64) -> bool {
    held.as_ref().is_some_and(|(known, _)| *known == index)
}

/// The root over the hashes of a full tile.
pub(crate) fn root_of(hashes: &[Digest]) -> Option<Digest> {
    let tree: Tree = hashes.iter().copied().collect();
    tree.node(TILE_HEIGHT, 0)
}
