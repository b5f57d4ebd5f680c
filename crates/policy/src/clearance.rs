//! What a holder may receive.

use crate::bits::Bits;

/// A set of levels and the values granted, under one catalogue, with groups expanded.
///
/// A set, not a maximum: an archive cleared for one level is not cleared for those below it
/// (X.501, RFC 3114 §2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clearance {
    pub(crate) catalogue: u64,
    /// One bit per level.
    pub(crate) levels: u64,
    pub(crate) grants: Bits,
}
