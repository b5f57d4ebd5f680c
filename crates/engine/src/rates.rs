//! How many messages may leave in an hour, by peer, lane and the ministry that they are from: so that nobody can use
//! a precedence to crowd out the others, and no ministry uses up what the others may send.

use std::collections::{BTreeMap, VecDeque};

use kuriiri_types::{Lane, Ministry, Timestamp};

use crate::stop::Stop;

const MINUTE_MS: i64 = 60_000;
/// Minutes looked back on: one more than an hour, as the first and the last are not whole.
const MINUTES: i64 = 61;

/// What was taken for each peer, lane and origin under rules that limit it, by minutes. In memory only: a
/// relay that starts again begins to count anew.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    lanes: BTreeMap<Limited, Counts>,
}

/// To which peer, in which lane, from which ministry.
type Limited = (Ministry, Lane, Ministry);

/// Minutes in which something was taken, with how much; oldest first.
#[derive(Debug, Default)]
struct Counts(VecDeque<(i64, u64)>);

impl Rates {
    /// True when the rules' rates leave room for a message with these stops.
    pub(crate) fn allow(
        &self,
        now: Timestamp,
        (lane, origin): (Lane, &Ministry),
        stops: &[Stop],
    ) -> bool {
        limited(stops).all(|(peer, limit)| self.allows(now, (peer, lane, origin), limit))
    }

    /// Counts a message that was taken.
    pub(crate) fn count(
        &mut self,
        now: Timestamp,
        (lane, origin): (Lane, &Ministry),
        stops: &[Stop],
    ) {
        for (peer, _) in limited(stops) {
            self.add(now, (peer, lane, origin));
        }
    }

    fn allows(
        &self,
        now: Timestamp,
        (peer, lane, origin): (&Ministry, Lane, &Ministry),
        limit: u64,
    ) -> bool {
        let counts = self.lanes.get(&(peer.clone(), lane, origin.clone()));
        counts.map_or(0, |counts| counts.within(now)) < limit
    }

    fn add(&mut self, now: Timestamp, (peer, lane, origin): (&Ministry, Lane, &Ministry)) {
        self.lanes.entry((peer.clone(), lane, origin.clone())).or_default().add(now);
    }
}

impl Counts {
    fn within(&self, now: Timestamp) -> u64 {
        let from = minute(now) - MINUTES;
        self.0.iter().filter(|(at, _)| *at > from).map(|(_, count)| count).sum()
    }

    fn add(&mut self, now: Timestamp) {
        let (here, from) = (minute(now), minute(now) - MINUTES);
        while self.0.front().is_some_and(|(at, _)| *at <= from) {
            self.0.pop_front();
        }
        match self.0.back_mut().filter(|(at, _)| *at >= here) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push_back((here, 1)),
        }
    }
}

fn minute(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(MINUTE_MS)
}

/// The peers that a rule limits the way to, with the limit.
fn limited(stops: &[Stop]) -> impl Iterator<Item = (&Ministry, u64)> {
    stops.iter().filter_map(|stop| stop.queue.peer().zip(stop.rate))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_hour_takes_so_many_and_the_next_as_many_again() {
        let [peer, origin]: [Ministry; 2] =
            ["plm.example", "sm.example"].map(|name| name.parse().unwrap());
        let lane = Lane::Messages(kuriiri_types::Precedence::Flash);
        let other = Lane::Messages(kuriiri_types::Precedence::Routine);
        let (mut rates, mut now) = (Rates::default(), Timestamp::from_millis(1_795_000_000_000));
        let mut taken = Vec::new();
        for _ in 0..400 {
            if rates.allows(now, (&peer, lane, &origin), 3) {
                rates.add(now, (&peer, lane, &origin));
                taken.push(now);
            }
            assert!(rates.allows(now, (&peer, other, &origin), 3), "lanes are counted apart");
            assert!(rates.allows(now, (&peer, lane, &peer), 3), "and so are ministries");
            now = now.after(Duration::from_secs(59));
        }
        for window in taken.windows(4) {
            assert!(window[3].since(window[0]) >= Duration::from_secs(3600), "{window:?}");
        }
        assert!(taken.len() > 12, "it goes on after the hour: {}", taken.len());
    }
}
