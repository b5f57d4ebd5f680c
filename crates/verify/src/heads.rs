//! Whether the sums that a log has of its minutes are those of its own entries.
//!
//! A relay sums up, minute by minute and for each peer, the receipts that it gives and gets, and
//! writes what they come to. All of them stand in its log before, so each sum can be made again.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use kuriiri_merkle::Frontier;
use kuriiri_types::{
    ChannelHead, Digest, Direction, Entry, LogEvent, Ministry, ReceiptKind, Timestamp,
    limits::CHANNEL_HEAD_DIGESTS_MAX,
};

use crate::{
    finding::{Check, Finding, Findings},
    order::Order,
    scan::Inner,
};

/// What is summed up, in milliseconds.
const MINUTE: i64 = 60_000;
/// Messages of all open sums that are remembered, 32 bytes each, which is more than a relay has open
/// in ten minutes. With more the oldest sums go.
const HELD_MAX: usize = 1 << 20;
/// For how long after the beginning of what is there a sum may be over entries that were pruned.
const AFTER_PRUNING: Duration = Duration::from_secs(600);

/// The minute of a time, in milliseconds.
pub(crate) fn minute_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(MINUTE).saturating_mul(MINUTE)
}

/// The root over header digests that are sorted.
pub(crate) fn root_of<'a>(sorted: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let mut tree = Frontier::new();
    sorted.into_iter().for_each(|header| tree.push(kuriiri_merkle::leaf(header.as_bytes())));
    tree.root()
}

type Which = (Ministry, Direction, i64);

/// Receipts of one minute that are not summed up yet.
#[derive(Debug, Default)]
struct Sum {
    /// Which of all sums it is.
    number: u64,
    count: u64,
    /// The first [`CHANNEL_HEAD_DIGESTS_MAX`], and as many again since the relay's last start.
    headers: Vec<Digest>,
    /// How many there were at that start, and how many of them are remembered.
    started: (u64, usize),
}

impl Sum {
    /// A sum must be over all entries that no sum was over yet, or over those since the last start.
    fn fits(&self, head: &ChannelHead) -> bool {
        let since = self.headers.get(self.started.1..).unwrap_or_default();
        let parts = [(self.count, &self.headers[..]), (self.count - self.started.0, since)];
        parts.into_iter().filter(|(count, _)| *count == head.count).any(|(count, headers)| {
            head.root.is_none_or(|root| {
                let mut sorted = headers.to_vec();
                sorted.sort_unstable();
                headers.len() as u64 == count && root_of(&sorted) == root
            })
        })
    }
}

/// The open sums of one log.
#[derive(Debug)]
pub(crate) struct Heads {
    home: Ministry,
    open: HashMap<Which, Sum>,
    /// The open sums in the order in which they began.
    order: BTreeMap<u64, Which>,
    number: u64,
    held: usize,
    /// Which message is being decided on, and the peer that it came from.
    came: Option<(Digest, Ministry)>,
    /// There were more open sums than are remembered.
    forgot: bool,
    is_pruned: bool,
    /// When what is there begins, as long as a sum may be over what was pruned.
    begins: Option<Timestamp>,
    /// Heads, and ends of chains in them, that could not be held against anything.
    unknown: u64,
}

impl Heads {
    pub(crate) fn new(home: Ministry) -> Self {
        Self {
            home,
            open: HashMap::new(),
            order: BTreeMap::new(),
            number: 0,
            held: 0,
            came: None,
            forgot: false,
            is_pruned: false,
            begins: None,
            unknown: 0,
        }
    }

    /// The entries before the next one are not there.
    pub(crate) fn prune(&mut self) {
        self.is_pruned = true;
    }

    /// Looks at the next entry, after the chains were followed over it.
    pub(crate) fn next(
        &mut self,
        index: u64,
        (entry, inner): (&Entry, &Inner),
        order: &Order,
        out: &mut Findings,
    ) {
        if std::mem::take(&mut self.is_pruned) {
            self.begins = Some(entry.at);
        }
        if let LogEvent::ChannelHeads(heads) = &entry.event {
            for head in heads {
                out.done(Check::Heads, 1);
                self.sum((index, entry.at), head, out);
                self.chain(index, head, order, out);
            }
        } else {
            self.count(entry, inner);
        }
    }

    /// Counts an entry into the sum that it belongs to.
    fn count(&mut self, entry: &Entry, inner: &Inner) {
        if let LogEvent::Decided(decided) = &entry.event {
            let mut came = entry.channels.iter().filter(|link| link.direction == Direction::In);
            self.came = came.next().map(|link| (decided.subject, link.peer.clone()));
        } else if let LogEvent::Receipt(receipt) = &entry.event {
            let of_this = |(subject, _): &&(Digest, Ministry)| *subject == receipt.header_digest;
            let peer = self.came.as_ref().filter(of_this).map(|(_, peer)| peer.clone());
            if let Some(peer) = peer.filter(|_| receipt.kind == ReceiptKind::Relayed) {
                self.add((peer, Direction::In, minute_of(receipt.at)), receipt.header_digest);
            }
        } else if let LogEvent::ReceiptIn { from, .. } = &entry.event
            && let Inner::Receipt(said) = inner
            && said.kind == ReceiptKind::Relayed
            && said.issuer == *from
        {
            self.add((from.clone(), Direction::Out, minute_of(said.at)), said.header_digest);
        } else if let LogEvent::Booted { .. } = &entry.event {
            self.boot();
        }
    }

