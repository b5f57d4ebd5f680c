//! What an audit goes by.

use crate::{kept_checkpoints::Known, rules::Contents};

/// What an audit goes by besides the log and whom to believe.
#[derive(Debug, Default)]
pub struct AuditOptions {
    /// Checkpoints that somebody kept.
    pub known: Known,
    /// Signed files that the log may lack.
    pub replay: Contents,
}
