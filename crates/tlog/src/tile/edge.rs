//! The right edge of a log's tree: the tiles that are not full yet.

use std::sync::Arc;

use kuriiri_merkle::{Frontier, Nodes, Tree};
use kuriiri_types::Digest;

use super::{TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, Tile, hashes_in_level};

/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;

/// A tree that grows leaf by leaf and holds no more of it than the partial tile of each level, 16
/// KiB at most with the nodes between. What is full goes to the caller. A copy shares its tiles with the
/// one that it was made of until one of both grows.
#[derive(Debug, Clone, Default)]
pub struct TileEdge {
    size: u64,
    /// The partial tile of each level, lowest first, as a tree of its own over the tile's hashes.
    tiles: Vec<Arc<Tree>>,
}

impl TileEdge {
    /// That of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// That of a tree of `size` leaves. It asks only for nodes that are hashes of partial tiles, so
    /// on level 8 and above when `size` is a multiple of 256. Whether they are the right ones only
    /// the [root](Self::root) tells.
    ///
    /// # Errors
    /// When a node cannot be had.
    pub fn load<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let hashes = |level| Some(hashes_in_level(size, level)).filter(|hashes| *hashes > 0);
        let levels = (0..TILE_LEVELS).map_while(|level| Some((level, hashes(level)?)));
        let tile = |(level, hashes): (u8, u64)| {
            let partial = hashes - hashes % WIDTH..hashes;
            let hashes = partial.map(|index| nodes.node(level * TILE_HEIGHT, index));
            hashes.collect::<Result<Tree, _>>().map(Arc::new)
        };
        Ok(Self { size, tiles: levels.map(tile).collect::<Result<_, _>>()? })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash (see [`kuriiri_merkle::leaf`]). Gives the tiles that became full with
    /// it, lowest first.
    pub fn push(&mut self, leaf: Digest) -> Vec<(Tile, Tree)> {
        let index = self.size / WIDTH;
        self.size += 1;
        self.grow((0, index), leaf)
    }

    /// Appends 256 leaves of which no more is known than the root over their hashes. Nothing happens, and
    /// it is false, when the tree does not end with a full tile.
    pub fn push_full(&mut self, root: Digest) -> bool {
        let is_at_end = self.size.is_multiple_of(WIDTH);
        if is_at_end {
            let index = self.size / WIDTH;
            self.size += WIDTH;
            if self.tiles.is_empty() {
                self.tiles.push(Arc::default());
            }
            self.grow((1, index / WIDTH), root);
        }
        is_at_end
    }

    /// Appends a hash to the tile of a level, and what becomes full by it to the levels above.
    fn grow(&mut self, (from, mut index): (u8, u64), mut hash: Digest) -> Vec<(Tile, Tree)> {
        let mut full = Vec::new();
        for level in from.. {
            let at = usize::from(level);
            if self.tiles.len() <= at {
                self.tiles.push(Arc::default());
            }
            let Some(tile) = self.tiles.get_mut(at) else { break };
            Arc::make_mut(tile).push(hash);
            let Some(root) = tile.node(TILE_HEIGHT, 0) else { break };
            let tree = Arc::unwrap_or_clone(std::mem::take(tile));
            full.push((Tile { level, index, width: TILE_WIDTH }, tree));
            (hash, index) = (root, index / WIDTH);
        }
        full
    }

    /// The partial tile of a level, as a tree over its hashes; nothing when the tree of the log is
    /// not so high. It is empty where the last tile of the level is full.
    pub fn tile(&self, level: u8) -> Option<&Tree> {
        self.tiles.get(usize::from(level)).map(Arc::as_ref)
    }

