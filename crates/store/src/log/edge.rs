//! The right edge of the log's tree: the tiles and the bundle that are not full yet, and the headers
//! beside that bundle.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::{Frontier, Nodes, Tree};
use kuriiri_tlog::{Bundle, TILE_HEIGHT, TILE_WIDTH, Tile, TileEdge};
use kuriiri_types::{Digest, Timestamp};

use super::{
    beside::{Beside, Headed, has_headers},
    fault::Fault,
    going::Going,
};

/// Hashes in a full tile, and entries in a full bundle.
pub(super) const WIDTH: u64 = TILE_WIDTH as u64;

/// A file with what is in it; most are full.
#[derive(Debug)]
pub(crate) enum Full {
    Tile(Tile, Tree),
    Bundle(Bundle, Vec<Bytes>),
    /// The headers beside the entries of a bundle. There is no such file when all places are empty.
    Headers(Bundle, Beside),
}

impl Full {
    /// The same file as it was when it had not so much in it; nothing when it never had as much.
    pub(crate) fn narrower(&self, width: u16) -> Option<Self> {
        let count = Some(usize::from(width)).filter(|count| *count > 0)?;
        match self {
            Self::Tile(tile, tree) => {
                let hashes = tree.leaves().get(..count)?;
                Some(Self::Tile(Tile { width, ..*tile }, hashes.iter().copied().collect()))
            }
            Self::Bundle(bundle, entries) => {
                let entries = entries.get(..count)?.to_vec();
                Some(Self::Bundle(Bundle { width, ..*bundle }, entries))
            }
            Self::Headers(bundle, beside) => {
                let among = beside.iter().filter(|(place, _)| u16::from(*place) < width);
                let narrower = Self::Headers(Bundle { width, ..*bundle }, among.cloned().collect());
                Some(narrower).filter(|file| file.is_there() && width <= bundle.width)
            }
        }
    }

    /// Whether there is such a file: not when it would hold nothing.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Tile(..) | Self::Bundle(..) => true,
            Self::Headers(_, beside) => has_headers(beside),
        }
    }
}

/// What is not full yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    tiles: TileEdge,
    bundle: Vec<Bytes>,
    beside: Beside,
}

impl Edge {
    /// The edge of a tree whose size is a multiple of 256, from its full tiles.
    pub(crate) fn load(
        size: u64,
        read: impl Fn(Tile) -> Result<Tree, Fault>,
    ) -> Result<Self, Fault> {
        Ok(Self { tiles: TileEdge::load(&FullTiles(read), size)?, ..Self::default() })
    }

    pub(crate) fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// Adds an entry, with the headers beside it if there are any. Gives the files that became full, the
    /// bundle first, then the headers beside it, then tiles from below.
    pub(crate) fn push(
        &mut self,
        entry: Bytes,
        leaf: Digest,
        headed: Option<Arc<Headed>>,
    ) -> Vec<Full> {
        let mut full = Vec::new();
        let place = u8::try_from(self.size() % WIDTH).unwrap_or(u8::MAX);
        self.beside.extend(headed.map(|headed| (place, headed)));
        self.bundle.push(entry);
        if self.bundle.len() == usize::from(TILE_WIDTH) {
            let bundle = Bundle { index: self.size() / WIDTH, width: TILE_WIDTH };
            full.push(Full::Bundle(bundle, std::mem::take(&mut self.bundle)));
            if !self.beside.is_empty() {
                full.push(Full::Headers(bundle, std::mem::take(&mut self.beside)));
            }
        }
        let tiles = self.tiles.push(leaf).into_iter();
        full.extend(tiles.map(|(tile, tree)| Full::Tile(tile, tree)));
        full
    }

    /// The partial tile of a level.
    pub(crate) fn tile(&self, level: u8) -> Option<&Tree> {
        self.tiles.tile(level)
    }

    /// What is enough to make the tree grow.
    pub(crate) fn frontier(&self) -> Frontier {
        self.tiles.frontier()
    }

