//! What went between this relay and each peer, summed up minute by minute in both logs.
//!
//! The receiver sums up the receipts that it gives for messages it takes over, the sender those that
//! it gets, each by the time in them. So both come to the same sum, and two ministries can compare a
//! minute, soon after it, without showing each other an entry. A sum lives in memory only: what was
//! not summed up before a restart is told by the entries alone.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_merkle::{Frontier, leaf};
use kuriiri_types::{
    ChannelHead, Digest, Direction, LogEvent, Ministry, Timestamp,
    limits::{CHANNEL_HEAD_DIGESTS_MAX, CHANNEL_HEADS_MAX},
};

use crate::{log::Passed, step::Work};

/// The length of the time that is summed up.
const MINUTE: Duration = Duration::from_secs(60);
/// How long receipts of one minute are waited for after the first: a minute, and one more for those
/// that are late.
const HEARING: Duration = Duration::from_secs(120);
/// Sums that are open at once: some for each of hundreds of peers. More: those that were to close first
/// are closed.
const OPEN_MAX: usize = 1024;
/// Sums of one channel that are open at once, far more than receipts can be late in minutes. More, as
/// when a peer dates its receipts at will: its oldest is closed, and nobody else's.
const OPEN_OF_ONE_MAX: usize = 16;

/// The sums that are open.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    open: BTreeMap<Which, Sum>,
    /// When the first of them closes.
    next: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Which {
    minute: Timestamp,
    peer: Ministry,
    direction: Direction,
}

#[derive(Debug)]
struct Sum {
    closes: Timestamp,
    count: u64,
    headers: Vec<Digest>,
}

impl Sums {
    /// Adds what passed in this step, and writes the sums of minutes that are over.
    pub(crate) fn sum_up(&mut self, work: &mut Work<'_>) {
        for passed in work.log.passed() {
            self.add(work.now, passed);
        }
        let head = |(which, sum): (Which, Sum)| {
            let Which { minute, peer, direction } = which;
            let (next, last) = work.log.end(&peer, direction);
            let (count, root) = (sum.count, sum.root());
            ChannelHead { peer, direction, minute, count, root, next, last }
        };
        let heads: Vec<ChannelHead> = self.close(work.now).into_iter().map(head).collect();
        for part in heads.chunks(CHANNEL_HEADS_MAX) {
            work.note(LogEvent::ChannelHeads(part.to_vec()));
        }
        if let Some(next) = self.next {
            work.wake_at(next);
        }
    }

    fn add(&mut self, now: Timestamp, passed: Passed) {
        let Passed { peer, direction, at, header } = passed;
        let minute = minute_of(at);
        let closes = match direction {
            Direction::In => minute.after(MINUTE),
            Direction::Out => now.after(HEARING),
        };
        let which = Which { minute, peer, direction };
        if !self.open.contains_key(&which) {
            self.make_room(now, &which);
        }
        let new = || Sum { closes, count: 0, headers: Vec::new() };
        let sum = self.open.entry(which).or_insert_with(new);
        sum.count = sum.count.saturating_add(1);
        if sum.headers.len() < CHANNEL_HEAD_DIGESTS_MAX {
            sum.headers.push(header);
        }
        self.next = self.next.into_iter().chain([sum.closes]).min();
    }

    /// Has the oldest sum of a channel that has too many close next.
    fn make_room(&mut self, now: Timestamp, which: &Which) {
        let is_same = |one: &&Which| one.peer == which.peer && one.direction == which.direction;
        if self.open.keys().filter(is_same).count() < OPEN_OF_ONE_MAX {
            return;
        }
        let waits = |(one, sum): &(&Which, &mut Sum)| is_same(one) && sum.closes > now;
        let mut waiting = self.open.iter_mut().filter(waits);
        if let Some((_, oldest)) = waiting.next() {
            oldest.closes = now;
            self.next = Some(now);
        }
    }

    /// Takes out what is complete, and what there is no room for.
    fn close(&mut self, now: Timestamp) -> Vec<(Which, Sum)> {
        let excess = self.open.len().saturating_sub(OPEN_MAX);
        if excess == 0 && self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut order: Vec<Timestamp> = self.open.values().map(|sum| sum.closes).collect();
        order.sort_unstable();
        let forced = excess.checked_sub(1).and_then(|last| order.get(last).copied());
        let until = forced.map_or(now, |forced| forced.max(now));
        let closed = self.open.extract_if(.., |_, sum| sum.closes <= until).collect();
        self.next = order.into_iter().find(|closes| *closes > until);
        closed
    }
}

