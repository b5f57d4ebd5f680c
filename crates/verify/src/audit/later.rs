//! Decisions whose headers are beside an entry that was read long before: they are looked for when all
//! entries were read.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_types::{Decided, Digest, Entry, LogEvent};

use super::{
    pool::{Item, Job, Pool},
    recent::Headers,
};
use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    scan::found_in,
    spill::{Record, Spill, groups},
    trace::beginning,
    trusted::TrustHistory,
};

/// Entries whose headers are remembered, of at most some megabytes each.
const ENTRIES_MAX: usize = 16;

/// A decision on a message, and the entry that its header is beside. 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Late {
    pub(super) decision: u64,
    pub(super) first: u64,
    /// The beginning of the header's leaf hash.
    pub(super) message: [u8; 16],
}

impl Record for Late {
    const BYTES: usize = 32;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.decision.to_be_bytes());
        to.extend(self.first.to_be_bytes());
        to.extend(self.message);
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (decision, rest) = from.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (decision, first) = (u64::from_be_bytes(*decision), u64::from_be_bytes(*first));
        Some(Self { decision, first, message: *rest.first_chunk()? })
    }

    /// Those of a bundle together.
    fn part(&self) -> u8 {
        u8::try_from(self.decision / 256 % 256).unwrap_or(0)
    }
}

/// Takes late decisions again.
pub(super) struct Later<'a> {
    pub(super) folder: &'a LogFolder,
    pub(super) history: &'a TrustHistory,
    pub(super) pool: &'a Pool,
    shelf: VecDeque<(u64, HashMap<Digest, Bytes>)>,
    /// Decisions whose header is not there.
    without: u64,
}

impl<'a> Later<'a> {
    pub(super) fn new(folder: &'a LogFolder, history: &'a TrustHistory, pool: &'a Pool) -> Self {
        Self { folder, history, pool, shelf: VecDeque::new(), without: 0 }
    }

    /// Gives each decision to those who judge; how many could not be, because a header is missing.
    pub(super) fn run(mut self, late: Spill<Late>, out: &mut Findings) -> io::Result<u64> {
        late.sorted(|all| {
            groups(all, |late| late.decision, |group| self.decision(group, out));
        })?;
        Ok(self.without)
    }

    fn decision(&mut self, group: &[Late], out: &mut Findings) {
        let Some(index) = group.first().map(|late| late.decision) else { return };
        let Ok(found) = found_in(self.folder, index) else { return };
        let Ok(Entry { at, event: LogEvent::Decided(decided), .. }) = found.entry else { return };
        let Some(trusted) = self.history.at(index) else {
            let what = "too many changes of signed files came after it";
            return out.add(Finding::unchecked(Check::Decisions, what).at(index));
        };
        let headers = self.headers(group, &decided);
        let trusted = Arc::clone(trusted);
        let item = Item::Class(Arc::from(decided), headers);
        self.pool.give(Job { trusted, items: vec![(Spot { index, at }, item)] });
    }

    fn headers(&mut self, group: &[Late], decided: &Decided) -> Headers {
        let firsts: HashMap<[u8; 16], u64> =
            group.iter().map(|late| (late.message, late.first)).collect();
        let header = |digest: Digest| {
            let first = *firsts.get(&beginning(digest))?;
            let header = self.beside(first).get(&digest).cloned();
            self.without += u64::from(header.is_none());
            header
        };
        decided.subjects.iter().map(|subject| subject.header).map(header).collect()
    }

    /// The headers beside an entry, by their digests.
    fn beside(&mut self, index: u64) -> &HashMap<Digest, Bytes> {
        let known = self.shelf.iter().position(|(at, _)| *at == index);
        let shelved = known.and_then(|at| self.shelf.remove(at)).unwrap_or_else(|| {
            let found = found_in(self.folder, index).ok();
            let named = found.iter().flat_map(|found| found.first_named());
            let there = named.filter_map(|(named, header)| Some((named.header, header?.clone())));
            (index, there.collect())
        });
        self.shelf.truncate(ENTRIES_MAX - 1);
        self.shelf.push_front(shelved);
        #[expect(clippy::indexing_slicing, reason = "it was just put there")]
        &self.shelf[0].1
    }
}
