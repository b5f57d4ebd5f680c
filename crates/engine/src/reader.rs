//! What is committed, with its signed bytes read.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_types::{Codec, Header, Lane, LogEvent, SignedApproval};

use crate::{
    action::{ReceiptOut, Unproved},
    case::Release,
    loaded::Loaded,
    message::Message,
    queued::{Queued, QueuedReceipt},
    record::{Done, HoldNumber, Item, Pack, PackKey, QueueId, Seq},
    view::{View, ViewError},
    waiting::Waiting,
};

/// The committed state together with the means to read its signed bytes.
pub(crate) struct Reader<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) codec: &'a dyn Codec,
}

impl Reader<'_> {
    pub(crate) fn packs(
        &self,
        queue: &QueueId,
        lane: Lane,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Loaded)>, ViewError> {
        let packs = self.view.packs(queue, lane, from, bytes_max)?;
        packs
            .into_iter()
            .map(|(first, pack, done)| Ok((first, self.open(first, pack, done)?)))
            .collect()
    }

    pub(crate) fn pack(&self, key: &PackKey) -> Result<Option<(Loaded, Done)>, ViewError> {
        let Some((pack, done)) = self.view.pack(key)? else {
            return Ok(None);
        };
        Ok(Some((self.open(key.first, pack, done)?, done)))
    }

    fn open(&self, first: Seq, pack: Pack, done: Done) -> Result<Loaded, ViewError> {
        let damaged = || ViewError("a stored message is not what was signed".into());
        let mut proofs = pack.proofs().ok_or_else(damaged)?.into_iter();
        let open = |item| match item {
            Item::Receipt(entry) => Ok(Queued::Receipt(Arc::new(self.receipt(entry)?))),
            Item::Parcel(parcel) => {
                let (leaf, proof) = proofs.next().ok_or_else(damaged)?;
                let header = self.header(&parcel.header)?;
                let releases = self.releases(&parcel.approvals)?;
                let message = Message::stored((header, leaf), proof, releases, parcel);
                Ok(Queued::Message(message))
            }
        };
        let items = pack.items.into_iter().map(open).collect::<Result<_, ViewError>>()?;
        Ok(Loaded::new(items, pack.packed, done, first))
    }

    /// The receipt that an entry of the own log is or holds.
    fn receipt(&self, index: u64) -> Result<QueuedReceipt, ViewError> {
        let damaged = || ViewError(format!("entry {index} of the log is not what was queued"));
        let entry = self.view.log_entry(index)?.ok_or_else(damaged)?;
        let event = self.codec.entry(&entry).ok_or_else(damaged)?.event;
        let out = if let LogEvent::ReceiptIn { receipt, .. } = event {
            ReceiptOut::Other(*receipt)
        } else if let LogEvent::Receipt(_) = event {
            ReceiptOut::Own(Unproved { entry, index })
        } else {
            return Err(damaged());
        };
        Ok(QueuedReceipt { entry: index, out })
    }

    /// The first hold whose number is `from` or higher, with its signed bytes read.
    pub(crate) fn next_hold(
        &self,
        from: HoldNumber,
    ) -> Result<Option<(HoldNumber, Waiting)>, ViewError> {
        let Some((number, hold)) = self.view.next_hold(from)? else {
            return Ok(None);
        };
        let header = self.header(&hold.envelope.header)?;
        let leaf = leaf(&hold.envelope.header);
        let releases = self.releases(&hold.approvals)?;
        Ok(Some((number, Waiting { header, leaf, releases, hold })))
    }

    fn header(&self, bytes: &Bytes) -> Result<Arc<Header>, ViewError> {
        let header = self.codec.header(bytes);
        header.map(Arc::new).ok_or_else(|| ViewError("a stored header is damaged".into()))
    }

    fn releases(&self, approvals: &[SignedApproval]) -> Result<Vec<Release>, ViewError> {
        let read = |signed: &SignedApproval| {
            let approval = self.codec.approval(&signed.approval);
            let approval = approval.ok_or_else(|| ViewError("an approval is damaged".into()))?;
            Ok(Release::from(&approval))
        };
        approvals.iter().map(read).collect()
    }
}
