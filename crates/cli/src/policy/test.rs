//! `kuriiri policy test`: whether a policy answers as a file of cases expects.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kuriiri_policy::{Tester, TrialOutcome, TrialReport, TrialResult, Trials};
use kuriiri_types::Code;
use serde::Serialize;

use super::source::Source;
use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::{Output, OutputError},
};

/// Put the cases of files to the policy of a folder or of a running relay. Exits with 0 only if
/// there are cases and all of them hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Also tell which rules and reasons no case touches.
    #[arg(long)]
    coverage: bool,
    /// Files of cases, TOML or JSON: the form of the label vectors, or `[[test]]` entries.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    #[serde(flatten)]
    result: &'a TrialResult,
}

#[derive(Serialize)]
struct Summary<'a> {
    event: &'static str,
    file: &'a Path,
    ok: bool,
    cases: usize,
    held: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    untouched_rules: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untouched_reasons: Option<Vec<&'a str>>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let sources = args.source.files(output).await?.sources()?;
    let tester = Tester::new(sources).map_err(|error| Failure::new(Code::POLICY_LINT, error))?;
    let mut exit = DONE;
    for file in &args.files {
        let report = tester.run(&read(file)?);
        report.not_held().try_for_each(|result| show(result, output))?;
        if !report.all_held() {
            exit = REFUSED;
        }
        sum_up(file, &report, args.coverage, output)?;
    }
    Ok(exit)
}

/// Reads cases: JSON where the name ends so, TOML otherwise.
fn read(file: &Path) -> Result<Trials, Failure> {
    let wrong = |error: anyhow::Error| {
        Failure::new(Code::POLICY_FILE, error.context(file.display().to_string()))
    };
    let text = fs::read_to_string(file).map_err(|error| wrong(error.into()))?;
    if file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        serde_json::from_str(&text).map_err(|error| wrong(error.into()))
    } else {
        toml::from_str(&text).map_err(|error| wrong(error.into()))
    }
}

/// Shows a case that does not hold: what was expected, and what came.
pub(crate) fn show(result: &TrialResult, output: Output) -> Result<(), OutputError> {
    output.data(&Line { event: "case", result }, || {
        let title =
            if result.title.is_empty() { String::new() } else { format!(" ({})", result.title) };
        let name = format!("{}{title}", result.name);
        match &result.outcome {
            TrialOutcome::Held => format!("held    {name}"),
            TrialOutcome::Broken { why } => format!("BROKEN  {name}\n  {why}"),
            TrialOutcome::Failed { differences, .. } => {
                let differences = differences.iter().map(|d| format!("\n  {d}"));
                format!("FAILED  {name}{}", differences.collect::<String>())
            }
        }
    })
}

fn sum_up(
    file: &Path,
    report: &TrialReport,
    coverage: bool,
    output: Output,
) -> Result<(), OutputError> {
    let cases = report.results.len();
    let summary = Summary {
        event: "tested",
        file,
        ok: report.all_held(),
        cases,
        held: cases - report.not_held().count(),
        untouched_rules: coverage.then(|| report.coverage.untouched_rules().collect()),
        untouched_reasons: coverage.then(|| report.coverage.untouched_reasons().collect()),
    };
    output.data(&summary, || {
        let mut text = format!("{}: {} of {} cases hold", file.display(), summary.held, cases);
        if cases == 0 {
            text += ", and none is no proof";
        }
        for (what, list) in
            [("rules", &summary.untouched_rules), ("reasons", &summary.untouched_reasons)]
        {
            if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
                text += &format!("\n  {what} that no case touches: {}", list.join(", "));
            }
        }
        text
    })
}
