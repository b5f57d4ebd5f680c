//! The evidence of one message.

use std::{fs, path::PathBuf};

use anyhow::Context;
use kuriiri_types::MessageId;
use kuriiri_verify::bundle_of;

use super::folder::{failed, open_all};
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{settle, unwritten},
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message.
    id: MessageId,
    /// Folders of logs, or of their relays: one's own, and others' that are at hand.
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Salt and body as a file, if they are still held.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Where to; `<id>.bundle` unless said otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let logs = open_all(&args.logs)?;
    let body = args.body.as_ref().map(|file| {
        fs::read(file).with_context(|| file.display().to_string()).map_err(Failure::usage)
    });
    let body = body.transpose()?.map(Into::into);
    let bundle = bundle_of(args.id, &logs.iter().collect::<Vec<_>>(), body).map_err(failed)?;
    let out = args.out.clone().unwrap_or_else(|| format!("{}.bundle", args.id).into());
    bundle.write(&out).map_err(failed)?;
    settle(&out).map_err(|error| unwritten(&out, error))?;
    let entries: usize = bundle.logs.iter().map(|log| log.entries.len()).sum();
    let object = serde_json::json!({
        "event": "bundle", "id": args.id.to_string(), "file": out,
        "logs": bundle.logs.iter().map(|log| &log.origin).collect::<Vec<_>>(), "entries": entries,
    });
    output.data(&object, || {
        format!("{} has {entries} entries of {} logs", out.display(), bundle.logs.len())
    })?;
    Ok(DONE)
}
