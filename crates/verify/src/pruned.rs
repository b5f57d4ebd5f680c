//! The beginning of a log whose entries were pruned.
//!
//! Their leaf hashes stay, in the tiles of the lowest level, so the root still is that of all. What
//! later entries are judged by, and what people did, is kept beside, and held against those hashes.

use kuriiri_merkle::leaf;
use kuriiri_tlog::{TILE_WIDTH, Tile};
use kuriiri_types::{Digest, LogEvent, Ministry};

use crate::{
    finding::{Check, Finding, Findings},
    folder::{FolderError, LogFolder},
    scan::{Found, found},
};

/// What is left of one bundle.
pub(crate) struct Left {
    /// The hashes of its leaves.
    pub(crate) hashes: Vec<Digest>,
    /// What was kept of it, as far as it is what the hashes say.
    pub(crate) kept: Vec<Found>,
}

impl Left {
    pub(crate) fn of(
        folder: &LogFolder,
        bundle: u64,
        out: &mut Findings,
    ) -> Result<Self, FolderError> {
        let hashes = folder.tile(Tile { level: 0, index: bundle, width: TILE_WIDTH })?;
        let kept = folder.kept(bundle).unwrap_or_else(|error| {
            out.add(Finding::fault(Check::Files, error.to_string()));
            Vec::new()
        });
        let first = bundle * u64::from(TILE_WIDTH);
        let is_genuine = |(index, bytes): &(u64, bytes::Bytes)| {
            out.done(Check::Files, 1);
            let place = usize::try_from(index - first).ok();
            let hash = place.and_then(|place| hashes.get(place));
            let genuine = hash == Some(&leaf(bytes));
            if !genuine {
                let what = "what was kept of it is not what its leaf hash says";
                out.add(Finding::fault(Check::Files, what).at(*index));
            }
            genuine
        };
        let kept = kept.into_iter().filter(is_genuine).map(found).collect();
        Ok(Self { hashes, kept })
    }
}

/// What a log says of its pruning, and what is so.
#[derive(Debug)]
pub(crate) struct Pruning {
    home: Ministry,
    /// The first entry that is there.
    first: u64,
    /// Up to which it says that entries were pruned.
    said: u64,
    kept: u64,
    /// Entries that were kept without need.
    spare: u64,
}

impl Pruning {
    pub(crate) fn new(home: Ministry, folder: &LogFolder) -> Self {
        Self { home, first: folder.first(), said: 0, kept: 0, spare: 0 }
    }

    pub(crate) fn is_pruned(&self) -> bool {
        self.first > 0
    }

    /// The first entry that is there.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How many entries were kept.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// Counts an entry that was kept. True when it had to be.
    pub(crate) fn keep(&mut self, event: &LogEvent) -> bool {
        let stays = event.outlasts_pruning();
        self.kept += u64::from(stays);
        self.spare += u64::from(!stays);
        stays
    }

    /// An entry says that those before another were pruned.
    pub(crate) fn tell(&mut self, index: u64, before: u64, out: &mut Findings) {
        if before > index || !before.is_multiple_of(u64::from(TILE_WIDTH)) {
            let what = format!("no entries before {before} could be pruned here");
            return out.add(Finding::fault(Check::Files, what).at(index).against(&self.home));
        }
        self.said = self.said.max(before);
    }

    /// What is missing must be what the log says was pruned.
    pub(crate) fn finish(&self, out: &mut Findings) {
        let Self { first, said, kept, spare, .. } = self;
        if first > said {
            let what = match said {
                0 => format!(
                    "the first {first} entries are not there, and nothing in the log says that they \
                     were pruned"
                ),
                _ => format!(
                    "the first {first} entries are not there, and the log says that the first \
                     {said} were pruned"
                ),
            };
            out.add(Finding::fault(Check::Files, what).against(&self.home));
        }
        if *first > 0 {
            let what = format!("the first {first} entries were pruned, and {kept} of them kept");
            let what = format!("{what}; of the others only the leaf hashes were looked at");
            out.add(Finding::note(Check::Files, what));
        }
        if said > first {
            let what =
                format!("the first {said} entries were pruned, and those from {first} on are");
            out.add(Finding::note(Check::Files, format!("{what} still there")));
        }
        if *spare > 0 {
            let what = format!("{spare} entries that were pruned were kept without need");
            out.add(Finding::note(Check::Files, what));
        }
    }
}
