//! The right edge of the log's tree: the tiles and the bundle that are not full yet.

use bytes::Bytes;
use kuriiri_merkle::node;
use kuriiri_tlog::{Bundle, TILE_HEIGHT, TILE_WIDTH, Tile};
use kuriiri_types::Digest;

use super::fault::Fault;

/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;

/// The hashes of one tile, and above them all nodes of the tree that are complete within it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows(Vec<Vec<Digest>>);

impl Rows {
    pub(crate) fn of(hashes: &[Digest]) -> Self {
        let mut rows = Self::default();
        hashes.iter().for_each(|hash| rows.push(*hash));
        rows
    }

    pub(crate) fn push(&mut self, hash: Digest) {
        let mut hash = hash;
        for row in 0..=usize::from(TILE_HEIGHT) {
            if self.0.len() <= row {
                self.0.push(Vec::new());
            }
            let Some(nodes) = self.0.get_mut(row) else { return };
            nodes.push(hash);
            let ([.., left, right], true) = (nodes.as_slice(), nodes.len().is_multiple_of(2))
            else {
                return;
            };
            hash = node(left, right);
        }
    }

    /// The hashes themselves.
    pub(crate) fn hashes(&self) -> &[Digest] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// A node over 2^row hashes.
    pub(crate) fn node(&self, row: u32, at: usize) -> Option<Digest> {
        self.0.get(usize::try_from(row).ok()?)?.get(at).copied()
    }

    /// The node over all hashes of a full tile.
    pub(crate) fn root(&self) -> Option<Digest> {
        self.node(TILE_HEIGHT.into(), 0)
    }
}

/// A file with what is in it; most are full.
#[derive(Debug)]
pub(crate) enum Full {
    Tile(Tile, Rows),
    Bundle(Bundle, Vec<Bytes>),
}

impl Full {
    /// The same file as it was when it had not so much in it; nothing when it never had as much.
    pub(crate) fn narrower(&self, width: u16) -> Option<Self> {
        let count = Some(usize::from(width)).filter(|count| *count > 0)?;
        match self {
            Self::Tile(tile, rows) => {
                let hashes = rows.hashes().get(..count)?;
                Some(Self::Tile(Tile { width, ..*tile }, Rows::of(hashes)))
            }
            Self::Bundle(bundle, entries) => {
                let entries = entries.get(..count)?.to_vec();
                Some(Self::Bundle(Bundle { width, ..*bundle }, entries))
            }
        }
    }
}

/// What is not full yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    tiles: Vec<Rows>,
    bundle: Vec<Bytes>,
}

