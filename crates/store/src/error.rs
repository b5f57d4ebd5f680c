//! What can go wrong, and whose fault it is.

use std::{io, path::PathBuf};

use kuriiri_engine::ViewError;
use kuriiri_types::{Code, limits::PACK_BYTES_MAX};

/// The state folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses the folder.
    #[error("the state folder {} is used by another process; stop it first", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// What is there is not what was acknowledged.
    #[error("the state is damaged at {}: {what}; keep the folder and restore it from a copy", path.display())]
    Corrupt {
        /// The file or folder that is damaged.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another version wrote the state, and nothing converts it.
    #[error(
        "the state folder {} has format {found}, and this version reads {ours}; start the version that wrote it",
        dir.display()
    )]
    Format {
        /// The folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The one format that this version reads.
        ours: u32,
    },
    /// Files cannot move into the log.
    #[error(
        "the log {} is not on the file system of {}; configure a folder that is",
        log.display(), waiting.display()
    )]
    Apart {
        /// The folder of the log.
        log: PathBuf,
        /// The folder in the state from which files move into it.
        waiting: PathBuf,
    },
    /// The log's folder shows more than the state has, which so is an old copy.
    #[error("the log {} shows {shown} entries, and the state has {ours}: it is an old copy", log.display())]
    Behind {
        /// The folder of the log.
        log: PathBuf,
        /// Entries that it shows.
        shown: u64,
        /// Entries that the state has.
        ours: u64,
    },
    /// Somebody else owns the folder, and could change what is in it.
    #[error(
        "the state folder {} belongs to another user; give it to the one that the relay runs as",
        dir.display()
    )]
    Foreign {
        /// The folder.
        dir: PathBuf,
    },
    /// The system refused an operation.
    #[error("{} cannot be used; check its disk, owner and mode", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A commit did not become durable. Unless said otherwise the state in memory is unknown from
/// then on: the store takes no further commit, and the relay must stop and start again.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The disk is full.
    #[error("no space is left for the state at {}; free some and start again", path.display())]
    Full {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk refused a write.
    #[error("the state at {} cannot be written; replace the disk and start again", path.display())]
    Io {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A value is larger than sled can keep within its synced file. Nothing was applied.
    #[error(
        "{key} has {bytes} bytes and may have {PACK_BYTES_MAX}; report this fault in the relay"
    )]
    TooLarge {
        /// The record.
        key: String,
        /// Bytes of its value.
        bytes: usize,
    },
    /// The commit contradicts the state. Nothing was applied.
    #[error("the commit does not fit the state: {0}; report this fault in the relay")]
    Inconsistent(String),
    /// The state that the commit builds on cannot be read. Nothing was applied.
    #[error("the commit builds on a record that is damaged")]
    Unreadable(#[from] ViewError),
    /// An earlier commit failed or the store was shut.
    #[error("the store takes no more commits since one failed; start the relay again")]
    Stopped,
}

/// A body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The file is gone or shorter than its references say.
    #[error("the body file {} is missing or too short; restore the folder from a copy", path.display())]
    Damaged {
        /// The body file.
        path: PathBuf,
    },
    /// The system refused to read.
    #[error("the body file {} cannot be read; check its disk, owner and mode", path.display())]
    Io {
        /// The body file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => Code::STORE_LOCKED,
            Self::Corrupt { .. } => Code::STORE_CORRUPT,
            Self::Behind { .. } => Code::LOG_BEHIND,
            Self::Format { .. } => Code::STORE_FORMAT,
            Self::Foreign { .. } => Code::STORE_OWNER,
            Self::Apart { .. } | Self::Io { .. } => Code::STORE_IO,
        }
    }

    pub(crate) fn corrupt(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), what: what.into() }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}

impl CommitError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Full { .. } | Self::Io { .. } | Self::Stopped => Code::STORE_IO,
            Self::Unreadable(_) => Code::STORE_CORRUPT,
            Self::TooLarge { .. } | Self::Inconsistent(_) => Code::INTERNAL,
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| {
            let kind = source.kind();
            if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                Self::Full { path, source }
            } else {
                Self::Io { path, source }
            }
        }
    }
}

impl BodyError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Damaged { .. } => Code::STORE_CORRUPT,
            Self::Io { .. } => Code::STORE_IO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            // The way an error of sled takes: cloned inside it, then turned into an io::Error.
            let error = sled::Error::Io(io::Error::from(kind)).clone().into();
            let error = CommitError::io("db")(error);
            assert!(matches!(error, CommitError::Full { .. }), "{error:?}");
            assert_eq!(error.code(), Code::STORE_IO);
        }
        let other = CommitError::io("db")(io::Error::other("torn"));
        assert!(matches!(other, CommitError::Io { .. }), "{other:?}");
    }
}