    fn add(&mut self, which: Which, header: Digest) {
        let sum = self.open.entry(which).or_insert_with_key(|which| {
            self.number += 1;
            self.order.insert(self.number, which.clone());
            Sum { number: self.number, ..Sum::default() }
        });
        sum.count += 1;
        if sum.headers.len() - sum.started.1 < CHANNEL_HEAD_DIGESTS_MAX {
            sum.headers.push(header);
            self.held += 1;
        }
        while self.held > HELD_MAX {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.take(&oldest);
            self.forgot = true;
        }
    }

    fn take(&mut self, which: &Which) -> Option<Sum> {
        let sum = self.open.remove(which)?;
        self.order.remove(&sum.number);
        self.held -= sum.headers.len();
        Some(sum)
    }

    /// A relay that starts has forgotten what it had not summed up, and goes on from here.
    fn boot(&mut self) {
        self.begins = None;
        self.came = None;
        for sum in self.open.values_mut() {
            sum.started = (sum.count, sum.headers.len());
        }
    }

    fn sum(&mut self, (index, at): (u64, Timestamp), head: &ChannelHead, out: &mut Findings) {
        let which = (head.peer.clone(), head.direction, head.minute.as_millis());
        let sum = self.take(&which).unwrap_or_default();
        if sum.fits(head) {
            return;
        }
        let is_over_pruned = self
            .begins
            .is_some_and(|begins| at.since(begins) <= AFTER_PRUNING && sum.count < head.count);
        if self.forgot || is_over_pruned {
            self.unknown += 1;
            return;
        }
        let what = if sum.count == head.count {
            format!("{} are not those that its entries tell of", words(head))
        } else {
            format!("{}, and its entries tell of {}", words(head), sum.count)
        };
        self.wrong(index, what, out);
    }

    /// The end of the chain must be that at this place.
    fn chain(&mut self, index: u64, head: &ChannelHead, order: &Order, out: &mut Findings) {
        let Some(end) = order.end(&head.peer, head.direction) else {
            self.unknown += 1;
            return;
        };
        let chain = format!("the chain {} {}", way(head.direction), head.peer);
        if end.0 != head.next {
            let what = format!("{chain} goes on with number {}, and not {}", end.0, head.next);
            self.wrong(index, what, out);
        } else if end.1 != head.last {
            self.wrong(index, format!("{chain} ends at another entry than is said"), out);
        }
    }

    fn wrong(&self, index: u64, what: String, out: &mut Findings) {
        out.add(Finding::fault(Check::Heads, what).at(index).against(&self.home));
    }

    /// What could not be checked.
    pub(crate) fn finish(&self, out: &mut Findings) {
        if self.unknown > 0 {
            let what = format!(
                "{} sums of minutes, or ends of chains in them, are over entries that are not \
                 there any more",
                self.unknown
            );
            out.add(match self.forgot {
                true => Finding::unchecked(Check::Heads, what),
                false => Finding::note(Check::Heads, what),
            });
        }
    }
}

/// A head in a few words.
pub(crate) fn words(head: &ChannelHead) -> String {
    let (count, peer, way) = (head.count, &head.peer, way(head.direction));
    format!("{count} messages {way} {peer} in the minute of {}", head.minute)
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "from",
        Direction::Out => "to",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(minute: i64, count: u64, root: Option<Digest>) -> ChannelHead {
        let (peer, minute) = ("um.example".parse().unwrap(), Timestamp::from_millis(minute));
        let (direction, next, last) = (Direction::In, 0, Digest([0; 32]));
        ChannelHead { peer, direction, minute, count, root, next, last }
    }

    fn heads(minutes: i64, each: usize) -> Heads {
        let mut heads = Heads::new("sm.example".parse().unwrap());
        for minute in 0..minutes {
            let which = ("um.example".parse().unwrap(), Direction::In, minute * MINUTE);
            (0..each).for_each(|_| heads.add(which.clone(), Digest([7; 32])));
        }
        heads
    }

    #[test]
    fn what_is_remembered_has_an_end_and_what_is_forgotten_is_not_checked() {
        let mut heads = heads(9, CHANNEL_HEAD_DIGESTS_MAX);
        assert!(heads.held <= HELD_MAX && heads.open.len() == 8 && heads.order.len() == 8);
        let (mut out, spot) = (Findings::new(), (3, Timestamp::from_millis(0)));
        heads.sum(spot, &head(0, 5, None), &mut out);
        heads.finish(&mut out);
        assert_eq!(out.exit(), 2);
        assert!(heads.open.values().all(|sum| sum.count == CHANNEL_HEAD_DIGESTS_MAX as u64));
    }

    #[test]
    fn a_sum_of_too_many_has_a_count_and_no_root() {
        let (most, sum) = (CHANNEL_HEAD_DIGESTS_MAX as u64, |each| {
            heads(1, each).take(&("um.example".parse().unwrap(), Direction::In, 0)).unwrap()
        });
        let all = vec![Digest([7; 32]); CHANNEL_HEAD_DIGESTS_MAX + 1];
        let root = |count| Some(root_of(all.iter().take(count)));
        assert!(sum(CHANNEL_HEAD_DIGESTS_MAX).fits(&head(0, most, root(CHANNEL_HEAD_DIGESTS_MAX))));
        let more = sum(CHANNEL_HEAD_DIGESTS_MAX + 1);
        assert!(more.fits(&head(0, most + 1, None)) && !more.fits(&head(0, most, None)));
        assert!(!more.fits(&head(0, most + 1, root(CHANNEL_HEAD_DIGESTS_MAX + 1))));
    }
}
