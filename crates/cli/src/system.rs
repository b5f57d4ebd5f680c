//! What the commands of a system share: its folder, its client, its documents.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    pin::pin,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use kuriiri_client::{Client, ConnectError, Profile, ProfileError};
use kuriiri_types::{Digest, Timestamp};
use tokio::time::sleep_until;

use crate::{exit::Failure, output::Output};

/// As which system a command acts.
#[derive(Debug, clap::Args)]
pub(crate) struct As {
    /// The system's folder, with its `system.toml` and keys.
    #[arg(long = "as", value_name = "DIR")]
    folder: PathBuf,
}

impl As {
    /// A client of the system's relay.
    pub(crate) async fn connect(&self, output: Output) -> Result<Client, Failure> {
        connect(&self.folder, output).await
    }
}

/// How long a command waits for its relay: longer than a relay needs to start again.
const PATIENCE: Duration = Duration::from_secs(15);
/// After so long without an answer whoever looks on is told.
const WORD: Duration = Duration::from_secs(2);
/// Rest between two tries.
const REST: Duration = Duration::from_millis(250);

/// A client for the system of this folder. A relay that cannot be reached is given some time, for
/// it may just be starting.
pub(crate) async fn connect(folder: &Path, output: Output) -> Result<Client, Failure> {
    patiently(|| Profile::load(folder), Client::connect, output).await
}

/// Connects with a profile, and goes on trying for a while where that can help; whoever looks on is told.
pub(crate) async fn patiently<P, T>(
    load: impl Fn() -> Result<P, ProfileError>,
    connect: impl AsyncFn(P) -> Result<T, ConnectError>,
    output: Output,
) -> Result<T, Failure> {
    let until = Instant::now() + PATIENCE;
    let word = tokio::time::Instant::now() + WORD;
    let mut is_told = false;
    loop {
        let profile = load().map_err(|e| Failure::new(e.code(), e))?;
        let connecting = async {
            let mut connecting = pin!(connect(profile));
            tokio::select! {
                connected = &mut connecting => return connected,
                () = sleep_until(word), if !is_told => {}
            }
            output.note(&format!(
                "the relay has not answered yet; it is tried for {} s",
                PATIENCE.as_secs()
            ));
            is_told = true;
            connecting.await
        };
        match connecting.await {
            Ok(connected) => return Ok(connected),
            Err(error) if error.code().retry() && Instant::now() < until => {
                tracing::info!(%error, "the relay is tried again");
                if !is_told {
                    output.note(&format!(
                        "{:#}; it is tried for {} s",
                        anyhow::Error::new(error),
                        PATIENCE.as_secs()
                    ));
                    is_told = true;
                }
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

/// What is below a folder.
#[derive(Debug, Default)]
pub(crate) struct Below {
    /// Files, also behind links, sorted by path.
    pub(crate) files: Vec<PathBuf>,
    /// What can be neither read nor looked into, and why.
    pub(crate) faults: Vec<(PathBuf, io::Error)>,
}

impl Below {
    /// Looks through a folder and its folders, into each once, however many links lead there.
    pub(crate) fn look(folder: &Path) -> Self {
        let mut below = Self::default();
        let mut known = HashSet::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            match below.look_into(&folder, &mut known) {
                Ok(inner) => folders.extend(inner),
                Err(error) => below.faults.push((folder, error)),
            }
        }
        below.files.sort();
        below.faults.sort_by(|(one, _), (other, _)| one.cmp(other));
        below
    }

    /// The folders in a folder, unless it is known by its device and number.
    fn look_into(
        &mut self,
        folder: &Path,
        known: &mut HashSet<(u64, u64)>,
    ) -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        let status = fs::metadata(folder)?;
        if !known.insert((status.dev(), status.ino())) {
            return Ok(folders);
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match fs::metadata(&path) {
                Ok(status) if status.is_dir() => folders.push(path),
                Ok(status) if status.is_file() => self.files.push(path),
                Ok(_) => self.faults.push((path, io::Error::other("it is no file"))),
                Err(error) => self.faults.push((path, error)),
            }
        }
        Ok(folders)
    }
}

/// All files of a folder and its folders, sorted by path, if all can be looked at.
pub(crate) fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let Below { files, faults } = Below::look(folder);
    match faults.into_iter().next() {
        None => Ok(files),
        Some((path, error)) => {
            Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        }
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_folder_is_looked_into_once_and_all_faults_are_found() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("inner/deep")).unwrap();
        for name in ["b", "inner/a", "inner/deep/c"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink(root, root.join("inner/parent")).unwrap();
        symlink(root.join("inner"), root.join("inner/deep/again")).unwrap();
        symlink(root.join("b"), root.join("inner/also")).unwrap();
        let Below { files, faults } = Below::look(root);
        assert_eq!(files.len(), 4, "{files:?}");
        assert!(files.is_sorted() && faults.is_empty(), "{faults:?}");
        symlink(root.join("gone"), root.join("dangling")).unwrap();
        symlink("loop", root.join("inner/loop")).unwrap();
        let Below { files, faults } = Below::look(root);
        let at = |path: &Path| faults.iter().any(|(fault, _)| *fault == path);
        assert_eq!((files.len(), faults.len()), (4, 2));
        assert!(at(&root.join("dangling")) && at(&root.join("inner/loop")), "{faults:?}");
        let error = files_in(root).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("dangling"), "{error}");
    }
}
