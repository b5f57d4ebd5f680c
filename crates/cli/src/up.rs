//! `kuriiri up`: runs all relays of a folder.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use kuriiri_types::Code;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast,
    task::JoinSet,
};

use crate::{
    exit::{DONE, Failure, Outcome},
    output::{Output, OutputError},
    process::RelayProcess,
};

/// Run all relays of an example federation until interrupted; one that ends is started again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that `kuriiri example` wrote.
    dir: PathBuf,
}

/// Starts in a row that may fail before a relay is given up: its configuration must be broken.
const FAILED_STARTS_MAX: u32 = 5;
/// Rest after a failed start.
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: &Args, output: Output) -> Outcome {
    let configs = configs(&args.dir)?;
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, _) = broadcast::channel(1);
    let mut running = JoinSet::new();
    for config in configs {
        let started = RelayProcess::start(&config).await;
        let relay = started.map_err(|error| Failure::new(Code::CONFIG, error))?;
        tell(&relay, output)?;
        running.spawn(keep_running(relay, config, output, stop.subscribe()));
    }
    output.note("press Ctrl-C to stop");
    let given_up = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        Some(first) = running.join_next() => first?.err(),
    };
    drop(stop);
    while running.join_next().await.is_some() {}
    output.note("stopped");
    given_up.map_or(Ok(DONE), |error| Err(Failure::from(error)))
}

fn tell(relay: &RelayProcess, output: Output) -> Result<(), OutputError> {
    let object = serde_json::json!({ "event": "up", "relay": relay.name(), "pid": relay.id() });
    output.data(&object, || {
        format!("{} is up (process {})", relay.name(), relay.id().unwrap_or_default())
    })
}

/// Starts a relay again whenever it ends, until told to stop.
async fn keep_running(
    mut relay: RelayProcess,
    config: PathBuf,
    output: Output,
    mut stopped: broadcast::Receiver<()>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            _ = stopped.recv() => return relay.stop().await,
            status = relay.ended() => {
                output.note(&format!("{} ended ({}); starting it again", relay.name(), status?));
            }
        }
        let mut failed = 0;
        relay = loop {
            match RelayProcess::start(&config).await {
                Ok(relay) => break relay,
                Err(error) if failed == FAILED_STARTS_MAX => return Err(error),
                Err(_) => failed += 1,
            }
            tokio::time::sleep(REST).await;
        };
        if let Err(error) = tell(&relay, output) {
            // Relays are not to stop because nobody reads any more.
            tracing::warn!(%error, "nobody could be told that a relay is up again");
        }
    }
}

/// The configuration of every relay in a folder, by name.
fn configs(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("{}", dir.display()));
    let entries = entries.map_err(|error| Failure::new(Code::CONFIG, error))?;
    let configs = entries.filter_map(|entry| Some(entry.ok()?.path().join("relay.toml")));
    let mut configs: Vec<PathBuf> = configs.filter(|config| config.is_file()).collect();
    configs.sort();
    if configs.is_empty() {
        let what = format!("no relay in {}; `kuriiri example` makes some", dir.display());
        return Err(Failure::usage(what));
    }
    Ok(configs)
}
