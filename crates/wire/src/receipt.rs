//! The receipt: an entry of the issuing relay's log, as it is handed out.

use kuriiri_types::{LogEvent, Receipt};

use crate::{
    entry,
    error::{Flaw, WireError},
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
