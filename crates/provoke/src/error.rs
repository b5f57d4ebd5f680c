//! Why the kit cannot run.

use std::{fmt, path::PathBuf};

use kuriiri_types::Code;

/// The kit cannot run: nothing was found out about the relay.
#[derive(Debug, thiserror::Error)]
pub enum ProvokeError {
    /// A file of the member cannot be used.
    #[error("{}: {what}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
        /// Its stable number.
        code: Code,
    },
    /// The address leads nowhere.
    #[error("`{0}` is no address of a relay; write it as host:port")]
    Address(String),
    /// No member listens there, or the one that is named is none.
    #[error("{0}")]
    Target(String),
    /// A socket cannot be had.
    #[error("there is no socket: {0}")]
    Socket(String),
    /// There is no case with this number.
    #[error("there is no case {0}; `kuriiri provoke --list` has all of them")]
    NoCase(u16),
    /// An honest exchange does not succeed, so no case would say anything.
    #[error("the relay does not take an honest message, so no case says anything: {0}")]
    NotServed(String),
    /// Whoever was to hear the reports has gone.
    #[error("nobody hears the reports any more")]
    Unheard,
}

impl ProvokeError {
    pub(crate) fn file(file: impl Into<PathBuf>, code: Code, what: impl fmt::Display) -> Self {
        Self::File { file: file.into(), what: what.to_string(), code }
    }

    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::File { code, .. } => *code,
            Self::Address(_) | Self::Target(_) | Self::NoCase(_) => Code::USAGE,
            Self::Socket(_) => Code::PORT,
            Self::NotServed(_) => Code::UNREACHABLE,
            Self::Unheard => Code::INTERNAL,
        }
    }
}