    /// The partial tiles, lowest first.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &Tree)> {
        (0_u8..).zip(&self.tiles).filter(|(_, tree)| tree.size() > 0).map(|(level, tree)| {
            let index = hashes_in_level(self.size, level) / WIDTH;
            // It would have gone if it had more hashes than a tile.
            let width = u16::try_from(tree.size()).unwrap_or(TILE_WIDTH);
            (Tile { level, index, width }, tree.as_ref())
        })
    }

    /// What is enough to make the tree grow.
    pub fn frontier(&self) -> Frontier {
        let nodes = (0..64).rev().filter_map(|level| self.alone(level)).collect();
        // One node for each bit that is set, so the parts fit.
        Frontier::from_parts(self.size, nodes).unwrap_or_default()
    }

    /// The root of the tree (RFC 9162 §2.1.1).
    pub fn root(&self) -> Digest {
        self.frontier().root()
    }

    /// The perfect subtree of a level that has no sibling yet; nothing when there is none.
    fn alone(&self, level: u8) -> Option<Digest> {
        let last = (self.size >> level).checked_sub(1).filter(|last| last & 1 == 0)?;
        let row = level % TILE_HEIGHT;
        self.tile(level / TILE_HEIGHT)?.node(row, last % (WIDTH >> row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Place, node_in_tile,
        testing::{leaves, tree},
        tiles_between, tiles_of,
    };

    /// The hashes of a tile as the whole tree has them.
    fn hashes(tree: &kuriiri_merkle::Growth, tile: Tile) -> Vec<Digest> {
        let first = tile.index * WIDTH;
        let indexes = first..first + u64::from(tile.width);
        indexes.map(|index| tree.node(tile.level * TILE_HEIGHT, index).unwrap()).collect()
    }

    #[test]
    fn a_tile_is_a_tree_over_its_hashes() {
        let all = leaves(WIDTH);
        for width in [0, 1, 2, 3, 127, 128, 255, 256] {
            let tile: Tree = all[..width].iter().copied().collect();
            assert_eq!(tile.leaves(), &all[..width]);
            for row in 0..=TILE_HEIGHT {
                for at in 0..(WIDTH >> row) + 2 {
                    let first = u16::try_from(at << row).unwrap();
                    let place = Place { level: 0, index: 0, first, count: 1 << row };
                    let expected = node_in_tile(tile.leaves(), &place);
                    assert_eq!(tile.node(row, at), expected, "{width} {row} {at}");
                }
            }
            assert_eq!(tile.node(TILE_HEIGHT, 0).is_some(), width == 256);
        }
    }

    #[test]
    fn it_gives_the_tiles_of_the_tree_as_they_become_full() {
        let size = 66_000;
        let (whole, mut edge, mut frontier) = (tree(size), TileEdge::new(), Frontier::new());
        for (before, leaf) in (0..).zip(leaves(size)) {
            let full = edge.push(leaf);
            frontier.push(leaf);
            assert_eq!(edge.size(), before + 1);
            assert_eq!(edge.frontier(), frontier);
            let tiles = full.iter().map(|(tile, held)| {
                assert_eq!(held.leaves(), hashes(&whole, *tile));
                *tile
            });
            let expected = tiles_between(before, before + 1).filter(|tile| tile.width == 256);
            assert_eq!(tiles.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let is_near = |boundary: u64| before.abs_diff(boundary) < 3;
            if [0, 256, 512, 65_536, 65_792].into_iter().any(is_near) {
                check(&edge, before + 1);
            }
        }
    }

    fn check(edge: &TileEdge, size: u64) {
        let tree = tree(size);
        assert_eq!((edge.size(), edge.root()), (size, tree.root()));
        let partial = edge.partial().map(|(tile, held)| {
            assert_eq!(held.leaves(), hashes(&tree, tile));
            assert_eq!(edge.tile(tile.level).map(Tree::leaves), Some(held.leaves()));
            tile
        });
        let expected = tiles_of(size).filter(|tile| tile.width < TILE_WIDTH);
        assert_eq!(partial.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let mut edge = TileEdge::new();
        leaves(300).iter().for_each(|leaf| drop(edge.push(*leaf)));
        let (copy, root) = (edge.clone(), edge.root());
        edge.push(leaves(1)[0]);
        assert_eq!((copy.size(), copy.root()), (300, root));
        assert_ne!((edge.size(), edge.root()), (300, root));
        check(&copy, 300);
    }

    #[test]
    fn a_full_tile_of_which_only_the_root_is_known_can_be_appended() {
        let size = 66_000;
        let (whole, leaves) = (tree(size), leaves(size));
        for (skipped, before) in [(0, 0), (1, 256), (255, 255 * 256), (256, 65_536)] {
            let mut edge = TileEdge::new();
            leaves.iter().take(before).for_each(|leaf| drop(edge.push(*leaf)));
            assert!(edge.push_full(whole.node(TILE_HEIGHT, skipped).unwrap()));
            check(&edge, before as u64 + WIDTH);
            leaves.iter().skip(before + 256).for_each(|leaf| drop(edge.push(*leaf)));
            check(&edge, size);
            assert!(!edge.push_full(leaves[0]) && edge.size() == size);
        }
    }

    #[test]
    fn what_is_loaded_is_what_had_grown() {
        let sizes = [0, 1, 255, 256, 257, 512, 255 * 256, 65_535, 65_536, 65_792, 131_584];
        let (whole, leaves) = (tree(131_884), leaves(131_884));
        for size in sizes {
            let mut edge = TileEdge::load(&whole, size).unwrap();
            check(&edge, size);
            leaves.iter().skip(usize::try_from(size).unwrap()).take(300).for_each(|leaf| {
                edge.push(*leaf);
            });
            check(&edge, size + 300);
        }
        let nothing = kuriiri_merkle::Growth::on(&whole.frontier());
        assert!(TileEdge::load(&nothing, 65_792).is_err());
    }
}
