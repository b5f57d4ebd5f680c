//! `kuriiri provoke`: behaves badly towards a relay, and says whether it bore that as a right relay does.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kuriiri_provoke::{Case, Given, Labels, Partner, ProvokeError, Report, Verdict, cases, chosen};
use kuriiri_types::{Address, Ministry, WireLabel};
use tokio::sync::mpsc;

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::{Output, OutputError, line},
};

/// Behave badly towards a relay of a federation that exists for it, and see whether it does what a right relay does
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the relay listens, as host:port.
    #[arg(required_unless_present = "list", value_name = "HOST:PORT")]
    relay: Option<String>,
    /// The folder of a member that has a link with it, with its `relay.toml` and keys. Its own relay must not run.
    #[arg(long = "as", required_unless_present = "list", value_name = "DIR")]
    member: Option<PathBuf>,
    /// Only these cases.
    #[arg(long = "case", value_name = "N", value_delimiter = ',')]
    cases: Vec<u16>,
    /// List all cases, what each demands and what it needs, and run none.
    #[arg(long)]
    list: bool,
    /// Whose relay it is, if the federation file has another address for it.
    #[arg(long, value_name = "MINISTRY")]
    ministry: Option<Ministry>,
    /// The folder of a system of the member; otherwise the first in its `systems`.
    #[arg(long, value_name = "DIR")]
    system: Option<PathBuf>,
    /// A mailbox of the relay; otherwise the one that is called as the system's.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Certificates of the member whose time is over; otherwise `misfits/expired` in its folder, if it is there.
    #[arg(long, value_name = "DIR")]
    expired: Option<PathBuf>,
    /// Certificates of the member that are revoked; otherwise `misfits/revoked` in its folder, if it is there.
    #[arg(long, value_name = "DIR")]
    revoked: Option<PathBuf>,
    /// The folder of a member that has no link with the relay.
    #[arg(long, value_name = "DIR")]
    stranger: Option<PathBuf>,
    /// The folder of a system of the relay's own ministry, to send messages through it.
    #[arg(long, value_name = "DIR")]
    theirs: Option<PathBuf>,
    /// A label that may go from the member to the relay unsealed.
    #[arg(long, default_value = "FI JULK")]
    label: WireLabel,
    /// A label that may go sealed alone, and that nobody has to release.
    #[arg(long, default_value = "FI TL4", value_name = "LABEL")]
    sealed_label: WireLabel,
    /// A label that may not go.
    #[arg(long, default_value = "FI TL1 REL{PLM,SM}", value_name = "LABEL")]
    forbidden_label: WireLabel,
}

/// Reports that wait to be printed.
const REPORTS_MAX: usize = 16;

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let picked = chosen(&args.cases).map_err(not_run)?;
    if args.list {
        picked.iter().try_for_each(|case| list(case, output))?;
        return Ok(DONE);
    }
    let given = given(args)?;
    let partner = Arc::new(Partner::load(&given).await.map_err(not_run)?);
    output.note(&format!("{} of {} cases", picked.len(), cases().len()));
    let (tell, mut told) = mpsc::channel(REPORTS_MAX);
    let running = kuriiri_provoke::run(partner, &picked, tell);
    let printing = async move {
        let mut tally = Tally::default();
        while let Some(report) = told.recv().await {
            tally.count(&report.verdict);
            print(&report, output)?;
        }
        Ok::<_, OutputError>(tally)
    };
    let (ran, tally) = tokio::join!(running, printing);
    let tally = tally?;
    ran.map_err(not_run)?;
    tally.print(output)?;
    Ok(if tally.wrong == 0 { DONE } else { REFUSED })
}

/// The kit found nothing out about the relay.
fn not_run(error: ProvokeError) -> Failure {
    Failure::undone(error.code(), error)
}

fn given(args: &Args) -> Result<Given, Failure> {
    let (Some(relay), Some(member)) = (&args.relay, &args.member) else {
        return Err(Failure::usage("say which relay, and as whom"));
    };
    let misfits = |given: &Option<PathBuf>, name: &str| {
        let usual = member.join("misfits").join(name);
        given.clone().or_else(|| usual.is_dir().then_some(usual))
    };
    Ok(Given {
        relay: relay.clone(),
        ministry: args.ministry.clone(),
        system: args.system.clone().map_or_else(|| first_system(member), Ok)?,
        mailbox: args.to.clone(),
        expired: misfits(&args.expired, "expired"),
        revoked: misfits(&args.revoked, "revoked"),
        stranger: args.stranger.clone(),
        theirs: args.theirs.clone(),
        member: member.clone(),
        labels: Labels {
            open: args.label.clone(),
            sealed: args.sealed_label.clone(),
            forbidden: args.forbidden_label.clone(),
        },
    })
}

fn first_system(member: &Path) -> Result<PathBuf, Failure> {
    let folder = member.join("systems");
    let entries = fs::read_dir(&folder).into_iter().flatten();
    let found = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_system = |folder: &PathBuf| folder.join("system.toml").is_file();
    found.filter(is_system).min().ok_or_else(|| {
        Failure::usage(format!(
            "there is no system in {}; name one with --system",
            folder.display()
        ))
    })
}

fn list(case: &Case, output: Output) -> Result<(), OutputError> {
    let needs: Vec<_> = case.needs.iter().map(|need| need.as_str()).collect();
    let object = serde_json::json!({
        "event": "case", "number": case.number, "title": case.title, "demands": case.demands,
        "needs": needs, "waits": case.waits,
    });
    output.data(&object, || {
        let mut text =
            format!("{} {}\n    a right relay: {}", case.number, case.title, case.demands);
        if !needs.is_empty() {
            text += &format!("\n    needs: {}", needs.join(", "));
        }
        text
    })
}

fn print(report: &Report, output: Output) -> Result<(), OutputError> {
    let Report { case, verdict, took } = report;
    let object = serde_json::json!({
        "event": "case", "number": case.number, "title": case.title, "verdict": verdict.as_str(),
        "demands": case.demands, "saw": verdict.words(), "millis": took.as_millis(),
    });
    output.data(&object, || match verdict {
        Verdict::Right { .. } => format!("{} right    {}", case.number, case.title),
        Verdict::Wrong { saw } => format!(
            "{} WRONG    {}\n    a right relay: {}\n    this one:      {}",
            case.number,
            case.title,
            case.demands,
            line(saw)
        ),
        Verdict::Skipped { why } => {
            format!("{} skipped  {}: {}", case.number, case.title, line(why))
        }
    })
}

/// How many cases ended how.
#[derive(Default)]
struct Tally {
    right: usize,
    wrong: usize,
    skipped: usize,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Right { .. } => self.right += 1,
            Verdict::Wrong { .. } => self.wrong += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
        }
    }

    fn print(&self, output: Output) -> Result<(), OutputError> {
        let Self { right, wrong, skipped } = self;
        let object = serde_json::json!({
            "event": "summary", "right": right, "wrong": wrong, "skipped": skipped,
        });
        output.data(&object, || format!("{right} right, {wrong} wrong, {skipped} skipped"))
    }
}
