//! How a run can fail.

use std::cell::Cell;

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

/// What does not hold once a relay has lost its state: it forgets what it took, said and numbered, and
/// others remember it.
const FORGIVEN: [&str; 11] = [
    "decisions_replay",
    "every_fate_is_logged",
    "headers_stand_beside_their_entry",
    "log_append_only",
    "logs_agree",
    "no_acknowledged_message_lost",
    "no_mailbox_holds_a_message_twice",
    "no_receipt_stands_twice",
    "order_is_kept",
    "receipts_are_in_the_log",
    "sequence_numbers_never_repeat",
];

thread_local! {
    /// Whether a relay of the world that this thread runs loses its state. Here, so that not every check
    /// has to pass it on.
    static FORGIVES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a world, and if a relay of it loses its state, holds nothing against it that follows from that.
pub(crate) fn forgive_if<T>(is_lost: bool, run: impl FnOnce() -> T) -> T {
    FORGIVES.set(is_lost);
    let result = run();
    FORGIVES.set(false);
    result
}

/// Holds that something is true.
pub(crate) fn hold(
    invariant: &'static str,
    is_true: bool,
    detail: impl FnOnce() -> String,
) -> Check {
    if is_true || (FORGIVES.get() && FORGIVEN.contains(&invariant)) {
        Ok(())
    } else {
        Err(Failure::Breach { invariant, detail: detail() })
    }
}
