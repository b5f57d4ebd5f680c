//! The committed state in memory. It refuses commits that contradict it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kuriiri_merkle::{Growth, inclusion, leaf};
use kuriiri_tlog::{Checkpoint, Note};
use kuriiri_types::{
    Digest, Direction, Entry, Lane, LogEvent, Ministry, SignedReceipt, Timestamp,
    limits::{ENTRY_BYTES_MAX, PACK_BYTES_MAX, PACK_MESSAGES_MAX},
};
use kuriiri_wire::entry;

use crate::{
    Body, BodyRef, ChannelEnd, Commit, Done, Hold, HoldNumber, Item, LaneSpan, LogAppend, LogHead,
    Pack, PackKey, QueueId, SeenLog, SeenRun, Seq, Unproved, View, ViewError, Write,
};

/// What was committed, and nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) starts: u64,
    pub(crate) packs: BTreeMap<PackKey, Pack>,
    pub(crate) done: BTreeMap<PackKey, Done>,
    pub(crate) due: BTreeSet<(Timestamp, PackKey)>,
    pub(crate) seen: BTreeMap<(u64, u64), SeenRun>,
    pub(crate) holds: BTreeMap<HoldNumber, Hold>,
    /// References into body files, by the file's number.
    pub(crate) references: BTreeMap<u64, u32>,
    /// What was cosigned of the logs of peers.
    pub(crate) witnessed: BTreeMap<Ministry, SeenLog>,
    /// The log's entries.
    pub(crate) entries: Vec<Bytes>,
    /// The headers beside entries, by the entries' places.
    headers: BTreeMap<u64, Vec<Bytes>>,
    /// The checkpoints of the log, in order.
    pub(crate) checkpoints: Vec<Bytes>,
    /// Encoded bytes of each pack.
    sizes: BTreeMap<PackKey, usize>,
    log: Log,
}

/// Where each chain ends: the number of its next link, and the leaf hash of its last.
type Ends = BTreeMap<(Ministry, Direction), (u64, Digest)>;

/// The log's tree and the ends of its chains, as they follow from its entries.
#[derive(Debug, Clone)]
struct Log {
    tree: Growth,
    ends: Ends,
    /// The ends as commits said them.
    said: Ends,
    head: LogHead,
}

impl Default for Log {
    fn default() -> Self {
        let (ends, said, head) = (Ends::new(), Ends::new(), LogHead::default());
        Self { tree: Growth::default(), ends, said, head }
    }
}

impl Memory {
    /// Makes a commit durable as a whole.
    ///
    /// # Panics
    /// When the commit does what no commit may: write a pack twice, but to erase bodies, or one that is
    /// too large;
    /// mark or delete a pack that is not there; release more bodies than were referred to; write
    /// into the log elsewhere than at its end, break a chain of its entries, or say where another chain
    /// ends than those that its entries are links of.
    pub(crate) fn apply(&mut self, commit: &Commit) {
        if let Some(file) = &commit.bodies {
            let before = self.references.insert(file.file, file.references);
            assert_eq!(before, None, "body file {} is written twice", file.file);
        }
        commit.writes.iter().for_each(|write| self.write(write));
        for place in &commit.retained {
            *self.references.get_mut(&place.file).expect("a body file that is there") += 1;
        }
        commit.released.iter().for_each(|place| self.release(place));
        if let Some(append) = &commit.log {
            self.append(append);
        }
    }

    fn append(&mut self, append: &LogAppend) {
        assert_eq!(append.first, self.log.tree.size(), "the log goes on where it ended");
        assert_ne!(append.entries, [] as [Bytes; 0], "nothing is written for nothing");
        assert_eq!(append.entries.len(), append.leaves.len());
        self.headers.extend(append.headers.iter().cloned());
        for ((bytes, hash), index) in append.entries.iter().zip(&append.leaves).zip(append.first..)
        {
            assert!(bytes.len() <= ENTRY_BYTES_MAX, "an entry of {} bytes", bytes.len());
            assert_eq!(leaf(bytes), *hash);
            let entry = entry::decode(bytes).expect("an entry that can be read");
            self.check_headers(index, &entry.event);
            self.log.link(&entry, *hash);
            self.entries.push(bytes.clone());
        }
        let (size, root) = (self.log.tree.size(), self.log.tree.root());
        let note = Note::parse(&append.checkpoint).expect("a note");
        let signed = Checkpoint::parse(note.text()).expect("a checkpoint");
        assert_eq!((signed.size, signed.root), (size, root), "what is signed is what stands");
        self.log.check_ends(append.first, &append.channels, &self.entries);
        self.log.check(&append.head);
        self.checkpoints.push(append.checkpoint.clone());
    }

