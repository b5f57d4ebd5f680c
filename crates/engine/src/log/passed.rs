//! Messages that were acknowledged between this relay and its peers.

use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Digest, Direction, Giver, Ministry, Receipt, ReceiptKind, Timestamp};

/// One message that a receipt was given for.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) peer: Ministry,
    pub(crate) direction: Direction,
    pub(crate) at: Timestamp,
    pub(crate) header: Digest,
}

impl Passed {
    /// This relay gave a receipt for messages that a peer handed over.
    pub(crate) fn taken(receipt: &Receipt) -> impl Iterator<Item = Self> + '_ {
        let giver = receipt.by.as_ref().filter(|_| receipt.kind == ReceiptKind::Relayed);
        let peer = giver.and_then(|giver| match giver {
            Giver::Peer(peer) => Some(peer),
            Giver::System(_) => None,
        });
        peer.into_iter().flat_map(|peer| Self::all(peer, Direction::In, receipt))
    }

    /// A peer gave one. Nothing when it speaks of something else, or for somebody else.
    pub(crate) fn heard<'a>(
        peer: &'a Ministry,
        receipt: &'a VerifiedReceipt,
    ) -> impl Iterator<Item = Self> + 'a {
        let said = receipt.receipt();
        let is_its = said.kind == ReceiptKind::Relayed && said.issuer == *peer;
        is_its.then(|| Self::all(peer, Direction::Out, said)).into_iter().flatten()
    }

    fn all<'a>(
        peer: &'a Ministry,
        direction: Direction,
        said: &'a Receipt,
    ) -> impl Iterator<Item = Self> + 'a {
        said.subjects.iter().map(move |told| Self {
            peer: peer.clone(),
            direction,
            at: said.at,
            header: told.subject.header,
        })
    }
}
