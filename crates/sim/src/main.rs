//! Runs one world and prints what happened in it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::process::ExitCode;

use kuriiri_sim::{Failure, Report, World};

const USAGE: &str = "usage: kuriiri-sim --seed N [--steps N]";

fn main() -> ExitCode {
    let Some((seed, steps)) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(seed, steps) {
        Ok(report) => {
            println!("seed {seed} holds: {report:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("seed {seed} fails: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(seed: u64, steps: u64) -> Result<Report, Failure> {
    let mut world = World::new(seed)?.with(steps, usize::MAX);
    let outcome = world.run();
    world.lines().for_each(|line| println!("{line}"));
    println!("log digest {}", world.digest());
    outcome
}

/// The seed, and how many things happen in the storm.
fn arguments() -> Option<(u64, u64)> {
    let (mut seed, mut steps) = (None, u64::MAX);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seed" => seed = Some(value),
            "--steps" => steps = value,
            _ => return None,
        }
    }
    seed.map(|seed| (seed, steps))
}
