//! `kuriiri trace`: the way of one message, as the logs of the relays on it tell it.

use std::path::PathBuf;

use kuriiri_types::{Code, MessageId};
use kuriiri_verify::{Told, find};
use serde::Serialize;

use crate::{
    exit::{DONE, Failure, Outcome},
    log::{failed, open_all},
    output::{Output, line},
};

/// Tell the way of one message: each hop, decision and receipt, with times
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message.
    id: MessageId,
    /// Folders of logs, or of their relays: one's own, and others' that are at hand.
    #[arg(required = true)]
    logs: Vec<PathBuf>,
}

/// An entry of one of the logs.
#[derive(Serialize)]
struct Step {
    event: &'static str,
    log: String,
    #[serde(flatten)]
    told: Told,
}

pub(crate) fn run(args: &Args, output: Output) -> Outcome {
    let mut steps = Vec::new();
    for log in open_all(&args.logs)? {
        let origin = log.checkpoint().origin.clone();
        let found = find(&log, args.id).map_err(failed)?.into_iter();
        steps.extend(found.map(|told| Step { event: "step", log: origin.clone(), told }));
    }
    if steps.is_empty() {
        let what = anyhow::anyhow!("none of these logs speaks of {}", args.id);
        return Err(Failure::new(Code::LOG_FOLDER, what));
    }
    steps.sort_by_key(|step| step.told.at);
    for step in &steps {
        let Step { log, told, .. } = step;
        output.data(step, || {
            let what = line(&told.what);
            format!("{}  {log} #{:<8} {:<14} {what}", told.at, told.index, told.kind)
        })?;
    }
    Ok(DONE)
}
