//! The durable state of one relay: exactly what was committed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use kuriiri_engine::{
    Body, BodyFile, BodyRef, ChannelEnd, Commit, Done, Hold, HoldNumber, Item, LaneSpan, LogAppend,
    LogHead, Pack, PackKey, Parcel, QueueId, SeenLog, SeenRun, Seq, View, ViewError, Write,
};
use kuriiri_types::{Fingerprint, Lane, Ministry, Timestamp};

use crate::disk_log::DiskLog;

/// A disk that keeps what it is given and counts as the store does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    starts: u64,
    pub(crate) packs: BTreeMap<PackKey, Pack>,
    done: BTreeMap<PackKey, Done>,
    pub(crate) due: BTreeSet<(Timestamp, PackKey)>,
    seen: BTreeMap<(u64, u64), SeenRun>,
    pub(crate) holds: BTreeMap<HoldNumber, Hold>,
    certificates: BTreeMap<Fingerprint, Bytes>,
    witnessed: BTreeMap<Ministry, SeenLog>,
    /// The transparency log.
    pub(crate) log: DiskLog,
    pub(crate) bodies: BTreeMap<u64, Bodies>,
    /// For canaries: no packs are found, or no holds.
    pub(crate) is_blind: bool,
    pub(crate) hides_holds: bool,
}

/// One body file and how many items refer to it.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    bytes: Bytes,
    references: u32,
}

