//! The same work through Kuriiri, NATS and RabbitMQ, alternately, on one machine.

mod kuriiri;
mod nats;
mod pki;
mod place;
mod process;
mod rabbitmq;
mod rounds;
mod table;
mod work;

use std::{future::Future, process::ExitCode};

use anyhow::bail;
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
enum Command {
    /// Run the comparison.
    Compare(rounds::Args),
    /// The client on node A.
    #[command(hide = true)]
    Publish(work::Args),
    /// The client on node B.
    #[command(hide = true)]
    Consume(work::Args),
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum System {
    Kuriiri,
    Nats,
    Rabbitmq,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Kuriiri => "Kuriiri",
            Self::Nats => "NATS JetStream, leaf node, mirror (not syncing)",
            Self::Rabbitmq => "RabbitMQ, quorum queues, shovel",
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Compare(args) => until_stopped(rounds::run(&args)).await,
        Command::Publish(args) => work::publish(&args).await,
        Command::Consume(args) => work::consume(&args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Gives up when somebody asks this program to end: what it started ends with what is dropped here.
async fn until_stopped(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
        _ = hang_up.recv() => bail!("hung up"),
    }
}
