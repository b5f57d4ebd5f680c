//! `kuriiri bench`: how fast the real path is on this machine, and what it is measured against.

mod auditing;
mod cpu;
mod disk;
mod limits;
mod receiver;
mod relays;
mod report;
mod sender;
mod worker;

use tempfile::TempDir;

use crate::{
    example,
    exit::{DONE, Failure, Outcome},
    output::Output,
    ports::free_ports,
};
use limits::Limits;
pub(crate) use receiver::Args as ReceiverArgs;
use relays::Relays;
use report::Report;
pub(crate) use sender::Args as SenderArgs;

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
    /// Messages that the sending system has under way, at most, before it waits for `accepted`.
    #[arg(long, default_value_t = 4096, value_name = "N")]
    window: usize,
    /// Messages a second of the measurement of latencies.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rate: u64,
    /// Messages of the measurement of latencies.
    #[arg(long, default_value_t = 3000, value_name = "N")]
    rate_messages: u64,
}

/// Messages that go the whole way before a measurement begins: then every link is up.
const WARM_UP: u64 = 1;

/// One measurement: what is sent, and how fast.
#[derive(Debug, Clone, Copy)]
struct Load {
    messages: u64,
    size: usize,
    connections: usize,
    window: usize,
    /// Messages a second; as fast as possible without.
    rate: Option<u64>,
}

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let fast = Load {
        messages: args.messages.max(1),
        size: args.size.max(sender::BODY_BYTES_MIN),
        connections: args.connections.max(1),
        window: args.window.max(1),
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
    let mut relays = Relays::new(&federation).await?;
    output.note(&format!(
        "sending {} messages at {} a second",
        steady.messages,
        steady.rate.unwrap_or(0)
    ));
    let latency = relays.carry(steady).await?;
    output.note(&format!("sending {} messages as fast as they go", fast.messages));
    let throughput = relays.carry(fast).await?;
    let after = Limits::measure(dir.path())?;
    output.note("auditing the log of the sender's relay");
    let audited = auditing::measure(&federation.join("sm"), relays.messages())?;
    Ok(Report::new(fast, [throughput, latency], audited, before.and(after)))
}
