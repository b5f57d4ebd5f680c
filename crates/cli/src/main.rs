//! `kuriiri`: one program for those who run relays and those who use them.

mod alerts;
mod aside;
mod bench;
mod demo;
mod documents;
mod erase;
mod error;
mod example;
mod exit;
mod explain;
mod files;
mod hold;
mod log;
mod output;
mod person;
mod policy;
mod ports;
mod process;
mod provoke;
mod receipts;
mod receive;
mod relay;
mod send;
mod status;
mod system;
mod trace;
mod tree;
mod up;
mod what;
mod who;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use output::{Diagnostics, Output, OutputError};
use tracing_subscriber::EnvFilter;

use crate::exit::{Failure, Outcome, USAGE};

/// Messages are many small pieces of memory that one thread makes and another gives back; the
/// system's allocator took a sixth of a relay's time with them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Federated secure messages between ministries.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    /// Print data as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
    /// What to log on standard error, such as `info` or `kuriiri_relay=debug`. Relays warn unless
    /// told otherwise, other commands only log errors.
    #[arg(long, global = true, value_name = "FILTER", env = "KURIIRI_LOG")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on this machine in some seconds.
    Demo(demo::Args),
    /// Measure the real path on this machine.
    Bench(bench::Args),
    #[command(hide = true)]
    BenchReceiver(bench::ReceiverArgs),
    #[command(hide = true)]
    BenchSender(bench::SenderArgs),
    /// Send documents to mailboxes of any ministry.
    Send(send::Args),
    /// Receive the messages of a mailbox.
    Receive(receive::Args),
    #[command(subcommand)]
    Receipts(receipts::Command),
    /// See, release or reject messages that wait for officers.
    #[command(subcommand)]
    Hold(hold::Command),
    /// See messages that nobody could accept or hand on, and have them tried again or refused.
    #[command(subcommand)]
    Aside(aside::Command),
    Erase(erase::Args),
    #[command(subcommand)]
    Log(log::Command),
    Trace(trace::Args),
    /// Show how a system's relay is.
    Status(status::Args),
    Alerts(alerts::Args),
    /// Write an example federation of three ministries and a hub to a folder.
    Example(example::Args),
    /// Run all relays of an example federation until interrupted.
    Up(up::Args),
    /// Run one relay, or check its configuration.
    Relay(relay::Args),
    Explain(explain::Args),
    Who(who::Args),
    What(what::Args),
    Policy(policy::Args),
    Provoke(Box<provoke::Args>),
    /// Explain an error number such as KRI-2101.
    Error(error::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            // Help and version are answers, not errors.
            return match printed {
                _ if error.use_stderr() => ExitCode::from(USAGE),
                Ok(()) => ExitCode::SUCCESS,
                Err(lost) => Failure::from(OutputError::from(lost)).report(Output::new(false)),
            };
        }
    };
    let usual = if matches!(cli.command, Command::Relay(_)) { "warn" } else { "error" };
    start_log(cli.log.as_deref().unwrap_or(usual), cli.json);
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => failure.report(output),
    }
}

fn run(command: Command, output: Output) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(&args, output).await,
            Command::Bench(args) => bench::run(&args, output).await,
            Command::BenchReceiver(args) => bench::run_receiver(&args, output).await,
            Command::BenchSender(args) => bench::run_sender(&args, output).await,
            Command::Send(args) => send::run(&args, output).await,
            Command::Receive(args) => receive::run(&args, output).await,
            Command::Receipts(command) => receipts::run(&command, output).await,
            Command::Hold(command) => hold::run(&command, output).await,
            Command::Aside(command) => aside::run(&command, output).await,
            Command::Erase(args) => erase::run(&args, output).await,
            Command::Log(command) => log::run(&command, output).await,
            Command::Trace(args) => trace::run(&args, output),
            Command::Status(args) => status::run(&args, output).await,
            Command::Alerts(args) => alerts::run(&args, output).await,
            Command::Example(args) => example::run(&args, output),
            Command::Up(args) => up::run(&args, output).await,
            Command::Relay(args) => relay::run(&args, output).await,
            Command::Explain(args) => explain::run(&args, output).await,
            Command::Who(args) => who::run(&args, output).await,
            Command::What(args) => what::run(&args, output).await,
            Command::Policy(args) => policy::run(&args, output).await,
            Command::Provoke(args) => provoke::run(&args, output).await,
            Command::Error(args) => error::run(&args, output),
        }
    })
}

fn start_log(filter: &str, json: bool) {
    let log = tracing_subscriber::fmt()
        .with_writer(Diagnostics::new(json))
        .with_env_filter(EnvFilter::new(filter));
    if json { log.json().init() } else { log.compact().init() }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_is_well_formed() {
        Cli::command().debug_assert();
    }
}
