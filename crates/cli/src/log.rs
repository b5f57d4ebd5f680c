//! `kuriiri log`: what people take out of a relay's transparency log, and what they do to it. What only
//! reads reads the log's folder, so it works on any copy, with or without the relay.

mod bundle;
mod copy;
mod export;
mod folder;
mod keys;
mod prove;
mod prune;
mod renew;
mod status;

pub(crate) use folder::{failed, open_all};
pub(crate) use keys::NotePair;

use crate::{exit::Outcome, output::Output};

/// Look into a relay's transparency log, and take evidence out of it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Sum up a log: how far it goes, who witnessed it, what is in it.
    Status(status::Args),
    /// Copy a log whole, also while its relay runs, or bring an older copy up to date.
    Copy(copy::Args),
    /// Write all that logs say of one message to a file that `kuriiri-verify bundle` checks.
    Bundle(bundle::Args),
    /// Write a proof of each receipt of one message to a folder, as `kuriiri-verify receipt` reads it.
    Prove(prove::Args),
    /// Write a period, or what concerns one peer, to a folder that `kuriiri-verify export` checks.
    Export(export::Args),
    /// Have headers leave a running relay's log whose time is over by `[log.retention]` of its
    /// configuration.
    Prune(prune::Args),
    /// End the log of a relay whose state is an old copy (KRI-4104), and begin the next one.
    Renew(renew::Args),
    /// Make the keys of a relay's log and of it as a witness.
    Keys(keys::Args),
}

pub(crate) async fn run(command: &Command, output: Output) -> Outcome {
    match command {
        Command::Status(args) => status::run(args, output),
        Command::Copy(args) => copy::run(args, output),
        Command::Bundle(args) => bundle::run(args, output),
        Command::Prove(args) => prove::run(args, output),
        Command::Export(args) => export::run(args, output).await,
        Command::Prune(args) => prune::run(args, output).await,
        Command::Renew(args) => renew::run(args, output),
        Command::Keys(args) => keys::run(args, output),
    }
}
