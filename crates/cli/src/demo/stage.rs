//! Relays as processes of their own, and the systems that use them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use kuriiri_client::{Client, Officer, OfficerProfile};
use tempfile::TempDir;

use crate::{
    example::{self, Member},
    output::Output,
    ports::free_ports,
    process::RelayProcess,
    system,
};

/// The relays of the example, in the order in which they are started.
pub(super) const RELAYS: [&str; 4] = ["sm", "plm", "um", "hub"];
/// The systems that take part.
pub(super) const SYSTEMS: [&str; 3] = ["sm", "plm", "um"];

/// A federation that runs.
pub(super) struct Stage {
    dir: PathBuf,
    temporary: Option<TempDir>,
    relays: BTreeMap<&'static str, RelayProcess>,
    clients: BTreeMap<&'static str, Client>,
}

impl Stage {
    /// Writes the example, starts its relays and connects a system of each ministry.
    pub(super) async fn build(keep: Option<&Path>, output: Output) -> anyhow::Result<Self> {
        let temporary = match keep {
            None => Some(TempDir::with_prefix("kuriiri-demo-")?),
            Some(_) => None,
        };
        let dir = match (keep, &temporary) {
            (Some(dir), _) => dir.to_path_buf(),
            (None, Some(temporary)) => temporary.path().join("federation"),
            (None, None) => anyhow::bail!("no folder"),
        };
        let members = example::write_new(&dir, free_ports()?)?;
        let names: Vec<_> = members.iter().map(Member::folder).collect();
        output.text(&format!("Four relays, each a process of its own: {}.", names.join(", ")))?;
        let mut stage = Self { dir, temporary, relays: BTreeMap::new(), clients: BTreeMap::new() };
        for relay in RELAYS {
            stage.start(relay).await?;
        }
        for ministry in SYSTEMS {
            let folder = stage.dir.join(ministry).join("systems/kirjaamo");
            let client =
                system::connect(&folder, output).await.map_err(|failure| failure.error())?;
            stage.clients.insert(ministry, client);
        }
        Ok(stage)
    }

    /// Where it all is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The system of a ministry.
    pub(super) fn client(&self, ministry: &str) -> anyhow::Result<&Client> {
        self.clients.get(ministry).with_context(|| format!("{ministry} has no system here"))
    }

    /// An officer of a ministry, connected to its relay.
    pub(super) async fn officer(&self, ministry: &str, name: &str) -> anyhow::Result<Officer> {
        let folder = self.dir.join(ministry).join("officers").join(name);
        Ok(Officer::connect(OfficerProfile::load(&folder)?).await?)
    }

    /// Starts a relay on whatever state it left behind.
    pub(super) async fn start(&mut self, relay: &'static str) -> anyhow::Result<()> {
        let process = RelayProcess::start(&self.dir.join(relay).join("relay.toml")).await?;
        self.relays.insert(relay, process);
        Ok(())
    }

    /// Kills a relay with no warning.
    pub(super) async fn kill(&mut self, relay: &str) -> anyhow::Result<u32> {
        let mut process = self.relays.remove(relay).context("no such relay runs")?;
        let id = process.id().context("the relay has ended")?;
        process.kill().await?;
        Ok(id)
    }

    /// Ends everything in order, and gives the folder that is left.
    pub(super) async fn strike(self) -> anyhow::Result<PathBuf> {
        for client in self.clients.into_values() {
            client.close().await;
        }
        for relay in self.relays.into_values() {
            relay.stop().await?;
        }
        drop(self.temporary);
        Ok(self.dir)
    }
}
