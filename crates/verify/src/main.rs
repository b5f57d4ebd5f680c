//! `kuriiri-verify`: what an auditor runs on a ministry's log, on a receipt, on the evidence of one
//! message, and on the logs of two ministries. Offline, and it asks nothing.

mod commands;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::Output;

/// Check transparency logs of relays and evidence from them, offline.
///
/// Exits with 0 when all is good, 1 when something is wrong, 2 when something could not be checked or is
/// not witnessed yet, and 64 when the command itself is wrong.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check one log from its first entry to its last.
    Log(commands::LogArgs),
    /// Say what receipts prove: C2SP tlog-proofs with the entry as their extra data.
    Receipt(commands::ReceiptArgs),
    /// Check the evidence of one message, or an evidence file.
    Bundle(commands::BundleArgs),
    /// Check an exported part of a log.
    Export(commands::ExportArgs),
    /// Hold the logs of two ministries against each other.
    Reconcile(commands::ReconcileArgs),
}

/// The command is wrong (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; printing can fail only with the pipe.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let output = Output::new(cli.json);
    let done = match cli.command {
        Command::Log(args) => commands::log(&args, output),
        Command::Receipt(args) => commands::receipt(&args, output),
        Command::Bundle(args) => commands::bundle(&args, output),
        Command::Export(args) => commands::export(&args, output),
        Command::Reconcile(args) => commands::reconcile(&args, output),
    };
    match done {
        Ok(exit) => ExitCode::from(exit),
        Err(error) => {
            output.failure(&error);
            ExitCode::from(2)
        }
    }
}
