//! The receipt: an entry of the issuing relay's log, as it is handed out.

use kuriiri_types::{
    LogEvent, Receipt, ReceiptKind, SignedReceipt, Timestamp,
    limits::{CHECKPOINT_BYTES_MAX, LOG_PATH_MAX},
};

use crate::{
    entry,
    error::{Flaw, WireError},
    field, giver, hashes,
    limits::SIGNED_RECEIPT_BYTES_MAX,
    proto,
    shape::Shape,
    subjects, verdict,
};

/// The receipt in an entry's bytes. Says nothing about whether the entry is in a log.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the bytes are not the canonical encoding
/// of an entry, or it holds no receipt.
pub fn decode(bytes: &[u8]) -> Result<Receipt, WireError> {
    let LogEvent::Receipt(receipt) = entry::decode(bytes)?.event else {
        return Err(WireError::signed("receipt", Flaw::Missing("receipt")));
    };
    Ok(receipt)
}

pub(crate) fn write(receipt: &Receipt) -> proto::Receipt {
    proto::Receipt {
        issuer: receipt.issuer.as_str().into(),
        kind: write_kind(receipt.kind).into(),
        at: receipt.at.as_millis(),
        sender: receipt.sender.to_string(),
        by: receipt.by.as_ref().map(giver::write).unwrap_or_default(),
        code: receipt.code.map(|code| code.number().into()),
        reasons: verdict::write_reasons(&receipt.reasons),
        subjects: subjects::write(receipt.subjects.iter().map(|told| &told.subject)),
        recipients: subjects::write_recipients(&receipt.subjects),
    }
}

pub(crate) fn read(wire: proto::Receipt) -> Result<Receipt, Flaw> {
    Ok(Receipt {
        issuer: field::ministry("issuer", &wire.issuer)?,
        kind: read_kind(wire.kind)?,
        at: Timestamp::from_millis(wire.at),
        sender: field::address("sender", &wire.sender)?,
        by: giver::read_maybe("by", &wire.by)?,
        code: wire.code.map(field::code).transpose()?,
        reasons: verdict::read_reasons(wire.reasons)?,
        subjects: subjects::read_recipients(subjects::read(&wire.subjects)?, wire.recipients)?,
    })
}

fn write_kind(kind: ReceiptKind) -> proto::ReceiptKind {
    match kind {
        ReceiptKind::Accepted => proto::ReceiptKind::Accepted,
        ReceiptKind::Relayed => proto::ReceiptKind::Relayed,
        ReceiptKind::Delivered => proto::ReceiptKind::Delivered,
        ReceiptKind::Refused => proto::ReceiptKind::Refused,
        ReceiptKind::Expired => proto::ReceiptKind::Expired,
    }
}

fn read_kind(number: i32) -> Result<ReceiptKind, Flaw> {
    field::known("kind", number, |number| {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        ReceiptKind::ALL.get(position).copied()
    })
}

// === the receipt in a frame ===

pub(crate) static SIGNED_RECEIPT: Shape = Shape::new("SignedReceipt", &[]);

pub(crate) fn write_signed(signed: &SignedReceipt) -> proto::SignedReceipt {
    proto::SignedReceipt {
        entry: signed.entry.clone(),
        index: signed.index,
        path: hashes::write(&signed.path),
        checkpoint: signed.checkpoint.clone(),
    }
}

pub(crate) fn read_signed(wire: proto::SignedReceipt) -> Result<SignedReceipt, Flaw> {
    field::some_at_most("entry", SIGNED_RECEIPT_BYTES_MAX, wire.entry.len())?;
    field::some_at_most("checkpoint", CHECKPOINT_BYTES_MAX, wire.checkpoint.len())?;
    let total = wire.entry.len() + wire.path.len() + wire.checkpoint.len();
    field::at_most("receipt", SIGNED_RECEIPT_BYTES_MAX, total)?;
    Ok(SignedReceipt {
        entry: wire.entry,
        index: wire.index,
        path: hashes::read("path", LOG_PATH_MAX, &wire.path)?,
        checkpoint: wire.checkpoint,
    })
}
