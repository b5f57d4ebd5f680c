//! `kuriiri bench`: how fast the real path is on this machine, and what it is measured against.

mod auditing;
mod cpu;
mod limits;
mod receiver;
mod report;
mod sender;
mod worker;

use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;

use crate::{
    example,
    exit::{DONE, Failure, Outcome},
    output::Output,
    ports::free_ports,
    process::RelayProcess,
};
use cpu::CpuTime;
use limits::Limits;
pub(crate) use receiver::Args as ReceiverArgs;
use report::Report;
pub(crate) use sender::Args as SenderArgs;
use worker::Worker;

pub(crate) use receiver::run as run_receiver;
pub(crate) use sender::run as run_sender;

/// Measure the real path: client, relay, relay, client, each a process, every check and barrier on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Messages of the measurement at full speed.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    messages: u64,
    /// Bytes of each body.
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    size: usize,
    /// Connections of the sending system.
    #[arg(long, default_value_t = 1, value_name = "N")]
    connections: usize,
    /// Messages a second of the measurement of latencies.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rate: u64,
    /// Messages of the measurement of latencies.
    #[arg(long, default_value_t = 3000, value_name = "N")]
    rate_messages: u64,
}

/// One measurement: what is sent, and how fast.
#[derive(Debug, Clone, Copy)]
struct Load {
    messages: u64,
    size: usize,
    connections: usize,
    /// Messages a second; as fast as possible without.
    rate: Option<u64>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let fast = Load {
        messages: args.messages.max(1),
        size: args.size.max(sender::BODY_BYTES_MIN),
        connections: args.connections.max(1),
        rate: None,
    };
    let steady = Load { messages: args.rate_messages.max(1), rate: Some(args.rate.max(1)), ..fast };
    let report = measure(fast, steady, output).await.map_err(Failure::from)?;
    output.data(&report, || report.to_string());
    Ok(DONE)
}

async fn measure(fast: Load, steady: Load, output: Output) -> anyhow::Result<Report> {
    let dir = TempDir::with_prefix("kuriiri-bench-")?;
    let federation = dir.path().join("federation");
    example::write_new(&federation, free_ports()?)?;
    output.note("measuring the machine's own limits");
    let before = Limits::measure(dir.path())?;
    let relays = Relays::start(&federation).await?;
    output.note(&format!(
        "sending {} messages at {} a second",
        steady.messages,
        steady.rate.unwrap_or(0)
    ));
    let latency = relays.carry(&federation, steady).await?;
    output.note(&format!("sending {} messages as fast as they go", fast.messages));
    let throughput = relays.carry(&federation, fast).await?;
    relays.stop().await?;
    let after = Limits::measure(dir.path())?;
    output.note("auditing the log of the sender's relay");
    let audited = auditing::measure(&federation.join("sm"))?;
    Ok(Report::new(fast, [throughput, latency], audited, before.and(after)))
}

/// The two relays on the way.
struct Relays {
    sender: RelayProcess,
    receiver: RelayProcess,
}

/// What a measurement gave.
struct Carried {
    sender: sender::Told,
    receiver: receiver::Told,
    relay_cpu: [CpuTime; 2],
}

impl Relays {
    async fn start(federation: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            sender: RelayProcess::start(&federation.join("sm/relay.toml")).await?,
            receiver: RelayProcess::start(&federation.join("plm/relay.toml")).await?,
        })
    }

    /// Lets a sender and a receiver, each a process, exchange a load.
    async fn carry(&self, federation: &Path, load: Load) -> anyhow::Result<Carried> {
        let before = self.cpu()?;
        let receiver = Worker::receiver(&federation.join("plm/systems/kirjaamo"), load)?;
        let sender = Worker::sender(&federation.join("sm/systems/kirjaamo"), load)?;
        let (sender, receiver) = tokio::try_join!(sender.told(), receiver.told())?;
        let after = self.cpu()?;
        let [a, b] = after;
        let relay_cpu = [a.since(before[0]), b.since(before[1])];
        Ok(Carried { sender, receiver, relay_cpu })
    }

    fn cpu(&self) -> anyhow::Result<[CpuTime; 2]> {
        let of = |relay: &RelayProcess| CpuTime::of(relay.id().context("a relay has ended")?);
        Ok([of(&self.sender)?, of(&self.receiver)?])
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.sender.stop().await?;
        self.receiver.stop().await
    }
}
