//! What is known of each relay's transparency log from outside: everything that was ever committed
//! to it, over all crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use kuriiri_merkle::{Frontier, Growth, leaf};
use kuriiri_types::{
    Address, Decided, Digest, Direction, Entry, LogEvent, LoggedRuling, Ministry, Receipt,
    ReceiptKind, SignedReceipt, Timestamp,
};
use kuriiri_wire::receipt;

/// What one relay has stated of a message, a recipient.
pub(crate) type Statement = (Digest, Address, ReceiptKind);
/// A copy of a message between two relays: the other relay, the message, the ministry it is for.
pub(crate) type Copied = (Ministry, Digest, Ministry);

/// The log of one relay.
pub(crate) struct Logbook {
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
    /// Messages whose header stands in the log.
    pub(crate) read: BTreeSet<Digest>,
    /// Copies that the rules let go to a peer.
    pub(crate) out: BTreeSet<Copied>,
    /// Copies that the rules let come in from a peer.
    pub(crate) taken: BTreeSet<Copied>,
    /// The receipts among the entries of the last commit.
    fresh: BTreeMap<u64, Bytes>,
}

impl Default for Logbook {
    fn default() -> Self {
        Self {
            tree: Growth::on(&Frontier::new()),
            leaves: Vec::new(),
            ends: BTreeMap::new(),
            said: BTreeSet::new(),
            received: BTreeSet::new(),
            heard: BTreeMap::new(),
            read: BTreeSet::new(),
            out: BTreeSet::new(),
            taken: BTreeSet::new(),
            fresh: BTreeMap::new(),
        }
    }
}

impl Logbook {
    /// A new commit begins.
    pub(crate) fn turn_page(&mut self) {
        self.fresh.clear();
    }

    /// Takes an entry in, whose chains were found to be whole. Gives the decision that it is.
    pub(crate) fn note(&mut self, bytes: &Bytes, entry: Entry) -> Option<(Timestamp, Decided)> {
        let hash = leaf(bytes);
        let index = self.tree.push(hash);
        self.leaves.push(hash);
        for link in &entry.channels {
            let end = (link.seq.saturating_add(1), hash);
            self.ends.insert((link.peer.clone(), link.direction), end);
        }
        match entry.event {
            LogEvent::Receipt(said) => {
                self.fresh.insert(index, bytes.clone());
                self.said.insert(statement(&said));
                None
            }
            LogEvent::ReceiptIn { receipt, .. } => {
                self.fresh.insert(index, bytes.clone());
                self.on_receipt_in(&receipt);
                None
            }
            LogEvent::Decided(decided) => {
                let links = entry.channels.into_iter().map(|link| (link.peer, link.direction));
                self.on_decided(&decided, links);
                Some((entry.at, *decided))
            }
            LogEvent::TurnedAway { .. }
            | LogEvent::Approved { .. }
            | LogEvent::Certificate { .. }
            | LogEvent::PolicyChanged(_)
            | LogEvent::FilePart(_)
            | LogEvent::PeerCheckpoint { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Erased { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ClockStepped { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Pruned { .. }
            | LogEvent::Exported { .. } => None,
        }
    }

    fn on_receipt_in(&mut self, signed: &SignedReceipt) {
        let hash = leaf(&signed.entry);
        self.received.insert(hash);
        if let Ok(said) = receipt::decode(&signed.entry) {
            let key = (said.issuer.clone(), statement(&said));
            self.heard.insert(key, (signed.index, hash));
        }
    }

    fn on_decided(
        &mut self,
        decided: &Decided,
        links: impl Iterator<Item = (Ministry, Direction)>,
    ) {
        if decided.envelope.is_some() {
            self.read.insert(decided.subject);
        }
        if decided.ruling != LoggedRuling::Permit {
            return;
        }
        for (peer, direction) in links {
            let copy = (peer, decided.subject, decided.dest.clone());
            match direction {
                Direction::In => self.taken.insert(copy),
                Direction::Out => self.out.insert(copy),
            };
        }
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

/// What a receipt states.
pub(crate) fn statement(receipt: &Receipt) -> Statement {
    (receipt.header_digest, receipt.recipient.clone(), receipt.kind)
}

impl fmt::Debug for Logbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logbook").field("size", &self.leaves.len()).finish_non_exhaustive()
    }
}