    /// Beside an entry that names messages for the first time are their headers, and no others.
    fn check_headers(&self, index: u64, event: &LogEvent) {
        let expected = if let LogEvent::Decided(decided) = event
            && decided.batch.is_some()
        {
            decided.subjects.as_slice()
        } else {
            &[]
        };
        let expected: Vec<Digest> = expected.iter().map(|subject| subject.header).collect();
        let headers = self.headers(index);
        assert_eq!(headers.iter().map(|header| leaf(header)).collect::<Vec<_>>(), expected);
        let bytes: usize = headers.iter().map(|header| header.len() + 3).sum();
        assert!(bytes < PACK_BYTES_MAX, "{bytes} bytes of headers are one stored value");
    }

    /// The entries of the log from a place on.
    pub(crate) fn entries_from(&self, first: usize) -> Vec<Entry> {
        self.entries[first..].iter().map(|bytes| entry::decode(bytes).unwrap()).collect()
    }

    /// A receipt with its proof, as the host hands it out.
    pub(crate) fn prove(&self, receipt: &Unproved) -> SignedReceipt {
        let Unproved { entry, index } = receipt.clone();
        assert_eq!(self.entries[usize::try_from(index).unwrap()], entry);
        let path = inclusion(&self.log.tree, index, self.log.tree.size()).unwrap();
        let checkpoint = self.checkpoints.last().unwrap().clone();
        SignedReceipt { entry, index, path, checkpoint }
    }

    /// The headers beside an entry.
    pub(crate) fn headers(&self, index: u64) -> &[Bytes] {
        self.headers.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The log's tree.
    pub(crate) fn tree(&self) -> &Growth {
        &self.log.tree
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::PutPack(key, pack) => self.put_pack(key, pack),
            Write::DeletePack(key) => {
                assert!(self.packs.remove(key).is_some(), "{key:?} is deleted and not there");
                self.done.remove(key);
                self.sizes.remove(key);
            }
            Write::PutDone(key, done) => {
                assert!(self.packs.contains_key(key), "{key:?} is marked and not there");
                let before = self.done.insert(key.clone(), *done).unwrap_or(0);
                assert_eq!(before & !done, 0, "what was done in {key:?} is undone");
            }
            Write::PutDue(at, key) => {
                self.due.insert((*at, key.clone()));
            }
            Write::DeleteDue(at, key) => {
                self.due.remove(&(*at, key.clone()));
            }
            Write::PutSeen { bucket, run, marks } => {
                let before = self.seen.insert((*bucket, *run), marks.clone());
                assert_eq!(before, None, "run {run} of bucket {bucket} is written twice");
            }
            Write::ForgetSeen { before } => self.seen.retain(|(bucket, _), _| bucket >= before),
            Write::PutHold(number, hold) => {
                let bytes = postcard::to_stdvec(hold).unwrap().len() + 1;
                assert!(bytes <= PACK_BYTES_MAX, "hold {number} has {bytes} bytes");
                self.holds.insert(*number, hold.clone());
            }
            Write::DeleteHold(number) => {
                self.holds.remove(number);
            }
            Write::PutCertificate(_) => {}
            Write::PutStart(starts) => self.starts = *starts,
            Write::PutSeenLog(peer, seen) => {
                self.witnessed.insert(peer.clone(), seen.clone());
            }
        }
    }

    fn put_pack(&mut self, key: &PackKey, pack: &Pack) {
        // A store puts one byte of format before each value.
        let bytes = postcard::to_stdvec(pack).unwrap().len() + 1;
        assert!(bytes <= PACK_BYTES_MAX, "{key:?} has {bytes} bytes");
        assert!((1..=PACK_MESSAGES_MAX).contains(&pack.items.len()), "{}", pack.items.len());
        if let Some(before) = self.packs.insert(key.clone(), pack.clone()) {
            let mut before = before.items.iter().zip(&pack.items);
            let only_less = before.all(|(before, now)| before == now || *now == erased(before));
            assert!(only_less, "{key:?} is written twice");
        }
        self.sizes.insert(key.clone(), bytes);
    }

    fn release(&mut self, place: &BodyRef) {
        let left = self.references.get_mut(&place.file).filter(|left| **left > 0);
        let left = left.unwrap_or_else(|| panic!("{place:?} is released too often"));
        *left -= 1;
    }

    /// Encoded bytes of a pack.
    pub(crate) fn size(&self, key: &PackKey) -> usize {
        self.sizes[key]
    }

    /// True when nothing of any queue is left, but perhaps notes of expiry.
    pub(crate) fn has_no_items(&self) -> bool {
        let queues = self.packs.is_empty() && self.done.is_empty();
        queues && self.holds.is_empty() && self.references.values().all(|n| *n == 0)
    }

    fn with_done(&self, key: &PackKey, pack: &Pack) -> (Pack, Done) {
        (pack.clone(), self.done.get(key).copied().unwrap_or(0))
    }
}

