//! What can go wrong for an officer.

use kuriiri_types::{Code, MessageId};
use kuriiri_wire::WireError;

use super::{CallError, Unacceptable};

/// An officer cannot see a message, or the relay does not take what the officer says of it.
#[derive(Debug, thiserror::Error)]
pub enum OfficerError {
    /// The relay gave no answer, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What the relay shows is not what it should be. Do not release it: the relay, or whoever is in
    /// its place, may want a signature for something else.
    #[error("message {id} cannot be accepted as shown")]
    Unacceptable {
        /// The message that was asked for.
        id: MessageId,
        /// What is wrong with it.
        source: Unacceptable,
    },
    /// The profile is an operator's, and only officers say whether a message may go.
    #[error("only an officer says whether a message may go")]
    NotAnOfficer,
    /// No officer is needed; the message waits for something else.
    #[error("message {0} waits for no officer")]
    NeedsNobody(MessageId),
    /// Nobody releases what nobody can read. It may be rejected.
    #[error("message {0} cannot be read here: it may be rejected, not released")]
    Unread(MessageId),
    /// What the officer says cannot be written, such as a note that is too long.
    #[error("the approval cannot be written")]
    Malformed(#[source] WireError),
    /// A fault of this library.
    #[error("a fault in the client: {0}")]
    Internal(&'static str),
}

impl OfficerError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::Call(error) => error.code(),
            Self::Unacceptable { source, .. } => source.code(),
            Self::NotAnOfficer => Code::NOT_AN_OFFICER,
            Self::Unread(_) => Code::KEY_FILE,
            Self::NeedsNobody(_) => Code::NO_HOLD,
            Self::Malformed(error) => error.code(),
            Self::Internal(_) => Code::INTERNAL,
        }
    }
}
