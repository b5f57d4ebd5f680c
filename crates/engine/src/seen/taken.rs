//! What is remembered.

use kuriiri_types::Timestamp;

use crate::statements::StatementId;

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
