//! Runs one world and prints what happened in it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::process::ExitCode;

use kuriiri_sim::{Demand, Failure, Report, World};

const USAGE: &str = "usage: kuriiri-sim --seed N [--steps N] [--demand returns|start|same-step]";

/// What is asked for.
struct Wish {
    seed: u64,
    /// How many things happen in the storm.
    steps: u64,
    demand: Option<Demand>,
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
    if let Some(demand) = wish.demand {
        world = world.demanding(demand);
    }
    let outcome = world.run();
    world.lines().for_each(|line| println!("{line}"));
    println!("log digest {}", world.digest());
    outcome
}

fn arguments() -> Option<Wish> {
    let (mut seed, mut steps, mut demand) = (None, u64::MAX, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--seed" => seed = Some(value.parse().ok()?),
            "--steps" => steps = value.parse().ok()?,
            "--demand" => demand = Some(demanded(&value)?),
            _ => return None,
        }
    }
    seed.map(|seed| Wish { seed, steps, demand })
}

fn demanded(name: &str) -> Option<Demand> {
    match name {
        "returns" => Some(Demand::ReviewsWhatComesBack),
        "start" => Some(Demand::ReviewsAtStart),
        "same-step" => Some(Demand::ReviewsWhatJustCame),
        _ => None,
    }
}
