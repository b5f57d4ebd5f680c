//! What can go wrong in a relay, by who must act.

use std::path::PathBuf;

use kuriiri_engine::ViewError;
use kuriiri_store::{BodyError, CommitError, OpenError};
use kuriiri_transport::{BindError, CloseCode, DialError, Link, LinkClosed, StreamError};
use kuriiri_types::Code;
use kuriiri_wire::WireError;

use crate::{gate::GateError, messages::Closing};

/// The relay cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A file of its configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot listen.
    #[error("the relay cannot listen")]
    Bind(#[from] BindError),
    /// Its state cannot be opened.
    #[error("the state cannot be opened")]
    Open(#[from] OpenError),
    /// Its state cannot be read.
    #[error("the state cannot be read")]
    View(#[from] ViewError),
    /// Its state cannot be written.
    #[error("the state cannot be written")]
    Commit(#[from] CommitError),
    /// A witness holds more of its log than it has itself, or another one.
    #[error(transparent)]
    Behind(#[from] LogBehind),
    /// A fault of ours.
    #[error("the relay's loop ended by a fault: {0}")]
    Loop(String),
}

impl RelayError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Config(error) => error.code(),
            Self::Bind(error) => error.code(),
            Self::Open(error) => error.code(),
            Self::View(_) => Code::STORE_CORRUPT,
            Self::Commit(error) => error.code(),
            Self::Behind(_) => Code::LOG_BEHIND,
            Self::Loop(_) => Code::INTERNAL,
        }
    }
}

/// The log is not what its witnesses saw of it: the state folder is an old copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log has {ours} entries and is not the one of which a witness holds {witnessed}: this state \
     folder is an old copy"
)]
pub struct LogBehind {
    /// Entries that it has.
    pub ours: u64,
    /// Entries that the witness cosigned.
    pub witnessed: u64,
}

/// Something in the configuration is wrong. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", file.display())]
pub struct ConfigError {
    file: PathBuf,
    what: String,
    code: Code,
}

impl ConfigError {
    pub(crate) fn new(file: impl Into<PathBuf>, code: Code, what: impl ToString) -> Self {
        Self { file: file.into(), what: what.to_string(), code }
    }

    /// The stable number.
    pub fn code(&self) -> Code {
        self.code
    }
}

/// Why a link or a stream ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("no address is known for it")]
    NoAddress,
    #[error("`{name}` cannot be looked up: {why}")]
    Name { name: String, why: String },
    #[error("it does not answer")]
    Silent,
    #[error("the federation file has no link with it")]
    NotLinked,
    #[error("no body of a batch for it can be read from the disk")]
    NothingToSend,
    #[error("it let too much wait")]
    Slow,
    #[error("it speaks version {theirs} of the contract, we speak {ours}")]
    Version { theirs: u32, ours: u32 },
    #[error("this relay is going down")]
    Closing,
    #[error("a task failed: {0}")]
    Task(String),
    #[error("a receipt cannot be proved: {0}")]
    Proof(String),
    #[error("as a witness: {0}")]
    Witness(String),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Closed(#[from] LinkClosed),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Number(#[from] GateError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl LinkError {
    /// True for what only a broken program does: nothing on its link can be trusted any more.
    pub(crate) fn ends_the_link(&self) -> bool {
        match self {
            Self::Wire(_)
            | Self::Number(_)
            | Self::Task(_)
            | Self::NotLinked
            | Self::Version { .. } => true,
            Self::NoAddress
            | Self::Name { .. }
            | Self::Silent
            | Self::NothingToSend
            | Self::Slow
            | Self::Closing
            | Self::Proof(_)
            | Self::Witness(_)
            | Self::Body(_)
            | Self::Closed(_)
            | Self::Dial(_)
            | Self::Stream(_) => false,
        }
    }

    /// The stable number.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoAddress | Self::Name { .. } | Self::Closing => Code::UNREACHABLE,
            Self::Silent | Self::Slow | Self::Number(GateError::Missing(_)) => Code::TOO_SLOW,
            Self::NotLinked => Code::NOT_LINKED,
            Self::Version { .. } | Self::Number(GateError::Used) | Self::Wire(_) => Code::PROTOCOL,
            // What a peer says as a witness is no genuine word on this relay's log.
            Self::Witness(_) => Code::SIGNATURE,
            Self::Task(_) | Self::Proof(_) => Code::INTERNAL,
            Self::NothingToSend => Code::STORE_CORRUPT,
            Self::Body(error) => error.code(),
            Self::Closed(closed) => closed.code(),
            Self::Dial(error) => error.code(),
            Self::Stream(error) => error.code(),
        }
    }

    /// Closes a link for this reason. The other side learns the number and its title; what this side knows
    /// beyond that stays here.
    pub(crate) fn close(&self, link: &Link) {
        let code = self.code();
        let of_link = match code {
            Code::PROTOCOL | Code::TOO_BIG => CloseCode::Protocol,
            Code::TOO_SLOW => CloseCode::TooSlow,
            _ if matches!(self, Self::Closing) => CloseCode::ShuttingDown,
            _ => CloseCode::Done,
        };
        link.close_for(of_link, code);
    }
}

impl From<Closing> for LinkError {
    fn from(_: Closing) -> Self {
        Self::Closing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_a_number() {
        let path = "/var/lib/kuriiri/state".to_owned();
        for (error, code) in [
            (LinkError::Proof(path.clone()), Code::INTERNAL),
            (LinkError::Witness(path), Code::SIGNATURE),
            (LinkError::Number(GateError::Missing(0)), Code::TOO_SLOW),
            (LinkError::Number(GateError::Used), Code::PROTOCOL),
            (LinkError::Stream(StreamError::Slow), Code::TOO_SLOW),
            (LinkError::Closing, Code::UNREACHABLE),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
