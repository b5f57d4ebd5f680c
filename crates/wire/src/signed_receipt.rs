//! The receipt in a frame, with its proof.

use kuriiri_types::{
    SignedReceipt,
    limits::{CHECKPOINT_BYTES_MAX, LOG_PATH_MAX},
};

use crate::{error::Flaw, field, hashes, limits::SIGNED_RECEIPT_BYTES_MAX, proto, shape::Shape};

pub(crate) static SIGNED_RECEIPT: Shape = Shape::new("SignedReceipt", &[]);

pub(crate) fn write(signed: &SignedReceipt) -> proto::SignedReceipt {
    proto::SignedReceipt {
        entry: signed.entry.clone(),
        index: signed.index,
        path: hashes::write(&signed.path),
        checkpoint: signed.checkpoint.clone(),
    }
}

pub(crate) fn read(wire: proto::SignedReceipt) -> Result<SignedReceipt, Flaw> {
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
