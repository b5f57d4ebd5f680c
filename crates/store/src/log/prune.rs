//! Entries that leave the log when the time is over for which they are kept.
//!
//! Only bundles go: every tile stays, so whatever was proved of an entry that left can still be
//! proved. The entries that later ones are judged by stay in files of their own, one for each bundle
//! that had any. The order is: those files, durable; the commit with the entry that says so; and the
//! bundles once a checkpoint with that entry is shown, so that nobody finds them missing and not told.

use std::{collections::BTreeMap, fs, io, path::Path};

use bytes::Bytes;
use kuriiri_engine::{Late, Pruning};
use kuriiri_tlog::{Bundle, TILE_WIDTH};
use serde::{Deserialize, Serialize};

use super::{Log, WIDTH, files::Files, lock};
use crate::{body::sync_dir, error::CommitError};

/// The folder in the log of entries that stay.
const KEPT: &str = "kept";

/// Where a log begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogStart {
    /// Entries from this one on are there; a multiple of 256.
    pub first: u64,
    /// The messages whose first entries left, of which more may still be there.
    pub late: Vec<Late>,
}

impl Log {
    /// Where it begins.
    pub(crate) fn start(&self) -> LogStart {
        self.locked().start.clone()
    }

    /// Makes files durable, and tells before which entry all are, so that they may leave.
    pub(crate) fn settle(&self) -> io::Result<u64> {
        self.make_durable(&mut lock(&self.shown))?;
        Ok(self.durable())
    }

    /// Checks that a commit may prune, and writes the entries that stay. They do no harm if the commit
    /// does not come.
    pub(crate) fn keep(&self, pruning: &Pruning) -> Result<LogStart, CommitError> {
        let Pruning { before, kept, late } = pruning;
        let refuse = |what: String| Err(CommitError::Inconsistent(what));
        let (start, durable) = (self.start(), self.locked().durable);
        if !before.is_multiple_of(WIDTH) || *before <= start.first || *before > durable {
            return refuse(format!(
                "entries before {before} cannot leave a log that begins at {} and is durable to \
                 {durable}",
                start.first
            ));
        }
        if !kept.is_sorted_by(|a, b| a < b) || kept.iter().any(|index| index >= before) {
            return refuse(
                "entries that stay are not in order, or not among those that leave".into(),
            );
        }
        let mut files: BTreeMap<u64, Vec<(u64, Bytes)>> = BTreeMap::new();
        for index in kept.iter().filter(|index| **index >= start.first) {
            let entry = self.entry(*index).map_err(CommitError::from)?;
            let entry =
                entry.ok_or_else(|| CommitError::Inconsistent(format!("no entry {index}")))?;
            files.entry(index / WIDTH).or_default().push((index % WIDTH, entry));
        }
        let written = files.iter().try_for_each(|(bundle, entries)| {
            self.files.put_kept(&path_of(*bundle), &encoded(entries)?, self.synced)
        });
        written.map_err(CommitError::io(&self.files.log))?;
        Ok(LogStart { first: *before, late: late.clone() })
    }

    /// Removes the bundles of entries that have left.
    pub(super) fn remove_pruned(&self, from: u64, first: u64) -> io::Result<()> {
        (from / WIDTH..first / WIDTH).try_for_each(|index| self.files.remove(&bundle_path(index)))
    }

    /// Removes what should have left before the last start.
    pub(super) fn remove_left_over(&self, first: u64) -> io::Result<()> {
        let is_there = |index: &u64| self.files.log.join(bundle_path(*index)).exists();
        let end = first / WIDTH;
        // Removed in rising order, so what is left lies right before those that stay.
        let left = (0..end).rev().take_while(is_there).last().unwrap_or(end);
        self.remove_pruned(left * WIDTH, first)
    }
}

impl Files {
    /// Makes a file with entries that stay durable.
    fn put_kept(&self, path: &str, bytes: &[u8], synced: bool) -> io::Result<()> {
        let place = self.log.join(path);
        self.replace(&place, bytes, synced)?;
        match place.parent().filter(|_| synced) {
            Some(folder) => self.sync_up_to_log(folder),
            None => Ok(()),
        }
    }

    /// The folders of a file may be as new as it.
    fn sync_up_to_log(&self, folder: &Path) -> io::Result<()> {
        let mut inside = folder.ancestors().take_while(|above| above.starts_with(&self.log));
        inside.try_for_each(sync_dir)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.log.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Position, length and bytes of each.
fn encoded(entries: &[(u64, Bytes)]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (position, entry) in entries {
        let position = u8::try_from(*position).map_err(io::Error::other)?;
        let length = u16::try_from(entry.len()).map_err(io::Error::other)?;
        bytes.push(position);
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

fn bundle_path(index: u64) -> String {
    Bundle { index, width: TILE_WIDTH }.path()
}

/// As the path of the bundle ends.
fn path_of(bundle: u64) -> String {
    let path = bundle_path(bundle);
    format!("{KEPT}/{}", path.trim_start_matches("tile/entries/"))
}
