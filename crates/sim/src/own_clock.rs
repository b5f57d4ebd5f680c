//! The clocks of ministries, which show another time than it is, and are set now and then.

use std::time::Duration;

use kuriiri_types::Timestamp;

use crate::rng::Rng;

/// Between two times that clocks are set, at most, in milliseconds.
const SET_WITHIN: u64 = 12_000;

/// The clock of one ministry.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OwnClock {
    /// Milliseconds that it is ahead of the true time; less than none if it is behind.
    pub(crate) ahead: i64,
}

/// How wrong clocks may be, and the chance that decides it.
#[derive(Debug)]
pub(crate) struct WrongClocks {
    by: u64,
    rng: Rng,
}

impl OwnClock {
    /// What it shows.
    pub(crate) fn shows(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add(self.ahead))
    }
}

impl WrongClocks {
    pub(crate) fn new(by: Duration, rng: Rng) -> Self {
        Self { by: u64::try_from(by.as_millis()).unwrap_or(u64::MAX), rng }
    }

    /// How far two clocks can be apart.
    pub(crate) fn apart(&self) -> Duration {
        Duration::from_millis(self.by.saturating_mul(2))
    }

    /// A clock that is wrong by at most so much; every third is right.
    pub(crate) fn draw(&mut self) -> OwnClock {
        let is_right = self.rng.chance(33);
        let ahead = i64::try_from(self.rng.below(self.by.saturating_mul(2))).unwrap_or(0);
        let ahead = ahead.saturating_sub(i64::try_from(self.by).unwrap_or(0));
        OwnClock { ahead: if is_right { 0 } else { ahead } }
    }

    /// How long it takes until a clock is set, in milliseconds.
    pub(crate) fn wait(&mut self) -> u64 {
        self.rng.between(100, SET_WITHIN)
    }
}
