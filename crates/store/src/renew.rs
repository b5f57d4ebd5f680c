//! A new log on an old state.
//!
//! A state folder that was restored from an old copy cannot go on with its log: its witnesses hold
//! entries that are lost. What waits in it can still go on its way, under a new log that names
//! the last checkpoint of the one before. Receipts that waited were entries of that one and go with it.

use std::path::Path;

use kuriiri_engine::{LogHead, PackKey, QueueId, ViewError};
use kuriiri_types::Lane;

use crate::{
    Options,
    disk::Disk,
    error::OpenError,
    folder::db_path,
    journal::Changes,
    key::Key,
    log::LogBegun,
    open::{FORMAT, Records},
    records,
    sled_log::Mark,
    store::Store,
    value,
};

impl Store {
    /// Which log it has.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn log_begun(&self) -> Result<LogBegun, ViewError> {
        Ok(records::record(self.tree(), &Key::LogBegun)?.unwrap_or_default())
    }

    /// How it stands with the log of a state, by its records alone: the log's folder may be missing, or
    /// from another time.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn log_stands(dir: &Path, options: &Options) -> Result<(LogBegun, LogHead), OpenError> {
        let records = Records::open(dir, options)?;
        let damaged = |error: ViewError| OpenError::corrupt(db_path(dir), error.0);
        let tree = &records.tree;
        let begun = records::record(tree, &Key::LogBegun).map_err(damaged)?;
        let head = records::record(tree, &Key::LogHead).map_err(damaged)?;
        Ok((begun.unwrap_or_default(), head.unwrap_or_default()))
    }

    /// Ends the log of a state and begins one of a later number, empty, with the last checkpoint that
    /// somebody holds of what was before. No relay may run on the folder, and of the log's folder
    /// nothing needs to be there: what is keeps its entries under its own name with its number behind
    /// it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn renew_log(dir: &Path, options: &Options, begun: &LogBegun) -> Result<(), OpenError> {
        renew(dir, options, begun)?;
        // Moves the folder, as any start does that finds an earlier log there.
        Disk::open(dir, options).map(drop)
    }
}

fn renew(dir: &Path, options: &Options, begun: &LogBegun) -> Result<(), OpenError> {
    let records = Records::open(dir, options)?;
    let damaged = |what: String| OpenError::corrupt(db_path(dir), what);
    let unreadable = |error: ViewError| damaged(error.0);
    let tree = &records.tree;
    let mut changes = Changes::new();
    let mut remove = |key: Key| drop(changes.insert(key.encode(), None));
    [Key::LogHead, Key::LogNote].into_iter().for_each(&mut remove);
    let of_log = [Key::channel_ends(), Key::entries(), Key::headers(), Key::kept()];
    let left = [Key::pruned(), Key::erased()];
    for range in of_log.into_iter().chain(left).chain([Key::packs(), Key::done(), Key::due()]) {
        for key in records::keys(tree, range) {
            let key = key.map_err(unreadable)?;
            if goes(&key) {
                remove(key);
            }
        }
    }
    let encoded = |error: postcard::Error| damaged(error.to_string());
    let number = records.last + 1;
    let values = [
        (Key::LogBegun, value::encode(begun)),
        (Key::Commits, value::encode(&Mark::new(number))),
        (Key::Format, value::encode(&FORMAT)),
    ];
    for (key, value) in values {
        changes.insert(key.encode(), Some(value.map_err(encoded)?.into()));
    }
    records.make_durable(dir, &changes, number)
}

/// Whether a record is of the log that ends.
fn goes(key: &Key) -> bool {
    let is_receipts =
        |key: &PackKey| key.lane == Lane::Receipts || matches!(key.queue, QueueId::Receipts(_));
    matches!(
        key,
        Key::ChannelEnd(..)
            | Key::Entries(_)
            | Key::Headers(_)
            | Key::Kept(..)
            | Key::Pruned(_)
            | Key::Erased(_)
    ) || matches!(key, Key::Pack(key) | Key::Done(key) | Key::Due(_, key) if is_receipts(key))
}
