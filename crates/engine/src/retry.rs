//! When to try a peer again.

use std::time::Duration;

use kuriiri_types::{
    Timestamp,
    limits::{RETRY_GRACE, RETRY_WAIT_MAX},
};

use crate::config::Random;

/// The back-off of one peer: a short grace after one failure, then doubling to a limit of
/// minutes, each wait spread by a quarter so that peers do not come back all at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
    next: Option<Timestamp>,
}

impl Backoff {
    /// True when a try is due.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// When the next try is, if one waits.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Counts a failure.
    pub(crate) fn fail(&mut self, now: Timestamp, random: &mut dyn Random) {
        let doubled =
            RETRY_GRACE.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = doubled.min(RETRY_WAIT_MAX);
        let quarter = u64::try_from(wait.as_millis() / 4).unwrap_or(0).max(1);
        let spread = Duration::from_millis(random.next() % quarter);
        self.failures = self.failures.saturating_add(1);
        self.next = Some(now.after(wait).after(spread));
    }

    /// The peer is alive: the next try is due at once, and a failure counts as the first.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);

    impl Random for Fixed {
        fn next(&mut self) -> u64 {
            self.0
        }
    }

    #[test]
    fn waits_double_from_the_grace_to_the_limit_and_a_sign_of_life_ends_them() {
        let now = Timestamp::from_millis(1_000_000);
        let mut backoff = Backoff::default();
        assert!(backoff.is_due(now));
        let mut waits = Vec::new();
        for _ in 0..40 {
            backoff.fail(now, &mut Fixed(0));
            waits.push(backoff.next().unwrap().since(now));
        }
        assert_eq!(waits[0], RETRY_GRACE);
        assert_eq!(waits[1], RETRY_GRACE * 2);
        assert!(waits.is_sorted());
        assert_eq!(waits[39], RETRY_WAIT_MAX);
        assert!(!backoff.is_due(now));
        backoff.reset();
        assert!(backoff.is_due(now));
    }

    #[test]
    fn the_spread_stays_within_a_quarter() {
        let now = Timestamp::from_millis(0);
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.fail(now, &mut Fixed(u64::MAX));
        }
        let wait = backoff.next().unwrap().since(now);
        assert!(wait > RETRY_WAIT_MAX && wait < RETRY_WAIT_MAX * 5 / 4);
    }
}
