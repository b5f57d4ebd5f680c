//! `kuriiri erase`: a body goes because the law asks for it, and its header if wanted; every proof remains.

use kuriiri_types::MessageId;

use crate::{
    exit::{DONE, Failure, Outcome},
    output::Output,
    person::OnBasis,
};

/// Erase salt and body of a message that still waits at the relay, and its header beside the log
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    by: OnBasis,
    /// Erase the header beside the log too; the log then tells of the message by digests only.
    #[arg(long)]
    header: bool,
    /// The message.
    id: MessageId,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let person = args.by.connect(output).await?;
    let erased = person.erase(args.id, &args.by.basis, args.header).await;
    person.close().await;
    let (copies, headers) = erased.map_err(|error| Failure::new(error.code(), error))?;
    let object = serde_json::json!({
        "event": "erased", "id": args.id.to_string(), "basis": args.by.basis, "copies": copies,
        "headers": headers,
    });
    output.data(&object, || {
        let mut said = match copies {
            0 => format!("no body of {} is held here", args.id),
            1 => format!("erased 1 copy of {}", args.id),
            copies => format!("erased {copies} copies of {}", args.id),
        };
        said += match headers {
            0 if args.header => "; no header of it stands beside the log",
            0 => "",
            _ => "; its header beside the log is erased",
        };
        format!("{said}; the order is in the log")
    })?;
    Ok(DONE)
}
