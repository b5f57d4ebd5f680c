//! How long a certificate or a revocation list is good.

use std::time::Duration;

use kuriiri_types::Timestamp;
use time::OffsetDateTime;

use crate::CertsError;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// A period of time, both ends included. X.509 keeps whole seconds: milliseconds are dropped.
///
/// For a revocation list the ends are its issue and the moment the next one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not good before this.
    pub not_before: Timestamp,
    /// Not good after this.
    pub not_after: Timestamp,
}

impl Validity {
    /// So many days of 24 hours from a moment on.
    pub fn days(from: Timestamp, days: u32) -> Self {
        let length = Duration::from_secs(u64::from(days) * SECONDS_PER_DAY);
        Self { not_before: from, not_after: from.after(length) }
    }

    /// Both ends as X.509 writes them.
    pub(crate) fn ends(self) -> Result<(OffsetDateTime, OffsetDateTime), CertsError> {
        if self.not_before < self.not_after {
            Ok((date(self.not_before)?, date(self.not_after)?))
        } else {
            Err(CertsError::Validity { begins: self.not_before, ends: self.not_after })
        }
    }
}

fn date(at: Timestamp) -> Result<OffsetDateTime, CertsError> {
    OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1000))
        .ok()
        .filter(|date| date.year() >= 0)
        .ok_or(CertsError::Time(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_x509_can_say_and_only_forwards() {
        let from = Timestamp::from_millis(1_795_000_000_123);
        let (begins, ends) = Validity::days(from, 2).ends().unwrap();
        assert_eq!(begins.unix_timestamp(), 1_795_000_000);
        assert_eq!((ends - begins).whole_days(), 2);
        assert!(matches!(Validity::days(from, 0).ends(), Err(CertsError::Validity { .. })));
        let endless = Validity { not_before: from, not_after: Timestamp::from_millis(i64::MAX) };
        assert!(matches!(endless.ends(), Err(CertsError::Time(_))));
    }
}
