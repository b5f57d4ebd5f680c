//! Signed files: those in force, and those that are offered.

use std::collections::HashSet;

use bytes::Bytes;
use kuriiri_types::{Digest, FileKind, limits::FILE_SIGNATURES_BYTES_MAX};

use crate::{
    error::Flaw,
    field,
    limits::{
        ACCEPTANCE_BYTES_MAX, DIFFERENCES_MAX, FILE_BYTES_MAX, FILE_NAME_BYTES_MAX,
        FILES_BYTES_MAX, FILES_MAX, REASON_BYTES_MAX,
    },
    proto,
    shape::{Field, Shape},
};

/// The signed files in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFiles {
    /// At most [`FILES_MAX`], no name twice; bytes and signatures of all together at most
    /// [`FILES_BYTES_MAX`].
    pub files: Vec<ActiveFile>,
}

/// A signed file in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFile {
    /// Its kind.
    pub kind: FileKind,
    /// Its name: 1 to [`FILE_NAME_BYTES_MAX`] bytes of letters, digits, `-`, `_` and `.`, a letter
    /// or digit first.
    pub name: String,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its exact bytes, 1 to [`FILE_BYTES_MAX`].
    pub bytes: Bytes,
    /// The text of its file of signatures.
    pub signatures: String,
}

/// A signed file that is offered to be put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedFile {
    /// Its kind.
    pub kind: FileKind,
    /// Its name: 1 to [`FILE_NAME_BYTES_MAX`] bytes of letters, digits, `-`, `_` and `.`, a letter
    /// or digit first. It is never a path.
    pub name: String,
    /// Its exact bytes, 1 to [`FILE_BYTES_MAX`].
    pub bytes: Bytes,
    /// The text of its file of signatures, at most [`FILE_SIGNATURES_BYTES_MAX`] bytes.
    pub signatures: String,
}

/// What became of offered files, and what they change. Each list has at most [`DIFFERENCES_MAX`]
/// lines of [`REASON_BYTES_MAX`] bytes; more are counted as left out when encoding, longer ones cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// One for each offered file, in the order of the files.
    pub files: Vec<FileVerdict>,
    /// What was denied and is permitted.
    pub newly_permitted: Vec<String>,
    /// What was permitted and is denied.
    pub newly_denied: Vec<String>,
    /// What is permitted on other conditions.
    pub changed: Vec<String>,
    /// Lines that were left out of the lists: people who read them must know.
    pub left_out: u64,
}

/// What became of one offered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVerdict {
    /// Its name, as offered.
    pub name: String,
    /// Its serial, 0 when it could not be read.
    pub serial: u64,
    /// Why or why not, as a word: 1 to [`ACCEPTANCE_BYTES_MAX`] capital letters and `_`, such as
    /// `ACCEPT` or `ROLLBACK`.
    pub acceptance: String,
}

// === shapes ===

static ACTIVE_FILE: Shape = Shape::new("ActiveFile", &[]);
static OFFERED_FILE: Shape = Shape::new("OfferedFile", &[]);
static FILE_VERDICT: Shape = Shape::new("FileVerdict", &[]);
pub(super) static ACTIVE_FILES: Shape =
    Shape::new("ActiveFiles", &[Field::many("files", 1, FILES_MAX, &ACTIVE_FILE)]);
pub(super) static POLICY_ACTIVATE: Shape =
    Shape::new("PolicyActivate", &[Field::many("files", 1, FILES_MAX, &OFFERED_FILE)]);
pub(super) static ACTIVATION: Shape = Shape::new(
    "Activation",
    &[
        Field::many("files", 1, FILES_MAX, &FILE_VERDICT),
        Field::plain("newly_permitted", 2, DIFFERENCES_MAX),
        Field::plain("newly_denied", 3, DIFFERENCES_MAX),
        Field::plain("changed", 4, DIFFERENCES_MAX),
    ],
);

// === domain → wire ===

pub(super) fn write_active(active: &ActiveFiles) -> proto::ActiveFiles {
    let file = |file: &ActiveFile| proto::ActiveFile {
        kind: write_kind(file.kind).into(),
        name: file.name.clone(),
        serial: file.serial,
        digest: Bytes::copy_from_slice(file.digest.as_bytes()),
        bytes: file.bytes.clone(),
        signatures: file.signatures.clone(),
    };
    proto::ActiveFiles { files: active.files.iter().map(file).collect() }
}

pub(super) fn write_offered(files: &[OfferedFile]) -> proto::PolicyActivate {
    let file = |file: &OfferedFile| proto::OfferedFile {
        kind: write_kind(file.kind).into(),
        name: file.name.clone(),
        bytes: file.bytes.clone(),
        signatures: file.signatures.clone(),
    };
    proto::PolicyActivate { files: files.iter().map(file).collect() }
}

