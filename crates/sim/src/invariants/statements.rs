//! What must always hold of statements about many messages. Each check is called as its invariant is.

use kuriiri_merkle::leaf;
use kuriiri_types::{Digest, Ministry, Receipt, SignedReceipt};
use kuriiri_wire::limits::SIGNED_RECEIPT_BYTES_MAX;

use crate::{
    committed_log::CommittedLog,
    failure::{Check, hold},
    observer::Observer,
};

impl Observer {
    /// A statement speaks of messages of its sender alone: nobody learns from it of others.
    pub(crate) fn no_receipt_speaks_of_two_senders(
        &self,
        home: &Ministry,
        receipt: &Receipt,
    ) -> Check {
        let sender = |header| self.sent.get(&header).map(|sent| &sent.header.from);
        let mut others = receipt.subjects.iter().map(|told| sender(told.subject.header));
        let other = others.find(|from| *from != Some(&receipt.sender));
        hold("no_receipt_speaks_of_two_senders", other.is_none(), || {
            format!("{home} speaks to {} of messages of {other:?}", receipt.sender)
        })
    }

    /// Whoever gets a statement can write it with its proof into an entry of their own.
    pub(crate) fn statements_fit(&self, relay: &Ministry, signed: &SignedReceipt) -> Check {
        let SignedReceipt { entry, path, checkpoint, .. } = signed;
        let bytes = entry.len() + size_of::<Digest>() * path.len() + checkpoint.len();
        hold("statements_fit", bytes <= SIGNED_RECEIPT_BYTES_MAX, || {
            format!("{relay} hands out {bytes} bytes, {} of them the entry", entry.len())
        })
    }
}

/// What another relay states is in a log once, however often it came.
pub(crate) fn one_entry_for_one_statement(
    home: &Ministry,
    log: &CommittedLog,
    receipt: &SignedReceipt,
) -> Check {
    let is_new = !log.received.contains(&leaf(&receipt.entry));
    hold("one_entry_for_one_statement", is_new, || {
        format!("{home} has entry {} of another log once more", receipt.index)
    })
}
