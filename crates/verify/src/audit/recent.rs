//! Headers of entries that were read a moment ago: most decisions that need a header of an earlier entry
//! come soon after it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use kuriiri_types::{Decided, Digest};

/// Bundles whose headers are remembered.
const BUNDLES: usize = 2;

/// Headers, one for each message of an entry.
pub(super) type Headers = Arc<[Option<Bytes>]>;

/// The headers of the last bundles.
#[derive(Debug)]
pub(super) struct Recent(VecDeque<Shelf>);

/// Those of one bundle. They are sorted only when one is asked for.
#[derive(Debug, Default)]
struct Shelf {
    unsorted: Vec<(Arc<Decided>, Headers)>,
    found: HashMap<Digest, Bytes>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self(VecDeque::from([Shelf::default()]))
    }

    /// The next bundle begins.
    pub(super) fn turn(&mut self) {
        self.0.push_front(Shelf::default());
        self.0.truncate(BUNDLES);
    }

    /// Remembers the headers of an entry.
    pub(super) fn add(&mut self, decided: &Arc<Decided>, headers: &Headers) {
        if let Some(shelf) = self.0.front_mut() {
            shelf.unsorted.push((Arc::clone(decided), Arc::clone(headers)));
        }
    }

    /// The header that was named by this digest. Whether it is the right one is yet to be seen.
    pub(super) fn find(&mut self, header: Digest) -> Option<Bytes> {
        self.0.iter_mut().find_map(|shelf| shelf.find(header))
    }
}

impl Shelf {
    fn find(&mut self, header: Digest) -> Option<Bytes> {
        for (decided, headers) in self.unsorted.drain(..) {
            for (subject, bytes) in decided.subjects.iter().zip(headers.iter()) {
                self.found.extend(bytes.clone().map(|bytes| (subject.header, bytes)));
            }
        }
        self.found.get(&header).cloned()
    }
}
