//! A lane against a model of it: whatever happens to both, they hold the same.

mod bench;
mod model;

use std::ops::Range;

use kuriiri_types::limits::BODY_INLINE_BYTES_MAX;
use proptest::prelude::*;

use self::bench::Bench;

/// Bytes of items that are large and still need no file of their own.
const LARGE: Range<usize> = 14_000..BODY_INLINE_BYTES_MAX + 1;

/// What can happen to a lane.
#[derive(Debug, Clone)]
enum Op {
    /// Appends so many items of a size, each living so many minutes longer than the one before.
    Append {
        count: usize,
        size: usize,
        minutes: u64,
        step: u64,
    },
    /// Appends one item with a body in a file.
    AppendFile {
        minutes: u64,
    },
    Take(usize),
    /// Returns a taken item, by its place among them.
    PutBack(usize),
    /// Finishes some taken items, beginning with a place among them.
    Finish {
        from: usize,
        count: usize,
    },
    /// The end of a step, its commit not yet made durable.
    Settle,
    Commit,
    /// A loss of power, before or after the commit was durable.
    Restart {
        in_time: bool,
    },
    /// Time passes, and what has expired and is free ends.
    Expire {
        minutes: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![0..2000_usize, LARGE];
    prop_oneof![
        4 => (1..100_usize, size, 1..500_u64, 0..20_u64)
            .prop_map(|(count, size, minutes, step)| Op::Append { count, size, minutes, step }),
        1 => (1..500_u64).prop_map(|minutes| Op::AppendFile { minutes }),
        4 => (1..150_usize).prop_map(Op::Take),
        2 => any::<usize>().prop_map(Op::PutBack),
        3 => (any::<usize>(), 1..150_usize).prop_map(|(from, count)| Op::Finish { from, count }),
        1 => Just(Op::Settle),
        4 => Just(Op::Commit),
        1 => any::<bool>().prop_map(|in_time| Op::Restart { in_time }),
        1 => (1..200_u64).prop_map(|minutes| Op::Expire { minutes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_lane_holds_what_its_model_holds(ops in prop::collection::vec(op(), 1..60)) {
        let mut bench = Bench::new();
        ops.iter().for_each(|op| bench.run(op));
        bench.drain();
    }
}

#[test]
fn what_does_not_fit_in_memory_is_read_back_in_order() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.run(&Op::Append { count: 60, size: BODY_INLINE_BYTES_MAX, minutes: 500, step: 0 });
        bench.run(&Op::Commit);
    }
    assert!(bench.spilled && bench.lane.packs.len() < 200);
    bench.run(&Op::Take(1000));
    let taken = bench.model.taken_len();
    assert!((100..200).contains(&taken), "taken until memory is full: {taken}");
    bench.run(&Op::Take(1000));
    assert_eq!(bench.model.taken_len(), taken, "no more until something is finished");
    bench.run(&Op::Finish { from: 0, count: 50 });
    bench.run(&Op::Commit);
    bench.run(&Op::Take(1000));
    assert!(bench.model.taken_len() > taken - 5, "{}", bench.model.taken_len());
    bench.drain();
}

#[test]
fn a_note_of_expiry_that_a_restart_made_stale_goes_when_its_time_comes() {
    let mut bench = Bench::new();
    bench.run(&Op::Append { count: 2, size: 10, minutes: 10, step: 10 });
    bench.run(&Op::Commit);
    bench.run(&Op::Take(1));
    bench.run(&Op::Finish { from: 0, count: 1 });
    bench.run(&Op::Restart { in_time: true });
    bench.drain();
    assert_eq!(bench.disk.due.len(), 1, "the note of the item that was finished first");
    bench.run(&Op::Expire { minutes: 10 });
    assert_eq!(bench.disk.due.len(), 0);
}

#[test]
fn the_count_of_a_restored_lane_is_right_once_the_lane_was_read() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.run(&Op::Append { count: 10, size: 10, minutes: 10, step: 0 });
        bench.run(&Op::Commit);
    }
    bench.run(&Op::Take(30));
    bench.run(&Op::Finish { from: 10, count: 15 });
    bench.run(&Op::Restart { in_time: true });
    assert_eq!((bench.model.len(), bench.lane.waiting()), (15, 30), "one too many a finished one");
    bench.run(&Op::Take(30));
    assert_eq!(bench.lane.waiting(), 15);
    bench.drain();
    assert_eq!(bench.lane.waiting(), 0);
}
