//! How the rules change while relays are isolated.

use crate::rng::Rng;

/// How the rules change while relays are isolated; drawn by seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IsolationPlan {
    /// Relays lose sight of each other before the rules change, and not while what was decided by
    /// the old ones is still under way.
    pub(crate) comes_early: bool,
    /// Relays crash right after the rules have changed, amid their review.
    pub(crate) crashes: bool,
    /// Messages come in the very steps in which the rules change.
    pub(crate) is_turbulent: bool,
}

impl IsolationPlan {
    /// Chance decides.
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let mut one_in_two = || rng.chance(50);
        Self { comes_early: one_in_two(), crashes: one_in_two(), is_turbulent: one_in_two() }
    }
}
