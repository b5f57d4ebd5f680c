//! The transparency log of one relay as its disk keeps it.

use std::fmt;

use bytes::Bytes;
use kuriiri_engine::{LogAppend, LogHead};
use kuriiri_merkle::{Frontier, Growth, leaf};
use kuriiri_types::Digest;

/// Entries, the tree over them, and what the last commit said of them.
#[derive(Clone)]
pub(crate) struct Paper {
    entries: Vec<Bytes>,
    tree: Growth,
    head: LogHead,
    /// The head before the last commit.
    before: LogHead,
}

impl Default for Paper {
    fn default() -> Self {
        let (head, before) = (LogHead::default(), LogHead::default());
        Self { entries: Vec::new(), tree: Growth::on(&Frontier::new()), head, before }
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
        self.before = std::mem::replace(&mut self.head, append.head.clone());
        Ok(())
    }

    fn push(&mut self, entry: Bytes) {
        self.tree.push(leaf(&entry));
        self.entries.push(entry);
    }

    pub(crate) fn head(&self) -> &LogHead {
        &self.head
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
        self.head = self.before.clone();
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
