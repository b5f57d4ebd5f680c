//! Headers leave a relay's log when the time is over for which they are kept.

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
    let person = args.by.connect(output).await?;
    let pruned = person.prune(&args.by.basis).await;
    person.close().await;
    let headers = pruned.map_err(|error| Failure::new(error.code(), error))?;
    let object = serde_json::json!({
        "event": "pruned", "headers": headers, "basis": args.by.basis,
    });
    output.data(&object, || {
        format!("{headers} headers have left the log; every entry and proof remains")
    })?;
    Ok(DONE)
}
