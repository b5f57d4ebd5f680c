//! Messages from one relay to another, and the files of a log.

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_merkle::Growth;
use kuriiri_tlog::{Bundle, Tile, bundles_of, encode_bundle, encode_tile, tiles_of};
use kuriiri_types::{Digest, ReceiptKind, SignedApproval};

use super::{Author, Send};

/// A message from one to the other over a direct link, with both receipts.
pub fn exchange(a: &mut Author<'_>, b: &mut Author<'_>, send: &Send) {
    a.submit(send, Some(&b.home.clone()));
    finish(a, b, send, &[]);
}

pub fn finish(a: &mut Author<'_>, b: &mut Author<'_>, send: &Send, approvals: &[SignedApproval]) {
    let signer = &a.cast.member(a.node).system;
    let envelope = send.envelope(a.cast, signer);
    let received =
        b.arrive_with(send, &envelope, (signer, std::slice::from_ref(&a.home), None), approvals);
    a.hear(&b.home, b.proven(received));
    let by = b.cast.member(b.node).system.id().clone();
    let delivered = b.state(&send.header(b.cast), ReceiptKind::Delivered, Some(&by));
    a.hear(&b.home, b.proven(delivered));
}

/// Writes a log's files, but for the headers.
pub fn write_log(folder: &Path, raw: &[Bytes], tree: &Growth, checkpoint: &[u8]) {
    for bundle in bundles_of(tree.size()) {
        let Bundle { index, width } = bundle;
        let first = index as usize * 256;
        let entries = &raw[first..first + width as usize];
        put(folder, &bundle.path(), &encode_bundle(entries).unwrap());
    }
    for tile in tiles_of(tree.size()) {
        let Tile { level, index, width } = tile;
        let hash = |at: u64| tree.node(level * 8, index * 256 + at).unwrap();
        let hashes: Vec<Digest> = (0..u64::from(width)).map(hash).collect();
        put(folder, &tile.path(), &encode_tile(&hashes));
    }
    put(folder, "checkpoint", checkpoint);
}

/// Writes one file.
pub fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let place = folder.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
}
