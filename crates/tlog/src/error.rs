//! What can be wrong with files, notes, checkpoints, proofs and policies.

use crate::{ENTRY_BYTES_MAX, KeyName, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, TILE_WIDTH};

/// A bundle cannot be written, or is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry is too long to be written.
    #[error("the entry has {0} bytes, and a log takes at most {ENTRY_BYTES_MAX}")]
    TooLong(usize),
    /// More entries than a bundle has.
    #[error("there are {0} entries, and a bundle has at most {TILE_WIDTH}")]
    TooMany(usize),
    /// The bytes end within an entry.
    #[error("the bundle ends in the middle of its entry number {0}, counted from 0")]
    CutOff(usize),
    /// The bytes end before the last entry.
    #[error("the bundle has {found} entries and should have {width}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there should be.
        width: u16,
    },
    /// Something follows the last entry.
    #[error("the bundle goes on after its {0} entries")]
    TooLarge(u16),
}

/// The file of headers beside a log is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// A header is too long to be written.
    #[error("the header has {0} bytes, and the file takes at most 65535")]
    TooLong(usize),
    /// One entry has too many headers.
    #[error("an entry has {0} headers, and the file takes at most 65535")]
    TooMany(usize),
    /// The bytes end within a part.
    #[error("the file of headers ends in the middle of its part number {0}, counted from 0")]
    CutOff(usize),
    /// A part does not follow the one before it.
    #[error("the headers of entry {0} of the bundle come after those of a later entry")]
    Order(u8),
}

/// The text of a key, or the name of one, is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// A name that no key can have.
    #[error("a key's name has at least one letter, and no space, plus or control character in it")]
    Name,
    /// Not three parts, or one of them unreadable.
    #[error(
        "a key is written as name+id+key, with the id in 8 hexadecimal digits and the key in base64"
    )]
    Format,
    /// A kind of key that is not used here.
    #[error("the key is of type {0:#04x}, and only 0x01 (Ed25519) and 0x04 (cosignature) are read")]
    Type(u8),
    /// The id is not that of this name and key.
    #[error("the key's id does not belong to its name and key")]
    Id,
    /// A log's key was given for a witness, or the other way round.
    #[error("the key of {0} is of the wrong type: a log's is 0x01, a witness's 0x04")]
    WrongKind(KeyName),
}

/// A note is not readable, or not signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than is read here.
    #[error("the note has {0} bytes, and at most {NOTE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Not UTF-8, or with a control character.
    #[error("the note is not plain text: UTF-8 without control characters")]
    NotText,
    /// The text does not end in a line end, so no note can be made of it.
    #[error("the text of a note ends in a line end")]
    Unended,
    /// No empty line with signatures after it.
    #[error("the note has no signatures after an empty line")]
    Unsigned,
    /// A signature line that is none.
    #[error("line {0} of the signatures is not one")]
    Line(usize),
    /// More signatures than are read here.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooMany,
    /// No signature is by the key that is asked for.
    #[error("{0} did not sign the note")]
    NotSignedBy(KeyName),
    /// A signature that names a known key is not one of that key.
    #[error("a signature in the name of {0} is not genuine")]
    BadSignature(KeyName),
}

/// A checkpoint is not readable, or not that of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size and root.
    #[error("the text is not a checkpoint: {0}")]
    Text(&'static str),
    /// Signed by a key of another name.
    #[error("the checkpoint is of the log {origin}, and the key of {key}")]
    Origin {
        /// Which log it says it is of.
        origin: String,
        /// Whose key it is.
        key: KeyName,
    },
    /// A witness's key was given where a log's is needed.
    #[error("the key of {0} is a witness's, and a checkpoint is signed with a log's")]
    Kind(KeyName),
    /// Seconds that no time can have.
    #[error("{0} seconds are not a time that a witness can state")]
    Time(u64),
}

/// A proof file is not readable, or does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Larger than is read here.
    #[error("the proof has {0} bytes, more than any proof needs")]
    TooLarge(usize),
    /// A line that is not what should stand there.
    #[error("line {line} of the proof is not {what}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What should stand there.
        what: &'static str,
    },
    /// The checkpoint in it is wrong, or not accepted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy does not accept the checkpoint in it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The hashes do not lead from the entry to the root.
    #[error("the proof does not lead from this entry, at index {index}, to the checkpoint's root")]
    Path {
        /// Which entry it is said to be.
        index: u64,
    },
}

/// A policy file is not readable, or a checkpoint not acceptable by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A line that is wrong.
    #[error("line {line} of the policy: {fault}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: PolicyFault,
    },
    /// Larger than is read here.
    #[error("the policy has {0} bytes, more than any policy needs")]
    TooLarge(usize),
    /// The last line is not ended.
    #[error("the policy's last line does not end; perhaps the file was cut off")]
    Unended,
    /// No quorum line.
    #[error("the policy has no quorum line; without witnesses it is `quorum none`")]
    NoQuorum,
    /// Nobody to choose from, or more needed than there are.
    #[error("{needed} of {witnesses} witnesses cannot be required")]
    Needed {
        /// How many are to cosign.
        needed: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// The checkpoint of a log that is not listed, or not signed by it.
    #[error("no log that the policy lists signed the checkpoint of {0}")]
    UnknownLog(String),
    /// The checkpoint is wrong.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What is wrong with a line of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// A control character.
    #[error("it has a control character other than the tab in it")]
    Control,
    /// Neither log, witness, group nor quorum.
    #[error("it begins with none of `log`, `witness`, `group`, `quorum`")]
    Keyword,
    /// Too few or too many words.
    #[error("it should be: {0}")]
    Words(&'static str),
    /// The key is wrong.
    #[error(transparent)]
    Key(#[from] KeyTextError),
    /// The key stands in an earlier line.
    #[error("the same key stands in an earlier line")]
    SameKey,
    /// The name is taken.
    #[error("the name `{0}` is already taken")]
    SameName(String),
    /// The name is not defined above.
    #[error("no earlier line defines `{0}`")]
    Undefined(String),
    /// The name is in a group already.
    #[error("`{0}` is already a member of a group")]
    TwiceMember(String),
    /// Not a number between one and the number of members.
    #[error("`{0}` is not `all`, `any`, or a number from 1 to that of the members")]
    Threshold(String),
    /// A second quorum line.
    #[error("there is a quorum line already")]
    SecondQuorum,
    /// More of the kind than are read here.
    #[error("there are more than {0} of these")]
    TooMany(usize),
}
