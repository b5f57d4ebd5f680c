//! `kuriiri policy`: the signed files that say what may go where.

mod activate;
mod active;
mod answer;
mod check;
mod diff;
mod folder;
mod in_force;
mod rehearse;
mod sign;
mod source;
mod test;

use clap::Subcommand;

use crate::{exit::Outcome, output::Output};
pub(crate) use answer::{Answer, unknown};
pub(crate) use source::Source;

/// Check, test, compare, sign and activate the files of a label policy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Test(test::Args),
    Diff(diff::Args),
    Rehearse(rehearse::Args),
    Sign(sign::Args),
    Activate(activate::Args),
    Active(active::Args),
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    match &args.command {
        Command::Check(args) => check::run(args, output),
        Command::Test(args) => test::run(args, output).await,
        Command::Diff(args) => diff::run(args, output),
        Command::Rehearse(args) => rehearse::run(args, output).await,
        Command::Sign(args) => sign::run(args, output),
        Command::Activate(args) => activate::run(args, output).await,
        Command::Active(args) => active::run(args, output).await,
    }
}
