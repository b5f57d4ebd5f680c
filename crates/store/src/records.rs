//! Records by their keys, whatever they are of.

use std::{fmt::Debug, ops::Range};

use kuriiri_engine::ViewError;
use serde::de::DeserializeOwned;

use crate::{key::Key, tree::Tree, value};

/// A record, if it is there.
pub(crate) fn record<T: DeserializeOwned>(tree: &Tree, key: &Key) -> Result<Option<T>, ViewError> {
    let stored = tree.get(&key.encode()).map_err(unreadable(key))?;
    stored.map(|stored| value::decode(key, &stored)).transpose()
}

/// The keys in a range, in order.
pub(crate) fn keys(
    tree: &Tree,
    range: Range<Vec<u8>>,
) -> impl Iterator<Item = Result<Key, ViewError>> {
    tree.keys(range).map(|key| decode_key(&key.map_err(unreadable(&"a key"))?))
}

/// The last key in a range.
pub(crate) fn last_key(tree: &Tree, range: Range<Vec<u8>>) -> Result<Option<Key>, ViewError> {
    let last = tree.last_key(range).map_err(unreadable(&"a key"))?;
    last.map(|key| decode_key(&key)).transpose()
}

/// The error for a record that sled could not read.
pub(crate) fn unreadable(what: &dyn Debug) -> impl Fn(sled::Error) -> ViewError {
    move |error| ViewError(format!("{what:?}: {error}"))
}

/// The key with these bytes.
pub(crate) fn decode_key(bytes: &[u8]) -> Result<Key, ViewError> {
    Key::decode(bytes).ok_or_else(|| ViewError(format!("{bytes:02x?} is not a key")))
}
