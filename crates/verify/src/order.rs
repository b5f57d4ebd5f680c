//! What must only go forward within a log: times, starts, and the chains between relays.

use std::collections::HashMap;

use kuriiri_tlog::{Checkpoint, Note, ministry_of};
use kuriiri_types::{
    Channel, Decided, Digest, Direction, Entry, Giver, LogEvent, LoggedRuling, Ministry, Receipt,
    ReceiptKind, Timestamp,
};

use crate::finding::{Check, Finding, Findings};

/// Where each chain ends, and what the last entry said of time. It grows with the number of peers.
#[derive(Debug)]
pub(crate) struct Order {
    home: Ministry,
    /// Time and start.
    last: Option<(Timestamp, u64)>,
    ends: HashMap<(Ministry, Direction), (u64, Digest)>,
    witnessed: HashMap<String, (u64, Digest)>,
}

impl Order {
    pub(crate) fn new(home: Ministry) -> Self {
        Self { home, last: None, ends: HashMap::new(), witnessed: HashMap::new() }
    }

    /// The number of the next link of a chain and the leaf hash of its last entry.
    pub(crate) fn end(&self, peer: &Ministry, direction: Direction) -> (u64, Digest) {
        self.ends.get(&(peer.clone(), direction)).copied().unwrap_or((0, Digest([0; 32])))
    }

    /// Looks at the next entry.
    pub(crate) fn next(&mut self, index: u64, leaf: Digest, entry: &Entry, out: &mut Findings) {
        self.times(index, entry, out);
        self.chains(index, leaf, entry, out);
        if let LogEvent::Receipt(receipt) = &entry.event {
            self.own_receipt(index, entry.at, receipt, out);
        } else if let LogEvent::Decided(decided) = &entry.event {
            self.links(index, entry, decided, out);
        } else if let LogEvent::PeerCheckpoint { checkpoint } = &entry.event {
            self.witnessing(index, checkpoint, out);
        }
    }

    fn times(&mut self, index: u64, entry: &Entry, out: &mut Findings) {
        out.done(Check::Order, 1);
        let mut wrong = |what: String| out.add(Finding::fault(Check::Order, what).at(index));
        let is_start = matches!(
            entry.event,
            LogEvent::Booted { .. } | LogEvent::Restored { .. } | LogEvent::ClockStepped { .. }
        );
        let Some((at, boot)) = self.last.replace((entry.at, entry.boot)) else {
            if !is_start {
                wrong("the log does not begin with the relay's start".into());
            }
            return;
        };
        if let LogEvent::ClockStepped { from } = entry.event {
            if from != at || entry.at >= at {
                wrong(format!("the clock was set from {from} to {}, and it showed {at}", entry.at));
            }
        } else if entry.at < at {
            wrong(format!(
                "the time falls from {at} to {}, and no step of the clock is in the log",
                entry.at
            ));
        }
        if entry.boot < boot {
            wrong(format!("the count of starts falls from {boot} to {}", entry.boot));
        } else if entry.boot > boot && !is_start {
            wrong(format!("start {} begins without saying so", entry.boot));
        }
    }

    fn chains(&mut self, index: u64, leaf: Digest, entry: &Entry, out: &mut Findings) {
        for channel in &entry.channels {
            out.done(Check::Channels, 1);
            let (next, last) = self.end(&channel.peer, channel.direction);
            let key = (channel.peer.clone(), channel.direction);
            let way = match channel.direction {
                Direction::In => "from",
                Direction::Out => "to",
            };
            let chain = format!("the chain {way} {}", channel.peer);
            let mut wrong = |what: String| {
                let finding = Finding::fault(Check::Channels, what).at(index);
                out.add(finding.against(&self.home));
            };
            if channel.seq != next {
                wrong(format!("{chain} goes on with number {} and not {next}", channel.seq));
            } else if channel.prev != last {
                wrong(format!("{chain} does not name its entry before"));
            }
            self.ends.insert(key, (channel.seq.saturating_add(1), leaf));
        }
    }

    /// Which chains an entry must be a link of.
    fn links(&self, index: u64, entry: &Entry, decided: &Decided, out: &mut Findings) {
        let mut wrong = |what: &str| {
            let finding = Finding::fault(Check::Channels, what).at(index);
            out.add(finding.against(&self.home));
        };
        let from = match &decided.giver {
            Some(Giver::Peer(peer)) => Some(peer),
            Some(Giver::System(_)) | None => None,
        };
        let is_in = |channel: &&Channel| channel.direction == Direction::In;
        let links_in = entry.channels.iter().filter(is_in).map(|channel| &channel.peer);
        if !links_in.eq(from) {
            wrong("it is not in the chain of the relay that handed the messages over, alone");
        }
        let last = decided.path.last();
        let is_handed_over = match &decided.giver {
            Some(Giver::Peer(peer)) => last == Some(peer),
            Some(Giver::System(_)) => last.is_none(),
            None => decided.batch.is_none(),
        };
        if !is_handed_over {
            wrong("whoever handed the messages over is not the last on their way");
        }
        let goes = entry.channels.iter().any(|channel| channel.direction == Direction::Out);
        if goes && decided.ruling != LoggedRuling::Permit {
            wrong("messages go on that the decision does not permit to go");
        }
    }

    fn own_receipt(&self, index: u64, at: Timestamp, receipt: &Receipt, out: &mut Findings) {
        let id = receipt.subjects.first().map(|told| told.subject.message);
        let mut wrong = |what: String| out.add(Finding::fault(Check::Order, what).at(index).of(id));
        if receipt.issuer != self.home {
            wrong(format!("this log speaks as {}", receipt.issuer));
        }
        if receipt.at != at {
            wrong(format!("a receipt of {} is in an entry of {at}", receipt.at));
        }
        // The sums of minutes rest on who handed over what was taken.
        let is_said = match receipt.kind {
            ReceiptKind::Accepted => matches!(receipt.by, Some(Giver::System(_))),
            ReceiptKind::Relayed => matches!(receipt.by, Some(Giver::Peer(_))),
            ReceiptKind::Delivered | ReceiptKind::Refused | ReceiptKind::Expired => true,
        };
        if !is_said {
            wrong(format!("it does not say who handed over what was {}", receipt.kind));
        }
    }

    /// A witness follows each log forward only.
    fn witnessing(&mut self, index: u64, note: &[u8], out: &mut Findings) {
        out.done(Check::Witnessing, 1);
        let parsed = Note::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        let Some(seen) = parsed else {
            let what = "what was witnessed is no checkpoint";
            return out.add(Finding::fault(Check::Witnessing, what).at(index));
        };
        let before = self.witnessed.insert(seen.origin.clone(), (seen.size, seen.root));
        let Some((size, root)) = before else { return };
        if seen.size < size {
            let what =
                format!("{} was cosigned with {} entries after {size}", seen.origin, seen.size);
            out.add(Finding::fault(Check::Witnessing, what).at(index).against(&self.home));
        } else if seen.size == size && seen.root != root {
            let what = format!("{} showed two trees of {size} entries", seen.origin);
            let finding = Finding::fault(Check::Witnessing, what).at(index);
            let owner = ministry_of(&seen.origin);
            out.add(match owner {
                Some(owner) => finding.against(&owner),
                None => finding,
            });
        }
    }
}
