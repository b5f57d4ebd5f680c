//! What was taken is known again for as long as anybody may ask, and no longer.

use std::{sync::Arc, time::Duration};

use kuriiri_types::{Codec, MessageId, limits::SEEN_IDS_IN_MEMORY_MAX};
use kuriiri_wire::WireCodec;
use proptest::prelude::*;

use kuriiri_merkle::leaf;

use super::*;
use crate::{
    Commit,
    log::{Log, Writing},
    reader::Reader,
    testing::{Memory, NOW, Still, config, ministry},
};

/// The place of an entry that says that something was taken.
const ENTRY: u64 = 70_000;
const PAYER: &str = "um.example";

/// A memory of marks and the state below it.
struct Bench {
    seen: Seen,
    disk: Memory,
    serials: Serials,
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        Self {
            seen: Seen::default(),
            disk: Memory::default(),
            serials: Serials::of_start(0),
            now: NOW,
        }
    }

    /// A step that takes these spots, and its commit.
    fn take(&mut self, spots: &[Spot]) -> Commit {
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        let mut still = Still;
        let mut work = Work::new((ministry("sm.example"), self.now), &mut still, reader, log());
        for spot in spots {
            self.seen.take(*spot, ENTRY, &work).unwrap();
        }
        self.seen.settle(&mut self.serials, &mut work);
        let commit = work.commit;
        self.disk.apply(&commit);
        commit
    }

    fn known(&mut self, spot: Spot, payer: &str) -> Known {
        let reader = Reader { view: &self.disk, codec: &WireCodec };
        let mut still = Still;
        let work = Work::new((ministry("sm.example"), self.now), &mut still, reader, log());
        self.seen.known(spot, &Payer::Ministry(ministry(payer)), &work).unwrap()
    }

    fn taken(&mut self, spot: Spot) -> Option<Timestamp> {
        match self.known(spot, PAYER) {
            Known::Taken(taken) => {
                assert_eq!(taken.said, Said::Entry(ENTRY), "the log's entry is remembered with it");
                Some(taken.at)
            }
            Known::New => None,
            Known::NotNow => panic!("it costs too much"),
        }
    }

    fn restart(&mut self) {
        self.seen = Seen::default();
    }
}

/// A log that nothing is written into.
fn log() -> Writing {
    let codec: Arc<dyn Codec> = Arc::new(WireCodec);
    let config = config(&ministry("plm.example"));
    Log::restore(&config.log, &codec, 1, &Memory::default()).unwrap().begin()
}

fn id(made: Timestamp, number: u8) -> MessageId {
    MessageId::new(made, [number; 10])
}

fn spot(made: Timestamp, number: u8) -> Spot {
    Spot::new(id(made, number).time(), &leaf(&[number]), Taker::named("plm.example"))
}

#[test]
fn a_repeat_is_known_at_once_and_after_a_restart_with_the_first_time() {
    let mut bench = Bench::new();
    let (first, second) = (spot(NOW, 1), spot(NOW, 2));
    assert_eq!(bench.taken(first), None);
    bench.take(&[first]);
    bench.now = NOW.after(Duration::from_secs(9));
    bench.take(&[second]);
    for _ in 0..2 {
        assert_eq!(bench.taken(first), Some(NOW));
        assert_eq!(bench.taken(second), Some(bench.now));
        assert_eq!(bench.taken(spot(NOW, 3)), None);
        bench.restart();
    }
}

#[test]
fn a_mark_is_known_before_its_step_is_over() {
    let mut bench = Bench::new();
    let reader = Reader { view: &bench.disk, codec: &WireCodec };
    let mut still = Still;
    let work = Work::new((ministry("sm.example"), NOW), &mut still, reader, log());
    bench.seen.take(spot(NOW, 1), ENTRY, &work).unwrap();
    let taken = Known::Taken(Taken { at: NOW, said: Said::Entry(ENTRY) });
    let payer = Payer::Ministry(ministry(PAYER));
    assert_eq!(bench.seen.known(spot(NOW, 1), &payer, &work).unwrap(), taken);
}

#[test]
fn other_bytes_another_taker_and_another_id_are_another_thing() {
    let mut bench = Bench::new();
    let (now, digest) = (id(NOW, 1), leaf(b"signed"));
    bench.take(&[Spot::new(now.time(), &digest, Taker::named("plm.example"))]);
    assert!(bench.taken(Spot::new(now.time(), &digest, Taker::named("plm.example"))).is_some());
    assert_eq!(bench.taken(Spot::new(now.time(), &digest, Taker::named("um.example"))), None);
    assert_eq!(
        bench.taken(Spot::new(now.time(), &leaf(b"other"), Taker::named("plm.example"))),
        None
    );
    let later = id(NOW.after(SEEN_BUCKET), 1);
    assert_eq!(bench.taken(Spot::new(later.time(), &digest, Taker::named("plm.example"))), None);
}

