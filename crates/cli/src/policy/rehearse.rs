//! `kuriiri policy rehearse`: past decisions, taken once more under new files.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use kuriiri_policy::{Record, Rehearsal, Rehearsed};
use kuriiri_types::Code;
use serde::Serialize;

use super::{folder::Files, in_force};
use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
};

/// Decisions that are asked of a relay: as many as one answer holds.
const DECISIONS: u32 = 4096;

/// Decide again on what passed of late, under new files, and tell what would come out otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with the new files.
    new: PathBuf,
    #[command(flatten)]
    past: Past,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Past {
    /// The last decisions of the relay of this officer or operator.
    #[arg(long = "as", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Recorded decisions, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    #[serde(flatten)]
    changed: &'a Rehearsed,
}

#[derive(Serialize)]
struct Summary {
    event: &'static str,
    decided: u64,
    changed: u64,
    wider: u64,
    foreign: u64,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let policy = Files::read(&args.new)?.policy()?;
    let records = match (&args.past.folder, &args.past.records) {
        (Some(folder), _) => in_force::decisions(folder, DECISIONS, output).await?,
        (None, Some(file)) => read(file)?,
        (None, None) => return Err(Failure::usage("say --as or --records")),
    };
    let rehearsal = policy.rehearse(records);
    for changed in &rehearsal.listed {
        output.data(&Line { event: "changed", changed }, || text(changed))?;
    }
    let Rehearsal { decided, changed, wider, foreign, .. } = rehearsal;
    let summary = Summary { event: "rehearsed", decided, changed, wider, foreign };
    output.data(&summary, || {
        format!("{decided} decisions, {changed} would come out otherwise, {wider} of them wider")
    })?;
    Ok(DONE)
}

fn read(file: &Path) -> Result<Vec<Record>, Failure> {
    let wrong =
        |error: anyhow::Error| Failure::new(Code::USAGE, error.context(file.display().to_string()));
    let lines = BufReader::new(File::open(file).map_err(|error| wrong(error.into()))?).lines();
    let record = |line: std::io::Result<String>| {
        let line = line.map_err(|error| wrong(error.into()))?;
        serde_json::from_str(&line).map_err(|error| wrong(error.into()))
    };
    lines.map(record).collect()
}

fn text(changed: &Rehearsed) -> String {
    let Rehearsed { id, at, label, .. } = changed;
    let codes = |codes: &[String]| match codes {
        [] => String::new(),
        codes => format!(" ({})", codes.join(", ")),
    };
    format!(
        "{id} at {at}, {label}, {} → {}: {}{} → {}{}",
        changed.from,
        changed.to,
        changed.then,
        codes(&changed.then_reasons),
        changed.now,
        codes(&changed.now_reasons.iter().map(|told| told.code.clone()).collect::<Vec<_>>()),
    )
}
