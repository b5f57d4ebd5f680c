//! What is wrong in a file of the policy, and where.

use kuriiri_types::{Code, FileKind};

/// A file was refused. Nothing of it is in force; the policy that runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not TOML, or has a key or a type that the format does not have.
    #[error("the {} cannot be read; correct it at the place that the cause names", file.title())]
    Syntax {
        /// Which file.
        file: FileKind,
        /// What the parser says, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// The text is of the right form and says something impossible.
    #[error("the {} is wrong at {item}: {flaw}", file.title())]
    Content {
        /// Which file.
        file: FileKind,
        /// Which entry of it, such as ``level `TL4` ``.
        item: String,
        /// What is wrong with the entry.
        flaw: Flaw,
    },
}

impl PolicyError {
    pub(crate) fn content(file: FileKind, item: impl Into<String>, flaw: Flaw) -> Self {
        Self::Content { file, item: item.into(), flaw }
    }

    /// The stable number: always that of a wrong policy file.
    pub fn code(&self) -> Code {
        Code::POLICY_FILE
    }
}

/// What is wrong with one entry of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file is of another format or version.
    #[error("this version reads `{0}`")]
    Format(&'static str),
    /// More than this version takes.
    #[error("at most {0} are allowed")]
    TooMany(usize),
    /// Something that must be there is not.
    #[error("it is empty")]
    Empty,
    /// An id outside the allowed characters or length.
    #[error(
        "an id has 1 to 64 letters, digits, spaces and ._+/-, and starts with a letter or digit"
    )]
    NotAnId,
    /// Two entries claim the same name, rank or colour.
    #[error("`{0}` stands twice")]
    Duplicate(String),
    /// A name that no file defines.
    #[error("`{0}` is not defined")]
    Unknown(String),
    /// A group that contains itself.
    #[error("the group contains itself")]
    Cycle,
    /// A date without a time zone, or outside the calendar.
    #[error("a time needs a date and a zone, such as 2026-09-01T00:00:00Z")]
    Time,
    /// Not a host and a port.
    #[error("`{0}` is not host:port")]
    Endpoint(String),
    /// Not a public sealing key.
    #[error(
        "a sealing key is one line as in `<ministry>.seal.pub`, whole, with the words before the colon"
    )]
    SealingKey,
    /// Two statements that cannot both hold.
    #[error("{0}")]
    Conflict(String),
    /// A test that the file carries and that is not understood.
    #[error("{0}")]
    Test(String),
    /// A translation that would lose a restriction.
    #[error("{0}")]
    Loses(String),
}
