//! Whether this relay's log is what its witnesses saw of it. A state folder that was restored from an
//! old copy holds less than that, and to go on from there would be to give the log two histories.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use kuriiri_engine::ViewError;
use kuriiri_merkle::root;
use kuriiri_store::Store;
use kuriiri_tlog::{Checkpoint, CheckpointError, VerifierKey, log_number, ministry_of};
use tokio::sync::watch;

use crate::error::{LinkError, LogBehind};

/// The file in the state folder with the checkpoint by which the log was found to be behind.
pub(crate) const WITNESSED: &str = "witnessed";

/// Knows the own log's key, and remembers when it was found to be behind.
#[derive(Debug)]
pub(crate) struct Rollback {
    key: VerifierKey,
    /// Where the checkpoint goes that proves it, for whoever begins a new log.
    witnessed: PathBuf,
    found: watch::Sender<Option<LogBehind>>,
}

impl Rollback {
    pub(crate) fn new(key: VerifierKey, state: &Path) -> Self {
        Self { key, witnessed: state.join(WITNESSED), found: watch::Sender::new(None) }
    }

    /// Whether the log was found to be behind.
    pub(crate) fn is_found(&self) -> Option<LogBehind> {
        self.found.borrow().clone()
    }

    /// Waits until the log is found to be behind.
    pub(crate) async fn found(&self) -> LogBehind {
        let mut found = self.found.subscribe();
        match found.wait_for(Option::is_some).await.map(|found| found.clone()) {
            Ok(Some(behind)) => behind,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Holds what a witness says that it saw of this log against the log. What this relay did not sign
    /// proves nothing, and what it saw of an earlier log of this ministry is nothing of this one. A
    /// later one means that this state is from before that was begun.
    ///
    /// # Errors
    /// [`LinkError::Witness`] when the note is not one of this ministry's logs, or the log is behind it;
    /// then everybody who waits hears of it.
    pub(crate) fn held_by_witness(
        &self,
        store: &Store,
        note: &[u8],
    ) -> Result<Option<Checkpoint>, LinkError> {
        let wrong = |what: String| LinkError::Witness(what);
        let held = verify(&self.key, note);
        let held = held.map_err(|error| wrong(format!("what it holds of our log: {error}")))?;
        let size = store.log_size();
        let same = match log_number(&held.origin).cmp(&log_number(self.key.name().as_str())) {
            Ordering::Less => return Ok(None),
            Ordering::Equal => {
                held.size <= size
                    && grew_out_of(store, &held).map_err(|error| wrong(error.to_string()))?
            }
            Ordering::Greater => false,
        };
        if same {
            return Ok(Some(held));
        }
        if let Err(error) = keep(&self.witnessed, note) {
            tracing::error!(path = %self.witnessed.display(), %error, "the proof cannot be kept");
        }
        let behind = LogBehind { ours: size, witnessed: held.size };
        self.found.send_replace(Some(behind.clone()));
        Err(wrong(behind.to_string()))
    }
}

/// A checkpoint of any log of a ministry: all have the same key, under the names of each.
pub(crate) fn verify(key: &VerifierKey, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let origin = str::from_utf8(note).ok().and_then(|note| note.lines().next()).unwrap_or_default();
    let own = key.name().as_str();
    let name = Some(origin).filter(|origin| ministry_of(origin) == ministry_of(own));
    match name.and_then(|name| name.parse().ok()) {
        Some(name) => {
            Checkpoint::verify(note, &VerifierKey::new(name, key.kind(), *key.public_key()))
        }
        None => Checkpoint::verify(note, key),
    }
}

/// Whether the log grew out of a checkpoint that is not larger than it.
pub(crate) fn grew_out_of(store: &Store, held: &Checkpoint) -> Result<bool, ViewError> {
    Ok(root(store, held.size)? == held.root)
}

/// Writes the proof, all of it or nothing.
pub(crate) fn keep(place: &Path, note: &[u8]) -> io::Result<()> {
    let unfinished = place.with_extension("new");
    fs::write(&unfinished, note)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(unfinished, place)
}
