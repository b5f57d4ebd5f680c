//! `kuriiri receipts`: what a system keeps to prove what became of its messages.

mod folder;
mod refresh;

use std::path::{Path, PathBuf};

use anyhow::Context;
use kuriiri_tlog::Trust;

pub(crate) use folder::Proofs;
pub(crate) use refresh::{Wanted, refresh};

use crate::{
    exit::{DONE, Failure, Outcome, REFUSED},
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
/// cosigned by now; with a policy, when more of its witnesses have, and each cosignature is checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Refresh {
    #[command(flatten)]
    system: As,
    /// Whose cosignatures are wanted, and how many: a C2SP `tlog-policy`, as for `kuriiri-verify`.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The folder that `send --receipts` keeps.
    #[arg(value_name = "FOLDER")]
    kept: PathBuf,
}

pub(crate) async fn run(command: &Command, output: Output) -> Outcome {
    let Command::Refresh(args) = command;
    let wanted = wanted(args.policy.as_deref()).map_err(Failure::usage)?;
    let client = args.system.connect(output).await?;
    let refreshed = refresh(&client, &args.kept, &wanted).await;
    client.close().await;
    let refreshed = refreshed?;
    output.data(&refreshed, || refreshed.to_string())?;
    Ok(if refreshed.is_complete() { DONE } else { REFUSED })
}

fn wanted(policy: Option<&Path>) -> anyhow::Result<Wanted> {
    let Some(file) = policy else { return Ok(Wanted::MoreCosignatures) };
    let place = || file.display().to_string();
    let bytes = std::fs::read(file).with_context(place)?;
    Ok(Wanted::Quorum(Box::new(Trust::parse(&bytes).with_context(place)?)))
}
