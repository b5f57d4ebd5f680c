//! Which of its ministry's logs a log is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Which of its ministry's logs a state has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBegun {
    /// Its number; the first is 1.
    pub number: u32,
    /// The last checkpoint that is known of the log before; none for the first.
    pub last: Option<Bytes>,
}

impl Default for LogBegun {
    fn default() -> Self {
        Self { number: 1, last: None }
    }
}
