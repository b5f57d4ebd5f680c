//! What is known of each relay's transparency log from outside: everything that was ever committed
//! to it, over all crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use kuriiri_merkle::{Growth, leaf};
use kuriiri_types::{
    Address, Decided, Digest, Direction, Entry, LogEvent, LoggedRuling, Ministry, Receipt,
    ReceiptKind, SignedReceipt, Timestamp,
};
use kuriiri_wire::receipt;

use crate::passed::Passed;

/// What one relay has stated of a message, a recipient.
pub(crate) type Statement = (Digest, Address, ReceiptKind);
/// A copy of a message between two relays: the other relay, the message, the ministry it is for.
pub(crate) type Copied = (Ministry, Digest, Ministry);

/// The log of one relay.
#[derive(Default)]
pub(crate) struct CommittedLog {
    /// The tree over all of it.
    pub(crate) tree: Growth,
    /// The leaf hashes of all of it.
    pub(crate) leaves: Vec<Digest>,
    /// The end of each chain: the next number, and the last link.
    pub(crate) ends: BTreeMap<(Ministry, Direction), (u64, Digest)>,
    /// What the relay itself stated.
    pub(crate) said: BTreeSet<Statement>,
    /// The leaf hashes of the receipts that came in.
    pub(crate) received: BTreeSet<Digest>,
    /// What other relays stated in these, by relay, with the place in its log.
    pub(crate) heard: BTreeMap<(Ministry, Statement), (u64, Digest)>,
    /// Headers that the log has beside its entries, by their leaf hashes.
    pub(crate) read: BTreeMap<Digest, Bytes>,
    /// The entries beside which headers were put, by place.
    pub(crate) beside: BTreeMap<u64, Beside>,
    /// What the entries of the last commit say of headers that leave.
    pub(crate) leaving: Leaving,
    /// Copies that the rules let go to a peer.
    pub(crate) out: BTreeSet<Copied>,
    /// Copies that the rules let come in from a peer.
    pub(crate) taken: BTreeSet<Copied>,
    /// What went between this relay and its peers since the last sums.
    pub(crate) passed: Passed,
    /// Decisions on several messages at once, and on some of those that were signed at once.
    pub(crate) classes: (u64, u64),
    /// The receipts among the entries of the last commit.
    fresh: BTreeMap<u64, Bytes>,
}

/// The headers beside one entry.
#[derive(Debug)]
pub(crate) struct Beside {
    /// Until when they are kept.
    keep_until: Timestamp,
    /// Their leaf hashes, in the order of the entry's messages, and whether they are to be there still.
    pub(crate) places: Vec<(Digest, bool)>,
}

/// Headers of which entries say that they leave.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// Those that are kept until this time or less, and how many these are said to be.
    pub(crate) pruned: Vec<(Timestamp, u64)>,
    /// Those with these leaf hashes, beside entries before these places.
    pub(crate) erased: BTreeMap<Digest, u64>,
}

impl CommittedLog {
    /// A new commit begins.
    pub(crate) fn turn_page(&mut self) {
        self.fresh.clear();
        self.leaving = Leaving::default();
    }

