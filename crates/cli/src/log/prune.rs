//! Entries leave a relay's log when the time is over for which they are kept.

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    person::OnBasis,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    by: OnBasis,
}

pub(super) async fn run(args: &Args, output: Output) -> Outcome {
    let person = args.by.connect().await?;
    let pruned = person.prune(&args.by.basis).await;
    person.close().await;
    let pruned = pruned.map_err(|error| Failure::new(error.code(), error))?;
    let object = serde_json::json!({
        "event": "pruned", "first": pruned.first, "entries": pruned.count, "basis": args.by.basis,
    });
    output.data(&object, || {
        let (count, first) = (pruned.count, pruned.first);
        format!("{count} entries have left the log, which begins with entry {first} now")
    });
    Ok(DONE)
}
