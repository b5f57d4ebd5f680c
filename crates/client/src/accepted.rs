//! What the relay's word on a message is, and what proves it.

use std::collections::HashMap;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, Digest, MessageId, Receipt, ReceiptKind, SignedReceipt, Timestamp};

use crate::{
    compose::Composed,
    desk::Desk,
    error::{ReceiptFault, Unproven},
    receipts::receipt_proof,
};

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
    /// A receipt for each recipient, in their order, from the relay's log and verified here: worth
    /// keeping, as anybody can check it later without either side.
    pub receipts: Vec<VerifiedReceipt>,
}

impl Accepted {
    /// The receipts as files, in their order; see [`receipt_proof`].
    pub fn proofs(&self) -> impl Iterator<Item = Vec<u8>> {
        self.receipts.iter().map(|receipt| receipt_proof(receipt.signed()))
    }
}

/// The genuine receipts of an answer, by the leaf hash of the header that each speaks of. They are
/// the relay's word on the messages of a batch, of which some have none.
pub(crate) struct Evidence {
    of: HashMap<Digest, Vec<VerifiedReceipt>>,
    /// The first that is not genuine. Whose it was meant to be, nobody can tell.
    fault: Option<ReceiptFault>,
}

impl Evidence {
    pub(crate) fn read(desk: &Desk, receipts: Vec<SignedReceipt>) -> Self {
        let (mut of, mut fault) = (HashMap::<_, Vec<_>>::new(), None);
        for signed in receipts {
            match desk.receipt(signed) {
                Ok(verified) => {
                    of.entry(verified.receipt().header_digest).or_default().push(verified)
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay answered with a receipt that is not genuine");
                    fault.get_or_insert(error);
                }
            }
        }
        Self { of, fault }
    }

    /// What proves that the own relay accepted a message: one receipt for each recipient, in their
    /// order, and no other.
    pub(crate) fn of_acceptance(
        &mut self,
        desk: &Desk,
        message: &Composed,
    ) -> Result<Vec<VerifiedReceipt>, Unproven> {
        let receipts = self.of.remove(&message.leaf).unwrap_or_default();
        let recipients = &message.header.to;
        if receipts.len() < recipients.len() {
            return Err(self.fault.clone().map_or(Unproven::Missing, Unproven::NotGenuine));
        }
        let fits = |at: usize, receipt: &Receipt| {
            let recipient = recipients.get(at).map(|recipient| &recipient.address);
            receipt.kind == ReceiptKind::Accepted
                && receipt.by.as_ref() == Some(&desk.system)
                && recipient == Some(&receipt.recipient)
                && is_own(desk, message, receipt)
        };
        match receipts.iter().enumerate().find(|(at, verified)| !fits(*at, verified.receipt())) {
            Some((_, other)) => Err(Unproven::Other(other.receipt().issuer.clone())),
            None => Ok(receipts),
        }
    }

    /// What proves that the own relay refused a message. It is refused either way, so what proves
    /// nothing is left out.
    pub(crate) fn of_refusal(&mut self, desk: &Desk, message: &Composed) -> Vec<VerifiedReceipt> {
        let mut receipts = self.of.remove(&message.leaf).unwrap_or_default();
        let is_recipient =
            |address: &Address| message.header.to.iter().any(|to| to.address == *address);
        receipts.retain(|verified| {
            let receipt = verified.receipt();
            receipt.kind == ReceiptKind::Refused
                && is_recipient(&receipt.recipient)
                && is_own(desk, message, receipt)
        });
        receipts
    }
}

/// True for the own relay's word on a message whose header has the receipt's digest.
fn is_own(desk: &Desk, message: &Composed, receipt: &Receipt) -> bool {
    receipt.issuer == *desk.home()
        && receipt.message == message.header.id
        && receipt.sender == message.header.from
}
