//! `kuriiri-fuzz`: has parsers read damaged inputs, as many as one likes.
//!
//! It knows nothing of coverage; a fuzzer that does takes up the same parsers and the same inputs, see the README
//! beside it. What it finds it keeps in a file, to be given to the parser again.

#![allow(clippy::print_stdout, reason = "it is a program for whoever runs it")]

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser as _;
use kuriiri_damage::any_damage;
use kuriiri_fuzz::{Parser, parsers, seeds};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Inputs that are kept of one parser: the others say the same.
const KEPT_MAX: u64 = 5;

/// Have parsers read damaged inputs, and see whether one of them panics or takes long.
#[derive(Debug, clap::Parser)]
struct Args {
    /// The parsers; all without any.
    names: Vec<String>,
    /// Inputs for each.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// What the inputs follow from: the same number gives the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Read this one input instead.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where inputs go that a parser could not bear.
    #[arg(long, value_name = "FOLDER", default_value = "crashes")]
    crashes: PathBuf,
    /// The longest that one input may take; more is a fault.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    longest: u64,
}

/// What became of a parser's inputs.
#[derive(Default)]
struct Outcome {
    slowest: Duration,
    bytes: usize,
    faults: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let unknown = args.names.iter().find(|name| !parsers().any(|parser| parser.name == **name));
    if let Some(unknown) = unknown {
        anyhow::bail!("there is no parser {unknown}");
    }
    let wanted = |parser: &&Parser| {
        args.names.is_empty() || args.names.iter().any(|name| parser.name == name)
    };
    if args.input.is_none() {
        // What it is about is told of an input that is read alone.
        panic::set_hook(Box::new(|_| {}));
    }
    let mut faults = 0;
    for parser in parsers().filter(wanted) {
        if let Some(input) = &args.input {
            let input = fs::read(input).with_context(|| input.display().to_string())?;
            println!("{:<18} takes it: {}", parser.name, (parser.read)(&input));
            continue;
        }
        let begun = Instant::now();
        let outcome = attack(parser, &args)?;
        faults += outcome.faults;
        println!(
            "{:<18} {} inputs in {:.1} s, longest of {} bytes, slowest {:.1} ms, {} faults",
            parser.name,
            args.runs,
            begun.elapsed().as_secs_f64(),
            outcome.bytes,
            outcome.slowest.as_secs_f64() * 1000.0,
            outcome.faults,
        );
    }
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn attack(parser: &Parser, args: &Args) -> anyhow::Result<Outcome> {
    let seeds = seeds(parser)?;
    let mut runner = runner(args.seed, parser.name);
    let index = proptest::num::usize::ANY;
    let strategy = (index, index, any_damage());
    let longest = Duration::from_millis(args.longest);
    let mut outcome = Outcome::default();
    for run in 0..args.runs {
        let (one, other, damage) = drawn(&strategy, &mut runner)?;
        let seed = |at: usize| seeds.get(at % seeds.len()).map_or(&[][..], Vec::as_slice);
        let input = match run % 4 {
            3 => damage.applied_to(&spliced(seed(one), seed(other), one ^ other)),
            _ => damage.applied_to(seed(one)),
        };
        let begun = Instant::now();
        let read = panic::catch_unwind(AssertUnwindSafe(|| (parser.read)(&input)));
        let took = begun.elapsed();
        outcome.slowest = outcome.slowest.max(took);
        outcome.bytes = outcome.bytes.max(input.len());
        if read.is_err() || took > longest {
            outcome.faults += 1;
            if outcome.faults <= KEPT_MAX {
                keep(&args.crashes, parser, run, &input)?;
            }
        }
    }
    Ok(outcome)
}

/// The beginning of one input and the end of another.
fn spliced(one: &[u8], other: &[u8], at: usize) -> Vec<u8> {
    let (first, _) = one.split_at(at % one.len().saturating_add(1));
    let (_, last) = other.split_at((at >> 16) % other.len().saturating_add(1));
    [first, last].concat()
}

fn drawn<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> anyhow::Result<S::Value> {
    let tree = strategy.new_tree(runner).map_err(|reason| anyhow::anyhow!("{reason}"))?;
    Ok(tree.current())
}

fn runner(seed: u64, name: &str) -> TestRunner {
    let mut bytes = [0; 32];
    let named = seed.to_le_bytes().into_iter().chain(name.bytes());
    bytes.iter_mut().zip(named).for_each(|(to, from)| *to = from);
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn keep(folder: &Path, parser: &Parser, run: u64, input: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(format!("{}-{run}", parser.name));
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, input))?;
    println!("{:<18} fault; read it again with --input {}", parser.name, path.display());
    Ok(())
}
