//! A part of a log, for auditors who are to see no more.

use std::path::{Path, PathBuf};

use kuriiri_types::{Ministry, Timestamp};
use kuriiri_verify::{LogFolder, Selection, export, summary};

use super::folder::{failed, open};
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{settle, unwritten},
    output::Output,
    person::connect,
    words,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the log, or of its relay.
    #[arg(value_name = "LOG")]
    folder: PathBuf,
    /// The new folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// From this time on, such as 2026-12-24T12:00:00Z.
    #[arg(long, value_name = "WHEN", value_parser = words::parse)]
    from: Option<Timestamp>,
    /// Up to and with this time.
    #[arg(long, value_name = "WHEN", value_parser = words::parse)]
    to: Option<Timestamp>,
    /// Only what concerns this peer: its domain, or the first part of it, such as `um`.
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// Have the relay's log say so first: the folder of the officer or operator who takes it out.
    #[arg(long = "as", value_name = "DIR", requires = "whom")]
    person: Option<PathBuf>,
    /// For whom, in words: the log keeps it.
    #[arg(long = "for", value_name = "TEXT", value_parser = words::line, requires = "person")]
    whom: Option<String>,
}

pub(super) async fn run(args: &Args, output: Output) -> Outcome {
    let log = open(&args.folder)?;
    let peer = args.peer.as_deref().map(|name| find_peer(&log, name)).transpose()?;
    let selection = Selection { from: args.from, to: args.to, peer };
    if let (Some(person), Some(whom)) = (&args.person, &args.whom) {
        note(person, &said(&selection, whom), output).await?;
    }
    let entries = export(&log, &selection, &args.out).map_err(failed)?;
    settle(&args.out).map_err(|error| unwritten(&args.out, error))?;
    let object = serde_json::json!({ "event": "export", "dir": args.out, "entries": entries });
    output.data(&object, || format!("{} has {entries} entries", args.out.display()))?;
    Ok(DONE)
}

/// What the log will say of it.
fn said(selection: &Selection, whom: &str) -> String {
    let Selection { from, to, peer } = selection;
    let mut words = vec!["entries".to_owned()];
    words.extend(peer.as_ref().map(|peer| format!("that concern {peer}")));
    words.extend(from.map(|from| format!("from {from}")));
    words.extend(to.map(|to| format!("to {to}")));
    words.push(format!("for {whom}"));
    words.join(" ")
}

async fn note(person: &Path, what: &str, output: Output) -> Result<(), Failure> {
    let person = connect(person, output).await?;
    let noted = person.note_export(what).await;
    person.close().await;
    noted.map_err(|error| Failure::new(error.code(), error))
}

/// The peer of this name among those that the log speaks of.
fn find_peer(log: &LogFolder, name: &str) -> Result<Ministry, Failure> {
    let summary = summary(log).map_err(failed)?;
    let mut known: Vec<String> =
        summary.sent.into_keys().chain(summary.received.into_keys()).collect();
    known.sort();
    known.dedup();
    let is_it = |peer: &&String| *peer == name || peer.split('.').next() == Some(name);
    let found: Vec<&String> = known.iter().filter(is_it).collect();
    match found.as_slice() {
        [peer] => peer.parse().map_err(Failure::usage),
        _ => {
            let known = known.join(", ");
            Err(Failure::usage(format!("`{name}` is not one peer of this log; it has {known}")))
        }
    }
}
