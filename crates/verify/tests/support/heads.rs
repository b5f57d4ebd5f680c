//! The sums of minutes that a relay writes.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_merkle::{Frontier, leaf};
use kuriiri_types::{ChannelHead, Digest, LogEvent, Ministry, Timestamp};

use super::{Author, Send, exchange};

impl Author<'_> {
    /// The sums of minutes before this time, which go.
    pub fn heads(&mut self, before: Timestamp) -> Vec<ChannelHead> {
        let mut sums = BTreeMap::<_, Vec<Digest>>::new();
        let over = |(minute, ..): &mut (i64, _, _, _)| *minute + 60_000 <= before.as_millis();
        for (minute, peer, direction, header) in self.passed.extract_if(.., over) {
            sums.entry((minute, peer, direction)).or_default().push(header);
        }
        let head = |((minute, peer, direction), mut headers): ((i64, Ministry, _), Vec<Digest>)| {
            headers.sort_unstable();
            let mut tree = Frontier::new();
            headers.iter().for_each(|header| tree.push(leaf(header.as_bytes())));
            let end = self.ends.get(&(peer.clone(), direction)).copied();
            let (next, last) = end.unwrap_or((0, Digest([0; 32])));
            let (minute, count) = (Timestamp::from_millis(minute), headers.len() as u64);
            ChannelHead { peer, direction, minute, count, root: Some(tree.root()), next, last }
        };
        sums.into_iter().map(head).collect()
    }

    /// Sums up the minutes that are over.
    pub fn sum_up(&mut self) {
        let heads = self.heads(self.at);
        if !heads.is_empty() {
            self.append(vec![], LogEvent::ChannelHeads(heads));
        }
    }

    /// Sums up all minutes, some time later.
    pub fn sum_up_all(&mut self) {
        self.at = self.at.after(Duration::from_secs(180));
        self.sum_up();
    }
}

/// Messages from one to the other, with the sums of each minute in both logs.
pub fn exchange_with_heads<'a>(
    a: &mut Author<'a>,
    b: &mut Author<'a>,
    numbers: std::ops::Range<u64>,
) {
    for n in numbers {
        let send = Send::new(a.node, b.node, n);
        for side in [&mut *a, &mut *b] {
            side.at = side.at.max(send.at);
            side.sum_up();
        }
        exchange(a, b, &send);
    }
    a.sum_up_all();
    b.sum_up_all();
}