pub(super) fn write_activation(activation: &Activation) -> proto::Activation {
    let lists = [&activation.newly_permitted, &activation.newly_denied, &activation.changed];
    let over: usize = lists.iter().map(|list| list.len().saturating_sub(DIFFERENCES_MAX)).sum();
    let [newly_permitted, newly_denied, changed] = lists.map(|list| write_lines(list));
    let verdict = |file: &FileVerdict| proto::FileVerdict {
        name: file.name.clone(),
        serial: file.serial,
        acceptance: file.acceptance.clone(),
    };
    proto::Activation {
        files: activation.files.iter().map(verdict).collect(),
        newly_permitted,
        newly_denied,
        changed,
        left_out: activation.left_out.saturating_add(over as u64),
    }
}

fn write_lines(lines: &[String]) -> Vec<String> {
    let kept = lines.iter().take(DIFFERENCES_MAX);
    kept.map(|line| field::cut(REASON_BYTES_MAX, line)).collect()
}

fn write_kind(kind: FileKind) -> proto::FileKind {
    match kind {
        FileKind::Catalogue => proto::FileKind::Catalogue,
        FileKind::Federation => proto::FileKind::Federation,
        FileKind::Rules => proto::FileKind::Rules,
        FileKind::Translation => proto::FileKind::Translation,
    }
}

// === wire → domain ===

pub(super) fn read_active(wire: proto::ActiveFiles) -> Result<ActiveFiles, Flaw> {
    field::at_most("files", FILES_MAX, wire.files.len())?;
    check_total(wire.files.iter().map(|file| file.bytes.len() + file.signatures.len()))?;
    check_names(wire.files.iter().map(|file| file.name.as_str()))?;
    let files = field::each(wire.files, |file| {
        Ok(ActiveFile {
            kind: read_kind(file.kind)?,
            name: file.name,
            serial: file.serial,
            digest: field::digest("files.digest", &file.digest)?,
            bytes: read_bytes(file.bytes)?,
            signatures: read_signatures(file.signatures)?,
        })
    })?;
    Ok(ActiveFiles { files })
}

pub(super) fn read_offered(wire: proto::PolicyActivate) -> Result<Vec<OfferedFile>, Flaw> {
    field::some_at_most("files", FILES_MAX, wire.files.len())?;
    check_total(wire.files.iter().map(|file| file.bytes.len() + file.signatures.len()))?;
    check_names(wire.files.iter().map(|file| file.name.as_str()))?;
    field::each(wire.files, |file| {
        Ok(OfferedFile {
            kind: read_kind(file.kind)?,
            name: file.name,
            bytes: read_bytes(file.bytes)?,
            signatures: read_signatures(file.signatures)?,
        })
    })
}

pub(super) fn read_activation(wire: proto::Activation) -> Result<Activation, Flaw> {
    field::some_at_most("files", FILES_MAX, wire.files.len())?;
    check_names(wire.files.iter().map(|file| file.name.as_str()))?;
    Ok(Activation {
        files: field::each(wire.files, |file| {
            let acceptance = read_acceptance(file.acceptance)?;
            Ok(FileVerdict { name: file.name, serial: file.serial, acceptance })
        })?,
        newly_permitted: read_lines("newly_permitted", wire.newly_permitted)?,
        newly_denied: read_lines("newly_denied", wire.newly_denied)?,
        changed: read_lines("changed", wire.changed)?,
        left_out: wire.left_out,
    })
}

fn check_total(lengths: impl Iterator<Item = usize>) -> Result<(), Flaw> {
    field::at_most("files", FILES_BYTES_MAX, lengths.sum())
}

/// Holds that no name is a path or stands twice: files are kept under their names.
fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Flaw> {
    let field = "files.name";
    let mut seen = HashSet::new();
    for name in names {
        field::some_at_most(field, FILE_NAME_BYTES_MAX, name.len())?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !first || !name.bytes().all(plain) {
            let rule = "must be letters, digits, `-`, `_` and `.`, a letter or digit first";
            return Err(Flaw::Form { field, rule });
        }
        if !seen.insert(name) {
            let rule = "must not stand twice";
            return Err(Flaw::Form { field, rule });
        }
    }
    Ok(())
}

fn read_kind(number: i32) -> Result<FileKind, Flaw> {
    let field = "files.kind";
    field::known(field, number, |number| {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        FileKind::ALL.get(position).copied()
    })
}

fn read_bytes(bytes: Bytes) -> Result<Bytes, Flaw> {
    field::some_at_most("files.bytes", FILE_BYTES_MAX, bytes.len())?;
    Ok(bytes)
}

fn read_signatures(text: String) -> Result<String, Flaw> {
    field::at_most("files.signatures", FILE_SIGNATURES_BYTES_MAX, text.len())?;
    Ok(text)
}

fn read_acceptance(word: String) -> Result<String, Flaw> {
    let field = "files.acceptance";
    field::some_at_most(field, ACCEPTANCE_BYTES_MAX, word.len())?;
    if word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
        return Ok(word);
    }
    let rule = "must be capital letters and `_`";
    Err(Flaw::Form { field, rule })
}

fn read_lines(field: field::Name, lines: Vec<String>) -> Result<Vec<String>, Flaw> {
    field::at_most(field, DIFFERENCES_MAX, lines.len())?;
    field::each(lines, |line| field::line(field, REASON_BYTES_MAX, line))
}
