//! `kuriiri-verify log`.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Args;
use kuriiri_verify::{
    AuditOptions, Contents, Known, LogFolder, LogReport, audit, fates_of, log_page, printable,
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::evidence::Trust;
use crate::output::{Output, findings_json, findings_text, verdict};

/// What to check, and against what.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The folder of the log (C2SP tlog-tiles).
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// An earlier checkpoint of this log, or a folder of them.
    #[arg(long, value_name = "CHECKPOINT")]
    since: Vec<PathBuf>,
    /// The folder of another ministry's log, which holds checkpoints of this one.
    #[arg(long, value_name = "DIR")]
    witness_log: Vec<PathBuf>,
    /// A folder with signed files that the log may lack.
    #[arg(long, value_name = "FOLDER")]
    replay: Option<PathBuf>,
    /// Certificates (PEM) of those who may sign the files of the federation. May be given several times.
    #[arg(long, value_name = "PEM")]
    stewards: Vec<PathBuf>,
    /// Write the report as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn log(args: &LogArgs, output: Output) -> anyhow::Result<u8> {
    let mut anchors = args.trust.read()?;
    for file in &args.stewards {
        anchors = anchors.with_stewards(file)?;
    }
    let folder = LogFolder::open(&args.folder)?;
    let mut known = Known::new();
    for since in &args.since {
        known.add_file(since, &folder.checkpoint().origin, &anchors.trust)?;
    }
    for witness in &args.witness_log {
        known.add_log(&LogFolder::open(witness)?, &folder.checkpoint().origin)?;
    }
    let replay = args.replay.as_deref().map(Contents::of_folder).transpose()?;
    let options = AuditOptions { known, replay: replay.unwrap_or_default() };
    let bar = output.progress(folder.size());
    let report = audit(&folder, &anchors, options, |read| bar.set_position(read));
    bar.finish_and_clear();
    let what = format!("{}, {} entries", report.origin, report.size);
    let verdict = verdict(&what, &report.findings);
    if let Some(file) = &args.html {
        let page = log_page(&report, &verdict);
        fs::write(file, page).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let object = json!({
        "log": &report,
        "found": findings_json(&report.findings),
        "timeline": &report.timeline,
        "revocation": "not in a log, not checked",
        "seconds": report.took.as_secs_f64(),
        "exit": report.findings.exit(),
    });
    output.data(&object, || text(&report, &verdict));
    Ok(report.findings.exit())
}

/// How long ago it was that somebody vouched for the log: what came later nobody has vouched for yet, and an
/// old copy has an old one.
fn age(now: SystemTime, then: SystemTime) -> String {
    let Ok(age) = now.duration_since(then) else {
        return "which is yet to come by this clock".into();
    };
    let hours = age.as_secs() / 3600;
    match (hours / 24, hours) {
        (0, 0) => "less than an hour ago".into(),
        (0, hours) => format!("{hours} hours ago"),
        (days, _) => format!("{days} days ago"),
    }
}

fn text(report: &LogReport, verdict: &str) -> String {
    let origin = printable(&report.origin);
    let mut text = format!("{origin}: {} entries, root {}\n", report.size, report.root);
    if let Some((first, last)) = report.period {
        text.push_str(&format!("  from {first} to {last}\n"));
    }
    if report.gone.any() {
        text.push_str(&format!("  {}\n", report.gone));
    }
    if report.cosigned.is_empty() {
        text.push_str("  cosigned by nobody\n");
    }
    for (witness, time) in &report.cosigned {
        let at = UNIX_EPOCH + Duration::from_secs(*time);
        #[expect(clippy::disallowed_methods, reason = "a program says how old something is now")]
        let (time, age) = (OffsetDateTime::from(at), age(SystemTime::now(), at));
        let time = time.format(&Rfc3339).unwrap_or_default();
        text.push_str(&format!("  cosigned by {} at {time}, {age}\n", printable(witness)));
    }
    text.push_str(&format!("  authorities {}\n", report.authorities));
    text.push_str("  revocation of certificates is not in a log and was not looked at\n\n");
    text.push_str(&findings_text(&report.findings));
    text.push('\n');
    if report.read < report.size {
        let (read, size) = (report.read, report.size);
        text.push_str(&format!("  of the {read} entries that could be read, of {size}:\n"));
    }
    for (name, number) in fates_of(&report.fates) {
        text.push_str(&format!("  {number:>10}  {name}\n"));
    }
    let (rate, seconds) = (report.rate(), report.took.as_secs_f64());
    text.push_str(&format!("\n  {rate:.0} entries/s, {seconds:.2} s\n{verdict}"));
    text
}
