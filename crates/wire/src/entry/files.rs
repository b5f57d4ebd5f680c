//! Signed files in the log.

use kuriiri_types::{FileInForce, FilePart, PolicyInForce, limits::FILE_PART_BYTES_MAX};

use crate::{
    error::Flaw,
    field, hashes,
    limits::{FILE_NAME_BYTES_MAX, FILE_PARTS_MAX, FILES_MAX},
    proto,
};

pub(super) fn write(policy: &PolicyInForce) -> proto::PolicyChanged {
    let file = |file: &FileInForce| proto::FileInForce {
        kind: file.kind.as_str().into(),
        name: file.name.clone(),
        serial: file.serial,
        digest: hashes::write_one(file.digest),
        signatures: hashes::write_one(file.signatures),
        own: file.is_own,
    };
    proto::PolicyChanged {
        files: policy.files.iter().map(file).collect(),
        by: policy.by.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn read(wire: proto::PolicyChanged) -> Result<PolicyInForce, Flaw> {
    let field = "files";
    field::at_most(field, FILES_MAX, wire.files.len())?;
    let files = field::each(wire.files, read_file)?;
    let by = field::maybe_identity("by", &wire.by)?;
    // Decisions name the files by one digest over all of them, so they have one order.
    if files.is_sorted_by(|a, b| (a.kind.as_str(), &a.name) < (b.kind.as_str(), &b.name)) {
        return Ok(PolicyInForce { files, by });
    }
    let rule = "must be sorted by kind and name, and none may stand twice";
    Err(Flaw::Form { field, rule })
}

fn read_file(wire: proto::FileInForce) -> Result<FileInForce, Flaw> {
    let rule = "is not a kind of signed file";
    Ok(FileInForce {
        kind: wire.kind.parse().map_err(|_| Flaw::Form { field: "files.kind", rule })?,
        name: field::word("files.name", FILE_NAME_BYTES_MAX, wire.name)?,
        serial: wire.serial,
        digest: field::digest("files.digest", &wire.digest)?,
        signatures: field::digest("files.signatures", &wire.signatures)?,
        is_own: wire.own,
    })
}

pub(super) fn write_part(part: &FilePart) -> proto::FilePart {
    proto::FilePart {
        digest: hashes::write_one(part.digest),
        part: part.part,
        parts: part.parts,
        content: part.bytes.clone(),
    }
}

pub(super) fn read_part(wire: proto::FilePart) -> Result<FilePart, Flaw> {
    field::some_at_most("content", FILE_PART_BYTES_MAX, wire.content.len())?;
    let parts = usize::try_from(wire.parts).unwrap_or(usize::MAX);
    field::some_at_most("parts", FILE_PARTS_MAX, parts)?;
    if wire.part >= wire.parts {
        return Err(Flaw::Form { field: "part", rule: "must be below `parts`" });
    }
    Ok(FilePart {
        digest: field::digest("digest", &wire.digest)?,
        part: wire.part,
        parts: wire.parts,
        bytes: wire.content,
    })
}