impl Sum {
    fn root(mut self) -> Option<Digest> {
        if self.headers.len() as u64 != self.count {
            return None;
        }
        self.headers.sort_unstable();
        let mut tree = Frontier::new();
        self.headers.iter().for_each(|header| tree.push(leaf(header.as_bytes())));
        Some(tree.root())
    }
}

fn minute_of(at: Timestamp) -> Timestamp {
    let millis = i64::try_from(MINUTE.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().div_euclid(millis).saturating_mul(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(peer: &str, direction: Direction, at: i64, header: u8) -> Passed {
        let at = Timestamp::from_millis(at);
        Passed { peer: peer.parse().unwrap(), direction, at, header: Digest([header; 32]) }
    }

    fn counts(closed: &[(Which, Sum)]) -> Vec<(i64, u64)> {
        closed.iter().map(|(which, sum)| (which.minute.as_millis(), sum.count)).collect()
    }

    #[test]
    fn what_comes_in_closes_with_its_minute_and_what_is_heard_after_two() {
        let mut sums = Sums::default();
        let at = Timestamp::from_millis;
        sums.add(at(59_999), passed("um.example", Direction::In, 59_999, 1));
        sums.add(at(60_000), passed("um.example", Direction::In, 60_000, 2));
        sums.add(at(61_000), passed("um.example", Direction::Out, 60_000, 3));
        sums.add(at(62_000), passed("um.example", Direction::Out, 60_001, 3));
        assert_eq!(counts(&sums.close(at(62_000))), [(0, 1)]);
        assert_eq!(sums.next, Some(at(120_000)));
        assert!(sums.close(at(119_999)).is_empty());
        assert_eq!(counts(&sums.close(at(120_000))), [(60_000, 1)]);
        assert_eq!(sums.next, Some(at(181_000)));
        assert_eq!(counts(&sums.close(at(181_000))), [(60_000, 2)]);
        assert_eq!((sums.next, sums.open.len()), (None, 0));
    }

    #[test]
    fn the_root_does_not_know_the_order_and_a_minute_before_1970_is_one() {
        let root = |headers: &[u8]| {
            let headers = headers.iter().map(|header| Digest([*header; 32])).collect::<Vec<_>>();
            let (closes, count) = (Timestamp::from_millis(0), headers.len() as u64);
            Sum { closes, count, headers }.root()
        };
        assert_eq!(root(&[1, 2, 2, 3]), root(&[2, 3, 1, 2]));
        assert_ne!(root(&[1, 2, 3]), root(&[1, 2, 2, 3]));
        assert_eq!(minute_of(Timestamp::from_millis(-1)), Timestamp::from_millis(-60_000));
    }

    #[test]
    fn too_many_messages_are_counted_and_too_many_sums_are_closed() {
        let mut sums = Sums::default();
        let now = Timestamp::from_millis(0);
        for _ in 0..=CHANNEL_HEAD_DIGESTS_MAX {
            sums.add(now, passed("um.example", Direction::In, 0, 1));
        }
        let [(_, sum)] = sums.close(now.after(MINUTE)).try_into().unwrap();
        assert_eq!((sum.count, sum.root()), (CHANNEL_HEAD_DIGESTS_MAX as u64 + 1, None));

        for at in 0..i64::try_from(OPEN_MAX).unwrap() + 3 {
            let (then, peer) = (Timestamp::from_millis(at), format!("m{at}.example"));
            sums.add(then, passed(&peer, Direction::Out, at * 60_000, 1));
        }
        let closed = counts(&sums.close(now));
        assert_eq!(closed, [(0, 1), (60_000, 1), (120_000, 1)]);
        assert_eq!(sums.open.len(), OPEN_MAX);
    }

    #[test]
    fn a_peer_that_dates_its_receipts_at_will_closes_its_own_sums_alone() {
        let mut sums = Sums::default();
        let now = Timestamp::from_millis(0);
        sums.add(now, passed("sm.example", Direction::Out, 0, 1));
        let most = i64::try_from(OPEN_OF_ONE_MAX).unwrap();
        for minute in 0..3 * most {
            sums.add(now, passed("um.example", Direction::Out, minute * 60_000, 1));
            let closed = counts(&sums.close(now));
            let expected: Vec<_> =
                (minute >= most).then(|| ((minute - most) * 60_000, 1)).into_iter().collect();
            assert_eq!(closed, expected, "{minute}");
        }
        assert_eq!(sums.open.len(), OPEN_OF_ONE_MAX + 1);
        assert_eq!(sums.next, Some(now.after(HEARING)));
    }
}
