//! What proves the relay's word on messages: the receipts of an answer.

use std::sync::Arc;

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Address, Addressed, Digest, Giver, Receipt, ReceiptKind, SignedReceipt};

use crate::{
    compose::Composed,
    error::{ReceiptFault, Unproven},
    system::System,
};

/// The genuine receipts of an answer: the relay's word on the messages of a batch, of which some have
/// none.
pub(crate) struct Evidence {
    receipts: Vec<Arc<VerifiedReceipt>>,
    /// Where each message is spoken of, in the order of the leaf hashes of their headers.
    mentions: Vec<Mention>,
    /// The first that is not genuine. Whose it was meant to be, nobody can tell.
    fault: Option<ReceiptFault>,
}

/// A message in a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mention {
    header: Digest,
    receipt: usize,
    subject: usize,
}

impl Evidence {
    pub(crate) fn read(system: &System, handed_out: Vec<SignedReceipt>) -> Self {
        let (mut receipts, mut fault) = (Vec::<Arc<VerifiedReceipt>>::new(), None);
        for signed in handed_out {
            // A relay may hand out the same once for each message.
            if receipts.iter().any(|known| *known.signed() == signed) {
                continue;
            }
            match system.receipt(signed) {
                Ok(verified) => receipts.push(verified),
                Err(error) => {
                    tracing::warn!(%error, "the relay answered with a receipt that is not genuine");
                    fault.get_or_insert(error);
                }
            }
        }
        let mut mentions: Vec<Mention> = receipts.iter().enumerate().flat_map(mentions).collect();
        mentions.sort_unstable();
        Self { receipts, mentions, fault }
    }

    /// What proves that the own relay accepted a message: receipts that say so for every recipient,
    /// and none that says something else of it.
    pub(crate) fn of_acceptance(
        &self,
        system: &System,
        message: &Composed,
    ) -> Result<Vec<Arc<VerifiedReceipt>>, Unproven> {
        let other = self.about(message.leaf).find(|(receipt, told)| {
            !(is_acceptance(system, receipt.receipt()) && is_own(system, message, receipt, told))
        });
        if let Some((other, _)) = other {
            return Err(Unproven::Other(other.receipt().issuer.clone()));
        }
        let is_told =
            |to: &Address| self.about(message.leaf).any(|(_, told)| told.recipient == *to);
        if !message.header.to.iter().all(|to| is_told(&to.address)) {
            return Err(self.fault.clone().map_or(Unproven::Missing, Unproven::NotGenuine));
        }
        Ok(each_once(self.about(message.leaf)))
    }

    /// What proves that the own relay refused a message. It is refused either way, so what proves
    /// nothing is left out.
    pub(crate) fn of_refusal(
        &self,
        system: &System,
        message: &Composed,
    ) -> Vec<Arc<VerifiedReceipt>> {
        each_once(self.about(message.leaf).filter(|(receipt, told)| {
            receipt.receipt().kind == ReceiptKind::Refused && is_own(system, message, receipt, told)
        }))
    }

    /// Where the message with this header is spoken of, receipt by receipt.
    fn about(&self, header: Digest) -> impl Iterator<Item = (&Arc<VerifiedReceipt>, &Addressed)> {
        let from = self.mentions.partition_point(|mention| mention.header < header);
        let mentions = self.mentions.iter().skip(from);
        mentions.take_while(move |mention| mention.header == header).filter_map(|mention| {
            let receipt = self.receipts.get(mention.receipt)?;
            Some((receipt, receipt.receipt().subjects.get(mention.subject)?))
        })
    }
}

fn mentions(
    (receipt, verified): (usize, &Arc<VerifiedReceipt>),
) -> impl Iterator<Item = Mention> + use<'_> {
    let subjects = verified.receipt().subjects.iter().enumerate();
    subjects.map(move |(subject, told)| Mention { header: told.subject.header, receipt, subject })
}

/// Those receipts, each once; all mentions in one follow each other.
fn each_once<'a>(
    mentions: impl Iterator<Item = (&'a Arc<VerifiedReceipt>, &'a Addressed)>,
) -> Vec<Arc<VerifiedReceipt>> {
    let mut receipts: Vec<Arc<VerifiedReceipt>> = Vec::with_capacity(1);
    for (receipt, _) in mentions {
        if receipts.last().is_none_or(|last| !Arc::ptr_eq(last, receipt)) {
            receipts.push(Arc::clone(receipt));
        }
    }
    receipts
}

/// True for the word that messages of this very system were accepted.
fn is_acceptance(system: &System, receipt: &Receipt) -> bool {
    let is_by_it = matches!(&receipt.by, Some(Giver::System(giver)) if *giver == system.id);
    receipt.kind == ReceiptKind::Accepted && is_by_it
}

/// True for the own relay's word on a message, whose header has the digest, and one of its
/// recipients.
fn is_own(
    system: &System,
    message: &Composed,
    receipt: &VerifiedReceipt,
    told: &Addressed,
) -> bool {
    let (receipt, header) = (receipt.receipt(), &message.header);
    receipt.issuer == *system.home()
        && receipt.sender == header.from
        && told.subject.message == header.id
        && header.to.iter().any(|to| to.address == told.recipient)
}