#[test]
fn what_memory_has_no_room_for_is_read_from_disk() {
    let mut bench = Bench::new();
    let (old, older) = (spot(NOW.before(SEEN_BUCKET * 2), 1), spot(NOW.before(SEEN_BUCKET * 4), 1));
    bench.take(&[old]);
    bench.take(&[older]);
    assert_eq!(bench.taken(old), Some(NOW));
    bench.seen.buckets.pretend(SEEN_IDS_IN_MEMORY_MAX / 8 * 7 - 1);
    bench.seen.buckets.pretend(SEEN_IDS_IN_MEMORY_MAX / 8 + 1);
    bench.take(&[spot(NOW, 2)]);
    let left = bench.seen.buckets.numbers();
    assert_eq!(left, [spot(NOW, 2).bucket], "what is not used goes");
    assert_eq!((bench.taken(old), bench.taken(older)), (Some(NOW), Some(NOW)));
}

#[test]
fn the_bucket_that_was_not_used_for_longest_goes_first() {
    let mut bench = Bench::new();
    let spots = [1, 2, 3].map(|n| spot(NOW.before(SEEN_BUCKET * n), 1));
    spots.iter().for_each(|spot| drop(bench.take(&[*spot])));
    assert!(bench.taken(spots[0]).is_some());
    bench.seen.buckets.pretend(SEEN_IDS_IN_MEMORY_MAX / 8 * 7 - 1);
    let over = SEEN_IDS_IN_MEMORY_MAX - bench.seen.buckets.marks();
    bench.seen.buckets.pretend(over + 1);
    bench.take(&[spots[0]]);
    assert!(bench.seen.buckets.numbers().contains(&spots[0].bucket));
    assert!(!bench.seen.buckets.numbers().contains(&spots[1].bucket));
}

/// A memory that is full, and two buckets on disk alone that were in it.
fn full() -> (Bench, [Spot; 2]) {
    let mut bench = Bench::new();
    let spots = [2, 4].map(|n| spot(NOW.before(SEEN_BUCKET * n), 1));
    spots.iter().for_each(|spot| drop(bench.take(&[*spot])));
    bench.seen.buckets.pretend(SEEN_IDS_IN_MEMORY_MAX);
    bench.take(&[spot(NOW, 1)]);
    (bench, spots)
}

#[test]
fn whoever_has_old_buckets_read_again_and_again_is_put_off_and_nobody_else() {
    let (mut bench, spots) = full();
    let mut reads = 0_u64;
    let put_off = loop {
        let spot = spots[usize::from(reads % 2 == 1)];
        match bench.known(spot, PAYER) {
            Known::NotNow => break spot,
            Known::Taken(_) => reads += 1,
            Known::New => panic!("it was taken"),
        }
        // A bucket of a million drives out the one before.
        bench.seen.buckets.grow(spot.bucket, 1_000_000);
        bench.take(&[self::spot(NOW, 2)]);
    };
    assert!((4..12).contains(&reads), "{reads}");
    assert!(matches!(bench.known(put_off, "plm.example"), Known::Taken(_)), "another may");
    assert!(matches!(bench.known(put_off, PAYER), Known::Taken(_)), "what is in memory is free");
}

#[test]
fn a_backlog_that_reads_each_bucket_once_is_free() {
    let mut bench = Bench::new();
    for n in 1..8 {
        bench.take(&[spot(NOW.before(SEEN_BUCKET * n), 1)]);
    }
    bench.restart();
    for n in (1..8).rev() {
        let spot = spot(NOW.before(SEEN_BUCKET * n), 1);
        assert_eq!(bench.taken(spot), Some(NOW));
        bench.seen.buckets.grow(spot.bucket, 1_000_000);
        bench.take(&[self::spot(NOW.before(SEEN_BUCKET * n), 2)]);
    }
}

#[test]
fn whoever_asks_about_many_times_fills_nothing() {
    let mut bench = Bench::new();
    for n in 1..100 {
        assert_eq!(bench.taken(spot(NOW.after(SEEN_BUCKET * n), 1)), None);
    }
    assert!(bench.seen.buckets.numbers().is_empty());
}

