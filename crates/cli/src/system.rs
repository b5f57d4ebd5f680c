//! What the commands of a system share: its folder, its client, its documents.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use kuriiri_client::{Client, ConnectError, Profile, ProfileError};
use kuriiri_types::{Digest, Timestamp};

use crate::exit::Failure;

/// As which system a command acts.
#[derive(Debug, clap::Args)]
pub(crate) struct As {
    /// The system's folder, with its `system.toml` and keys.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
}

impl As {
    /// A client of the system's relay.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        connect(&self.folder).await
    }
}

/// How long a command waits for its relay: longer than a relay needs to start again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Rest between two tries.
const REST: Duration = Duration::from_millis(250);

/// A client for the system of this folder. A relay that cannot be reached is given some time, for
/// it may just be starting.
pub(crate) async fn connect(folder: &Path) -> Result<Client, Failure> {
    patiently(|| Profile::load(folder), Client::connect).await
}

/// Connects with a profile, and goes on trying for a while where that can help.
pub(crate) async fn patiently<P, T>(
    load: impl Fn() -> Result<P, ProfileError>,
    connect: impl AsyncFn(P) -> Result<T, ConnectError>,
) -> Result<T, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let profile = load().map_err(|e| Failure::new(e.code(), e))?;
        match connect(profile).await {
            Ok(connected) => return Ok(connected),
            Err(error) if error.code().retry() && Instant::now() < until => {
                tracing::info!(%error, "the relay is tried again");
                tokio::time::sleep(REST).await;
            }
            Err(error) => return Err(Failure::new(error.code(), error)),
        }
    }
}

/// A document to send.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// What a person would call it: the name of its file.
    pub(crate) name: String,
    /// What it says.
    pub(crate) body: Bytes,
}

impl Document {
    /// Its media type, by the ending of its name.
    pub(crate) fn content_type(&self) -> &'static str {
        match Path::new(&self.name).extension().and_then(|ending| ending.to_str()) {
            Some("json") => "application/json",
            Some("pdf") => "application/pdf",
            Some("txt" | "md" | "toml") => "text/plain; charset=utf-8",
            Some("xml") => "application/xml",
            _ => "application/octet-stream",
        }
    }

    /// SHA-256 of what it says.
    pub(crate) fn digest(&self) -> Digest {
        kuriiri_merkle::digest(&self.body)
    }
}

/// All files of a folder and its folders, sorted by path.
pub(crate) fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a document's file, without its folders.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The time now, by the system's clock.
#[expect(clippy::disallowed_methods, reason = "a command acts at the real time")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
