//! What can be wrong with a file of the log.

use std::{
    io,
    path::{Path, PathBuf},
};

use kuriiri_engine::ViewError;

use crate::error::OpenError;

/// A file of the log that cannot be read, or is not what it must be.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is missing or says something else than it did.
    Damaged { path: PathBuf, what: String },
    /// The system refused.
    Io { path: PathBuf, source: io::Error },
}

impl Fault {
    pub(crate) fn damaged(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| {
            if source.kind() == io::ErrorKind::NotFound {
                Self::damaged(path, "it is missing")
            } else {
                Self::Io { path, source }
            }
        }
    }
}

impl From<Fault> for ViewError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged { path, what } => {
                let path = path.display();
                Self(format!("the log is damaged at {path}: {what}; restore it from a copy"))
            }
            Fault::Io { path, source } => Self(format!("{}: {source}", path.display())),
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged { path, what } => Self::Corrupt { path, what },
            Fault::Io { path, source } => Self::Io { path, source },
        }
    }
}
