//! `kuriiri aside`: messages that nobody could accept or hand on.

use std::path::PathBuf;

use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use kuriiri_client::{AsideDeed, AsideMessage, AsideQueue};
use kuriiri_types::MessageId;

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
    output::{Output, line},
    person::connect,
};

/// See messages that nobody could accept or hand on, and have them tried again or refused.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what is set aside, and why.
    List(ListArgs),
    /// Put messages back at the end of the queue that they were taken out of, once the cause is mended.
    Retry(ActArgs),
    /// End messages: their senders get a receipt that says refused, with the code for which they were set aside.
    Refuse(ActArgs),
}

/// List what is set aside, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The folder of an officer or operator of the ministry.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
}

/// Which messages.
#[derive(Debug, clap::Args)]
pub(crate) struct ActArgs {
    /// The folder of an officer or operator of the ministry.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
    /// All that are set aside.
    #[arg(long, conflicts_with = "ids", required_unless_present = "ids")]
    all: bool,
    /// The messages; of each all copies.
    #[arg(value_name = "ID")]
    ids: Vec<MessageId>,
}

pub(crate) async fn run(command: &Command, output: Output) -> Outcome {
    match command {
        Command::List(args) => list(args, output).await,
        Command::Retry(args) => act(args, AsideDeed::Retry, output).await,
        Command::Refuse(args) => act(args, AsideDeed::Refuse, output).await,
    }
}

async fn list(args: &ListArgs, output: Output) -> Outcome {
    let person = connect(&args.folder, output).await?;
    let asides = person.asides().await.map_err(|error| Failure::new(error.code(), error));
    person.close().await;
    let asides = asides?;
    if output.is_json() {
        for message in &asides {
            output.data(&object(message), String::new)?;
        }
    } else if asides.is_empty() {
        output.text("nothing is set aside")?;
    } else {
        output.text(&table(&asides))?;
        output.note(
            "mend the cause, then: kuriiri aside retry --as DIR ID, or: kuriiri aside refuse",
        );
    }
    Ok(DONE)
}

async fn act(args: &ActArgs, deed: AsideDeed, output: Output) -> Outcome {
    let person = connect(&args.folder, output).await?;
    let ids: Vec<Option<MessageId>> =
        if args.all { vec![None] } else { args.ids.iter().copied().map(Some).collect() };
    let mut missing = false;
    let mut failed = None;
    for id in ids {
        match person.act_on_asides(id, deed).await {
            Ok(copies) => {
                missing |= copies == 0;
                tell(id, deed, copies, output)?;
            }
            Err(error) => {
                failed = Some(Failure::new(error.code(), error));
                break;
            }
        }
    }
    person.close().await;
    match failed {
        Some(failure) => Err(failure),
        None => Ok(if missing { REFUSED } else { DONE }),
    }
}

fn tell(
    id: Option<MessageId>,
    deed: AsideDeed,
    copies: u64,
    output: Output,
) -> Result<(), Failure> {
    let (event, done) = match deed {
        AsideDeed::Retry => ("retried", "back in the queue that it was taken out of"),
        AsideDeed::Refuse => ("refused", "refused, and its sender gets a receipt"),
    };
    let object = serde_json::json!({
        "event": event, "id": id.map(|id| id.to_string()), "copies": copies,
    });
    output.data(&object, || match (id, copies) {
        (Some(id), 0) => format!("{id} is not set aside here"),
        (None, 0) => "nothing is set aside".into(),
        (Some(id), 1) => format!("{id}: {done}"),
        (Some(id), copies) => format!("{id}, {copies} copies: {done}"),
        (None, copies) => format!("{copies} messages, each: {done}"),
    })?;
    Ok(())
}

fn object(message: &AsideMessage) -> serde_json::Value {
    let (queue, kind) = match &message.place.queue {
        AsideQueue::Mailbox(address) => (address.to_string(), "mailbox"),
        AsideQueue::Outbox(peer) => (peer.to_string(), "outbox"),
    };
    serde_json::json!({
        "event": "aside", "id": message.id.to_string(), "header": message.header.to_string(),
        "from": message.from.to_string(), "queue": queue, "queue_kind": kind,
        "size": message.size, "accepted": message.accepted.to_string(),
        "since": message.since.to_string(), "expires": message.expires.to_string(),
        "code": message.why.code.to_string(), "fault": message.why.code.fault().as_str(),
        "reasons": message.why.reasons, "advice": message.why.code.advice(),
    })
}

fn table(asides: &[AsideMessage]) -> String {
    let mut table = Table::new();
    let titles = ["message", "from", "taken out of", "since", "ends at", "why"];
    table.load_style(UTF8_BORDERS_ONLY).set_header(titles);
    for message in asides {
        let queue = match &message.place.queue {
            AsideQueue::Mailbox(address) => format!("mailbox {address}"),
            AsideQueue::Outbox(peer) => format!("outbox for {peer}"),
        };
        let code = message.why.code;
        let reason = message.why.reasons.first().map_or_else(|| code.title(), String::as_str);
        table.add_row([
            message.id.to_string(),
            message.from.to_string(),
            queue,
            message.since.to_string(),
            message.expires.to_string(),
            format!("{code} {} (fault: {})", line(reason), code.fault().as_str()),
        ]);
    }
    table.to_string()
}
