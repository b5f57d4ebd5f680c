//! The relays that a measurement passes through.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::{
    cpu::CpuTime,
    disk::bytes_below,
    load::{Load, WARM_UP},
    receiver, sender,
    worker::Worker,
};
use crate::process::RelayProcess;

/// The folders of the two relays on the way, the sender's first.
const FOLDERS: [&str; 2] = ["sm", "plm"];

/// The two relays on the way. They run while they carry something: a relay that ends shows all of its
/// log, so what a load added to it can be told exactly.
pub(super) struct Relays {
    federation: PathBuf,
    /// Bytes of each log after the last load.
    logs: [u64; 2],
    /// Messages of all loads.
    messages: u64,
}

/// What a measurement gave.
pub(super) struct Carried {
    pub(super) sender: sender::Told,
    pub(super) receiver: receiver::Told,
    pub(super) relay_cpu: [CpuTime; 2],
    pub(super) log_bytes: LogBytes,
}

/// Bytes that a message added to the logs, in the mean: everything below `log/`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct LogBytes {
    pub(super) origin: f64,
    pub(super) recipient: f64,
}

impl Carried {
    /// Delivered messages a second.
    pub(super) fn per_second(&self) -> f64 {
        self.receiver.received as f64 / self.sender.seconds.max(1e-9)
    }
}

impl Relays {
    /// Starts the relays once, so that what they write first of all is nobody's load.
    pub(super) async fn new(federation: &Path) -> anyhow::Result<Self> {
        Running::start(federation).await?.stop().await?;
        let mut relays = Self { federation: federation.to_owned(), logs: [0; 2], messages: 0 };
        relays.growth()?;
        Ok(relays)
    }

    /// Lets a sender and a receiver, each a process, exchange a load.
    pub(super) async fn carry(&mut self, load: &Load) -> anyhow::Result<Carried> {
        let running = Running::start(&self.federation).await?;
        let before = running.cpu()?;
        let [a, b] = FOLDERS.map(|relay| self.federation.join(relay).join("systems/kirjaamo"));
        let receiver = Worker::receiver(&b, load)?;
        let sender = Worker::sender(&a, load)?;
        let (sender, receiver) = tokio::try_join!(sender.told(), receiver.told())?;
        let after = running.cpu()?;
        running.stop().await?;
        let [a, b] = after;
        let relay_cpu = [a.since(before[0]), b.since(before[1])];
        let messages = load.messages.saturating_add(WARM_UP);
        self.messages = self.messages.saturating_add(messages);
        let each = |bytes: u64| bytes as f64 / messages as f64;
        let [origin, recipient] = self.growth()?.map(each);
        let log_bytes = LogBytes { origin, recipient };
        Ok(Carried { sender, receiver, relay_cpu, log_bytes })
    }

    /// Messages that were carried so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// By how many bytes each log grew since this was asked last.
    fn growth(&mut self) -> anyhow::Result<[u64; 2]> {
        let [a, b] = FOLDERS.map(|relay| bytes_below(&self.federation.join(relay).join("log")));
        let logs = [a?, b?];
        let growth = [logs[0].saturating_sub(self.logs[0]), logs[1].saturating_sub(self.logs[1])];
        self.logs = logs;
        Ok(growth)
    }
}

/// The relays while they run.
struct Running([RelayProcess; 2]);

impl Running {
    /// At once: each waits for the other's word on its log.
    async fn start(federation: &Path) -> anyhow::Result<Self> {
        let [a, b] = FOLDERS.map(|relay| federation.join(relay).join("relay.toml"));
        let (a, b) = tokio::try_join!(RelayProcess::start(&a), RelayProcess::start(&b))?;
        Ok(Self([a, b]))
    }

    fn cpu(&self) -> anyhow::Result<[CpuTime; 2]> {
        let of = |relay: &RelayProcess| CpuTime::of(relay.id().context("a relay has ended")?);
        let Self([a, b]) = self;
        Ok([of(a)?, of(b)?])
    }

    /// The recipient's first: it may still have something to say to the sender's.
    async fn stop(self) -> anyhow::Result<()> {
        let Self([a, b]) = self;
        b.stop().await?;
        a.stop().await
    }
}
