//! What can go wrong, and whose fault it is.

use std::{fmt, io, path::PathBuf};

use kuriiri_engine::{Commit, ViewError};
use kuriiri_types::{Code, limits::PACK_BYTES_MAX};
use rustix::io::Errno;

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
    #[error("{} cannot be used: {}", path.display(), Trouble::of(source).at_start())]
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
    /// The system has no room for the commit, or no more open files. Nothing of it was applied, the state is
    /// as it was, and the same commit can be tried again.
    #[error("a commit has to wait at {}: {}", path.display(), Trouble::of(source).advice())]
    NotNow {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// The commit.
        commit: Returned,
    },
    /// The disk refused a write.
    #[error(
        "the state at {} cannot be written: {}, and start again",
        path.display(), Trouble::of(source).advice()
    )]
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
    #[error("the body file {} cannot be read: {}", path.display(), Trouble::of(source).at_start())]
    Io {
        /// The body file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A commit that is given back to be tried again. How it is shown leaves out what is in it.
#[derive(Default)]
pub struct Returned(Option<Box<Commit>>);

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a commit" } else { "no commit" })
    }
}

/// What it means that the system refused an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Room,
    Quota,
    OpenFiles,
    ReadOnly,
    /// The disk, or whom the files belong to.
    Other,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        let is_any = |errnos: [Errno; 2]| {
            errnos.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
        };
        // By kind where there is one: sled keeps no more of an error.
        let kind = error.kind();
        if kind == io::ErrorKind::StorageFull {
            Self::Room
        } else if kind == io::ErrorKind::QuotaExceeded {
            Self::Quota
        } else if kind == io::ErrorKind::ReadOnlyFilesystem {
            Self::ReadOnly
        } else if is_any([Errno::MFILE, Errno::NFILE]) {
            Self::OpenFiles
        } else {
            Self::Other
        }
    }

    /// Whether it can be over without anybody touching the relay.
    fn passes(self) -> bool {
        matches!(self, Self::Room | Self::Quota | Self::OpenFiles)
    }

    fn code(self) -> Code {
        match self {
            Self::Room => Code::STORE_FULL,
            Self::Quota => Code::STORE_QUOTA,
            Self::OpenFiles => Code::OPEN_FILES,
            Self::ReadOnly => Code::STORE_READ_ONLY,
            Self::Other => Code::STORE_IO,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Room => "no room is left on its file system; free some",
            Self::Quota => "the quota of its owner is used up; free some of it or have it raised",
            Self::OpenFiles => {
                "no more files can be open; raise the limit (LimitNOFILE) or end what holds them"
            }
            Self::ReadOnly => {
                "its file system can only be read; find out why, and mount it for writing"
            }
            Self::Other => "replace the disk",
        }
    }

    fn at_start(self) -> &'static str {
        if self == Self::Other { "check its disk, owner and mode" } else { self.advice() }
    }
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
            Self::Apart { .. } => Code::STORE_IO,
            Self::Io { source, .. } => Trouble::of(source).code(),
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
            Self::NotNow { source, .. } | Self::Io { source, .. } => Trouble::of(source).code(),
            Self::Stopped => Code::STORE_IO,
            Self::Unreadable(_) => Code::STORE_CORRUPT,
            Self::TooLarge { .. } | Self::Inconsistent(_) => Code::INTERNAL,
        }
    }

    /// The commit, if it is to be tried again.
    ///
    /// # Errors
    /// The error as it was, if that would not help.
    pub fn into_commit(self) -> Result<Commit, Self> {
        if let Self::NotNow { commit: Returned(Some(commit)), .. } = self {
            return Ok(*commit);
        }
        Err(self)
    }

    /// Gives the commit back with the error if it is to be tried again.
    pub(crate) fn with(self, commit: Box<Commit>) -> Self {
        if let Self::NotNow { path, source, .. } = self {
            return Self::NotNow { path, source, commit: Returned(Some(commit)) };
        }
        self
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }

    /// As [`io`](Self::io) where nothing that counts was written yet: what passes can be waited for.
    pub(crate) fn not_now(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| {
            if Trouble::of(&source).passes() {
                Self::NotNow { path, source, commit: Returned::default() }
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
            Self::Io { source, .. } => Trouble::of(source).code(),
        }
    }

    /// Whether it can be over soon without anybody touching the relay: it says nothing about the body.
    pub fn passes(&self) -> bool {
        match self {
            Self::Damaged { .. } => false,
            Self::Io { source, .. } => Trouble::of(source).passes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not_and_each_has_its_words() {
        for (errno, code, passes, word) in [
            (Errno::NOSPC, Code::STORE_FULL, true, "no room"),
            (Errno::DQUOT, Code::STORE_QUOTA, true, "quota"),
            (Errno::MFILE, Code::OPEN_FILES, true, "LimitNOFILE"),
            (Errno::NFILE, Code::OPEN_FILES, true, "LimitNOFILE"),
            (Errno::ROFS, Code::STORE_READ_ONLY, false, "only be read"),
            (Errno::IO, Code::STORE_IO, false, "replace the disk"),
        ] {
            let error = CommitError::not_now("db")(errno.into());
            assert_eq!(
                (error.code(), error.code().retry()),
                (code, passes || code == Code::STORE_IO)
            );
            assert_eq!(matches!(error, CommitError::NotNow { .. }), passes, "{error:?}");
            assert!(error.to_string().contains(word), "{error}");
            let error = CommitError::io("db")(errno.into());
            assert!(matches!(error, CommitError::Io { .. }) && error.to_string().contains(word));
            assert_eq!(error.code(), code);
            let open = OpenError::io("db")(errno.into());
            assert!(code == Code::STORE_IO || open.to_string().contains(word), "{open}");
            let body = BodyError::Io { path: "7".into(), source: errno.into() };
            assert_eq!((open.code(), body.code()), (code, code));
        }
    }

    #[test]
    fn a_full_disk_is_known_behind_sled() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, Code::STORE_FULL),
            (io::ErrorKind::QuotaExceeded, Code::STORE_QUOTA),
        ] {
            // The way an error of sled takes: cloned inside it, then turned into an io::Error.
            let error = sled::Error::Io(io::Error::from(kind)).clone().into();
            assert_eq!(CommitError::io("db")(error).code(), code);
        }
    }

    #[test]
    fn a_commit_that_waits_is_given_back_and_not_shown() {
        let error = CommitError::not_now("db")(Errno::NOSPC.into());
        assert!(error.into_commit().is_err(), "there is none");
        let commit =
            Commit { pruned: Some(kuriiri_types::Timestamp::from_millis(7)), ..Commit::default() };
        let error = CommitError::not_now("db")(Errno::NOSPC.into()).with(Box::new(commit.clone()));
        assert!(!format!("{error:?}").contains("pruned"));
        assert_eq!(error.into_commit().unwrap(), commit);
        let error = CommitError::io("db")(Errno::NOSPC.into()).with(Box::default());
        assert!(matches!(error.into_commit(), Err(CommitError::Io { .. })));
    }
}
