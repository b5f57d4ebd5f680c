//! How much of a bound is used, for whoever shows it.

/// How much of one bound is used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What is bounded, in words for operators.
    pub name: &'static str,
    /// How much of it is used.
    pub used: u64,
    /// How much may be.
    pub limit: u64,
}