    /// Takes an entry in, whose chains were found to be whole, with the headers beside it. Gives the
    /// decision that it is.
    pub(crate) fn note(
        &mut self,
        bytes: &Bytes,
        entry: Entry,
        headers: &[Bytes],
    ) -> Option<(Timestamp, Decided)> {
        let hash = leaf(bytes);
        let index = self.tree.push(hash);
        self.leaves.push(hash);
        for link in &entry.channels {
            let end = (link.seq.saturating_add(1), hash);
            self.ends.insert((link.peer.clone(), link.direction), end);
        }
        self.passed.note(&entry.event);
        match entry.event {
            LogEvent::Receipt(said) => {
                self.fresh.insert(index, bytes.clone());
                self.said.extend(statements(&said));
            }
            LogEvent::ReceiptIn { receipt, .. } => {
                self.fresh.insert(index, bytes.clone());
                self.on_receipt_in(&receipt);
            }
            LogEvent::Decided(decided) => {
                let links = entry.channels.into_iter().map(|link| (link.peer, link.direction));
                self.on_decided(&decided, links.collect());
                self.on_headers(index, &decided, headers);
                return Some((entry.at, *decided));
            }
            LogEvent::Erased { subject, header, .. } => {
                self.leaving.erased.extend(header.then_some((subject, index)));
            }
            LogEvent::Pruned { until, headers, .. } => self.leaving.pruned.push((until, headers)),
            LogEvent::TurnedAway { .. }
            | LogEvent::Approved { .. }
            | LogEvent::Certificate { .. }
            | LogEvent::PolicyChanged(_)
            | LogEvent::FilePart(_)
            | LogEvent::PeerCheckpoint { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ClockStepped { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Exported { .. } => {}
        }
        None
    }

    fn on_receipt_in(&mut self, signed: &SignedReceipt) {
        let hash = leaf(&signed.entry);
        self.received.insert(hash);
        if let Ok(said) = receipt::decode(&signed.entry) {
            let place = (signed.index, hash);
            let heard = statements(&said).map(|told| ((said.issuer.clone(), told), place));
            self.heard.extend(heard);
        }
    }

    fn on_decided(&mut self, decided: &Decided, links: Vec<(Ministry, Direction)>) {
        if decided.ruling != LoggedRuling::Permit {
            return;
        }
        for (peer, direction) in links {
            let copy = |header: Digest| (peer.clone(), header, decided.dest.clone());
            let copies = decided.subjects.iter().map(|subject| copy(subject.header));
            match direction {
                Direction::In => self.taken.extend(copies),
                Direction::Out => self.out.extend(copies),
            }
        }
    }

    fn on_headers(&mut self, index: u64, decided: &Decided, headers: &[Bytes]) {
        let (Some(keep_until), Some(part)) = (decided.keep_until, &decided.batch) else { return };
        let (together, parted) = &mut self.classes;
        *together = together.saturating_add(u64::from(headers.len() > 1));
        let is_part = part.positions.len() < usize::try_from(part.size).unwrap_or(usize::MAX);
        *parted = parted.saturating_add(u64::from(is_part));
        let named = headers.iter().map(|header| (leaf(header), header));
        let places = named.clone().map(|(hash, _)| (hash, true)).collect();
        self.read.extend(named.map(|(hash, header)| (hash, header.clone())));
        self.beside.insert(index, Beside { keep_until, places });
    }

    /// How many headers are to be there still that are kept until this time or less.
    pub(crate) fn count_until(&self, until: Timestamp) -> u64 {
        let over = self.beside.values().filter(|beside| beside.keep_until <= until);
        over.flat_map(|beside| &beside.places).filter(|(_, stands)| *stands).count() as u64
    }

    /// Strikes out the headers of which the last commit says that they leave.
    pub(crate) fn strike_out(&mut self) {
        let Leaving { pruned, erased } = std::mem::take(&mut self.leaving);
        if pruned.is_empty() && erased.is_empty() {
            return;
        }
        for (index, beside) in &mut self.beside {
            let is_over = pruned.iter().any(|(until, _)| beside.keep_until <= *until);
            for (hash, stands) in &mut beside.places {
                let is_erased = erased.get(hash).is_some_and(|order| index < order);
                *stands &= !is_over && !is_erased;
            }
        }
        let places = self.beside.values().flat_map(|beside| &beside.places);
        let standing: BTreeSet<&Digest> =
            places.filter(|(_, stands)| *stands).map(|(hash, _)| hash).collect();
        self.read.retain(|hash, _| standing.contains(hash));
    }

    /// The entry at a place, if it is a receipt of the last commit.
    pub(crate) fn fresh(&self, index: u64) -> Option<&Bytes> {
        self.fresh.get(&index)
    }

    /// True when the relay stated this in its log.
    pub(crate) fn says(&self, message: Digest, recipient: &Address, kind: ReceiptKind) -> bool {
        self.said.contains(&(message, recipient.clone(), kind))
    }

    /// The leaf hash of the entry at a place.
    pub(crate) fn leaf(&self, index: u64) -> Option<Digest> {
        self.leaves.get(usize::try_from(index).ok()?).copied()
    }
}

/// What a receipt states, message by message.
pub(crate) fn statements(receipt: &Receipt) -> impl Iterator<Item = Statement> {
    let told = receipt.subjects.iter();
    told.map(|told| (told.subject.header, told.recipient.clone(), receipt.kind))
}

impl fmt::Debug for CommittedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommittedLog").field("size", &self.leaves.len()).finish_non_exhaustive()
    }
}
