//! The memory of what was taken before, so that a repeat is taken once.
//!
//! Marks live in buckets of the time that the maker put into the signed bytes: into the id of a
//! message, and beside it in a receipt. A repeat has the same, so one bucket answers for it, and
//! buckets that nobody asks about stay on disk.

use std::collections::{BTreeMap, HashMap};

use kuriiri_merkle::digest;
use kuriiri_types::{
    Digest, Timestamp,
    limits::{
        CLOCK_SKEW_MAX, MESSAGE_TTL_MAX, PACK_BYTES_MAX, RECEIPT_AGE_MAX, SEEN_BUCKET,
        SEEN_IDS_IN_MEMORY_MAX,
    },
};

use crate::{
    commit::Write,
    reader::Reader,
    record::{Marked, SeenMark, SeenRun},
    serials::Serials,
    statements::StatementId,
    step::Work,
    view::ViewError,
};

/// Marks in one stored run: at most 26 bytes each with their entries' places.
const RUN_MARKS_MAX: usize = (PACK_BYTES_MAX - 1024) / 26;
/// Bytes of a mark.
const MARK_BYTES: usize = 16;
/// Milliseconds between two clearings of buckets too old to be asked about.
const FORGET_EVERY_MS: i64 = 3_600_000;

/// The memory of marks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Buckets read so far, whole.
    buckets: BTreeMap<u64, HashMap<SeenMark, Taken>>,
    /// Marks in memory.
    in_memory: usize,
    /// Set in this step.
    fresh: BTreeMap<u64, Vec<Marked>>,
    /// Set in this step, of which nothing is written yet.
    pending: Vec<(Spot, StatementId)>,
    /// When old buckets are cleared next.
    forget_at: Timestamp,
}

/// What is remembered of a thing that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// When.
    pub(crate) at: Timestamp,
    /// Where the log says so.
    pub(crate) said: Said,
}

/// Where the log says that a thing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// In this entry; see [`Writing::index_of`](crate::log::Writing::index_of).
    Entry(u64),
    /// In a statement of the step in hand, which is not written yet.
    Pending(StatementId),
}

/// Who takes a thing: the copies of one message for two takers are two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taker([u8; MARK_BYTES]);

impl Taker {
    /// Who takes submissions: a message is submitted once for all its destinations.
    pub(crate) fn of_submissions() -> Self {
        // No ministry has this name.
        Self::named("(submission)")
    }

    /// The taker of this name. Made once for all that it takes, because it costs a digest.
    pub(crate) fn named(name: &str) -> Self {
        Self(beginning(&digest(name.as_bytes())))
    }
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
    pub(crate) fn new(made: Timestamp, signed: &Digest, taker: Taker) -> Self {
        let mut mark = beginning(signed);
        mark.iter_mut().zip(taker.0).for_each(|(to, from)| *to ^= from);
        Self { bucket: bucket(made), mark: SeenMark(mark) }
    }
}

impl Seen {
    /// What is known of the thing of this spot, if it was taken.
    pub(crate) fn taken(
        &mut self,
        spot: Spot,
        reader: &Reader<'_>,
    ) -> Result<Option<Taken>, ViewError> {
        // Whoever asks about any times does not fill the memory with empty buckets.
        if !self.buckets.contains_key(&spot.bucket) && reader.view.seen(spot.bucket)?.is_empty() {
            return Ok(None);
        }
        Ok(self.bucket(spot.bucket, reader)?.get(&spot.mark).copied())
    }

    /// Remembers the thing of this spot, of which this entry of the log tells.
    pub(crate) fn take(
        &mut self,
        spot: Spot,
        entry: u64,
        work: &Work<'_>,
    ) -> Result<(), ViewError> {
        let entry = work.log.reference(entry);
        self.remember(spot, Said::Entry(entry), work)?;
        self.fresh.entry(spot.bucket).or_default().push(Marked { mark: spot.mark, entry });
        Ok(())
    }

    /// Remembers the thing of this spot, of which a statement will tell that is not written yet.
    pub(crate) fn take_pending(
        &mut self,
        spot: Spot,
        statement: StatementId,
        work: &Work<'_>,
    ) -> Result<(), ViewError> {
        self.remember(spot, Said::Pending(statement), work)?;
        self.pending.push((spot, statement));
        Ok(())
    }

    fn remember(&mut self, spot: Spot, said: Said, work: &Work<'_>) -> Result<(), ViewError> {
        let taken = Taken { at: work.now, said };
        self.bucket(spot.bucket, &work.reader)?.insert(spot.mark, taken);
        self.in_memory = self.in_memory.saturating_add(1);
        // A bucket that is being written to stays in memory.
        self.fresh.entry(spot.bucket).or_default();
        Ok(())
    }

    /// Notes where the statements were written of which things wait for it.
    pub(crate) fn place_pending(&mut self, work: &Work<'_>) {
        for (spot, statement) in std::mem::take(&mut self.pending) {
            let Some(entry) = work.statements.entry(statement) else { continue };
            let entry = work.log.reference(entry);
            let bucket = self.buckets.get_mut(&spot.bucket);
            if let Some(taken) = bucket.and_then(|bucket| bucket.get_mut(&spot.mark)) {
                taken.said = Said::Entry(entry);
            }
            self.fresh.entry(spot.bucket).or_default().push(Marked { mark: spot.mark, entry });
        }
    }

    /// Writes the marks of this step into the commit, and clears what is too old to be asked about.
    pub(crate) fn settle(&mut self, serials: &mut Serials, work: &mut Work<'_>) {
        for (bucket, marks) in std::mem::take(&mut self.fresh) {
            for run in marks.chunks(RUN_MARKS_MAX) {
                let marks = SeenRun { at: work.now, marks: run.to_vec() };
                let run = serials.next();
                work.commit.writes.push(Write::PutSeen { bucket, run, marks });
            }
        }
        if work.now >= self.forget_at {
            // Receipts are held against the marks of their messages, which are older by a whole life.
            let oldest = work.now.before(RECEIPT_AGE_MAX).before(MESSAGE_TTL_MAX);
            let before = bucket(oldest.before(2 * CLOCK_SKEW_MAX));
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
    ) -> Result<&mut HashMap<SeenMark, Taken>, ViewError> {
        if !self.buckets.contains_key(&number) {
            self.make_room();
            let mut marks = HashMap::new();
            for run in reader.view.seen(number)? {
                let at = run.at;
                let said = |marked: &Marked| Said::Entry(marked.entry);
                let taken = |marked: Marked| (marked.mark, Taken { at, said: said(&marked) });
                marks.extend(run.marks.into_iter().map(taken));
            }
            self.in_memory = self.in_memory.saturating_add(marks.len());
            self.buckets.insert(number, marks);
        }
        Ok(self.buckets.entry(number).or_default())
    }

    /// Lets the oldest buckets go to disk until the rest is within bounds. A bucket with marks of
    /// this step stays: they are not on disk yet.
    fn make_room(&mut self) {
        while self.in_memory > SEEN_IDS_IN_MEMORY_MAX {
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
        self.in_memory = self.in_memory.saturating_sub(marks);
    }
}

/// The first bytes of a digest.
fn beginning(digest: &Digest) -> [u8; MARK_BYTES] {
    let mut first = [0; MARK_BYTES];
    first.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    first
}

fn bucket(time: Timestamp) -> u64 {
    let width = i64::try_from(SEEN_BUCKET.as_millis()).unwrap_or(1).max(1);
    u64::try_from(time.as_millis() / width).unwrap_or(0)
}

#[cfg(test)]
mod tests;
