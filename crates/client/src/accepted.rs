//! What the relay's acceptance of a message is, and what proves it.

use kuriiri_seal::VerifiedReceipt;
use kuriiri_types::{MessageId, ReceiptKind, SignedReceipt, Timestamp};
use kuriiri_wire::receipt;

use crate::{clock, compose::Composed, desk::Desk, error::Unproven};

/// The own relay holds a message durably and answers for it from now on.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The message's id.
    pub id: MessageId,
    /// When the relay first accepted it, by the relay's clock.
    pub at: Timestamp,
    /// True when the relay had it before, because an answer of it had been lost on the way.
    pub repeat: bool,
    /// How many of the ministry's officers have to release it before it leaves; 0 when it goes by
    /// itself. The relay said so when it was asked, before the message was sent.
    pub waits_for: u32,
    /// A receipt for each recipient, in their order, signed by the relay and verified here: worth
    /// keeping, as anybody can check it later without either side.
    pub receipts: Vec<VerifiedReceipt>,
}

/// Holds receipts against the message that they should be for.
pub(crate) fn prove(
    desk: &Desk,
    message: &Composed,
    receipts: Vec<SignedReceipt>,
) -> Result<Vec<VerifiedReceipt>, Unproven> {
    let recipients = &message.header.to;
    if receipts.len() != recipients.len() {
        return Err(Unproven::Missing);
    }
    let now = clock::now();
    let mut proven = Vec::with_capacity(receipts.len());
    for (signed, recipient) in receipts.into_iter().zip(recipients) {
        let verified = desk.verifier.receipt(signed, |bytes| receipt::decode(bytes), now);
        let verified = verified.map_err(Unproven::NotGenuine)?;
        let receipt = verified.receipt();
        let fits = receipt.issuer == *desk.home()
            && receipt.kind == ReceiptKind::Accepted
            && receipt.message == message.header.id
            && receipt.header_digest == message.leaf
            && receipt.sender == message.header.from
            && receipt.recipient == recipient.address;
        if !fits {
            return Err(Unproven::Other(receipt.issuer.clone()));
        }
        proven.push(verified);
    }
    Ok(proven)
}
