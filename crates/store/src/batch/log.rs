//! What a commit changes in the records of the log.

use std::{collections::BTreeSet, ops::Range};

use kuriiri_engine::{ChannelEnd, LogAppend};
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::{Digest, Timestamp, limits::PACK_BYTES_MAX};

use super::draft::Draft;
use crate::{
    emptying::Finished,
    error::CommitError,
    key::Key,
    log::{Going, Grown, recorded, recorded::LogPack},
    records::{keys, record},
};

/// Records of entries and headers that leave with one commit, beside as many as come: removals take
/// time, and up to 65,536 entries become durable at once. The largest bundle has as many.
pub(super) const FORGOTTEN_MAX: usize = 2 * TILE_WIDTH as usize;
/// Bytes of a length in front of an entry.
const LENGTH_BYTES: usize = 3;
/// Bytes of entries in one value, with room for what stands in front of them.
const ENTRIES_BYTES_MAX: usize = PACK_BYTES_MAX - 64;
/// Entries of a full bundle.
const WIDTH: u64 = TILE_WIDTH as u64;

/// Headers that leave and are among the records.
#[derive(Debug, Default)]
pub(crate) struct EmptiedRecords {
    /// The bundles beside which they stand.
    pub(crate) bundles: BTreeSet<u64>,
    /// Those that are erased.
    pub(crate) erased: Vec<Digest>,
}