impl Disk {
    /// Makes a commit durable as a whole.
    ///
    /// # Errors
    /// What in the commit contradicts the state.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<(), String> {
        if let Some(file) = &commit.bodies {
            self.add_bodies(file)?;
        }
        for write in &commit.writes {
            self.write(write)?;
        }
        commit.retained.iter().try_for_each(|place| self.retain(place))?;
        commit.released.iter().try_for_each(|place| self.release(place))?;
        commit.erased.iter().for_each(|place| self.overwrite(place));
        let append = commit.log.as_ref();
        append.map_or(Ok(()), |append: &LogAppend| self.log.append(append))?;
        if let Some(until) = commit.pruned {
            self.log.prune(until);
        }
        self.log.erase(&commit.erased_headers);
        Ok(())
    }

    fn add_bodies(&mut self, file: &BodyFile) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        file.bodies.iter().for_each(|body| bytes.extend_from_slice(body));
        let bodies = Bodies { bytes: bytes.freeze(), references: file.references };
        match self.bodies.insert(file.file, bodies) {
            None => Ok(()),
            Some(_) => Err(format!("body file {} is written twice", file.file)),
        }
    }

    fn write(&mut self, write: &Write) -> Result<(), String> {
        match write {
            Write::PutPack(key, pack) => {
                pack.items.iter().filter_map(place).try_for_each(|p| self.read(p).map(drop))?;
                let before = self.packs.insert(key.clone(), pack.clone());
                if before.is_some_and(|before| !is_less(&before, pack)) {
                    return Err(format!("{key:?} is written twice"));
                }
            }
            Write::DeletePack(key) => {
                self.packs.remove(key);
                self.done.remove(key);
            }
            Write::PutDone(key, done) => {
                self.done.insert(key.clone(), *done);
            }
            Write::PutDue(at, key) => {
                self.due.insert((*at, key.clone()));
            }
            Write::DeleteDue(at, key) => {
                self.due.remove(&(*at, key.clone()));
            }
            Write::PutSeen { bucket, run, marks } => {
                self.seen.insert((*bucket, *run), marks.clone());
            }
            Write::ForgetSeen { before } => self.seen.retain(|(bucket, _), _| bucket >= before),
            Write::PutHold(number, hold) => {
                hold.body.reference().iter().try_for_each(|p| self.read(p).map(drop))?;
                self.holds.insert(*number, hold.clone());
            }
            Write::DeleteHold(number) => {
                self.holds.remove(number);
            }
            Write::PutCertificate(certificate) => {
                self.certificates.insert(certificate.fingerprint, certificate.der.clone());
            }
            Write::PutStart(starts) => self.starts = *starts,
            Write::PutSeenLog(peer, seen) => {
                self.witnessed.insert(peer.clone(), seen.clone());
            }
        }
        Ok(())
    }

    fn retain(&mut self, place: &BodyRef) -> Result<(), String> {
        let bodies = self.bodies.get_mut(&place.file);
        let bodies = bodies.ok_or_else(|| format!("body file {} is not there", place.file))?;
        bodies.references = bodies.references.saturating_add(1);
        Ok(())
    }

    fn release(&mut self, place: &BodyRef) -> Result<(), String> {
        let wrong = || format!("body file {} is released too often", place.file);
        let bodies = self.bodies.get_mut(&place.file).ok_or_else(wrong)?;
        bodies.references = bodies.references.checked_sub(1).ok_or_else(wrong)?;
        if bodies.references == 0 {
            self.bodies.remove(&place.file);
        }
        Ok(())
    }

    /// Overwrites a body that is erased, unless its file is gone.
    fn overwrite(&mut self, place: &BodyRef) {
        let (start, len) = (usize::try_from(place.offset).ok(), usize::try_from(place.len).ok());
        let Some(bodies) = self.bodies.get_mut(&place.file) else { return };
        let mut bytes = bodies.bytes.to_vec();
        let end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
        if let Some(body) = start.zip(end).and_then(|(start, end)| bytes.get_mut(start..end)) {
            body.fill(0);
        }
        bodies.bytes = bytes.into();
    }

    /// Salt and body, wherever they are.
    ///
    /// # Errors
    /// When they are nowhere.
    pub(crate) fn body(&self, body: &Body) -> Result<Bytes, String> {
        match body {
            Body::Inline(bytes) => Ok(bytes.clone()),
            Body::File(place) => self.read(place),
        }
    }

    fn read(&self, place: &BodyRef) -> Result<Bytes, String> {
        let bodies = self.bodies.get(&place.file);
        let (start, len) = (usize::try_from(place.offset).ok(), usize::try_from(place.len).ok());
        let slice = || {
            let (start, bytes) = (start?, &bodies?.bytes);
            let end = start.checked_add(len?)?;
            (end <= bytes.len()).then(|| bytes.slice(start..end))
        };
        slice().ok_or_else(|| format!("{place:?} is referred to and not there"))
    }

    /// How many references the items on this disk make into body files, and how many are counted.
    pub(crate) fn references(&self) -> (usize, usize) {
        let items = self.packs.values().flat_map(|pack| &pack.items);
        let counted = self.bodies.values().map(|bodies| bodies.references as usize);
        let held = self.holds.values().filter_map(|hold| hold.body.reference());
        (items.filter_map(place).count() + held.count(), counted.sum())
    }

    /// The items of a lane from a number on that are not finished.
    pub(crate) fn open(
        &self,
        queue: &QueueId,
        lane: Lane,
    ) -> impl Iterator<Item = (Seq, &Item)> + use<'_> {
        let key = |first| PackKey { queue: queue.clone(), lane, first };
        self.packs.range(key(0)..=key(Seq::MAX)).flat_map(|(key, pack)| {
            let done = self.done.get(key).copied().unwrap_or(0);
            let items = (key.first..).zip(&pack.items).enumerate();
            items.filter(move |(bit, _)| done >> bit & 1 == 0).map(|(_, item)| item)
        })
    }

    /// Every message in a queue that is not finished, with its number there.
    pub(crate) fn open_parcels(&self) -> impl Iterator<Item = (&PackKey, Seq, &Parcel)> {
        self.packs.iter().flat_map(|(key, pack)| {
            let done = self.done.get(key).copied().unwrap_or(0);
            let items = (key.first..).zip(&pack.items).enumerate();
            let open = items.filter(move |(bit, _)| done >> bit & 1 == 0);
            open.filter_map(move |(_, (seq, item))| match item {
                Item::Parcel(parcel) => Some((key, seq, parcel)),
                Item::Receipt(_) => None,
            })
        })
    }

    pub(crate) fn has_certificate(&self, of: &Fingerprint) -> bool {
        self.certificates.contains_key(of)
    }

    /// How many runs of marks are kept.
    pub(crate) fn runs(&self) -> usize {
        self.seen.len()
    }

    /// Makes one lane look longer than it is: the count of what it ever took makes a leap between
    /// its last two packs, as when most of what stood between them is long finished. What is known
    /// of its length before it is read is then too much.
    pub(crate) fn overstate(&mut self, by: u64, choice: u64) -> Option<PackKey> {
        let mut long = self.lanes().ok()?;
        long.retain(|lane| lane.first != lane.last && !matches!(lane.queue, QueueId::Receipts(_)));
        let place = usize::try_from(choice.checked_rem(long.len() as u64)?).ok()?;
        let LaneSpan { queue, lane, last, .. } = long.into_iter().nth(place)?;
        let key = PackKey { queue, lane, first: last };
        let pack = self.packs.get_mut(&key)?;
        pack.before = pack.before.saturating_add(by);
        Some(key)
    }

    /// The same with a log that is empty. Receipts that wait are of the log before, and go with it.
    pub(crate) fn with_new_log(mut self) -> Self {
        let stays = |key: &PackKey| {
            key.lane != Lane::Receipts && !matches!(key.queue, QueueId::Receipts(_))
        };
        self.packs.retain(|key, _| stays(key));
        self.done.retain(|key, _| stays(key));
        self.due.retain(|(_, key)| stays(key));
        self.log = DiskLog::default();
        self
    }

    // === damage, for canaries ===

    pub(crate) fn forget_seen(&mut self) {
        self.seen.clear();
    }

    pub(crate) fn forget_starts(&mut self) {
        self.starts = 0;
    }
}

