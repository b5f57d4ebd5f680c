//! Whether this relay's log is what its witnesses saw of it. A state folder that was restored from an
//! old copy holds less than that, and to go on from there would be to give the log two histories.

use kuriiri_store::Store;
use kuriiri_tlog::{Checkpoint, VerifierKey, root};
use tokio::sync::watch;

use crate::error::{LinkError, LogBehind};

/// Knows the own log's key, and remembers when it was found to be behind.
#[derive(Debug)]
pub(crate) struct Rollback {
    key: VerifierKey,
    found: watch::Sender<Option<LogBehind>>,
}

impl Rollback {
    pub(crate) fn new(key: VerifierKey) -> Self {
        Self { key, found: watch::Sender::new(None) }
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
    /// proves nothing.
    ///
    /// # Errors
    /// [`LinkError::Witness`] when the note is not one of this log's, or the log is behind it; then
    /// everybody who waits hears of it.
    pub(crate) fn held_by_witness(
        &self,
        store: &Store,
        note: &[u8],
    ) -> Result<Checkpoint, LinkError> {
        let wrong = |what: String| LinkError::Witness(what);
        let held = Checkpoint::verify(note, &self.key);
        let held = held.map_err(|error| wrong(format!("what it holds of our log: {error}")))?;
        let size = store.log_size();
        let same = held.size <= size
            && root(store, held.size).map_err(|error| wrong(error.to_string()))? == held.root;
        if same {
            return Ok(held);
        }
        let behind = LogBehind { ours: size, witnessed: held.size };
        self.found.send_replace(Some(behind.clone()));
        Err(wrong(behind.to_string()))
    }
}
