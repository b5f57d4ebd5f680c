//! The folder of a state: where things are in it, and folders made.

use std::{
    fs::{DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{durable, error::OpenError};

/// The mode of a folder that is nobody else's business.
const OWNER_ONLY: u32 = 0o700;

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

/// Makes the folder of a state, for its owner alone. One that is there is made so; all is asked of the folder
/// that was opened, whatever gets its name meanwhile.
///
/// # Errors
/// When it cannot be made or opened, or belongs to somebody else.
pub(crate) fn own_dir(dir: &Path) -> Result<(), OpenError> {
    create_dir(dir)?;
    let opened = File::open(dir).map_err(OpenError::io(dir))?;
    let mode = opened.metadata().map_err(OpenError::io(dir))?.permissions().mode() & 0o777;
    // Only its owner may do this, so it is done where the mode is right as well.
    match opened.set_permissions(Permissions::from_mode(OWNER_ONLY)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(OpenError::Foreign { dir: dir.to_owned() });
        }
        other => other.map_err(OpenError::io(dir))?,
    }
    if mode & !OWNER_ONLY != 0 {
        let path = dir.display();
        tracing::warn!(%path, mode = format!("{mode:o}"), "the state folder was open to others and is no more");
    }
    Ok(())
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
    let created = DirBuilder::new().mode(OWNER_ONLY).create(dir);
    created.map_err(OpenError::io(dir))?;
    durable::dir(parent).map_err(OpenError::io(parent))
}
