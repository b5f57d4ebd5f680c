//! Showing the log to the world.

use std::io;

use bytes::Bytes;

use super::{
    edge::WIDTH,
    state::{Log, Shown, State, lock},
};

/// Bytes of entries and of the headers beside them whose files are not known to be durable before the disk
/// is asked to make them so.
const UNSYNCED_BYTES_MAX: u64 = 64 << 20;

/// What the world was shown of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// How many entries.
    pub size: u64,
    /// The signed checkpoint.
    pub note: Bytes,
}

impl Log {
    /// Shows the log as of the last commit. Gives its checkpoint if that is news. Blocks on the disk.
    pub(crate) fn publish(&self) -> io::Result<Option<Published>> {
        let mut shown = lock(&self.shown);
        let state = self.locked().clone();
        let size = state.edge.size();
        let unsynced = size - state.durable >= self.unsynced_max
            || state.bytes - state.durable_bytes >= UNSYNCED_BYTES_MAX;
        // That others were witnessed waits for something to happen here: a checkpoint for nothing else
        // would take the place of one that is cosigned. But entries do not gather without bound.
        let has_grown = state.news > shown.size || (unsynced && size > shown.size);
        if state.checkpoint.is_empty() || !has_grown {
            return Ok(None);
        }
        if shown.sync_failed {
            return Err(io::Error::other("an earlier sync failed"));
        }
        if shown.size > 0 {
            self.files.still_shown()?;
        }
        self.show(&state)?;
        let note = state.checkpoint;
        (shown.size, shown.bytes, shown.note) = (size, state.bytes, note.clone());
        if unsynced {
            self.make_durable(&mut shown)?;
        }
        Ok(Some(Published { size, note }))
    }

    /// Whatever fails here is done again, all of it, when it is tried again.
    pub(super) fn show(&self, state: &State) -> io::Result<()> {
        state.waiting.iter().try_for_each(|path| self.files.release(path))?;
        state.edge.partial().iter().try_for_each(|file| self.files.put_partial(file))?;
        self.files.put_checkpoint(&state.checkpoint, self.synced)?;
        state.waiting.iter().try_for_each(|path| self.files.drop_partial(path))?;
        // Commits have put more behind these meanwhile.
        self.locked().waiting.drain(..state.waiting.len());
        Ok(())
    }

    /// Makes the files of all that is shown durable. Blocks on the disk.
    fn make_durable(&self, shown: &mut Shown) -> io::Result<()> {
        if shown.sync_failed {
            return Err(io::Error::other("an earlier sync failed"));
        }
        shown.sync_failed = true;
        if self.synced {
            self.files.sync()?;
        }
        shown.sync_failed = false;
        let mut state = self.locked();
        state.durable = shown.size - shown.size % WIDTH;
        state.durable_bytes = shown.bytes;
        Ok(())
    }

    /// Shows a checkpoint with more signatures in the place of the one that is shown. One of another
    /// size came too late, or too early, and nothing happens.
    pub(crate) fn put_checkpoint(&self, note: &[u8]) -> io::Result<()> {
        let shown = lock(&self.shown);
        if shown.note.is_empty() || !note.starts_with(&shown.note) {
            return Ok(());
        }
        self.files.put_checkpoint(note, self.synced)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path};

    use kuriiri_engine::{LogAppend, LogHead};
    use kuriiri_merkle::{Frontier, leaf};
    use rustix::fs::{Mode, OFlags, open};

    use super::*;
    use crate::{Options, disk::Disk, log::Going, options::UNSYNCED_MAX};

    fn append(log: &Log, frontier: &mut Frontier, count: u64) {
        append_each(log, frontier, count, b"entry");
    }

    fn append_each(log: &Log, frontier: &mut Frontier, count: u64, entry: &'static [u8]) {
        let first = frontier.size();
        let entries: Vec<Bytes> = vec![Bytes::from_static(entry); count.try_into().unwrap()];
        let leaves = vec![leaf(entry); entries.len()];
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let nodes = frontier.nodes().to_vec();
        let head = LogHead { size: frontier.size(), frontier: nodes, ..LogHead::default() };
        let checkpoint = Bytes::from_static(b"checkpoint");
        let append = LogAppend {
            first,
            entries,
            headers: Vec::new(),
            leaves,
            channels: Vec::new(),
            head,
            checkpoint,
            news: true,
        };
        let nothing = Going::default();
        let grown = log.grow(&append, &nothing).unwrap();
        log.stage(&grown).unwrap();
        log.take_over(grown, &nothing);
    }

    fn disk(dir: &Path) -> Disk {
        Disk::open(dir, &Options::default()).unwrap().0
    }

    #[test]
    fn entries_are_durable_in_whole_bundles_and_when_they_are_many() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, mut frontier) = (disk(dir.path()), Frontier::new());
        append(&disk.log, &mut frontier, UNSYNCED_MAX - 1);
        disk.log.publish().unwrap().unwrap();
        assert_eq!(disk.log.durable(), 0);
        append(&disk.log, &mut frontier, 300);
        disk.log.publish().unwrap().unwrap();
        assert_eq!(disk.log.durable(), UNSYNCED_MAX + 256);
    }

    /// Whoever writes much in few entries has no more of it twice.
    #[test]
    fn entries_are_durable_when_they_are_large() {
        static LARGE: [u8; 65_535] = [7; 65_535];
        let dir = tempfile::tempdir().unwrap();
        let (disk, mut frontier) = (disk(dir.path()), Frontier::new());
        for durable in [0, 1024, 1024, 2048] {
            append_each(&disk.log, &mut frontier, 513, &LARGE);
            disk.log.publish().unwrap().unwrap();
            assert_eq!(disk.log.durable(), durable);
        }
    }

    /// The disk says once that it lost something; asked again it would know of nothing.
    #[test]
    fn after_a_failed_sync_nothing_is_durable_until_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, mut frontier) = (disk(dir.path()), Frontier::new());
        // The kernel refuses to sync by a handle that is good for its path alone.
        let path_alone: File = open(dir.path(), OFlags::PATH, Mode::empty()).unwrap().into();
        let folder = std::mem::replace(disk.log.files.folder_mut(), path_alone);
        append(&disk.log, &mut frontier, UNSYNCED_MAX);
        disk.log.publish().unwrap_err();
        *disk.log.files.folder_mut() = folder;
        append(&disk.log, &mut frontier, 1);
        disk.log.publish().unwrap_err();
        assert_eq!(disk.log.durable(), 0);
    }
}
