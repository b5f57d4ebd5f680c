//! The messages that passed between relays and are not summed up yet.

use std::collections::BTreeMap;

use kuriiri_types::{
    ChannelHead, Digest, Direction, Giver, LogEvent, Ministry, Receipt, ReceiptKind, Timestamp,
};
use kuriiri_wire::receipt;

/// Milliseconds of what is summed up at once.
const MINUTE: i64 = 60_000;

/// The messages of each channel and minute that are not summed up yet, as the entries since the last start
/// tell them.
#[derive(Debug, Default)]
pub(crate) struct Passed(BTreeMap<(Ministry, Direction, Timestamp), Vec<Digest>>);

impl Passed {
    /// Takes an entry in.
    pub(crate) fn note(&mut self, event: &LogEvent) {
        if let LogEvent::Booted { .. } = event {
            self.0.clear();
        } else if let LogEvent::ChannelHeads(heads) = event {
            heads.iter().for_each(|head| drop(self.0.remove(&key(head))));
        } else if let LogEvent::Receipt(said) = event
            && let Some(Giver::Peer(peer)) = &said.by
        {
            self.add(peer, Direction::In, said);
        } else if let LogEvent::ReceiptIn { from, receipt } = event
            && let Ok(said) = receipt::decode(&receipt.entry)
            && said.issuer == *from
        {
            self.add(from, Direction::Out, &said);
        }
    }

    fn add(&mut self, peer: &Ministry, direction: Direction, said: &Receipt) {
        if said.kind == ReceiptKind::Relayed {
            let millis = said.at.as_millis().div_euclid(MINUTE).saturating_mul(MINUTE);
            let minute = (peer.clone(), direction, Timestamp::from_millis(millis));
            let headers = said.subjects.iter().map(|told| told.subject.header);
            self.0.entry(minute).or_default().extend(headers);
        }
    }

    /// The messages of the channel and minute of a sum.
    pub(crate) fn of(&self, head: &ChannelHead) -> Vec<Digest> {
        self.0.get(&key(head)).cloned().unwrap_or_default()
    }
}

fn key(head: &ChannelHead) -> (Ministry, Direction, Timestamp) {
    (head.peer.clone(), head.direction, head.minute)
}
