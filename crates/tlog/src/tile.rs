//! The files that a log consists of (C2SP `tlog-tiles`): tiles of hashes, and bundles of entries.
//!
//! A tile holds up to 256 hashes of one level of tiles, which is eight levels of the tree: a hash
//! in a tile of level 1 is over a full tile of level 0. The levels between are not stored.

mod edge;

use std::iter;

use kuriiri_merkle::Frontier;
use kuriiri_types::Digest;

use crate::text::decimal;

pub use edge::TileEdge;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the tree in one level of tiles.
pub const TILE_HEIGHT: u8 = 8;
/// Bytes of one entry: the length in front of it has 16 bits. Longer: refused.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

const HASH_BYTES: usize = 32;
/// Levels of tiles that a tree with a size of 64 bits can have.
const TILE_LEVELS: u8 = 8;
/// The highest level that the specification has a path for.
const TILE_LEVEL_MAX: u8 = 63;
const BUNDLES: &str = "entries";
const HEADERS: &str = "headers";

/// One file of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// The level of tiles, 0 for leaf hashes.
    pub level: u8,
    /// Which of the level.
    pub index: u64,
    /// How many hashes, 1 to 256; fewer than 256 and it is called partial.
    pub width: u16,
}

/// One file of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bundle {
    /// Which one; its first entry has 256 times this index.
    pub index: u64,
    /// How many entries, 1 to 256.
    pub width: u16,
}

/// Where a node of the tree is to be found: it is the root over some hashes of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The level of tiles.
    pub level: u8,
    /// The tile in the level.
    pub index: u64,
    /// The first hash in the tile.
    pub first: u16,
    /// How many hashes, a power of two; 1 when the node itself is stored.
    pub count: u16,
}

impl Tile {
    /// Where the tile is, from the log's prefix on: `tile/0/x001/067`, and `tile/0/x001/067.p/112`
    /// for a partial one.
    pub fn path(&self) -> String {
        path(&self.level.to_string(), self.index, self.width)
    }

    /// Which tile is there; nothing when the path is not exactly as [`path`](Self::path) writes it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = u8::try_from(decimal(level)?).ok()?;
        let (index, width) = index_and_width(rest)?;
        let tile = Self { level, index, width };
        (level <= TILE_LEVEL_MAX && tile.path() == path).then_some(tile)
    }
}

impl Bundle {
    /// Where the bundle is, from the log's prefix on: `tile/entries/x001/067.p/112`.
    pub fn path(&self) -> String {
        path(BUNDLES, self.index, self.width)
    }

    /// Where the headers are that stand beside its entries, from the log's prefix on:
    /// `headers/x001/067.p/112`; see [`encode_headers`](crate::encode_headers).
    pub fn headers_path(&self) -> String {
        format!("{HEADERS}/{}", place(self.index, self.width))
    }

    /// Of which bundle the headers are there; nothing when the path is not exactly as
    /// [`headers_path`](Self::headers_path) writes it.
    pub fn parse_headers(path: &str) -> Option<Self> {
        let rest = path.strip_prefix(HEADERS)?.strip_prefix('/')?;
        let (index, width) = index_and_width(rest)?;
        let bundle = Self { index, width };
        (bundle.headers_path() == path).then_some(bundle)
    }

    /// Which bundle is there; nothing when the path is not exactly as [`path`](Self::path) writes
    /// it.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?.strip_prefix(BUNDLES)?.strip_prefix('/')?;
        let (index, width) = index_and_width(rest)?;
        let bundle = Self { index, width };
        (bundle.path() == path).then_some(bundle)
    }
}

impl Place {
    /// Where a node is; nothing when no tree can have it.
    pub fn of(level: u8, index: u64) -> Option<Self> {
        let height = level % TILE_HEIGHT;
        let count = 1_u16 << height;
        let first = index.checked_mul(u64::from(count))?;
        let place = Self {
            level: level / TILE_HEIGHT,
            index: first / u64::from(TILE_WIDTH),
            first: u16::try_from(first % u64::from(TILE_WIDTH)).ok()?,
            count,
        };
        (level < 64).then_some(place)
    }

    /// The tile of a tree of `size` leaves that has it; nothing when the node is not complete yet.
    pub fn tile(&self, size: u64) -> Option<Tile> {
        let hashes = hashes_in_level(size, self.level);
        let before = self.index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH));
        let width = u16::try_from(width).ok()?;
        let is_complete = self.first + self.count <= width;
        is_complete.then_some(Tile { level: self.level, index: self.index, width })
    }
}

/// The node at this place in the tile with these hashes; nothing when the tile is too narrow.
pub fn node_in_tile(hashes: &[Digest], place: &Place) -> Option<Digest> {
    let first = usize::from(place.first);
    let row = hashes.get(first..first + usize::from(place.count))?;
    let tree: Frontier = row.iter().copied().collect();
    (!row.is_empty()).then(|| tree.root())
}

/// All tiles of a tree, from level 0 up, and from left to right in each level.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    tiles_between(0, size)
}

