//! A copy of a log, bundle by bundle: what of it is as the log signed it, and what it lacks.

use std::ops::Range;

use kuriiri_merkle::Frontier;
use kuriiri_tlog::TILE_WIDTH;
use kuriiri_types::Digest;

use crate::{
    finding::{Check, Finding, Findings, FirstMissing},
    folder::LogFolder,
    found::Found,
    scan::Scanned,
    signed_tree::{Signed, SignedTree},
};

/// A copy of a log, on the way from its first bundle to its last.
pub(crate) struct Copy<'a> {
    pub(crate) folder: &'a LogFolder,
    signed: Option<SignedTree<'a>>,
    missing: FirstMissing,
    /// Entries that are there as they were signed.
    pub(crate) read: u64,
}

/// One entry of a copy, with what was made of it: as it was signed, or no more than its leaf hash.
pub(crate) enum Place<T> {
    Entry(Box<(Found, T)>),
    Missing(Digest),
}

/// One bundle of a copy.
pub(crate) enum Bundle<T> {
    Entries(Vec<Place<T>>),
    /// No more than the root over 256 leaf hashes is known.
    Missing(Digest),
    /// Nothing is known, so what comes after cannot be followed.
    Unknown,
}

impl<'a> Copy<'a> {
    pub(crate) fn of(folder: &'a LogFolder, missing: &FirstMissing) -> Self {
        Self { folder, signed: SignedTree::of(folder), missing: missing.clone(), read: 0 }
    }

    /// Holds the next bundle, which begins with this entry, against what the log signed.
    pub(crate) fn take<T>(
        &mut self,
        first: u64,
        bundle: Scanned<(Found, T)>,
        out: &mut Findings,
    ) -> Bundle<T> {
        let index = first / u64::from(TILE_WIDTH);
        let signed = self.signed.as_mut().map_or(Signed::Unknown, |tree| tree.bundle(index));
        out.done(Check::Files, 1);
        let range = first..self.folder.size().min(first + u64::from(TILE_WIDTH));
        let (entries, flaws) = match bundle {
            Ok(bundle) => (bundle.entries, bundle.flaws),
            Err(error) => return self.lacks(range, signed, &error.to_string(), out),
        };
        let leaves = match signed {
            Signed::Root(root) if root_over(&entries) != root => {
                let why = "they are not all those that the log signed, and the tile that would tell which \
                           is damaged too";
                return self.lacks(range, Signed::Root(root), why, out);
            }
            Signed::Leaves(leaves) => leaves,
            Signed::Root(_) | Signed::Unknown => Vec::new(),
        };
        for what in flaws {
            out.add(Finding::fault(Check::Headers, what));
        }
        let mut leaves = leaves.into_iter();
        let place = |one: (Found, T)| match leaves.next() {
            Some(leaf) if leaf != one.0.leaf => {
                self.differs(one.0.index, out);
                Place::Missing(leaf)
            }
            Some(_) | None => {
                self.read += 1;
                Place::Entry(Box::new(one))
            }
        };
        Bundle::Entries(entries.into_iter().map(place).collect())
    }

    fn differs(&self, index: u64, out: &mut Findings) {
        self.missing.tell(index);
        let what = "this is not the entry that the log signed, whose hash is in the tiles: the copy was damaged \
                    or changed, and another copy has the entry";
        out.add(Finding::fault(Check::Files, what).at(index));
    }

    fn lacks<T>(
        &self,
        Range { start, end }: Range<u64>,
        signed: Signed,
        why: &str,
        out: &mut Findings,
    ) -> Bundle<T> {
        let last = end.saturating_sub(1);
        let (known, bundle) = match signed {
            Signed::Leaves(leaves) => {
                let places = leaves.into_iter().map(Place::Missing).collect();
                (true, Bundle::Entries(places))
            }
            Signed::Root(root) => (true, Bundle::Missing(root)),
            Signed::Unknown => (false, Bundle::Unknown),
        };
        let what = if known {
            format!(
                "entries {start} to {last} cannot be read in this copy: {why}; the log signed what its tiles have \
                 the hashes of, so another copy has the entries"
            )
        } else {
            let size = self.folder.size();
            format!(
                "entries {start} to {last} cannot be read in this copy: {why}; nothing in it leads from them to the \
                 root that was signed, so entries {start} to {} were not looked at",
                size.saturating_sub(1)
            )
        };
        self.missing.tell(start);
        out.add(Finding::fault(Check::Files, what).at(start));
        bundle
    }
}

fn root_over<T>(entries: &[(Found, T)]) -> Digest {
    entries.iter().map(|(found, _)| found.leaf).collect::<Frontier>().root()
}