#[test]
fn marks_that_are_not_durable_yet_stay_however_full_memory_is() {
    let mut bench = Bench::new();
    let (fresh, other) = (spot(NOW.before(SEEN_BUCKET * 2), 1), spot(NOW, 2));
    bench.take(&[other]);
    bench.restart();
    let reader = Reader { view: &bench.disk, codec: &WireCodec };
    let mut still = Still;
    let work = Work::new((ministry("sm.example"), NOW), &mut still, reader, log());
    let payer = Payer::Ministry(ministry(PAYER));
    bench.seen.take(fresh, ENTRY, &work).unwrap();
    bench.seen.buckets.pretend(SEEN_IDS_IN_MEMORY_MAX + 1);
    assert!(matches!(bench.seen.known(other, &payer, &work).unwrap(), Known::Taken(_)));
    let taken = Known::Taken(Taken { at: NOW, said: Said::Entry(ENTRY) });
    assert_eq!(bench.seen.known(fresh, &payer, &work).unwrap(), taken);
}

#[test]
fn many_marks_of_one_bucket_are_stored_in_runs_that_fit_a_value() {
    let mut bench = Bench::new();
    let many: Vec<Spot> = (0..RUN_MARKS_MAX as u64 + 5)
        .map(|n| Spot::new(id(NOW, 1).time(), &leaf(&n.to_be_bytes()), Taker::named("plm.example")))
        .collect();
    let commit = bench.take(&many);
    let runs: Vec<_> = commit
        .writes
        .iter()
        .filter_map(|write| {
            let Write::PutSeen { run, marks, .. } = write else { return None };
            Some((*run, marks))
        })
        .collect();
    assert_eq!(runs.iter().map(|(run, _)| *run).collect::<Vec<_>>(), [1, 2]);
    for (_, marks) in runs {
        assert!(postcard::to_stdvec(marks).unwrap().len() < PACK_BYTES_MAX);
    }
    bench.restart();
    assert!(many.iter().all(|spot| bench.taken(*spot) == Some(NOW)));
}

/// The first bucket that a step at a time keeps.
fn kept_from(now: Timestamp) -> Option<u64> {
    let commit = Bench { now, ..Bench::new() }.take(&[]);
    commit.writes.iter().find_map(|write| {
        let Write::ForgetSeen { before } = write else { return None };
        Some(*before)
    })
}

proptest! {
    /// The oldest id that anybody still looks at is that of a message that had lived its time, whose sender's
    /// clock was late, and whose receipt waited as long as receipts may.
    #[test]
    fn nothing_is_forgotten_that_may_still_be_asked_about(
        now in 1_700_000_000_000_i64..1_900_000_000_000,
        later in prop_oneof![Just(0_u64), 0..10_000_000_000_u64],
    ) {
        let now = Timestamp::from_millis(now);
        let before = kept_from(now).unwrap();
        let asked = now.after(Duration::from_millis(later));
        let oldest = asked.before(MESSAGE_TTL_MAX + RECEIPT_AGE_MAX + CLOCK_SKEW_MAX);
        prop_assert!(spot(oldest, 1).bucket >= before);
        let useless = now.before(MESSAGE_TTL_MAX + RECEIPT_AGE_MAX + CLOCK_SKEW_MAX * 3);
        prop_assert!(spot(useless, 1).bucket < before, "old buckets are forgotten");
    }
}

#[test]
fn old_buckets_go_from_memory_and_disk_once_an_hour() {
    let mut bench = Bench::new();
    bench.take(&[spot(NOW, 1)]);
    let end = NOW.after(MESSAGE_TTL_MAX + RECEIPT_AGE_MAX).after(CLOCK_SKEW_MAX * 3);
    bench.now = end.before(Duration::from_secs(3000));
    let kept = bench.take(&[spot(bench.now, 2)]);
    assert!(kept.writes.iter().any(|write| matches!(write, Write::ForgetSeen { .. })));
    assert_eq!((bench.disk.seen.len(), bench.seen.buckets.numbers().len()), (2, 2));
    bench.now = end;
    let quiet = bench.take(&[]);
    assert_eq!(quiet.writes, [], "not again within the hour");
    bench.now = end.after(Duration::from_secs(601));
    bench.take(&[]);
    let in_memory = (bench.seen.buckets.numbers().len(), bench.seen.buckets.marks());
    assert_eq!((bench.disk.seen.len(), in_memory), (1, (1, 1)));
}
