//! What stands of the log among the records: entries and the headers beside them, until their files are
//! known to be durable, and when headers leave.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use bytes::Bytes;
use kuriiri_engine::ViewError;
use kuriiri_tlog::TILE_WIDTH;

use super::beside::{Beside, Headed};
use crate::{
    key::Key,
    records::{decode_key, keys, unreadable},
    tree::Tree,
    value,
};

/// Entries that were written by one commit, in the tree of records.
pub(crate) type LogPack = Vec<Bytes>;

/// The place of the first entry of the log that stands among the records.
pub(crate) fn first_entry(tree: &Tree) -> Result<Option<u64>, ViewError> {
    match keys(tree, Key::entries()).next().transpose()? {
        Some(Key::Entries(first)) => Ok(Some(first)),
        Some(key) => Err(ViewError(format!("{key:?} stands among the log's entries"))),
        None => Ok(None),
    }
}

/// The entries of the log that stand among the records, in order, each pack with its place.
pub(crate) fn entries(tree: &Tree) -> impl Iterator<Item = Result<(u64, LogPack), ViewError>> {
    tree.range(Key::entries()).map(|entry| {
        let (key, stored) = entry.map_err(unreadable(&"entries of the log"))?;
        let key = decode_key(&key)?;
        let Key::Entries(first) = key else {
            return Err(ViewError(format!("{key:?} stands among the log's entries")));
        };
        Ok((first, value::decode(&key, &stored)?))
    })
}

/// The headers among the records beside entries of the log, in order, each with the entry's place.
pub(crate) fn headed(
    tree: &Tree,
    range: Range<Vec<u8>>,
) -> impl Iterator<Item = Result<(u64, Headed), ViewError>> {
    tree.range(range).map(|entry| {
        let (key, stored) = entry.map_err(unreadable(&"headers beside the log"))?;
        let key = decode_key(&key)?;
        let Key::Headers(index) = key else {
            return Err(ViewError(format!("{key:?} stands among the headers beside the log")));
        };
        Ok((index, value::decode(&key, &stored)?))
    })
}

/// Those beside the entries of one bundle.
pub(crate) fn headed_in(tree: &Tree, bundle: u64) -> Result<Beside, ViewError> {
    let width = u64::from(TILE_WIDTH);
    let headed = headed(tree, Key::headers_in(bundle * width..(bundle + 1) * width));
    let beside = headed.map(|headed| {
        let (index, headed) = headed?;
        Ok((u8::try_from(index % width).unwrap_or(u8::MAX), Arc::new(headed)))
    });
    beside.collect()
}

/// The bundles in keys of the time for which headers are kept.
pub(crate) fn bundles(db: &Tree, range: Range<Vec<u8>>) -> Result<BTreeSet<u64>, ViewError> {
    keys(db, range).map(|key| bundle_of(key?)).collect()
}

/// The bundle in a key of the time for which headers are kept.
pub(crate) fn bundle_of(key: Key) -> Result<u64, ViewError> {
    if let Key::Kept(_, bundle) = key {
        return Ok(bundle);
    }
    Err(ViewError(format!("{key:?} stands among the times for which headers are kept")))
}
