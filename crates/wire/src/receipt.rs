//! The receipt as the bytes that are signed.

use bytes::Bytes;
use kuriiri_types::{Receipt, ReceiptKind, SignedReceipt, Timestamp};
use prost::Message;

use crate::{
    envelope,
    error::{Flaw, WireError},
    field,
    limits::RECEIPT_BYTES_MAX,
    proto,
    shape::{Part, Shape},
    signed, verdict,
};

/// The canonical encoding of a receipt: what is signed.
///
/// Reasons over [`REASONS_MAX`](crate::limits::REASONS_MAX) are left out and longer ones cut: a
/// receipt that its reader had to refuse would be worse.
pub fn encode(receipt: &Receipt) -> Bytes {
    write(receipt).encode_to_vec().into()
}

/// The receipt in these bytes. Says nothing about who signed them.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the bytes are not the canonical
/// encoding of a receipt, or the receipt breaks a rule or a limit.
pub fn decode(bytes: &[u8]) -> Result<Receipt, WireError> {
    signed::canonical(RECEIPT_BYTES_MAX, bytes)
        .and_then(read)
        .map_err(|flaw| WireError::signed("receipt", flaw))
}

fn write(receipt: &Receipt) -> proto::Receipt {
    proto::Receipt {
        message: Bytes::copy_from_slice(receipt.message.as_bytes()),
        header_digest: Bytes::copy_from_slice(receipt.header_digest.as_bytes()),
        sender: receipt.sender.to_string(),
        recipient: receipt.recipient.to_string(),
        kind: write_kind(receipt.kind).into(),
        at: receipt.at.as_millis(),
        issuer: receipt.issuer.as_str().into(),
        code: receipt.code.map(|code| code.number().into()),
        reasons: verdict::write_reasons(&receipt.reasons),
    }
}

fn read(wire: proto::Receipt) -> Result<Receipt, Flaw> {
    Ok(Receipt {
        message: field::message_id("message", &wire.message)?,
        header_digest: field::digest("header_digest", &wire.header_digest)?,
        sender: field::address("sender", &wire.sender)?,
        recipient: field::address("recipient", &wire.recipient)?,
        kind: read_kind(wire.kind)?,
        at: Timestamp::from_millis(wire.at),
        issuer: field::ministry("issuer", &wire.issuer)?,
        code: wire.code.map(field::code).transpose()?,
        reasons: verdict::read_reasons(wire.reasons)?,
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

// === the signed receipt in a frame ===

pub(crate) static SIGNED_RECEIPT: Shape =
    Shape::new("SignedReceipt", &[Part::one("proof", 2, &envelope::BATCH_PROOF)]);

pub(crate) fn write_signed(signed: &SignedReceipt) -> proto::SignedReceipt {
    proto::SignedReceipt {
        receipt: signed.receipt.clone(),
        proof: Some(envelope::write_proof(&signed.proof)),
    }
}

pub(crate) fn read_signed(wire: proto::SignedReceipt) -> Result<SignedReceipt, Flaw> {
    field::some_at_most("receipt", RECEIPT_BYTES_MAX, wire.receipt.len())?;
    Ok(SignedReceipt { receipt: wire.receipt, proof: envelope::read_proof(wire.proof)? })
}
