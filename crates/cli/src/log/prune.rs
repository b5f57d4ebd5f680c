//! Entries leave a relay's log when the time is over for which they are kept.

use std::path::PathBuf;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    person::connect,
    words,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of an officer or operator of the ministry.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// The legal basis, in words: the log keeps it.
    #[arg(long, value_name = "TEXT", value_parser = words::line)]
    basis: String,
}

pub(super) async fn run(args: &Args, output: Output) -> Outcome {
    let person = connect(&args.folder).await?;
    let pruned = person.prune(&args.basis).await;
    person.close().await;
    let pruned = pruned.map_err(|error| Failure::new(error.code(), error))?;
    let object = serde_json::json!({
        "event": "pruned", "first": pruned.first, "entries": pruned.count, "basis": args.basis,
    });
    output.data(&object, || {
        let (count, first) = (pruned.count, pruned.first);
        format!("{count} entries have left the log, which begins with entry {first} now")
    });
    Ok(DONE)
}
