//! `kuriiri-verify reconcile`.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use kuriiri_types::Timestamp;
use kuriiri_verify::{
    LogFolder, ReconcileOptions, ReconcileReport, printable, reconcile as compare, reconcile_page,
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::evidence::Trust;
use crate::output::{Output, findings_json, findings_text, verdict};

/// Two logs.
#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// The folder of one ministry's log.
    #[arg(value_name = "DIR_A")]
    one: PathBuf,
    /// The folder of the other's.
    #[arg(value_name = "DIR_B")]
    other: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Only what happened from this time on, such as 2026-11-18T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Only what happened up to this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Minutes after which a message of which nothing was heard has stalled.
    #[arg(long, value_name = "MINUTES", default_value_t = 24 * 60)]
    deadline: u64,
    /// Minutes after which a message was late.
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    late: u64,
    /// A folder for evidence, one file for each finding.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Write the report as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    let millis = i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000);
    millis.map(Timestamp::from_millis).map_err(|error| error.to_string())
}

pub(crate) fn reconcile(args: &ReconcileArgs, output: Output) -> anyhow::Result<u8> {
    let anchors = args.trust.read()?;
    let (one, other) = (LogFolder::open(&args.one)?, LogFolder::open(&args.other)?);
    let options = ReconcileOptions {
        from: args.from,
        to: args.to,
        deadline: Duration::from_secs(args.deadline.saturating_mul(60)),
        late: Duration::from_secs(args.late.saturating_mul(60)),
        evidence: args.evidence.clone(),
    };
    let bar = output.progress(one.size().saturating_add(other.size()));
    let report = compare([&one, &other], &anchors, &options, |read| bar.set_position(read));
    bar.finish_and_clear();
    let names: Vec<&str> = report.sides.iter().map(|side| side.origin.as_str()).collect();
    let verdict = verdict(&names.join(" and "), &report.findings);
    if let Some(file) = &args.html {
        let page = reconcile_page(&report, &verdict);
        fs::write(file, page).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let exit = report.findings.exit();
    let object =
        json!({ "reconcile": &report, "found": findings_json(&report.findings), "exit": exit });
    output.data(&object, || text(&report, &verdict));
    Ok(exit)
}

fn text(report: &ReconcileReport, verdict: &str) -> String {
    let mut text = String::new();
    for side in &report.sides {
        text.push_str(&format!("{}: {} entries\n", printable(&side.origin), side.size));
    }
    let minutes = report.minutes;
    text.push_str(&format!("  {} of {} minutes agree\n", minutes.agreed, minutes.compared));
    let (agreed, with_heads) = (minutes.agreed_by_heads, minutes.with_heads);
    text.push_str(&format!("  {agreed} of {with_heads} with sums in both logs agree by these\n"));
    text.push_str(&format!("  {} were looked at entry by entry\n", minutes.by_entries));
    text.push('\n');
    for (row, count) in &report.rows {
        let name = serde_json::to_value(row).unwrap_or_default();
        text.push_str(&format!("  {count:>10}  {}\n", name.as_str().unwrap_or_default()));
    }
    text.push('\n');
    text.push_str(&findings_text(&report.findings));
    text.push_str(&format!("\n{verdict}"));
    text
}