impl Edge {
    /// The edge of a tree whose size is a multiple of 256, from its full tiles.
    pub(crate) fn load(
        size: u64,
        read: impl Fn(Tile) -> Result<Rows, Fault>,
    ) -> Result<Self, Fault> {
        let mut edge = Self { size, ..Self::default() };
        let mut below = size / WIDTH;
        for level in 0_u8.. {
            if below == 0 {
                break;
            }
            // The full tiles below whose roots stand in the partial tile above them.
            let mut rows = Rows::default();
            for index in below - below % WIDTH..below {
                let tile = Tile { level, index, width: TILE_WIDTH };
                read(tile)?.root().into_iter().for_each(|root| rows.push(root));
            }
            edge.tiles.resize(usize::from(level) + 2, Rows::default());
            if let Some(above) = edge.tiles.last_mut() {
                *above = rows;
            }
            below /= WIDTH;
        }
        Ok(edge)
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry. Gives the files that became full, lowest first.
    pub(crate) fn push(&mut self, entry: Bytes, leaf: Digest) -> Vec<Full> {
        let mut full = Vec::new();
        let index = self.size / WIDTH;
        self.size += 1;
        self.bundle.push(entry);
        if self.bundle.len() == usize::from(TILE_WIDTH) {
            let entries = std::mem::take(&mut self.bundle);
            full.push(Full::Bundle(Bundle { index, width: TILE_WIDTH }, entries));
        }
        let (mut hash, mut level, mut index) = (leaf, 0_u8, index);
        loop {
            let at = usize::from(level);
            if self.tiles.len() <= at {
                self.tiles.push(Rows::default());
            }
            let Some(rows) = self.tiles.get_mut(at) else { return full };
            rows.push(hash);
            let Some(root) = rows.root() else { return full };
            let rows = std::mem::take(rows);
            full.push(Full::Tile(Tile { level, index, width: TILE_WIDTH }, rows));
            (hash, level, index) = (root, level.saturating_add(1), index / WIDTH);
        }
    }

    /// The hashes of the partial tile of a level.
    pub(crate) fn rows(&self, level: u8) -> Option<&Rows> {
        self.tiles.get(usize::from(level))
    }

    /// The complete subtree of a level that has no sibling yet; nothing when there is none.
    fn alone(&self, level: u8) -> Option<Digest> {
        let (tile, row) = (level / TILE_HEIGHT, u32::from(level % TILE_HEIGHT));
        let count = (self.size >> level) % (WIDTH >> row);
        let at = usize::try_from(count.checked_sub(1)?).ok()?;
        self.rows(tile)?.node(row, at).filter(|_| count % 2 == 1)
    }

    /// The roots of the complete subtrees that the tree falls into, largest first.
    pub(crate) fn frontier(&self) -> Vec<Digest> {
        (0..64).rev().filter_map(|level| self.alone(level)).collect()
    }

    /// The partial tiles, and the partial bundle, as files.
    pub(crate) fn partial(&self) -> Vec<Full> {
        let width = |count: usize| u16::try_from(count).unwrap_or(TILE_WIDTH);
        let mut files = Vec::new();
        let mut index = self.size / WIDTH;
        if !self.bundle.is_empty() {
            let bundle = Bundle { index, width: width(self.bundle.len()) };
            files.push(Full::Bundle(bundle, self.bundle.clone()));
        }
        for (level, rows) in (0_u8..).zip(&self.tiles) {
            let count = width(rows.hashes().len());
            if count > 0 {
                files.push(Full::Tile(Tile { level, index, width: count }, rows.clone()));
            }
            index /= WIDTH;
        }
        files
    }

    /// An entry of the partial bundle.
    pub(crate) fn entry(&self, index: u64) -> Option<&Bytes> {
        let first = self.size - self.size % WIDTH;
        self.bundle.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::{Frontier, Growth, leaf};
    use kuriiri_tlog::{Place, encode_tile, node_in_tile, tiles_between};

    use super::*;

    fn entry(index: u64) -> Bytes {
        index.to_be_bytes().to_vec().into()
    }

    fn hash(index: u64) -> Digest {
        leaf(&index.to_be_bytes())
    }

    fn tree(size: u64) -> Growth {
        let mut tree = Growth::on(&Frontier::new());
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
        Edge::load(size, |tile| Ok(Rows::of(&tile_of(tree, &tile)))).unwrap()
    }

    #[test]
    fn rows_have_the_nodes_of_a_tile() {
        let hashes: Vec<Digest> = (0..WIDTH).map(hash).collect();
        for width in [0, 1, 2, 3, 127, 128, 255, 256] {
            let rows = Rows::of(&hashes[..width]);
            assert_eq!(rows.hashes(), &hashes[..width]);
            for row in 0..=8_u32 {
                for at in 0..(WIDTH >> row) + 2 {
                    let first = u16::try_from(at << row).unwrap();
                    let place = Place { level: 0, index: 0, first, count: 1 << row };
                    let expected = node_in_tile(rows.hashes(), &place);
                    let at = usize::try_from(at).unwrap();
                    assert_eq!(rows.node(row, at), expected, "{width} {row} {at}");
                }
            }
            assert_eq!(rows.node(9, 0), None);
            assert_eq!(rows.root().is_some(), width == 256);
        }
    }

    /// Around each boundary: the frontier, the partial tiles, and which files became full.
    #[test]
    fn it_grows_as_the_tree_does() {
        let whole = tree(65_536 + 300);
        let mut edge = Edge::default();
        for size in 1..=whole.size() {
            let full = edge.push(entry(size - 1), hash(size - 1));
            assert_eq!(edge.size(), size);
            let expected = tiles_between(size - 1, size).filter(|tile| tile.width == TILE_WIDTH);
            let tiles = full.iter().filter_map(|file| match file {
                Full::Tile(tile, rows) => {
                    assert_eq!(rows.hashes(), tile_of(&whole, tile));
                    Some(*tile)
                }
                Full::Bundle(bundle, entries) => {
                    assert_eq!((size % WIDTH, bundle.index), (0, size / WIDTH - 1));
                    let places = size - WIDTH..size;
                    assert_eq!(*entries, places.map(entry).collect::<Vec<_>>());
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
        assert_eq!(edge.frontier(), tree.frontier().nodes(), "{size}");
        let first = size - size % WIDTH;
        for index in first.saturating_sub(2)..size + 2 {
            let expected = (first..size).contains(&index).then(|| entry(index));
            assert_eq!(edge.entry(index).cloned(), expected);
        }
        let mut found = Vec::new();
        for file in edge.partial() {
            match &file {
                Full::Tile(tile, rows) => {
                    assert_eq!(encode_tile(rows.hashes()), encode_tile(&tile_of(&tree, tile)));
                    found.push(*tile);
                }
                Full::Bundle(bundle, entries) => {
                    assert_eq!((bundle.index, entries.len() as u64), (size / WIDTH, size % WIDTH));
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
                edge.push(entry(index), hash(index));
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
                false => Ok(Rows::of(&tile_of(&whole, &tile))),
            };
            assert!(Edge::load(65_536 + 256, read).is_err(), "{missing:?}");
        }
    }
}
