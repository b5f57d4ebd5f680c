//! Worlds of many seeds hold, and a seed is all that a world depends on.

use std::ops::RangeInclusive;

use kuriiri_sim::World;

/// What worlds came to, together.
#[derive(Default)]
struct Sum {
    worlds: u64,
    confirmed: u64,
    starts: u64,
    held: u64,
    released: u64,
    erased: u64,
    pruned: u64,
    together: u64,
    parted: u64,
}

fn assert_hold(seeds: RangeInclusive<u64>) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds {
        let Ok(mut world) = World::new(seed) else { panic!("the example federation is made") };
        match world.run() {
            Ok(report) => {
                sum.worlds += 1;
                sum.confirmed += report.confirmed as u64;
                sum.starts += report.starts;
                sum.held += report.held as u64;
                sum.released += report.released as u64;
                sum.erased += report.erased as u64;
                sum.pruned += report.pruned;
                sum.together += report.together;
                sum.parted += report.parted;
            }
            Err(failure) => {
                let last: Vec<&str> = world.lines().collect();
                panic!(
                    "seed {seed} fails: {failure}\n\
                     replay: cargo run -p kuriiri-sim -- --seed {seed}\n\
                     the last that happened:\n{}",
                    last.join("\n")
                );
            }
        }
    }
    sum
}

/// A world in which nothing happens would hold too.
fn assert_is_eventful(sum: &Sum) {
    let Sum { worlds, confirmed, starts, held, released, erased, pruned, together, parted } = sum;
    assert!(*confirmed > worlds * 100, "{confirmed} messages were confirmed");
    assert!(*starts > worlds * 5, "{starts} times a relay started");
    assert!(*held > worlds * 20, "{held} messages waited");
    assert!(*released > worlds * 10, "{released} messages were released by officers");
    assert!(*erased > *worlds, "{erased} messages were erased");
    assert!(*pruned > worlds * 100, "{pruned} headers were pruned");
    assert!(*together > worlds * 20, "{together} times several were decided on at once");
    assert!(*parted > worlds * 20, "{parted} times a signed batch was taken apart");
}

// Fifty seeds that are always run, in two halves, one for each core. More:
// `cargo run -p kuriiri-sim -- --seed N`.

#[test]
fn every_world_holds() {
    assert_is_eventful(&assert_hold(1..=25));
}

#[test]
fn every_other_world_holds() {
    assert_is_eventful(&assert_hold(26..=50));
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| World::new(seed).unwrap().run().unwrap();
    let (one, again, other) = (run(7), run(7), run(8));
    assert_eq!(one, again);
    assert_ne!(one.trace, other.trace);
}