    /// The partial tiles, the partial bundle and the headers beside it, as files.
    pub(crate) fn partial(&self) -> Vec<Full> {
        let mut files = Vec::new();
        if !self.bundle.is_empty() {
            let width = u16::try_from(self.bundle.len()).unwrap_or(TILE_WIDTH);
            let bundle = Bundle { index: self.size() / WIDTH, width };
            files.push(Full::Bundle(bundle, self.bundle.clone()));
            files.push(Full::Headers(bundle, self.beside.clone()));
        }
        files.extend(self.tiles.partial().map(|(tile, tree)| Full::Tile(tile, tree.clone())));
        files
    }

    /// An entry of the partial bundle.
    pub(crate) fn entry(&self, index: u64) -> Option<&Bytes> {
        let first = self.size() - self.size() % WIDTH;
        self.bundle.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }

    /// The headers beside the entries of the partial bundle.
    pub(crate) fn beside(&self) -> &Beside {
        &self.beside
    }

    /// The headers beside an entry of the partial bundle.
    pub(crate) fn headed(&self, index: u64) -> Option<&Headed> {
        let first = self.size() - self.size() % WIDTH;
        let place = u8::try_from(index.checked_sub(first)?).ok()?;
        let (_, headed) = self.beside.iter().find(|(at, _)| *at == place)?;
        Some(headed)
    }

    /// The earliest time until which headers beside the partial bundle are or were kept.
    pub(crate) fn kept_until(&self) -> Option<Timestamp> {
        self.beside.iter().map(|(_, headed)| headed.keep_until).min()
    }

    /// Empties the places of headers that leave.
    pub(crate) fn empty(&mut self, going: &Going) {
        let first = self.size() - self.size() % WIDTH;
        for (place, headed) in &mut self.beside {
            let index = first + u64::from(*place);
            if going.touches(index, headed) {
                going.empty(index, Arc::make_mut(headed));
            }
        }
    }
}

/// The hashes of partial tiles, each made from the full tile below it: partial files may be torn.
struct FullTiles<F>(F);

