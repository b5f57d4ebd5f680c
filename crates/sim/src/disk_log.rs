//! The transparency log of one relay as its disk keeps it, and the headers beside it.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use kuriiri_engine::{ChannelEnd, LogAppend, LogHead, Unproved};
use kuriiri_merkle::{Growth, consistency, inclusion, leaf};
use kuriiri_types::{Digest, Direction, LogEvent, Ministry, SignedReceipt, Timestamp};
use kuriiri_wire::entry;

use crate::log_history::{Headers, LogHistory};

/// Where each chain of messages with a peer ends.
type Ends = BTreeMap<(Ministry, Direction), ChannelEnd>;

/// Entries, the tree over them, the headers beside them, and what the last commit said of them.
#[derive(Clone, Default)]
pub(crate) struct DiskLog {
    entries: Vec<Bytes>,
    tree: Growth,
    headers: Headers,
    last: Said,
    /// What was said before the last commit.
    before: Said,
    history: LogHistory,
}

/// What a commit says of the log.
#[derive(Clone, Default)]
struct Said {
    head: LogHead,
    ends: Ends,
    checkpoint: Bytes,
}

impl DiskLog {
    /// Keeps what a commit appends.
    ///
    /// # Errors
    /// When it does not go on where the log ends.
    pub(crate) fn append(&mut self, append: &LogAppend) -> Result<(), String> {
        if append.first != self.tree.size() {
            return Err(format!("the log has {} entries, not {}", self.tree.size(), append.first));
        }
        append.entries.iter().for_each(|entry| self.push(entry.clone()));
        for (index, headers) in &append.headers {
            self.headers.insert(*index, headers.iter().cloned().map(Some).collect());
        }
        self.before = self.last.clone();
        self.last.head = append.head.clone();
        self.last.checkpoint = append.checkpoint.clone();
        let LogHead { size, at, .. } = &append.head;
        self.history.sign(*size, *at, append.checkpoint.clone());
        let moved = append.channels.iter();
        self.last.ends.extend(moved.map(|end| ((end.peer.clone(), end.direction), end.clone())));
        Ok(())
    }

    fn push(&mut self, entry: Bytes) {
        self.tree.push(leaf(&entry));
        self.entries.push(entry);
    }

    pub(crate) fn head(&self) -> &LogHead {
        &self.last.head
    }

    /// The checkpoint of all that was committed.
    pub(crate) fn checkpoint(&self) -> &Bytes {
        &self.last.checkpoint
    }

    /// The proof that it grew from one size to another, if it ever had both.
    pub(crate) fn grows(&self, from: u64, to: u64) -> Option<Vec<Digest>> {
        (from <= to && to <= self.tree.size())
            .then(|| consistency(&self.tree, from, to).ok())
            .flatten()
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = &ChannelEnd> {
        self.last.ends.values()
    }

    pub(crate) fn entry(&self, index: u64) -> Option<&Bytes> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn entries(&self) -> &[Bytes] {
        &self.entries
    }

    /// A receipt of this log with its proof: the path from its place to the root of all that was
    /// committed, and the checkpoint of that. Nothing when the log has no such place.
    pub(crate) fn prove(&self, receipt: Unproved) -> Option<SignedReceipt> {
        let Unproved { entry, index } = receipt;
        let size = self.tree.size();
        let path = inclusion(&self.tree, index, size).ok().filter(|_| index < size)?;
        Some(SignedReceipt { entry, index, path, checkpoint: self.last.checkpoint.clone() })
    }

    // === headers ===

    /// What stands beside an entry, in the order of its messages.
    pub(crate) fn headers(&self, index: u64) -> &[Option<Bytes>] {
        self.headers.get(&index).map_or(&[], Vec::as_slice)
    }

    /// What stands beside all entries.
    pub(crate) fn all_headers(&self) -> &Headers {
        &self.headers
    }

    /// What copies that were made earlier have.
    pub(crate) fn history(&self) -> &LogHistory {
        &self.history
    }

    /// Every header that stands.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Bytes> {
        self.headers.values().flatten().flatten()
    }

    /// How many headers a pruning until this time takes.
    pub(crate) fn count_until(&self, until: Timestamp) -> u64 {
        let over = self.headers.iter().filter(|(index, _)| self.is_over(**index, until));
        over.map(|(_, headers)| headers.iter().flatten().count() as u64).sum()
    }

    /// Headers leave whose time, by their entry, is not after this one.
    pub(crate) fn prune(&mut self, until: Timestamp) {
        let over = self.headers.keys().copied().filter(|index| self.is_over(*index, until));
        let over: Vec<u64> = over.collect();
        over.into_iter().for_each(|index| self.take_out(index, |_| true));
    }

    /// Headers with these leaf hashes leave.
    pub(crate) fn erase(&mut self, erased: &[Digest]) {
        if erased.is_empty() {
            return;
        }
        let places: Vec<u64> = self.headers.keys().copied().collect();
        for index in places {
            self.take_out(index, |header| erased.contains(&leaf(header)));
        }
    }

    /// Such headers beside an entry leave.
    fn take_out(&mut self, index: u64, is_leaving: impl Fn(&Bytes) -> bool) {
        let size = self.tree.size();
        let beside = self.headers.get_mut(&index);
        for (place, header) in beside.into_iter().flatten().enumerate() {
            if let Some(bytes) = header.take_if(|bytes| is_leaving(bytes)) {
                self.history.leave((index, place), size, bytes);
            }
        }
    }

    fn is_over(&self, index: u64, until: Timestamp) -> bool {
        let read = self.entry(index).and_then(|bytes| entry::decode(bytes).ok());
        let Some(LogEvent::Decided(decided)) = read.map(|entry| entry.event) else { return false };
        decided.keep_until.is_some_and(|kept| kept <= until)
    }

    // === damage, for canaries ===

    /// What the last commit appended is gone, as from an older copy of the disk.
    pub(crate) fn cut_back(&mut self) {
        let kept = std::mem::take(&mut self.entries);
        self.tree = Growth::default();
        self.last = self.before.clone();
        let size = usize::try_from(self.last.head.size).unwrap_or(0);
        self.headers.retain(|index, _| *index < self.last.head.size);
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

    /// The last header is gone, and nobody said so.
    pub(crate) fn lose_a_header(&mut self) {
        let mut standing = self.headers.values_mut().flatten().filter(|header| header.is_some());
        if let Some(header) = standing.next_back() {
            *header = None;
        }
    }

    /// A part of the tree's edge is gone.
    pub(crate) fn damage_head(&mut self) {
        self.last.head.frontier.pop();
    }
}

impl fmt::Debug for DiskLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskLog").field("head", &self.last.head).finish_non_exhaustive()
    }
}
