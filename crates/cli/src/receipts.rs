//! `kuriiri receipts`: what a system keeps to prove what became of its messages.

mod folder;
mod refresh;

use std::path::PathBuf;

pub(crate) use folder::Proofs;
pub(crate) use refresh::{Which, refresh};

use crate::{
    exit::{DONE, Outcome, REFUSED},
    output::Output,
    system::As,
};

/// Look after kept receipts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Refresh(Refresh),
}

/// Give kept receipts newer proofs, which witnesses have cosigned.
///
/// A receipt comes at once, before anybody but the log itself has signed its checkpoint, and
/// `kuriiri-verify receipt` says so. Some seconds later witnesses have. A file is replaced when more have
/// cosigned by now.
#[derive(Debug, clap::Args)]
pub(crate) struct Refresh {
    #[command(flatten)]
    system: As,
    /// The folder that `send --receipts` keeps.
    #[arg(value_name = "FOLDER")]
    kept: PathBuf,
}

pub(crate) async fn run(command: &Command, output: Output) -> Outcome {
    let Command::Refresh(args) = command;
    let client = args.system.connect().await?;
    let refreshed = refresh(&client, &args.kept, Which::All).await;
    client.close().await;
    let refreshed = refreshed?;
    output.data(&refreshed, || refreshed.to_string());
    Ok(if refreshed.is_complete() { DONE } else { REFUSED })
}
