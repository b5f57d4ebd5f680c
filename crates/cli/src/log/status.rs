//! What a log says of itself.

use std::{collections::BTreeMap, path::PathBuf};

use kuriiri_verify::{Summary, summary};

use super::folder::{failed, open};
use crate::{
    exit::{DONE, Outcome},
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the log, or of its relay.
    #[arg(value_name = "LOG")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let summary = summary(&open(&args.folder)?).map_err(failed)?;
    output.data(&summary, || text(&summary))?;
    Ok(DONE)
}

fn text(summary: &Summary) -> String {
    let Summary { origin, size, root, period, signed_by, sent, received, kinds } = summary;
    let mut lines = vec![format!("{origin}: {size} entries, root {root}")];
    if let Some((first, last)) = period {
        lines.push(format!("  from {first} to {last}"));
    }
    lines.push(format!("  signed by {}", signed_by.join(", ")));
    lines.extend(counts("messages to", sent));
    lines.extend(counts("messages from", received));
    lines.extend(kinds.iter().map(|(kind, count)| format!("  {count:>10}  {kind}")));
    lines.join("\n")
}

fn counts(what: &str, peers: &BTreeMap<String, u64>) -> Vec<String> {
    peers.iter().map(|(peer, count)| format!("  {count:>10}  {what} {peer}")).collect()
}
