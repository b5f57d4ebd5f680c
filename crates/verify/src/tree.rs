//! The tree, made again from the entries alone, and its files held against it.

use bytes::Bytes;
use kuriiri_merkle::{Tree, leaf};
use kuriiri_tlog::{
    Bundle, TILE_WIDTH, Tile, TileEdge, decode_bundle, decode_headers, encode_tile,
};

use crate::{
    finding::{Check, Finding, Findings},
    folder::{
        BUNDLE_BYTES_MAX, CHECKPOINT, HEADERS_BYTES_MAX, LogFolder, TILE_BYTES_MAX, bundle_of,
    },
    found::found,
};

/// Files that are named when they should not be there, or are more than there should be.
const NAMED_MAX: usize = 1000;

/// The hashes that a tile must have.
type Expected = (Tile, Tree);

/// Holds one tile against the hashes that it must have.
pub(crate) fn check_tile(folder: &LogFolder, tile: Tile, tree: &Tree, findings: &mut Findings) {
    findings.done(Check::Files, 1);
    match folder.tile(tile) {
        Ok(found) if found == tree.leaves() => {}
        Ok(_) => {
            let what = format!("{} does not have the hashes of the entries", tile.path());
            findings.add(Finding::fault(Check::Files, what));
        }
        Err(error) if error.is_missing() => {
            let what = format!("{} is missing", tile.path());
            findings.add(Finding::fault(Check::Files, what));
        }
        Err(error) => findings.add(Finding::fault(Check::Files, error.to_string())),
    }
}

/// Looks at every file that is there: none is foreign, narrower ones of earlier times are the
/// beginnings of what came after, and what lies beyond the checkpoint goes on from it.
pub(crate) fn check_files(folder: &LogFolder, tree: &TileEdge, findings: &mut Findings) {
    let (mut foreign, mut beyond) = (Vec::new(), Vec::new());
    let width_of = |index| bundle_of(folder.size(), index).map_or(0, |bundle| bundle.width);
    let walked = folder.each_file(|name| {
        if name == CHECKPOINT {
            return;
        }
        let is_there = if let Some(tile) = Tile::parse(name) {
            let width = width_of_tile(folder.size(), tile.level, tile.index);
            check_old_tile(folder, tile, width, findings)
        } else if let Some(bundle) = Bundle::parse(name) {
            check_old_bundle(folder, bundle, width_of(bundle.index), findings)
        } else if let Some(bundle) = Bundle::parse_headers(name) {
            check_old_headers(folder, bundle, width_of(bundle.index), findings)
        } else {
            foreign.push(name.to_owned());
            true
        };
        beyond.extend((!is_there).then(|| name.to_owned()));
        foreign.truncate(NAMED_MAX);
        beyond.truncate(NAMED_MAX);
    });
    if let Err(error) = walked {
        findings.add(Finding::unchecked(Check::Files, error.to_string()));
    }
    for name in foreign {
        let what = format!("`{name}` is no file of a log");
        findings.add(Finding::fault(Check::Files, what));
    }
    check_beyond(folder, tree, &beyond, findings);
}

/// How wide a tile is in a tree of so many leaves; 0 when it has none.
pub(crate) fn width_of_tile(size: u64, level: u8, index: u64) -> u16 {
    let hashes = size.checked_shr(u32::from(level) * 8).unwrap_or(0);
    bundle_of(hashes, index).map_or(0, |bundle| bundle.width)
}

/// True when the tile is one of the tree, or of an earlier one; then it is checked.
fn check_old_tile(folder: &LogFolder, tile: Tile, width: u16, findings: &mut Findings) -> bool {
    if tile.width >= width {
        return tile.width == width;
    }
    findings.done(Check::Files, 1);
    let wide = folder.tile(Tile { width, ..tile });
    let old = folder.read_own(&folder.path().join(tile.path()), TILE_BYTES_MAX);
    let fits = wide.ok().zip(old.ok()).is_some_and(|(wide, old)| {
        let beginning = wide.get(..usize::from(tile.width));
        beginning.is_some_and(|hashes| encode_tile(hashes) == old)
    });
    if !fits {
        let what = format!("{} is not the beginning of what came after", tile.path());
        findings.add(Finding::fault(Check::Files, what));
    }
    true
}

