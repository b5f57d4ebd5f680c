//! The memory of what was taken before, so that a repeat is taken once.
//!
//! Marks live in buckets of the time that the maker put into the signed bytes: into the id of a
//! message, and beside it in a receipt. A repeat has the same, so one bucket answers for it, and
//! buckets that nobody asks about stay on disk.

use std::collections::{BTreeMap, HashMap};

use kuriiri_seal::leaf;
use kuriiri_types::{
    Digest, Timestamp,
    limits::{
        CLOCK_SKEW_MAX, PACK_BYTES_MAX, RECEIPT_AGE_MAX, SEEN_BUCKET, SEEN_IDS_IN_MEMORY_MAX,
    },
};

use crate::{
    commit::Write,
    held::Reader,
    record::{SeenMark, SeenRun},
    view::ViewError,
    work::Work,
};

/// Marks in one stored run: 16 bytes each, well within a stored value.
const RUN_MARKS_MAX: usize = (PACK_BYTES_MAX - 1024) / 16;
/// Milliseconds between two clearings of buckets too old to be asked about.
const FORGET_EVERY_MS: i64 = 3_600_000;

/// The memory of marks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Buckets read so far, whole, with the time at which each mark was set.
    buckets: BTreeMap<u64, HashMap<SeenMark, Timestamp>>,
    /// Marks in memory.
    held: usize,
    /// Set in this step.
    fresh: BTreeMap<u64, Vec<SeenMark>>,
    /// When old buckets are cleared next.
    forget_at: Timestamp,
}

/// Where a thing is remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    bucket: u64,
    mark: SeenMark,
}

impl Spot {
    /// The spot of signed bytes with this leaf hash, made at this time by what they say, for this
    /// taker.
    pub(crate) fn new(made: Timestamp, signed: &Digest, taker: &str) -> Self {
        let digest = leaf(&[signed.as_bytes().as_slice(), taker.as_bytes()].concat());
        let mut mark = [0; 16];
        mark.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        Self { bucket: bucket(made), mark: SeenMark(mark) }
    }
}

impl Seen {
    /// When the thing of this spot was taken, if it was.
    pub(crate) fn taken(
        &mut self,
        spot: Spot,
        reader: &Reader<'_>,
    ) -> Result<Option<Timestamp>, ViewError> {
        Ok(self.bucket(spot.bucket, reader)?.get(&spot.mark).copied())
    }

    /// Remembers the thing of this spot.
    pub(crate) fn take(&mut self, spot: Spot, work: &Work<'_>) -> Result<(), ViewError> {
        self.bucket(spot.bucket, &work.reader)?.insert(spot.mark, work.now);
        self.held = self.held.saturating_add(1);
        self.fresh.entry(spot.bucket).or_default().push(spot.mark);
        Ok(())
    }

    /// Writes the marks of this step into the commit, and clears what is too old to be asked about.
    pub(crate) fn settle(&mut self, serial: &mut u64, work: &mut Work<'_>) {
        for (bucket, marks) in std::mem::take(&mut self.fresh) {
            for run in marks.chunks(RUN_MARKS_MAX) {
                *serial = serial.saturating_add(1);
                let marks = SeenRun { at: work.now, marks: run.to_vec() };
                work.commit.writes.push(Write::PutSeen { bucket, run: *serial, marks });
            }
        }
        if work.now >= self.forget_at {
            let before = bucket(work.now.before(RECEIPT_AGE_MAX).before(2 * CLOCK_SKEW_MAX));
            work.commit.writes.push(Write::ForgetSeen { before });
            self.drop_before(before);
            self.forget_at =
                Timestamp::from_millis(work.now.as_millis().saturating_add(FORGET_EVERY_MS));
        }
    }

    /// The bucket, read from disk if it is not here.
    fn bucket(
        &mut self,
        number: u64,
        reader: &Reader<'_>,
    ) -> Result<&mut HashMap<SeenMark, Timestamp>, ViewError> {
        if !self.buckets.contains_key(&number) {
            self.make_room();
            let mut marks = HashMap::new();
            for run in reader.view.seen(number)? {
                marks.extend(run.marks.into_iter().map(|mark| (mark, run.at)));
            }
            self.held = self.held.saturating_add(marks.len());
            self.buckets.insert(number, marks);
        }
        Ok(self.buckets.entry(number).or_default())
    }

    /// Lets the oldest buckets go to disk until the rest is within bounds. A bucket with marks of
    /// this step stays: they are not on disk yet.
    fn make_room(&mut self) {
        while self.held > SEEN_IDS_IN_MEMORY_MAX {
            let Some(oldest) = self.buckets.keys().find(|b| !self.fresh.contains_key(b)).copied()
            else {
                return;
            };
            self.drop_bucket(oldest);
        }
    }

    fn drop_before(&mut self, before: u64) {
        let old: Vec<u64> = self.buckets.range(..before).map(|(number, _)| *number).collect();
        old.into_iter().for_each(|number| self.drop_bucket(number));
    }

    fn drop_bucket(&mut self, number: u64) {
        let marks = self.buckets.remove(&number).map_or(0, |marks| marks.len());
        self.held = self.held.saturating_sub(marks);
    }
}

fn bucket(time: Timestamp) -> u64 {
    let width = i64::try_from(SEEN_BUCKET.as_millis()).unwrap_or(1).max(1);
    u64::try_from(time.as_millis() / width).unwrap_or(0)
}

#[cfg(test)]
mod tests;
