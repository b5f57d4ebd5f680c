//! Headers that are not there: whether the log gives leave for it.

use std::fmt;

use kuriiri_types::{Ministry, Timestamp, limits::CLOCK_SKEW_MAX};
use serde::Serialize;

use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
};

/// Headers that are missing with leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Gone {
    /// Their time was over, and the log says that such headers were pruned.
    pub pruned: u64,
    /// The log says that they were erased.
    pub erased: u64,
    /// Decisions that were not taken again, because they need one of these headers.
    pub decisions: u64,
}

impl Gone {
    /// Whether any is missing.
    pub fn any(&self) -> bool {
        self.pruned + self.erased > 0
    }
}

/// In words, for people.
impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pruned, erased, decisions } = self;
        write!(
            f,
            "{} headers are missing with leave: {pruned} pruned after their time, {erased} erased; \
             {decisions} decisions on their messages were not taken again",
            pruned + erased
        )
    }
}

/// What a log says of headers that were pruned. It grows by 24 bytes with each time that they were.
#[derive(Debug)]
pub(super) struct Leave {
    home: Ministry,
    /// The entry that says so, up to which time, and the latest time in it and all after it.
    told: Vec<(u64, Timestamp, Timestamp)>,
    headers: u64,
}

impl Leave {
    pub(super) fn new(home: Ministry) -> Self {
        Self { home, told: Vec::new(), headers: 0 }
    }

    /// An entry says that headers were pruned.
    pub(super) fn tell(
        &mut self,
        spot: Spot,
        (until, headers): (Timestamp, u64),
        out: &mut Findings,
    ) {
        if until > spot.at.after(CLOCK_SKEW_MAX) {
            let what = format!("headers were pruned that were to be kept until {until}");
            out.add(Finding::fault(Check::Headers, what).at(spot.index).against(&self.home));
        }
        self.told.push((spot.index, until, until));
        self.headers = self.headers.saturating_add(headers);
    }

    /// After all entries were read.
    pub(super) fn settle(&mut self) {
        let mut latest = Timestamp::from_millis(i64::MIN);
        for (_, until, from_here) in self.told.iter_mut().rev() {
            latest = latest.max(*until);
            *from_here = latest;
        }
    }

    /// Whether an entry after this one says that headers were pruned that were to be kept so long.
    pub(super) fn covers(&self, index: u64, keep_until: Timestamp) -> bool {
        let after = self.told.partition_point(|(told, ..)| *told <= index);
        self.told.get(after).is_some_and(|(.., latest)| *latest >= keep_until)
    }

    /// Says how many headers are missing, and whether the log says fewer.
    pub(super) fn finish(&self, gone: &Gone, out: &mut Findings) {
        if gone.any() {
            out.add(Finding::note(Check::Headers, gone.to_string()));
        }
        if gone.pruned > self.headers {
            let what =
                format!("{} headers were pruned, and the log says {}", gone.pruned, self.headers);
            out.add(Finding::note(Check::Headers, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_later_and_reaches_far_enough_gives_leave() {
        let at = Timestamp::from_millis;
        let mut leave = Leave::new("sm.example".parse().unwrap());
        let mut out = Findings::new();
        for (index, until) in [(10, 500), (20, 300), (30, 400)] {
            leave.tell(Spot { index, at: at(1000) }, (at(until), 1), &mut out);
        }
        leave.settle();
        for (index, keep_until, is_covered) in [
            (9, 500, true),
            (9, 501, false),
            (10, 400, true),
            (10, 401, false),
            (29, 400, true),
            (30, 1, false),
        ] {
            assert_eq!(leave.covers(index, at(keep_until)), is_covered, "{index} {keep_until}");
        }
        assert_eq!(out.exit(), 0);
        leave.tell(Spot { index: 40, at: at(0) }, (at(300_001), 1), &mut out);
        assert!(out.has(Check::Headers));
    }

    #[test]
    fn more_that_is_missing_than_the_log_says_is_a_note() {
        let said = |headers| {
            let mut leave = Leave::new("sm.example".parse().unwrap());
            let mut out = Findings::new();
            let at = Timestamp::from_millis(9);
            leave.tell(Spot { index: 1, at }, (at, headers), &mut out);
            leave.finish(&Gone { pruned: 3, erased: 1, decisions: 4 }, &mut out);
            assert_eq!(out.exit(), 0);
            out.listed().len()
        };
        assert_eq!((said(3), said(2)), (1, 2));
    }
}