impl Log {
    /// Takes an entry in, whose chains must go on where they ended.
    fn link(&mut self, entry: &Entry, hash: Digest) {
        for channel in &entry.channels {
            let end = self.ends.entry((channel.peer.clone(), channel.direction));
            let end = end.or_insert((0, Digest([0; 32])));
            assert_eq!((channel.seq, channel.prev), *end, "a chain breaks at {entry:?}");
            *end = (end.0 + 1, hash);
        }
        self.tree.push(hash);
        self.head.at = entry.at;
    }

    /// A commit says of the chains that its entries are links of where they end, and of no others.
    fn check_ends(&mut self, first: u64, moved: &[ChannelEnd], entries: &[Bytes]) {
        let fresh = &entries[usize::try_from(first).unwrap()..];
        let links = fresh.iter().flat_map(|bytes| entry::decode(bytes).unwrap().channels);
        let touched: BTreeSet<_> = links.map(|link| (link.peer, link.direction)).collect();
        let end = |end: &ChannelEnd| ((end.peer.clone(), end.direction), (end.next, end.last));
        let moved: Vec<_> = moved.iter().map(end).collect();
        assert!(moved.iter().map(|(chain, _)| chain).eq(&touched), "{moved:?} and {touched:?}");
        self.said.extend(moved);
        assert_eq!(self.said, self.ends);
    }

    /// A head must say what follows from the entries.
    fn check(&mut self, head: &LogHead) {
        let frontier = self.tree.frontier();
        assert_eq!((head.size, head.frontier.as_slice()), (frontier.size(), frontier.nodes()));
        assert_eq!(head.at, self.head.at);
        self.head = head.clone();
    }
}

impl View for Memory {
    fn starts(&self) -> Result<u64, ViewError> {
        Ok(self.starts)
    }

    fn lanes(&self) -> Result<Vec<LaneSpan>, ViewError> {
        let mut lanes: Vec<LaneSpan> = Vec::new();
        for PackKey { queue, lane, first } in self.packs.keys() {
            let (lane, first) = (*lane, *first);
            match lanes.last_mut().filter(|l| l.queue == *queue && l.lane == lane) {
                Some(span) => span.last = first,
                None => lanes.push(LaneSpan { queue: queue.clone(), lane, first, last: first }),
            }
        }
        Ok(lanes)
    }

    fn packs(
        &self,
        queue: &QueueId,
        lane: Lane,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Pack, Done)>, ViewError> {
        let key = |first| PackKey { queue: queue.clone(), lane, first };
        let (mut packs, mut bytes) = (Vec::new(), 0);
        for (key, pack) in self.packs.range(key(from)..=key(Seq::MAX)) {
            let (pack, done) = self.with_done(key, pack);
            packs.push((key.first, pack, done));
            bytes += self.size(key);
            if bytes > bytes_max {
                break;
            }
        }
        Ok(packs)
    }

    fn pack(&self, key: &PackKey) -> Result<Option<(Pack, Done)>, ViewError> {
        Ok(self.packs.get(key).map(|pack| self.with_done(key, pack)))
    }

    fn due(
        &self,
        through: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, PackKey)>, ViewError> {
        Ok(self.due.iter().take_while(|(at, _)| *at <= through).take(limit).cloned().collect())
    }

    fn next_due(&self) -> Result<Option<Timestamp>, ViewError> {
        Ok(self.due.first().map(|(at, _)| *at))
    }

    fn next_hold(&self, from: HoldNumber) -> Result<Option<(HoldNumber, Hold)>, ViewError> {
        Ok(self.holds.range(from..).next().map(|(number, hold)| (*number, hold.clone())))
    }

    fn seen(&self, bucket: u64) -> Result<Vec<SeenRun>, ViewError> {
        Ok(self.seen.range((bucket, 0)..=(bucket, u64::MAX)).map(|(_, run)| run.clone()).collect())
    }

    fn seen_logs(&self) -> Result<Vec<(Ministry, SeenLog)>, ViewError> {
        Ok(self.witnessed.iter().map(|(peer, seen)| (peer.clone(), seen.clone())).collect())
    }

    fn log_head(&self) -> Result<LogHead, ViewError> {
        Ok(self.log.head.clone())
    }

    fn channel_ends(&self) -> Result<Vec<ChannelEnd>, ViewError> {
        let end = |((peer, direction), (next, last)): (&(Ministry, Direction), &(u64, Digest))| {
            ChannelEnd { peer: peer.clone(), direction: *direction, next: *next, last: *last }
        };
        Ok(self.log.said.iter().map(end).collect())
    }

    fn log_entry(&self, index: u64) -> Result<Option<Bytes>, ViewError> {
        Ok(self.entries.get(usize::try_from(index).unwrap()).cloned())
    }
}

/// An item with nothing in the place of its body.
fn erased(item: &Item) -> Item {
    let mut item = item.clone();
    if let Item::Parcel(parcel) = &mut item {
        parcel.body = Body::Inline(Bytes::new());
    }
    item
}
