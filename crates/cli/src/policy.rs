//! `kuriiri policy`: the signed files that labels and rules come in.

mod sign;

use crate::{exit::Outcome, output::Output};

/// Work on the signed files that labels and rules come in.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sign catalogues, federations, rules or translations.
    Sign(sign::Args),
}

pub(crate) fn run(command: &Command, output: Output) -> Outcome {
    match command {
        Command::Sign(args) => sign::run(args, output),
    }
}
