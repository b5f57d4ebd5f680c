//! The buckets of marks that are in memory, and what it costs to have others read.

use std::collections::{BTreeMap, HashMap};

use kuriiri_types::{
    Timestamp,
    limits::{MARKS_READ_AGAIN_MAX, MARKS_READ_AGAIN_PER_MINUTE, SEEN_IDS_IN_MEMORY_MAX},
};

use super::taken::{Said, Taken};
use crate::{
    reader::Reader,
    record::{Marked, SeenMark},
    shares::{Allowances, Payer, Terms},
    view::ViewError,
};

/// Buckets by their numbers, each whole or not at all.
#[derive(Debug)]
pub(super) struct Buckets {
    loaded: BTreeMap<u64, Bucket>,
    /// Marks in memory.
    marks: usize,
    /// Goes up with each use of a bucket.
    uses: u64,
    /// Buckets that were read and are on disk alone again, with how many marks. They are as many as the time that
    /// is remembered has buckets.
    let_go: BTreeMap<u64, usize>,
    /// Marks that each payer may have read again.
    again: Allowances<Payer>,
}

#[derive(Debug, Default)]
struct Bucket {
    marks: HashMap<SeenMark, Taken>,
    /// When it was last used.
    used: u64,
    /// Set while it has marks that are not on disk.
    is_ahead: bool,
}

impl Default for Buckets {
    fn default() -> Self {
        let (most, per_minute) = (MARKS_READ_AGAIN_MAX, MARKS_READ_AGAIN_PER_MINUTE);
        Self {
            loaded: BTreeMap::new(),
            marks: 0,
            uses: 0,
            let_go: BTreeMap::new(),
            again: Allowances::new(Terms { most, per_minute }),
        }
    }
}

impl Buckets {
    /// Whether this payer may have a bucket read at this time. To read one for the first time is free: all of them
    /// together are what the relay remembers. Whoever asks about old times in turns, so that each bucket drives
    /// out the next, pays for it.
    pub(super) fn may_read(&mut self, number: u64, payer: &Payer, now: Timestamp) -> bool {
        if self.loaded.contains_key(&number) {
            return true;
        }
        let Some(marks) = self.let_go.get(&number) else { return true };
        self.again.spend(now, payer.clone(), *marks as u64)
    }

    /// What a mark says.
    pub(super) fn find(
        &mut self,
        number: u64,
        mark: &SeenMark,
        reader: &Reader<'_>,
    ) -> Result<Option<Taken>, ViewError> {
        if !self.loaded.contains_key(&number) {
            let marks = read(number, reader)?;
            // Whoever asks about any times does not fill the memory with empty buckets.
            if marks.is_empty() {
                return Ok(None);
            }
            self.load(number, marks);
        }
        Ok(self.used(number).marks.get(mark).copied())
    }

    /// Sets a mark.
    pub(super) fn set(
        &mut self,
        (number, mark): (u64, SeenMark),
        taken: Taken,
        reader: &Reader<'_>,
    ) -> Result<(), ViewError> {
        if !self.loaded.contains_key(&number) {
            self.load(number, read(number, reader)?);
        }
        let bucket = self.used(number);
        bucket.is_ahead = true;
        if bucket.marks.insert(mark, taken).is_none() {
            self.marks = self.marks.saturating_add(1);
        }
        Ok(())
    }

    /// Says of a mark in memory where the log has it.
    pub(super) fn place(&mut self, number: u64, mark: &SeenMark, said: Said) {
        let bucket = self.loaded.get_mut(&number);
        if let Some(taken) = bucket.and_then(|bucket| bucket.marks.get_mut(mark)) {
            taken.said = said;
        }
    }

    /// Hears that all marks are on disk, or in the commit that comes before the next look there.
    pub(super) fn are_kept(&mut self) {
        self.loaded.values_mut().for_each(|bucket| bucket.is_ahead = false);
        self.make_room();
    }

    /// Leaves to the disk what was not used for longest, until the rest is within bounds. The bucket that was used
    /// last stays, however large it is, and so do those that are ahead of the disk.
    fn make_room(&mut self) {
        if self.marks <= SEEN_IDS_IN_MEMORY_MAX {
            return;
        }
        let uses = self.uses;
        let may_go = |(number, bucket): (&u64, &Bucket)| {
            (!bucket.is_ahead && bucket.used < uses).then_some((bucket.used, *number))
        };
        let mut by_use: Vec<_> = self.loaded.iter().filter_map(may_go).collect();
        by_use.sort_unstable();
        for (_, number) in by_use {
            if self.marks <= SEEN_IDS_IN_MEMORY_MAX / 8 * 7 {
                return;
            }
            let marks = self.drop_bucket(number);
            self.let_go.insert(number, marks);
        }
    }

    /// Forgets the buckets before this one.
    pub(super) fn drop_before(&mut self, before: u64) {
        let old: Vec<u64> = self.loaded.range(..before).map(|(number, _)| *number).collect();
        for number in old {
            self.drop_bucket(number);
        }
        self.let_go = self.let_go.split_off(&before);
    }

    fn load(&mut self, number: u64, marks: HashMap<SeenMark, Taken>) {
        self.make_room();
        self.marks = self.marks.saturating_add(marks.len());
        self.let_go.remove(&number);
        self.loaded.insert(number, Bucket { marks, ..Bucket::default() });
    }

    fn used(&mut self, number: u64) -> &mut Bucket {
        self.uses = self.uses.saturating_add(1);
        let bucket = self.loaded.entry(number).or_default();
        bucket.used = self.uses;
        bucket
    }

    /// How many marks it had.
    fn drop_bucket(&mut self, number: u64) -> usize {
        let marks = self.loaded.remove(&number).map_or(0, |bucket| bucket.marks.len());
        self.marks = self.marks.saturating_sub(marks);
        marks
    }
}

fn read(number: u64, reader: &Reader<'_>) -> Result<HashMap<SeenMark, Taken>, ViewError> {
    let mut marks = HashMap::new();
    for run in reader.view.seen(number)? {
        let taken = |Marked { mark, entry }| (mark, Taken { at: run.at, said: Said::Entry(entry) });
        marks.extend(run.marks.into_iter().map(taken));
    }
    Ok(marks)
}

#[cfg(test)]
impl Buckets {
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.loaded.keys().copied().collect()
    }

    pub(super) fn marks(&self) -> usize {
        self.marks
    }

    /// As if so many more marks were in memory.
    pub(super) fn pretend(&mut self, more: usize) {
        self.marks += more;
    }

    /// As if the disk had so many more marks of a bucket that is in memory.
    pub(super) fn grow(&mut self, number: u64, marks: u64) {
        let more = (0..marks).map(|n| {
            let mut mark = [0xFF; 16];
            mark[..8].copy_from_slice(&n.to_be_bytes());
            let taken = Taken { at: Timestamp::from_millis(0), said: Said::Entry(n) };
            (SeenMark(mark), taken)
        });
        let bucket = self.loaded.get_mut(&number).unwrap();
        let before = bucket.marks.len();
        bucket.marks.extend(more);
        self.marks += bucket.marks.len() - before;
    }
}
