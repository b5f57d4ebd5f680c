//! `kuriiri policy check`: everything that can be said of a folder of policy files.

use std::path::PathBuf;

use kuriiri_policy::{Finding, TrialResult};
use kuriiri_types::Timestamp;
use serde::Serialize;

use super::{
    folder::{File, Files},
    test,
};
use crate::{
    exit::{DONE, Outcome, REFUSED},
    output::{Output, OutputError},
};

/// Read all files of a folder, fit them together, look for what is odd, run the tests in them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder, with catalogues, federation, rules and translations.
    dir: PathBuf,
}

#[derive(Serialize)]
struct FileLine<'a> {
    event: &'static str,
    file: &'a str,
    kind: &'static str,
    serial: u64,
    issued: Option<String>,
    expires: Option<String>,
    signed: bool,
}

#[derive(Serialize)]
struct FindingLine {
    event: &'static str,
    serious: bool,
    text: String,
}

#[derive(Serialize)]
struct Summary {
    event: &'static str,
    ok: bool,
    files: usize,
    serious: usize,
    odd: usize,
    tests: usize,
    failed: usize,
}

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    let files = Files::read(&args.dir)?;
    for file in &files.0 {
        show_file(file, output)?;
    }
    let policy = files.policy()?;
    let findings = policy.findings();
    let serious = findings.iter().filter(|finding| finding.is_serious()).count();
    findings.iter().try_for_each(|finding| show_finding(finding, output))?;
    let report = policy.run_tests();
    let failed: Vec<&TrialResult> = report.not_held().collect();
    failed.iter().try_for_each(|result| test::show(result, output))?;
    let summary = Summary {
        event: "checked",
        ok: serious == 0 && failed.is_empty(),
        files: files.0.len(),
        serious,
        odd: findings.len() - serious,
        tests: report.results.len(),
        failed: failed.len(),
    };
    output.data(&summary, || text(&summary))?;
    Ok(if summary.ok { DONE } else { REFUSED })
}

fn show_file(file: &File, output: Output) -> Result<(), crate::exit::Failure> {
    let about = file.about()?;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let line = FileLine {
        event: "file",
        file: &file.name,
        kind: file.kind.as_str(),
        serial: about.serial,
        issued: time(about.issued),
        expires: time(about.expires),
        signed: file.signatures.is_some(),
    };
    output.data(&line, || {
        let expires = line.expires.as_ref().map_or(String::new(), |at| format!(", until {at}"));
        let signed = if line.signed { "signed" } else { "not signed" };
        format!("{}: {}, serial {}{expires}, {signed}", line.file, file.kind.title(), line.serial)
    })?;
    Ok(())
}

fn show_finding(finding: &Finding, output: Output) -> Result<(), OutputError> {
    let line =
        FindingLine { event: "finding", serious: finding.is_serious(), text: finding.to_string() };
    output.data(&line, || format!("{}: {}", if line.serious { "wrong" } else { "odd" }, line.text))
}

fn text(summary: &Summary) -> String {
    let Summary { ok, files, serious, odd, tests, failed, .. } = summary;
    let word = if *ok { "good" } else { "NOT good" };
    format!(
        "{files} files, {serious} wrong, {odd} odd, {tests} tests in them, {failed} failed: {word}"
    )
}
