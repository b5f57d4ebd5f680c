//! A sender or a receiver as a process of its own, which says at its end what it saw.

use std::{path::Path, process::Stdio};

use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;
use tokio::process::{Child, Command};

use super::{load::Load, receiver, sender};

/// A process that tells a `T`.
pub(super) struct Worker<T> {
    child: Child,
    tells: std::marker::PhantomData<T>,
}

impl Worker<sender::Told> {
    pub(super) fn sender(system: &Path, load: &Load) -> anyhow::Result<Self> {
        let mut command = command("bench-sender", system, load)?;
        command.args(load.bodies.args());
        command.args(["--connections", &load.connections.to_string()]);
        command.args(["--window", &load.window.to_string()]);
        if let Some(rate) = load.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        Self::start(command)
    }
}

impl Worker<receiver::Told> {
    pub(super) fn receiver(system: &Path, load: &Load) -> anyhow::Result<Self> {
        Self::start(command("bench-receiver", system, load)?)
    }
}

impl<T: DeserializeOwned> Worker<T> {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command.spawn().context("a worker cannot be started")?;
        Ok(Self { child, tells: std::marker::PhantomData })
    }

    /// Waits for its end and reads what it says.
    pub(super) async fn told(self) -> anyhow::Result<T> {
        let output = self.child.wait_with_output().await?;
        ensure!(output.status.success(), "a worker failed: {}", output.status);
        serde_json::from_slice(&output.stdout).context("a worker said something else")
    }
}

fn command(name: &str, system: &Path, load: &Load) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", name, "--as"]).arg(system);
    command.args(["--messages", &load.messages.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}
