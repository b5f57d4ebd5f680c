//! The memory of what was taken before, so that a repeat is taken once.
//!
//! Marks live in buckets of the time that the maker put into the signed bytes: into the id of a
//! message, and beside it in a receipt. A repeat has the same, so one bucket answers for it, and
//! buckets that nobody asks about stay on disk.

mod buckets;
mod taken;

use std::collections::BTreeMap;

use kuriiri_merkle::digest;
use kuriiri_types::{
    Digest, Timestamp,
    limits::{CLOCK_SKEW_MAX, MESSAGE_TTL_MAX, PACK_BYTES_MAX, RECEIPT_AGE_MAX, SEEN_BUCKET},
};

use crate::{
    commit::Write,
    record::{Marked, SeenMark, SeenRun},
    serials::Serials,
    shares::Payer,
    statements::StatementId,
    step::Work,
    view::ViewError,
};
use buckets::Buckets;
pub(crate) use taken::{Said, Taken};

/// Marks in one stored run: at most 26 bytes each with their entries' places.
const RUN_MARKS_MAX: usize = (PACK_BYTES_MAX - 1024) / 26;
/// Bytes of a mark.
const MARK_BYTES: usize = 16;
/// Milliseconds between two clearings of buckets too old to be asked about.
const FORGET_EVERY_MS: i64 = 3_600_000;

/// The memory of marks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    buckets: Buckets,
    /// Set in this step.
    fresh: BTreeMap<u64, Vec<Marked>>,
    /// Set in this step, of which nothing is written yet.
    pending: Vec<(Spot, StatementId)>,
    /// When old buckets are cleared next.
    forget_at: Timestamp,
}

/// What is known of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was taken.
    Taken(Taken),
    /// It was not.
    New,
    /// Whoever answers for it has had too much read again: to be asked later.
    NotNow,
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
    /// What is known of the thing of this spot, for which this payer answers.
    pub(crate) fn known(
        &mut self,
        spot: Spot,
        payer: &Payer,
        work: &Work<'_>,
    ) -> Result<Known, ViewError> {
        if !self.buckets.may_read(spot.bucket, payer, work.now) {
            return Ok(Known::NotNow);
        }
        let taken = self.buckets.find(spot.bucket, &spot.mark, &work.reader)?;
        Ok(taken.map_or(Known::New, Known::Taken))
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
        self.buckets.set((spot.bucket, spot.mark), taken, &work.reader)
    }

    /// Notes where the statements were written of which things wait for it.
    pub(crate) fn place_pending(&mut self, work: &Work<'_>) {
        for (spot, statement) in std::mem::take(&mut self.pending) {
            let Some(entry) = work.statements.entry(statement) else { continue };
            let entry = work.log.reference(entry);
            self.buckets.place(spot.bucket, &spot.mark, Said::Entry(entry));
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
        self.buckets.are_kept();
        if work.now >= self.forget_at {
            // Receipts are held against the marks of their messages, which are older by a whole life.
            let oldest = work.now.before(RECEIPT_AGE_MAX).before(MESSAGE_TTL_MAX);
            let before = bucket(oldest.before(2 * CLOCK_SKEW_MAX));
            work.commit.writes.push(Write::ForgetSeen { before });
            self.buckets.drop_before(before);
            self.forget_at =
                Timestamp::from_millis(work.now.as_millis().saturating_add(FORGET_EVERY_MS));
        }
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
