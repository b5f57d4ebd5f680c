//! The folders of logs, and what goes wrong with them.

use std::path::{Path, PathBuf};

use kuriiri_types::Code;
use kuriiri_verify::{FolderError, LogFolder};

use crate::exit::Failure;

/// The log in a folder, which may be that of its relay.
pub(super) fn open(folder: &Path) -> Result<LogFolder, Failure> {
    let inner = folder.join("log");
    let is_relays = !folder.join("checkpoint").exists() && inner.is_dir();
    LogFolder::open(if is_relays { &inner } else { folder }).map_err(failed)
}

/// The logs in folders, in their order.
pub(crate) fn open_all(folders: &[PathBuf]) -> Result<Vec<LogFolder>, Failure> {
    folders.iter().map(|folder| open(folder)).collect()
}

/// Why a log cannot be read or written.
pub(crate) fn failed(error: FolderError) -> Failure {
    Failure::new(Code::LOG_FOLDER, error)
}
