//! Proofs of what a log says of one message.

use std::{fs, path::PathBuf};

use kuriiri_types::{Code, MessageId};
use kuriiri_verify::{find, prove};

use super::folder::{failed, open};
use crate::{
    exit::{DONE, Failure, Outcome},
    files::{PUBLIC, replace, unwritten},
    output::Output,
};

/// What the log itself states of a message, rather than keeps for its auditors.
const RECEIPTS: [&str; 6] =
    ["ACCEPTED", "RECEIVED", "DELIVERED", "REFUSED", "EXPIRED", "SET_ASIDE"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message.
    id: MessageId,
    /// The folder of the log, or of its relay.
    #[arg(value_name = "LOG")]
    folder: PathBuf,
    /// The folder for the proofs; the current one unless said otherwise.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, output: Output) -> Outcome {
    let log = open(&args.folder)?;
    let found = find(&log, args.id).map_err(failed)?;
    if found.is_empty() {
        let what = anyhow::anyhow!("the log does not speak of {}", args.id);
        return Err(Failure::new(Code::LOG_FOLDER, what));
    }
    fs::create_dir_all(&args.out).map_err(|error| unwritten(&args.out, error))?;
    for told in found.iter().filter(|told| RECEIPTS.contains(&told.kind)) {
        let name = format!("{}-{}-{}.tlog-proof", args.id, told.index, told.kind.to_lowercase());
        let file = args.out.join(name);
        let proof = prove(&log, told.index).map_err(failed)?;
        replace(&file, proof.as_ref(), PUBLIC).map_err(|error| unwritten(&file, error))?;
        let object = serde_json::json!({ "event": "proof", "entry": told, "file": file });
        output.data(&object, || format!("{}  {}", file.display(), told.what))?;
    }
    Ok(DONE)
}
