//! What waits for a relay that is away: how much memory it takes, how soon the relay is back after a crash,
//! and how fast it all goes once the other is there.

use std::{
    fmt, fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;

use super::{
    load::{Load, WARM_UP},
    sender,
    worker::Worker,
};
use crate::{output::Output, process::RelayProcess, system};

/// What a backlog came to.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Backlog {
    pub(super) messages: u64,
    /// Messages a second that the sender's relay took while nothing could leave.
    pub(super) taken_per_second: f64,
    /// Bytes of memory that the relay had at most until then.
    pub(super) memory: u64,
    /// Seconds from the start of the relay, which was killed, until it listens.
    pub(super) start_seconds: f64,
    /// Bytes of memory that it had at most until then.
    pub(super) start_memory: u64,
    /// Messages a second once the other relay was there, from the first to the last that its system had.
    pub(super) drained_per_second: f64,
    /// The same over what is delivered without a backlog.
    pub(super) drained_to_delivered: f64,
}

/// Lets messages gather in an example federation that nobody has used, and go.
pub(super) async fn measure(
    federation: &Path,
    load: &Load,
    delivered_per_second: f64,
    output: Output,
) -> anyhow::Result<Backlog> {
    let [a, b] = ["sm", "plm"].map(|relay| federation.join(relay));
    let mut relay = RelayProcess::start(&a.join("relay.toml")).await?;
    let taken_per_second = fill(&a.join("systems/kirjaamo"), load, output).await?;
    let memory = peak_memory(&relay)?;
    relay.kill().await?;
    let start = Instant::now();
    let relay = RelayProcess::start(&a.join("relay.toml")).await?;
    let (start_seconds, start_memory) = (start.elapsed().as_secs_f64(), peak_memory(&relay)?);
    let other = RelayProcess::start(&b.join("relay.toml")).await?;
    let rest = Load { messages: load.messages.saturating_sub(WARM_UP), ..load.clone() };
    let told = Worker::receiver(&b.join("systems/kirjaamo"), &rest)?.told().await?;
    other.stop().await?;
    relay.stop().await?;
    let drained_per_second = per_second(told.received, Duration::from_secs_f64(told.seconds));
    Ok(Backlog {
        messages: load.messages,
        taken_per_second,
        memory,
        start_seconds,
        start_memory,
        drained_per_second,
        drained_to_delivered: drained_per_second / delivered_per_second.max(1e-9),
    })
}

/// Hands all messages to the relay. Gives how many it took in a second.
async fn fill(folder: &Path, load: &Load, output: Output) -> anyhow::Result<f64> {
    let client = system::connect(folder, output).await.map_err(crate::exit::Failure::error)?;
    let begin = Instant::now();
    let clients = [client];
    let sent = sender::send_fast(&clients, &load.bodies, load.messages, load.window).await?;
    let took = begin.elapsed();
    let [client] = clients;
    client.close().await;
    Ok(per_second(u64::try_from(sent.len())?, took))
}

fn per_second(messages: u64, took: Duration) -> f64 {
    messages as f64 / took.as_secs_f64().max(1e-9)
}

/// Bytes of memory that a process had at most, from the kernel's books (proc(5)).
fn peak_memory(relay: &RelayProcess) -> anyhow::Result<u64> {
    let file = format!("/proc/{}/status", relay.id().context("the relay has ended")?);
    let status = fs::read_to_string(&file).with_context(|| file.clone())?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).with_context(|| file)?;
    Ok(kilobytes.parse::<u64>()?.saturating_mul(1024))
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, taken_per_second, drained_per_second, drained_to_delivered, .. } =
            self;
        let [memory, start_memory] =
            [self.memory, self.start_memory].map(|bytes| bytes / (1024 * 1024));
        writeln!(f, "{messages} messages for a relay that is away")?;
        writeln!(f, "  taken              {taken_per_second:>8.0} messages/s")?;
        writeln!(
            f,
            "  memory             {memory:>8} MiB at most, {start_memory} MiB after a start"
        )?;
        writeln!(
            f,
            "  a start takes      {:>8.1} s, of which 1 or 2 wait for the word of peers on the log",
            self.start_seconds
        )?;
        write!(
            f,
            "  drained            {drained_per_second:>8.0} messages/s, {drained_to_delivered:.2} of the rate \
             without a backlog"
        )
    }
}
