//! What must always hold of what is signed: it is what its system or its relay signed. Each check is called
//! as its invariant is.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_engine::{Item, Pack};
use kuriiri_types::{
    Addressed, BatchProof, Digest, Envelope, Header, Receipt, ReceiptKind, SignedReceipt,
};
use kuriiri_wire::receipt;

use crate::{
    failure::{Check, Failure, hold},
    node::Node,
    observer::{Observer, pairs},
    sender::Sent,
};

impl Observer {
    /// What proves the messages of a pack: each gets its own proof back from the parts.
    pub(crate) fn proofs_of(&self, pack: &Pack) -> Result<Vec<(Digest, BatchProof)>, Failure> {
        let is_message = |item: &&Item| matches!(item, Item::Parcel(_));
        let messages = pack.items.iter().filter(is_message).count();
        let proofs = pack.proofs().unwrap_or_default();
        hold("signed_bytes_are_verbatim", proofs.len() == messages, || {
            format!("{} proofs for {messages} messages: {:?}", proofs.len(), pack.parts)
        })?;
        Ok(proofs)
    }

    /// Header and proof are, byte for byte, what their system signed.
    pub(crate) fn signed_bytes_are_verbatim(
        &self,
        envelope: &Envelope,
    ) -> Result<Arc<Sent>, Failure> {
        let sent = self.sent_with(&envelope.header)?;
        hold("signed_bytes_are_verbatim", sent.envelope == *envelope, || {
            format!("a proof of {} of {} is another", sent.index, sent.system)
        })?;
        Ok(sent)
    }

    /// The message with this header, which somebody sent.
    pub(crate) fn sent_with(&self, header: &Bytes) -> Result<Arc<Sent>, Failure> {
        let sent = self.sent.get(&kuriiri_merkle::leaf(header)).cloned();
        hold("signed_bytes_are_verbatim", sent.is_some(), || {
            format!("a header of {} bytes is nobody's", header.len())
        })?;
        sent.ok_or_else(|| Failure::setup("a header that is and is not there"))
    }

    /// A receipt stands in the log of the relay that it names, and is true.
    pub(crate) fn receipts_are_genuine(&self, signed: &SignedReceipt) -> Result<Receipt, Failure> {
        let verified = self.cast.receipts.receipt(signed.clone(), |b| receipt::decode(b));
        let receipt = match verified {
            Ok(verified) => verified.into_parts().0,
            Err(error) => {
                return Err(broken("receipts_are_genuine", format!("{error}: {signed:?}")));
            }
        };
        self.receipts_are_true(&receipt)?;
        Ok(receipt)
    }

    /// It speaks of messages that were sent, of one of the recipients of each, and truly if it says that
    /// a receiver has them.
    pub(crate) fn receipts_are_true(&self, receipt: &Receipt) -> Check {
        let genuine = |why: &str| format!("{why}: {receipt:?}");
        let name = "receipts_are_genuine";
        for told in &receipt.subjects {
            let message = self.sent.get(&told.subject.header);
            let fits = message.is_some_and(|m| speaks_of(receipt, told, &m.header));
            hold(name, fits, || genuine("it speaks of no such message"))?;
        }
        let is_true = receipt.kind != ReceiptKind::Delivered
            || pairs(receipt).all(|pair| self.confirmed.contains(&pair));
        hold(name, is_true, || genuine("nobody has confirmed it"))
    }

    /// The certificate of everybody who signed something in custody is kept with it.
    pub(crate) fn signers_are_known(&self, node: &Node, proof: &BatchProof) -> Check {
        let known = node.disk.has_certificate(&proof.signer);
        hold("signers_are_known", known, || format!("{} lacks {:?}", node.home, proof.signer))
    }
}

fn broken(invariant: &'static str, detail: String) -> Failure {
    Failure::Breach { invariant, detail }
}

fn speaks_of(receipt: &Receipt, told: &Addressed, header: &Header) -> bool {
    told.subject.message == header.id
        && receipt.sender == header.from
        && header.to.iter().any(|recipient| recipient.address == told.recipient)
        && (receipt.kind != ReceiptKind::Delivered || receipt.issuer == *told.recipient.ministry())
}
