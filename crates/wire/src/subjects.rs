//! Messages in statements: ids and digests one after the other, and recipients beside them.

use bytes::{BufMut, Bytes, BytesMut};
use kuriiri_types::{Address, Addressed, Subject, limits::STATEMENT_SUBJECTS_MAX};

use crate::{error::Flaw, field};

/// Bytes of an id and a digest.
const SUBJECT_BYTES: usize = 48;

pub(crate) fn write<'a>(subjects: impl ExactSizeIterator<Item = &'a Subject>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(subjects.len() * SUBJECT_BYTES);
    for subject in subjects {
        bytes.put_slice(subject.message.as_bytes());
        bytes.put_slice(subject.header.as_bytes());
    }
    bytes.freeze()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Subject>, Flaw> {
    const FIELD: field::Name = "subjects";
    let (subjects, rest) = bytes.as_chunks::<SUBJECT_BYTES>();
    if !rest.is_empty() {
        let rule = "must be whole ids and digests of 48 bytes";
        return Err(Flaw::Form { field: FIELD, rule });
    }
    field::some_at_most(FIELD, STATEMENT_SUBJECTS_MAX, subjects.len())?;
    subjects.iter().map(|subject| read_one(subject)).collect()
}

fn read_one(bytes: &[u8]) -> Result<Subject, Flaw> {
    let (message, header) = bytes.split_at_checked(16).ok_or(Flaw::Missing("subjects"))?;
    Ok(Subject {
        message: field::message_id("subjects", message)?,
        header: field::digest("subjects", header)?,
    })
}

/// The recipients: one for all where all are the same.
pub(crate) fn write_recipients(subjects: &[Addressed]) -> Vec<String> {
    let few = if has_one_recipient(subjects) { 1 } else { subjects.len() };
    subjects.iter().take(few).map(|told| told.recipient.to_string()).collect()
}

pub(crate) fn read_recipients(
    subjects: Vec<Subject>,
    recipients: Vec<String>,
) -> Result<Vec<Addressed>, Flaw> {
    const FIELD: field::Name = "recipients";
    let read = |text: &String| field::address(FIELD, text);
    if let [one] = recipients.as_slice() {
        let recipient = read(one)?;
        let told = |subject| Addressed { subject, recipient: Address::clone(&recipient) };
        return Ok(subjects.into_iter().map(told).collect());
    }
    if recipients.len() != subjects.len() {
        let rule = "must be one, or as many as messages";
        return Err(Flaw::Form { field: FIELD, rule });
    }
    let told =
        |(subject, text): (Subject, &String)| Ok(Addressed { subject, recipient: read(text)? });
    let told = subjects.into_iter().zip(&recipients).map(told).collect::<Result<Vec<_>, Flaw>>()?;
    if has_one_recipient(&told) { Err(Flaw::NotCanonical) } else { Ok(told) }
}

fn has_one_recipient(subjects: &[Addressed]) -> bool {
    let first = subjects.first().map(|told| &told.recipient);
    subjects.iter().all(|told| Some(&told.recipient) == first)
}
