//! The relays that a measurement passes through.

use std::path::Path;

use anyhow::Context;

use super::{Load, cpu::CpuTime, receiver, sender, worker::Worker};
use crate::process::RelayProcess;

/// The two relays on the way.
pub(super) struct Relays {
    sender: RelayProcess,
    receiver: RelayProcess,
}

/// What a measurement gave.
pub(super) struct Carried {
    pub(super) sender: sender::Told,
    pub(super) receiver: receiver::Told,
    pub(super) relay_cpu: [CpuTime; 2],
}

impl Relays {
    pub(super) async fn start(federation: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            sender: RelayProcess::start(&federation.join("sm/relay.toml")).await?,
            receiver: RelayProcess::start(&federation.join("plm/relay.toml")).await?,
        })
    }

    /// Lets a sender and a receiver, each a process, exchange a load.
    pub(super) async fn carry(&self, federation: &Path, load: Load) -> anyhow::Result<Carried> {
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

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.sender.stop().await?;
        self.receiver.stop().await
    }
}
