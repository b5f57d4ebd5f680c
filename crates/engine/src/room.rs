//! How much goes into one batch for a peer, or one delivery.

use kuriiri_types::limits::{APPROVED_CERTIFICATES_MAX, BATCH_BYTES_MAX};

use crate::queued::Queued;

/// What a batch has room for.
#[derive(Debug)]
pub(crate) struct Room {
    items: usize,
    bytes: usize,
    signers: usize,
    is_empty: bool,
}

impl Room {
    /// Room for so many items.
    pub(crate) fn for_items(items: usize) -> Self {
        let (bytes, signers) = (BATCH_BYTES_MAX, APPROVED_CERTIFICATES_MAX);
        Self { items, bytes, signers, is_empty: true }
    }

    /// False when nothing more can be taken in, whatever it is.
    pub(crate) fn is_left(&self) -> bool {
        self.items > 0 && self.bytes > 0
    }

    /// Whether an item still goes in. The first always does, for it must go some time.
    pub(crate) fn takes(&self, item: &Queued) -> bool {
        self.is_empty || (item.load_bytes() <= self.bytes && item.signers() <= self.signers)
    }

    /// Takes an item in.
    pub(crate) fn take(&mut self, item: &Queued) {
        self.is_empty = false;
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(item.load_bytes());
        self.signers = self.signers.saturating_sub(item.signers());
    }

    /// Takes in nothing more.
    pub(crate) fn close(&mut self) {
        self.items = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kuriiri_types::{BatchProof, Digest, SignedApproval, limits::APPROVALS_MAX};

    use super::*;
    use crate::{
        Body,
        message::{Keeping, Message},
        testing::{Letter, NOW, ministry},
    };

    fn item(body: usize, approvals: usize) -> Queued {
        let letter = Letter::new(1, "kirjaamo@sm.example", &["kirjaamo@plm.example"]);
        let signature = Bytes::from_static(&[0; 64]);
        let proof =
            BatchProof { signer: Digest([0; 32]), index: 0, size: 1, path: Vec::new(), signature };
        let approval = SignedApproval { approval: Bytes::from_static(b"approval"), proof };
        let custody = Keeping {
            dest: ministry("plm.example"),
            path: Vec::new(),
            expires: NOW,
            accepted: NOW,
            approvals: vec![approval; approvals],
            releases: Vec::new(),
            body: Body::Inline(vec![0; body].into()),
        };
        Queued::Message(Message::take(&letter.verified(), custody))
    }

    /// How many of the same go into one batch.
    fn fit(items: usize, item: &Queued) -> usize {
        let mut room = Room::for_items(items);
        let mut count = 0;
        while room.is_left() && room.takes(item) {
            room.take(item);
            count += 1;
        }
        count
    }

    #[test]
    fn a_batch_ends_at_its_items_its_bytes_or_its_signers() {
        assert_eq!(fit(256, &item(100, 0)), 256);
        assert_eq!(fit(0, &item(100, 0)), 0);
        let large = fit(256, &item(16 * 1024, 0));
        assert!((60..64).contains(&large), "{large}");
        let signers = fit(256, &item(100, APPROVALS_MAX));
        assert_eq!(signers, APPROVED_CERTIFICATES_MAX / (1 + APPROVALS_MAX));
        assert_eq!(fit(256, &item(2 * BATCH_BYTES_MAX, 0)), 1, "alone whatever it is");
    }

    #[test]
    fn a_closed_room_takes_nothing() {
        let mut room = Room::for_items(256);
        room.close();
        assert!(!room.is_left());
    }
}
