//! A copy of a log as files (C2SP tlog-tiles), with the headers beside it.

use std::{fs, path::Path};

use kuriiri_sim::LogCopy;
use kuriiri_tlog::{
    Bundle, EntryHeaders, Tile, bundles_of, encode_bundle, encode_headers, encode_tile, tiles_of,
};
use kuriiri_types::Digest;

/// Writes a copy of a log into a folder.
pub fn write(copy: &LogCopy, folder: &Path) {
    let tree = copy.tree();
    for bundle in bundles_of(tree.size()) {
        let Bundle { index, width } = bundle;
        let first = index as usize * 256;
        let entries = &copy.entries[first..first + usize::from(width)];
        put(folder, &bundle.path(), &encode_bundle(entries).unwrap());
        write_headers(copy, bundle, folder);
    }
    for tile in tiles_of(tree.size()) {
        let Tile { level, index, width } = tile;
        let hash = |at: u64| tree.node(level * 8, index * 256 + at).unwrap();
        let hashes: Vec<Digest> = (0..u64::from(width)).map(hash).collect();
        put(folder, &tile.path(), &encode_tile(&hashes));
    }
    put(folder, "checkpoint", &copy.checkpoint);
}

/// The headers beside a bundle; without any there is no file.
fn write_headers(copy: &LogCopy, bundle: Bundle, folder: &Path) {
    let first = bundle.index * 256;
    let beside = copy.headers.range(first..first + u64::from(bundle.width));
    let parts: Vec<EntryHeaders> = beside
        .map(|(index, headers)| EntryHeaders {
            place: u8::try_from(index - first).unwrap(),
            headers: headers.clone(),
        })
        .collect();
    if parts.iter().any(|part| part.headers.iter().any(Option::is_some)) {
        put(folder, &bundle.headers_path(), &encode_headers(&parts).unwrap());
    }
}

/// Writes one file.
pub fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let place = folder.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
}