fn check_old_bundle(folder: &LogFolder, old: Bundle, width: u16, findings: &mut Findings) -> bool {
    if old.width >= width {
        return old.width == width;
    }
    findings.done(Check::Files, 1);
    let hashes = folder.tile(Tile { level: 0, index: old.index, width });
    let bytes = folder.read_own(&folder.path().join(old.path()), BUNDLE_BYTES_MAX);
    let fits = hashes.ok().zip(bytes.ok()).is_some_and(|(hashes, bytes)| {
        decode_bundle(&bytes, old.width)
            .is_ok_and(|entries| entries.iter().zip(&hashes).all(|(old, hash)| leaf(old) == *hash))
    });
    if !fits {
        let what = format!("{} is not the beginning of what came after", old.path());
        findings.add(Finding::fault(Check::Files, what));
    }
    true
}

/// The same for headers; those of the widest file are held against their entries elsewhere.
fn check_old_headers(folder: &LogFolder, old: Bundle, width: u16, findings: &mut Findings) -> bool {
    if old.width >= width {
        return old.width == width;
    }
    findings.done(Check::Files, 1);
    if !are_headers_of(folder, old) {
        let what = format!("{} does not have the headers of its entries", old.headers_path());
        findings.add(Finding::fault(Check::Files, what));
    }
    true
}

/// Whether every header in a file is one that the entries beside it name.
fn are_headers_of(folder: &LogFolder, bundle: Bundle) -> bool {
    let file = folder.read_own(&folder.path().join(bundle.headers_path()), HEADERS_BYTES_MAX);
    let parts = file.ok().and_then(|file| decode_headers(&Bytes::from(file)).ok());
    let Some((parts, read)) = parts.zip(folder.bundle(bundle).ok()) else { return false };
    parts.into_iter().all(|part| {
        let entry = read.entries.get(usize::from(part.place)).cloned();
        entry.is_some_and(|entry| {
            let mut found = found((0, entry));
            found.expect_headers();
            found.take_headers(part.headers).is_ok()
                && found
                    .first_named()
                    .all(|(named, header)| header.is_none_or(|bytes| leaf(bytes) == named.header))
        })
    })
}

/// Files of a tree that is larger than the checkpoint says: a log that was copied while it grew has
/// them. They must be those of one tree that begins with this one.
fn check_beyond(folder: &LogFolder, tree: &TileEdge, names: &[String], findings: &mut Findings) {
    let bundles = names.iter().filter_map(|name| Bundle::parse(name));
    let Some(last) = bundles.max_by_key(|b| (b.index, b.width)) else {
        for name in names {
            let what = format!("`{name}` is of a larger tree whose entries are not there");
            findings.add(Finding::fault(Check::Files, what));
        }
        return;
    };
    let size = end_of(last);
    let (mut grown, mut full) = (tree.clone(), Vec::new());
    while grown.size() < size {
        let index = grown.size() / u64::from(TILE_WIDTH);
        let Some(bundle) = bundle_of(size, index) else { break };
        let from = usize::try_from(grown.size() % u64::from(TILE_WIDTH)).unwrap_or(0);
        let Ok(read) = folder.bundle(bundle) else { break };
        for entry in read.entries.get(from..).unwrap_or_default() {
            full.extend(grown.push(leaf(entry)));
        }
        if read.found < bundle.width {
            break;
        }
    }
    full.extend(grown.partial().map(|(tile, tree)| (tile, tree.clone())));
    let mut goes_on = 0_u64;
    for name in names {
        if is_of(folder, name, &full, grown.size()) {
            goes_on += 1;
        } else {
            let what = format!("`{name}` goes beyond the checkpoint and does not go on from it");
            findings.add(Finding::fault(Check::Files, what));
        }
    }
    if goes_on > 0 {
        let more = grown.size() - tree.size();
        let what = format!("{goes_on} files go on beyond the checkpoint, by {more} entries");
        findings.add(Finding::note(Check::Files, what));
    }
}

/// The entry after those of a bundle, which may be named at will.
fn end_of(bundle: Bundle) -> u64 {
    let first = bundle.index.saturating_mul(u64::from(TILE_WIDTH));
    first.saturating_add(u64::from(bundle.width))
}

fn is_of(folder: &LogFolder, name: &str, full: &[Expected], size: u64) -> bool {
    if let Some(bundle) = Bundle::parse(name) {
        return end_of(bundle) <= size && folder.bundle(bundle).is_ok();
    }
    if let Some(bundle) = Bundle::parse_headers(name) {
        return end_of(bundle) <= size && are_headers_of(folder, bundle);
    }
    let Some(tile) = Tile::parse(name) else { return false };
    let expected = full.iter().find(|(t, _)| t.level == tile.level && t.index == tile.index);
    let hashes = expected.and_then(|(_, tree)| tree.leaves().get(..usize::from(tile.width)));
    let found = folder.read_own(&folder.path().join(name), TILE_BYTES_MAX);
    hashes.zip(found.ok()).is_some_and(|(hashes, found)| encode_tile(hashes) == found)
}
