//! What a receipt says, inside the entry that it is.

use kuriiri_types::{Receipt, ReceiptKind, Timestamp};

use crate::{error::Flaw, field, giver, proto, refusal, subjects};

pub(crate) fn write(receipt: &Receipt) -> proto::Receipt {
    proto::Receipt {
        issuer: receipt.issuer.as_str().into(),
        kind: write_kind(receipt.kind).into(),
        at: receipt.at.as_millis(),
        sender: receipt.sender.to_string(),
        by: receipt.by.as_ref().map(giver::write).unwrap_or_default(),
        code: receipt.code.map(|code| code.number().into()),
        reasons: refusal::write_reasons(&receipt.reasons),
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
        reasons: refusal::read_reasons(wire.reasons)?,
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
        ReceiptKind::SetAside => proto::ReceiptKind::SetAside,
    }
}

fn read_kind(number: i32) -> Result<ReceiptKind, Flaw> {
    field::known("kind", number, |number| {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        ReceiptKind::ALL.get(position).copied()
    })
}
