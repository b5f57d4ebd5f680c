//! Worlds of many seeds hold, and a seed is all that a world depends on.

use kuriiri_sim::World;

/// Seeds that are always run. More: `cargo run -p kuriiri-sim -- --seed N`.
const SEEDS: u64 = 50;

#[test]
fn every_world_holds() {
    let (mut confirmed, mut starts) = (0, 0);
    for seed in 1..=SEEDS {
        let mut world = World::new(seed).unwrap();
        match world.run() {
            Ok(report) => {
                confirmed += report.confirmed as u64;
                starts += report.starts;
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
    // A world in which nothing happens would hold too.
    assert!(confirmed > SEEDS * 100, "{confirmed} messages were confirmed");
    assert!(starts > SEEDS * 5, "{starts} times a relay started");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| World::new(seed).unwrap().run().unwrap();
    let (one, again, other) = (run(7), run(7), run(8));
    assert_eq!(one, again);
    assert_ne!(one.log, other.log);
}
