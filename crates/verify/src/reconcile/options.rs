//! What is compared, and what counts as late.

use std::{path::PathBuf, time::Duration};

use kuriiri_types::Timestamp;

/// Evidence files that are written; further ones are not, and their rows are counted only.
pub const EVIDENCE_MAX: usize = 200;

/// What is compared, and what is late.
#[derive(Debug, Clone)]
pub struct ReconcileOptions {
    /// Only what happened from this time on.
    pub from: Option<Timestamp>,
    /// Only what happened up to this time.
    pub to: Option<Timestamp>,
    /// After this a message that left and of which nothing was heard has stalled, if it did not expire
    /// before.
    pub deadline: Duration,
    /// After this a message that arrived was late.
    pub late: Duration,
    /// Where evidence is written.
    pub evidence: Option<PathBuf>,
}

impl Default for ReconcileOptions {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            deadline: Duration::from_secs(24 * 3600),
            late: Duration::from_secs(15 * 60),
            evidence: None,
        }
    }
}
