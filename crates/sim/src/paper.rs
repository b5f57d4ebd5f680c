//! The transparency log of one relay as its disk keeps it.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use kuriiri_engine::{ChannelEnd, LogAppend, LogHead};
use kuriiri_merkle::{Frontier, Growth, leaf};
use kuriiri_types::{Digest, Direction, Ministry};

/// Where each chain of messages with a peer ends.
type Ends = BTreeMap<(Ministry, Direction), ChannelEnd>;

/// Entries, the tree over them, and what the last commit said of them.
#[derive(Clone)]
pub(crate) struct Paper {
    entries: Vec<Bytes>,
    tree: Growth,
    head: LogHead,
    ends: Ends,
    /// Head and ends before the last commit.
    before: (LogHead, Ends),
}

impl Default for Paper {
    fn default() -> Self {
        let (head, ends) = (LogHead::default(), Ends::new());
        let (tree, before) = (Growth::on(&Frontier::new()), (head.clone(), ends.clone()));
        Self { entries: Vec::new(), tree, head, ends, before }
    }
}

impl Paper {
    /// Keeps what a commit appends.
    ///
    /// # Errors
    /// When it does not go on where the log ends.
    pub(crate) fn append(&mut self, append: &LogAppend) -> Result<(), String> {
        if append.first != self.tree.size() {
            return Err(format!("the log has {} entries, not {}", self.tree.size(), append.first));
        }
        append.entries.iter().for_each(|entry| self.push(entry.clone()));
        self.before = (std::mem::replace(&mut self.head, append.head.clone()), self.ends.clone());
        let moved = append.channels.iter();
        self.ends.extend(moved.map(|end| ((end.peer.clone(), end.direction), end.clone())));
        Ok(())
    }

    fn push(&mut self, entry: Bytes) {
        self.tree.push(leaf(&entry));
        self.entries.push(entry);
    }

    pub(crate) fn head(&self) -> &LogHead {
        &self.head
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = &ChannelEnd> {
        self.ends.values()
    }

    pub(crate) fn entry(&self, index: u64) -> Option<&Bytes> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn entries(&self) -> &[Bytes] {
        &self.entries
    }

    pub(crate) fn node(&self, level: u8, index: u64) -> Option<Digest> {
        self.tree.node(level, index)
    }

    // === damage, for canaries ===

    /// What the last commit appended is gone, as from an older copy of the disk.
    pub(crate) fn cut_back(&mut self) {
        let kept = std::mem::take(&mut self.entries);
        self.tree = Growth::on(&Frontier::new());
        (self.head, self.ends) = self.before.clone();
        let size = usize::try_from(self.head.size).unwrap_or(0);
        kept.into_iter().take(size).for_each(|entry| self.push(entry));
    }

    /// One entry says something else.
    pub(crate) fn rewrite(&mut self) {
        let place = self.entries.len() / 2;
        if let Some(entry) = self.entries.get_mut(place) {
            let mut bytes = entry.to_vec();
            // Within its salt, so that it can be read as before.
            if let Some(byte) = bytes.get_mut(8) {
                *byte ^= 1;
            }
            *entry = bytes.into();
        }
    }
}

impl fmt::Debug for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paper").field("head", &self.head).finish_non_exhaustive()
    }
}
