//! Relays as processes of their own.

use std::{path::Path, process::Stdio};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};

/// A relay that runs as a child process. It ends with this value, and with this process.
#[derive(Debug)]
pub(crate) struct RelayProcess {
    name: String,
    child: Child,
    /// Its standard input: it ends when this is closed. Kept apart, because waiting for a child
    /// closes what the child still holds of it.
    leash: Option<ChildStdin>,
}

impl RelayProcess {
    /// Starts the relay of this configuration and waits until it listens.
    pub(crate) async fn start(config: &Path) -> anyhow::Result<Self> {
        let name = name_of(config);
        let program = std::env::current_exe().context("this program cannot be found")?;
        let mut child = Command::new(program)
            .args(["relay", "--until-stdin-closes", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("the relay of {name} cannot be started"))?;
        let leash = child.stdin.take();
        let stdout = child.stdout.take().context("a child without output")?;
        let mut lines = BufReader::new(stdout).lines();
        match lines.next_line().await? {
            Some(_) => Ok(Self { name, child, leash }),
            None => {
                let status = child.wait().await?;
                bail!("the relay of {name} ended at once ({status}); see its message above")
            }
        }
    }

    /// The folder's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it as a power cut would: no warning, no goodbye (SIGKILL).
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("the relay of {} lives on", self.name))
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.leash.take());
        self.child.wait().await?;
        Ok(())
    }
}

fn name_of(config: &Path) -> String {
    let folder = config.parent().and_then(Path::file_name);
    folder.map_or_else(|| config.display().to_string(), |name| name.to_string_lossy().into_owned())
}
