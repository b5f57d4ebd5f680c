//! The keys of logs and witnesses.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use kuriiri_tlog::{Cosigner, LogKeys, NoteSigner, VerifierKey};
use kuriiri_types::Ministry;

/// This relay's log, and the keys of all logs and witnesses.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    /// Where everybody may read it.
    pub(crate) dir: PathBuf,
    pub(crate) signer: Arc<NoteSigner>,
    pub(crate) cosigner: Arc<Cosigner>,
    pub(crate) keys: LogKeys,
    pub(crate) witnesses: BTreeMap<Ministry, VerifierKey>,
}
