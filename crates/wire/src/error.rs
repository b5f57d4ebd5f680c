//! Why bytes were refused.

use kuriiri_types::{Code, LabelError};

/// Bytes from outside that are not what they should be. It is always the fault of who made them;
/// decoding the same bytes again cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} cannot be read: {flaw}")]
pub struct WireError {
    what: &'static str,
    code: Code,
    flaw: Flaw,
}

impl WireError {
    /// [`Code::MALFORMED`] for signed bytes, which the message's sender made;
    /// [`Code::PROTOCOL`] for a frame, which the other side of the connection made.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong.
    pub fn flaw(&self) -> &Flaw {
        &self.flaw
    }

    pub(crate) fn signed(what: &'static str, flaw: Flaw) -> Self {
        let code = Code::MALFORMED;
        Self { what, code, flaw }
    }

    pub(crate) fn frame(what: &'static str, flaw: Flaw) -> Self {
        let code = Code::PROTOCOL;
        Self { what, code, flaw }
    }
}

/// What is wrong with bytes. Never quotes them: they may be hostile, and errors go to logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Not protobuf, or not the message that was expected.
    #[error("the bytes are not the expected protobuf message: {0}")]
    Garbled(String),
    /// Signed bytes that a second, shorter or tidier encoding would also say.
    #[error("the bytes are not the canonical encoding of what they say")]
    NotCanonical,
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A number with no meaning in this version.
    #[error("`{field}` has the number {number}, which this version does not know")]
    Unknown {
        /// The field.
        field: &'static str,
        /// Its number.
        number: i64,
    },
    /// Too many, too long or too large.
    #[error("`{field}` is over its limit: {found}, where {max} is the most")]
    OverLimit {
        /// The field, or `frame` or `bytes` for the whole.
        field: &'static str,
        /// The most that is allowed; bytes or entries.
        max: u64,
        /// What there was. Counting stops early, so it may have been more.
        found: u64,
    },
    /// Not of the one length that it must have.
    #[error("`{field}` is {found} bytes long, not {expected}")]
    Size {
        /// The field.
        field: &'static str,
        /// Bytes that it must have.
        expected: usize,
        /// Bytes that it had.
        found: usize,
    },
    /// Breaks the rule for the form of this field.
    #[error("`{field}` {rule}")]
    Form {
        /// The field.
        field: &'static str,
        /// The rule, to be read after the field's name.
        rule: &'static str,
    },
    /// The label is not well-formed.
    #[error(transparent)]
    Label(#[from] LabelError),
}
