//! `kuriiri erase`: a body goes because the law asks for it; everything that was proved stands.

use kuriiri_types::MessageId;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    person::OnBasis,
};

/// Erase salt and body of a message that still waits at the relay
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    by: OnBasis,
    /// The message.
    id: MessageId,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let person = args.by.connect().await?;
    let erased = person.erase(args.id, &args.by.basis).await;
    person.close().await;
    let copies = erased.map_err(|error| Failure::new(error.code(), error))?;
    let object = serde_json::json!({
        "event": "erased", "id": args.id.to_string(), "basis": args.by.basis, "copies": copies,
    });
    output.data(&object, || match copies {
        0 => format!("no body of {} is held here; the order is in the log", args.id),
        1 => format!("erased 1 copy of {}; the order is in the log", args.id),
        copies => format!("erased {copies} copies of {}; the order is in the log", args.id),
    });
    Ok(DONE)
}
