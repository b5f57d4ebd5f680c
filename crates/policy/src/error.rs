//! What is wrong in a file of the policy, and where.

use std::fmt;

use kuriiri_types::Code;

/// A file was refused. Nothing of it is in force; the policy that runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not TOML, or has a key or a type that the format does not have.
    #[error("the {file} cannot be read; correct it at the place that the cause names")]
    Syntax {
        /// Which file.
        file: FileKind,
        /// What the parser says, with line and column.
        #[source]
        cause: Box<toml::de::Error>,
    },
    /// The text is of the right form and says something impossible.
    #[error("the {file} is wrong at {item}: {flaw}")]
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

/// The kinds of file that a policy is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `label-catalogue/1`
    Catalogue,
    /// `federation/1`
    Federation,
    /// `routing-policy/1`
    Rules,
    /// `label-translation/1`
    Translation,
}

impl FileKind {
    /// The value of `format` that this version reads.
    pub const fn format(self) -> &'static str {
        match self {
            Self::Catalogue => "label-catalogue/1",
            Self::Federation => "federation/1",
            Self::Rules => "routing-policy/1",
            Self::Translation => "label-translation/1",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "label catalogue",
            Self::Federation => "federation file",
            Self::Rules => "routing policy",
            Self::Translation => "translation table",
        })
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