/// The tiles of the tree of `new` leaves that the tree of `old` leaves had not, or had narrower:
/// what is to be written when a tree has grown.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..TILE_LEVELS).flat_map(move |level| {
        let files = files(hashes_in_level(old, level), hashes_in_level(new, level));
        files.map(move |(index, width)| Tile { level, index, width })
    })
}

/// All bundles of a tree, from left to right.
pub fn bundles_of(size: u64) -> impl Iterator<Item = Bundle> {
    bundles_between(0, size)
}

/// The bundles of the tree of `new` leaves that the tree of `old` leaves had not, or had narrower.
pub fn bundles_between(old: u64, new: u64) -> impl Iterator<Item = Bundle> {
    files(old, new).map(|(index, width)| Bundle { index, width })
}

/// The bytes of a tile: its hashes, one after the other.
pub fn encode_tile(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile of this width; nothing when the bytes are not exactly that many hashes.
pub fn decode_tile(bytes: &[u8], width: u16) -> Option<Vec<Digest>> {
    let fits = bytes.len() == usize::from(width) * HASH_BYTES && (1..=TILE_WIDTH).contains(&width);
    fits.then(|| bytes.chunks_exact(HASH_BYTES).filter_map(Digest::from_slice).collect())
}

/// The bytes of a bundle.
///
/// # Errors
/// When an entry is longer than [`ENTRY_BYTES_MAX`], or there are more than [`TILE_WIDTH`].
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::TooMany(entries.len()));
    }
    let length = |entry: &E| 2 + entry.as_ref().len();
    let mut bundle = Vec::with_capacity(entries.iter().map(length).sum());
    for entry in entries {
        append_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// Appends an entry to a bundle: its length in two bytes, big-endian, and its bytes.
///
/// # Errors
/// When it is longer than [`ENTRY_BYTES_MAX`]; then the bundle stays as it was.
pub fn append_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle of this width.
///
/// # Errors
/// When the bytes are not exactly that many entries.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() && entries.len() < usize::from(width) {
        let (entry, after) = split_entry(rest).ok_or(BundleError::CutOff(entries.len()))?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() < usize::from(width) {
        return Err(BundleError::TooFew { found: entries.len(), width });
    }
    if !rest.is_empty() {
        return Err(BundleError::TooLarge(width));
    }
    Ok(entries)
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// How many hashes all tiles of a level have together: one for each full tile below.
fn hashes_in_level(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// Index and width of the files that hold `new` things, without those that `old` things fill just
/// as much.
fn files(old: u64, new: u64) -> impl Iterator<Item = (u64, u16)> {
    let wide = u64::from(TILE_WIDTH);
    let first = if old < new { old / wide } else { new.div_ceil(wide) };
    let full = (first..new / wide).map(|index| (index, TILE_WIDTH));
    // A remainder of 256 fits.
    let rest = u16::try_from(new % wide).unwrap_or(0);
    let partial = (rest > 0 && old < new).then_some((new / wide, rest));
    full.chain(partial)
}

fn path(kind: &str, index: u64, width: u16) -> String {
    format!("tile/{kind}/{}", place(index, width))
}

fn place(index: u64, width: u16) -> String {
    let mut groups: Vec<u64> =
        iter::successors(Some(index), |rest| Some(rest / 1000).filter(|rest| *rest > 0))
            .map(|rest| rest % 1000)
            .collect();
    groups.reverse();
    let (last, others) = groups.split_last().unwrap_or((&0, &[]));
    let others: String = others.iter().map(|group| format!("x{group:03}/")).collect();
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("{others}{last:03}{partial}")
}

/// Reads the end of a path, and more than is one: whoever asks writes it again and compares.
fn index_and_width(text: &str) -> Option<(u64, u16)> {
    let (index, width) = match text.split_once(".p/") {
        Some((index, width)) => (index, u16::try_from(decimal(width)?).ok()?),
        None => (text, TILE_WIDTH),
    };
    let is_partial = index.len() < text.len();
    if is_partial && !(1..TILE_WIDTH).contains(&width) {
        return None;
    }
    let mut number = 0_u64;
    for group in index.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let is_group = digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let value: u64 = digits.parse().ok().filter(|_| is_group)?;
        number = number.checked_mul(1000)?.checked_add(value)?;
    }
    Some((number, width))
}

/// A bundle cannot be written, or is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is too long to be written.
    #[error("the entry has {0} bytes, and a log takes at most {ENTRY_BYTES_MAX}")]
    TooLong(usize),
    /// More entries than a bundle has.
    #[error("there are {0} entries, and a bundle has at most {TILE_WIDTH}")]
    TooMany(usize),
    /// The bytes end within an entry.
    #[error("the bundle ends in the middle of its entry number {0}, counted from 0")]
    CutOff(usize),
    /// The bytes end before the last entry.
    #[error("the bundle has {found} entries and should have {width}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there should be.
        width: u16,
    },
    /// Something follows the last entry.
    #[error("the bundle goes on after its {0} entries")]
    TooLarge(u16),
}

#[cfg(test)]
mod tests;
