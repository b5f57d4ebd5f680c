//! How a run can fail.

/// Why a world is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The world could not be made: a fault of the simulation, not of its subject.
    #[error("the world could not be made: {0}")]
    Setup(String),
    /// Something that must always hold did not.
    #[error("`{invariant}` does not hold: {detail}")]
    Breach {
        /// The name of the invariant, as its check is called.
        invariant: &'static str,
        /// What was found.
        detail: String,
    },
}

impl Failure {
    /// The name of the invariant that was broken, if it was one.
    pub fn invariant(&self) -> Option<&'static str> {
        match self {
            Self::Setup(_) => None,
            Self::Breach { invariant, .. } => Some(invariant),
        }
    }

    pub(crate) fn setup(error: impl std::fmt::Display) -> Self {
        Self::Setup(error.to_string())
    }
}

/// What a check finds.
pub(crate) type Check = Result<(), Failure>;

/// Holds that something is true.
pub(crate) fn hold(
    invariant: &'static str,
    is_true: bool,
    detail: impl FnOnce() -> String,
) -> Check {
    if is_true { Ok(()) } else { Err(Failure::Breach { invariant, detail: detail() }) }
}