/// Whether a pack is another with nothing in the place of some bodies: what an erasure leaves.
fn is_less(before: &Pack, now: &Pack) -> bool {
    let without_body = |item: &Item| {
        let mut item = item.clone();
        if let Item::Parcel(parcel) = &mut item {
            parcel.body = Body::Inline(Bytes::new());
        }
        item
    };
    let mut pairs = before.items.iter().zip(&now.items);
    before.items.len() == now.items.len()
        && pairs.all(|(before, now)| before == now || *now == without_body(before))
}

fn place(item: &Item) -> Option<&BodyRef> {
    match item {
        Item::Parcel(parcel) => match &parcel.body {
            Body::File(place) => Some(place),
            Body::Inline(_) => None,
        },
        Item::Receipt(_) => None,
    }
}

impl View for Disk {
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
        let mut bytes = 0;
        let mut packs = Vec::new();
        for (key, pack) in self.packs.range(key(from)..=key(Seq::MAX)) {
            if self.is_blind {
                break;
            }
            bytes += pack.weight();
            let done = self.done.get(key).copied().unwrap_or(0);
            packs.push((key.first, pack.clone(), done));
            if bytes > bytes_max {
                break;
            }
        }
        Ok(packs)
    }

    fn pack(&self, key: &PackKey) -> Result<Option<(Pack, Done)>, ViewError> {
        let done = self.done.get(key).copied().unwrap_or(0);
        Ok(self.packs.get(key).map(|pack| (pack.clone(), done)))
    }

    fn due(
        &self,
        through: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, PackKey)>, ViewError> {
        let due = self.due.iter().take_while(|(at, _)| *at <= through);
        Ok(due.take(limit).cloned().collect())
    }

    fn next_due(&self) -> Result<Option<Timestamp>, ViewError> {
        Ok(self.due.first().map(|(at, _)| *at))
    }

    fn next_hold(&self, from: HoldNumber) -> Result<Option<(HoldNumber, Hold)>, ViewError> {
        let found = self.holds.range(from..).next().filter(|_| !self.hides_holds);
        Ok(found.map(|(number, hold)| (*number, hold.clone())))
    }

    fn seen(&self, bucket: u64) -> Result<Vec<SeenRun>, ViewError> {
        Ok(self.seen.range((bucket, 0)..=(bucket, u64::MAX)).map(|(_, run)| run.clone()).collect())
    }

    fn seen_logs(&self) -> Result<Vec<(Ministry, SeenLog)>, ViewError> {
        Ok(self.witnessed.iter().map(|(peer, seen)| (peer.clone(), seen.clone())).collect())
    }

    fn log_head(&self) -> Result<LogHead, ViewError> {
        Ok(self.log.head().clone())
    }

    fn channel_ends(&self) -> Result<Vec<ChannelEnd>, ViewError> {
        Ok(self.log.ends().cloned().collect())
    }

    fn log_entry(&self, index: u64) -> Result<Option<Bytes>, ViewError> {
        Ok(self.log.entry(index).cloned())
    }
}
