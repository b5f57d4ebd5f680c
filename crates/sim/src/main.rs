//! Runs one world and prints what happened in it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::process::ExitCode;

use kuriiri_sim::{Failure, Report, World};

const USAGE: &str = "usage: kuriiri-sim --seed N [--steps N]";

/// What is asked for.
struct Wish {
    seed: u64,
    /// How many things happen in the storm.
    steps: u64,
}

fn main() -> ExitCode {
    let Some(wish) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let seed = wish.seed;
    match run(&wish) {
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

fn run(wish: &Wish) -> Result<Report, Failure> {
    let mut world = World::new(wish.seed)?.with(wish.steps, usize::MAX);
    let outcome = world.run();
    world.lines().for_each(|line| println!("{line}"));
    println!("trace digest {}", world.digest());
    outcome
}

fn arguments() -> Option<Wish> {
    let (mut seed, mut steps) = (None, u64::MAX);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--seed" => seed = Some(value.parse().ok()?),
            "--steps" => steps = value.parse().ok()?,
            _ => return None,
        }
    }
    seed.map(|seed| Wish { seed, steps })
}