impl<F: Fn(Tile) -> Result<Tree, Fault>> Nodes for FullTiles<F> {
    type Error = Fault;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Fault> {
        let Some(below) = (level / TILE_HEIGHT).checked_sub(1) else {
            let tile = Tile { level: 0, index: index / WIDTH, width: TILE_WIDTH };
            return Err(Fault::damaged(tile.path(), "it is not full"));
        };
        Ok((self.0)(Tile { level: below, index, width: TILE_WIDTH })?.root())
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::{Growth, leaf};
    use kuriiri_tlog::{encode_tile, tiles_between};

    use super::*;

    fn entry(index: u64) -> Bytes {
        index.to_be_bytes().to_vec().into()
    }

    /// Beside the fourth entry of each bundle and every fifth after it.
    fn headed(index: u64) -> Option<Arc<Headed>> {
        let keep_until = Timestamp::from_millis(1000 - i64::try_from(index % 256).unwrap());
        let headers = vec![Some(entry(index)), Some(entry(index + 1))];
        (index % WIDTH % 5 == 3).then(|| Arc::new(Headed { keep_until, headers }))
    }

    fn beside(places: std::ops::Range<u64>) -> Beside {
        let place = |index: u64| u8::try_from(index % WIDTH).unwrap();
        places.filter_map(|index| Some((place(index), headed(index)?))).collect()
    }

    fn hash(index: u64) -> Digest {
        leaf(&index.to_be_bytes())
    }

    fn tree(size: u64) -> Growth {
        let mut tree = Growth::default();
        for index in 0..size {
            tree.push(hash(index));
        }
        tree
    }

    /// The tile of a tree as the other implementation has it.
    fn tile_of(tree: &Growth, tile: &Tile) -> Vec<Digest> {
        let first = tile.index * WIDTH;
        let indexes = first..first + u64::from(tile.width);
        indexes.map(|index| tree.node(tile.level * TILE_HEIGHT, index).unwrap()).collect()
    }

    fn load(size: u64, tree: &Growth) -> Edge {
        Edge::load(size, |tile| Ok(tile_of(tree, &tile).into_iter().collect())).unwrap()
    }

    /// Around each boundary: the frontier, the partial tiles, and which files became full.
    #[test]
    fn it_grows_as_the_tree_does() {
        let whole = tree(65_536 + 300);
        let mut edge = Edge::default();
        for size in 1..=whole.size() {
            let full = edge.push(entry(size - 1), hash(size - 1), headed(size - 1));
            assert_eq!(edge.size(), size);
            let expected = tiles_between(size - 1, size).filter(|tile| tile.width == TILE_WIDTH);
            let tiles = full.iter().filter_map(|file| match file {
                Full::Tile(tile, held) => {
                    assert_eq!(held.leaves(), tile_of(&whole, tile));
                    Some(*tile)
                }
                Full::Bundle(bundle, entries) => {
                    assert_eq!((size % WIDTH, bundle.index), (0, size / WIDTH - 1));
                    let places = size - WIDTH..size;
                    assert_eq!(*entries, places.map(entry).collect::<Vec<_>>());
                    None
                }
                Full::Headers(bundle, held) => {
                    assert_eq!((size % WIDTH, bundle.index), (0, size / WIDTH - 1));
                    assert_eq!(*held, beside(size - WIDTH..size));
                    None
                }
            });
            assert_eq!(tiles.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let near = |boundary: u64| size.abs_diff(boundary) < 3;
            if near(0) || near(256) || near(512) || near(65_536) || near(65_792) {
                check(&edge, size);
            }
        }
    }

    fn check(edge: &Edge, size: u64) {
        let tree = tree(size);
        assert_eq!(edge.frontier(), tree.frontier(), "{size}");
        let first = size - size % WIDTH;
        for index in first.saturating_sub(2)..size + 2 {
            let expected = (first..size).contains(&index).then(|| entry(index));
            assert_eq!(edge.entry(index).cloned(), expected);
            let expected = headed(index).filter(|_| (first..size).contains(&index));
            assert_eq!(edge.headed(index), expected.as_deref());
        }
        assert_eq!(*edge.beside(), beside(first..size));
        let kept = edge.beside().iter().map(|(_, headed)| headed.keep_until);
        assert_eq!(edge.kept_until(), kept.min());
        let mut found = Vec::new();
        for file in edge.partial() {
            match &file {
                Full::Tile(tile, held) => {
                    assert_eq!(encode_tile(held.leaves()), encode_tile(&tile_of(&tree, tile)));
                    found.push(*tile);
                }
                Full::Bundle(bundle, entries) => {
                    assert_eq!((bundle.index, entries.len() as u64), (size / WIDTH, size % WIDTH));
                }
                Full::Headers(bundle, held) => {
                    let width = size % WIDTH;
                    assert_eq!((bundle.index, u64::from(bundle.width)), (size / WIDTH, width));
                    assert_eq!(*held, beside(first..size));
                    assert_eq!(file.is_there(), width > 3);
                    assert!(file.narrower(3).is_none(), "no headers beside those");
                    let Some(narrow) = file.narrower(4) else { continue };
                    assert!(
                        matches!(narrow, Full::Headers(_, held) if held == beside(first..first + 4))
                    );
                    continue;
                }
            }
            let half = file.narrower(1).unwrap();
            assert!(matches!(
                half,
                Full::Tile(Tile { width: 1, .. }, _) | Full::Bundle(Bundle { width: 1, .. }, _)
            ));
            assert!(file.narrower(0).is_none() && file.narrower(256).is_none());
        }
        let expected = kuriiri_tlog::tiles_of(size).filter(|tile| tile.width < TILE_WIDTH);
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_loaded_is_what_had_grown() {
        for size in [0, 256, 512, 255 * 256, 65_536, 65_792, 2 * 65_536, 2 * 65_536 + 512] {
            let whole = tree(size + 300);
            let mut edge = load(size, &whole);
            check(&edge, size);
            for index in size..size + 300 {
                edge.push(entry(index), hash(index), headed(index));
            }
            check(&edge, size + 300);
        }
    }

    #[test]
    fn a_tile_that_cannot_be_read_is_said() {
        let whole = tree(65_536 + 256);
        for missing in [(0, 256), (1, 0)] {
            let read = |tile: Tile| match (tile.level, tile.index) == missing {
                true => Err(Fault::damaged(tile.path(), "missing")),
                false => Ok(tile_of(&whole, &tile).into_iter().collect()),
            };
            assert!(Edge::load(65_536 + 256, read).is_err(), "{missing:?}");
        }
        let read = |tile: Tile| Ok(tile_of(&whole, &tile).into_iter().collect());
        assert!(Edge::load(65_536 + 1, read).is_err(), "it ends within a tile");
    }
}
