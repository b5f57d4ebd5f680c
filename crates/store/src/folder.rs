//! The folder of a state: where things are in it, and folders made.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{durable, error::OpenError};

/// Where files of the log wait for the next checkpoint.
pub(crate) const WAITING: &str = "log-waiting";

/// sled's database.
pub(crate) fn db_path(dir: &Path) -> PathBuf {
    dir.join("db")
}

/// Where sled puts what does not fit a segment.
pub(crate) fn blobs_path(dir: &Path) -> PathBuf {
    dir.join("blobs")
}

/// Where body files are.
pub(crate) fn bodies_path(dir: &Path) -> PathBuf {
    dir.join("bodies")
}

/// Makes a folder, and those above it, unless it is there.
pub(crate) fn create_dir(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_dir(parent)?;
    let created = DirBuilder::new().mode(0o700).create(dir);
    created.map_err(OpenError::io(dir))?;
    durable::dir(parent).map_err(OpenError::io(parent))
}
