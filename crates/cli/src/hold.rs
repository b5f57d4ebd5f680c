//! `kuriiri hold`: messages that wait for officers.

mod decide;
mod list;
mod readable;
mod show;

use crate::{exit::Outcome, output::Output};

/// See, release or reject messages that wait for officers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List what waits.
    List(list::Args),
    /// Read a message that waits, verified and opened.
    Show(show::Args),
    /// Sign that a message may go.
    Release(decide::ReleaseArgs),
    /// Sign that a message may not go; its sender gets the note.
    Reject(decide::RejectArgs),
}

pub(crate) async fn run(command: &Command, output: Output) -> Outcome {
    match command {
        Command::List(args) => list::run(args, output).await,
        Command::Show(args) => show::run(args, output).await,
        Command::Release(args) => decide::release(args, output).await,
        Command::Reject(args) => decide::reject(args, output).await,
    }
}