impl Draft<'_> {
    /// Entries stand in packs, none of which reaches over the end of a bundle; the headers beside each
    /// stand alone. Returns how many records there are.
    pub(super) fn add_log(
        &mut self,
        append: &LogAppend,
        grown: &Grown,
    ) -> Result<usize, CommitError> {
        let packs = self.add_entries(append)?;
        for (index, headed) in &grown.headed {
            self.put(&Key::Headers(*index), headed.as_ref())?;
        }
        for (until, bundle) in &grown.kept {
            self.put(&Key::Kept(*until, *bundle), &())?;
        }
        for ChannelEnd { peer, direction, next, last } in &append.channels {
            self.put(&Key::ChannelEnd(peer.clone(), *direction), &(next, last))?;
        }
        self.put(&Key::LogHead, &append.head)?;
        self.put(&Key::LogNote, &append.checkpoint)?;
        Ok(packs + grown.headed.len())
    }

    fn add_entries(&mut self, append: &LogAppend) -> Result<usize, CommitError> {
        let (mut first, mut pack, mut bytes) = (append.first, LogPack::new(), 0);
        let mut packs = 0;
        for (place, entry) in (append.first..).zip(&append.entries) {
            let is_full = bytes + entry.len() > ENTRIES_BYTES_MAX;
            if !pack.is_empty() && (is_full || place.is_multiple_of(WIDTH)) {
                self.put(&Key::Entries(first), &std::mem::take(&mut pack))?;
                (first, bytes, packs) = (place, 0, packs + 1);
            }
            bytes += entry.len() + LENGTH_BYTES;
            pack.push(entry.clone());
        }
        if !pack.is_empty() {
            self.put(&Key::Entries(first), &pack)?;
            packs += 1;
        }
        Ok(packs)
    }

    /// Removes entries before a place, and the headers beside them, so many records at most. They leave
    /// in whole bundles: from the beginning of one a start goes on. Returns where that is.
    pub(super) fn forget_entries(
        &mut self,
        durable: u64,
        mut most: usize,
    ) -> Result<u64, CommitError> {
        let mut until = recorded::first_entry(self.db)?.unwrap_or(durable);
        while until < durable {
            let places = until..until + WIDTH;
            let entries = keys(self.db, Key::entries_in(places.clone()));
            let headers = keys(self.db, Key::headers_in(places));
            let leaving = entries.chain(headers).collect::<Result<Vec<Key>, _>>()?;
            let Some(left) = most.checked_sub(leaving.len()) else { break };
            leaving.iter().for_each(|key| self.delete(key));
            (most, until) = (left, until + WIDTH);
        }
        Ok(until)
    }

    /// Notes which headers leave, and empties the places that are among the records. Returns what was
    /// there.
    pub(super) fn empty_headers(&mut self, going: &Going) -> Result<EmptiedRecords, CommitError> {
        let mut emptied = EmptiedRecords::default();
        for (before, until) in &going.pruned {
            self.put(&Key::Pruned(*before), &(until, false))?;
        }
        for (header, before) in &going.erased {
            self.put(&Key::Erased(*header), &(before, false))?;
        }
        for range in self.may_leave(going)? {
            for headed in recorded::headed(self.db, range) {
                let (index, mut headed) = headed?;
                if going.touches(index, &headed) {
                    emptied.erased.extend(going.empty(index, &mut headed));
                    self.put(&Key::Headers(index), &headed)?;
                    emptied.bundles.insert(index / WIDTH);
                }
            }
        }
        Ok(emptied)
    }

    /// The records of headers among which some may leave.
    fn may_leave(&self, going: &Going) -> Result<Vec<Range<Vec<u8>>>, CommitError> {
        if !going.erased.is_empty() {
            return Ok(vec![Key::headers()]);
        }
        let Some(until) = going.until() else { return Ok(Vec::new()) };
        let recorded = recorded::first_entry(self.db)?.unwrap_or(u64::MAX) / WIDTH;
        let bundles = recorded::bundles(self.db, Key::kept_through(until))?.split_off(&recorded);
        let range = |bundle: u64| Key::headers_in(bundle * WIDTH..(bundle + 1) * WIDTH);
        Ok(bundles.into_iter().map(range).collect())
    }

    /// Notes which headers no file has any more.
    pub(super) fn note_finished(&mut self, finished: Finished) -> Result<(), CommitError> {
        for (old, new) in finished.kept {
            self.delete(&old);
            if let Some(new) = new {
                self.put(&new, &())?;
            }
        }
        for (before, until) in finished.gone.pruned {
            // A later one may have covered it.
            let key = Key::Pruned(before);
            if record::<(Timestamp, bool)>(self.db, &key)?.is_some() {
                self.put(&key, &(until, true))?;
            }
        }
        for (header, before) in finished.gone.erased {
            self.put(&Key::Erased(header), &(before, true))?;
        }
        Ok(())
    }

    /// Removes the notes of prunings that have no effect besides a later one.
    pub(super) fn forget_prunings(&mut self, covered: &[u64]) {
        covered.iter().for_each(|before| self.delete(&Key::Pruned(*before)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn forget(records: &[Key], durable: u64, most: usize) -> (u64, Vec<Key>) {
        let db = sled::Config::new().temporary(true).flush_every_ms(None).open().unwrap();
        let (covers, _dir) = crate::covers::temporary();
        for key in records {
            // Nobody looks at what they say.
            db.insert(key.encode(), &[]).unwrap();
        }
        let tree = Tree::new(db, covers);
        let mut draft = Draft::new(&tree);
        let until = draft.forget_entries(durable, most).unwrap();
        tree.put(draft.records);
        let left = records.iter().filter(|key| tree.contains_key(&key.encode()).unwrap());
        (until, left.cloned().collect())
    }

    /// Where the first that stays does not begin a bundle, no start could go on from there.
    #[test]
    fn entries_leave_in_whole_bundles_with_their_headers_and_not_too_many_at_once() {
        let packs = [0, 100, 200, 256, 512, 600, 768, 800, 1024].map(Key::Entries);
        let headers = [0, 255, 512, 1024].map(Key::Headers);
        let records = [packs.as_slice(), headers.as_slice()].concat();
        for (durable, most, until) in [
            (768, 99, 768),
            (768, 9, 768),
            (768, 8, 512),
            (768, 6, 512),
            (768, 5, 256),
            (768, 4, 0),
            (1024, 99, 1024),
            (0, 99, 0),
        ] {
            let stays = |key: &&Key| {
                let (Key::Entries(place) | Key::Headers(place)) = key else { panic!("{key:?}") };
                *place >= until
            };
            let left: Vec<Key> = records.iter().filter(stays).cloned().collect();
            assert_eq!(forget(&records, durable, most), (until, left), "{durable} {most}");
        }
        // One entry in each pack, with headers beside each: a bundle is always let go.
        let entries = (0..1000).flat_map(|place| [Key::Entries(place), Key::Headers(place)]);
        assert_eq!(forget(&entries.collect::<Vec<_>>(), 768, FORGOTTEN_MAX).0, 256);
    }
}
