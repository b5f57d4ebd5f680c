//! The headers beside one entry, and what the entry says of them.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_tlog::EntryHeaders;
use kuriiri_types::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::CommitError;

/// What an entry says of the messages that it names for the first time, whose headers stand beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Until when their headers are kept.
    pub keep_until: Timestamp,
    /// The leaf hashes of their headers, in the order of the messages.
    pub headers: Vec<Digest>,
}

/// Reads what the bytes of an entry say; nothing when it names no messages for the first time.
pub(crate) type ReadNamed = fn(&Bytes) -> Option<Named>;

/// The headers beside one entry; the places of those that left are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Headed {
    pub(crate) keep_until: Timestamp,
    pub(crate) headers: Vec<Option<Bytes>>,
}

/// The headers beside the entries of one bundle, each with the entry's place in it.
pub(crate) type Beside = Vec<(u8, Arc<Headed>)>;

impl Headed {
    /// The headers that came with an entry, if they can be those that it names. Whether they are is for
    /// their reader to find: here it would cost each message a hash more.
    pub(crate) fn new(
        index: u64,
        named: Option<Named>,
        headers: &[Bytes],
    ) -> Result<Self, CommitError> {
        let fits = |named: &Named| {
            named.headers.len() == headers.len() && headers.iter().all(|header| !header.is_empty())
        };
        let Some(named) = named.filter(fits) else {
            let what = format!("the headers beside entry {index} are not those that it names");
            return Err(CommitError::Inconsistent(what));
        };
        debug_assert!(headers.iter().map(|header| leaf(header)).eq(named.headers));
        Ok(Self { keep_until: named.keep_until, headers: apart(headers) })
    }

    /// How many are left.
    pub(crate) fn left(&self) -> usize {
        self.headers.iter().flatten().count()
    }
}

/// A copy of headers, because they are slices of what came in, which is much more and must not stay in
/// memory with them.
fn apart(headers: &[Bytes]) -> Vec<Option<Bytes>> {
    let mut all = Bytes::from(headers.concat());
    headers.iter().map(|header| Some(all.split_to(header.len()))).collect()
}

/// The form in which files have it.
pub(crate) fn as_parts(beside: &Beside) -> Vec<EntryHeaders> {
    let part = |(place, headed): &(u8, Arc<Headed>)| EntryHeaders {
        place: *place,
        headers: headed.headers.clone(),
    };
    beside.iter().map(part).collect()
}

/// Whether any header is left.
pub(crate) fn has_headers(beside: &Beside) -> bool {
    beside.iter().any(|(_, headed)| headed.left() > 0)
}
