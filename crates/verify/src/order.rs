//! What must only go forward within a log: times, starts, and the chains between relays.

use std::collections::HashMap;

use kuriiri_tlog::{Checkpoint, Note, ministry_of};
use kuriiri_types::{
    Decided, Digest, Direction, Entry, LogEvent, LoggedRuling, Ministry, Receipt, Timestamp,
};

use crate::finding::{Check, Finding, Findings};

/// Where each chain ends, and what the last entry said of time. It grows with the number of peers.
#[derive(Debug)]
pub(crate) struct Order {
    home: Ministry,
    /// Time, start and index.
    last: Option<(Timestamp, u64, u64)>,
    ends: HashMap<(Ministry, Direction), (u64, Digest)>,
    witnessed: HashMap<String, (u64, Digest)>,
    /// Of the beginning of the log there is only some.
    is_pruned: bool,
}

impl Order {
    pub(crate) fn new(home: Ministry) -> Self {
        Self { home, last: None, ends: HashMap::new(), witnessed: HashMap::new(), is_pruned: false }
    }

    /// Takes the first link of each chain as it is.
    pub(crate) fn prune(&mut self) {
        self.is_pruned = true;
    }

    /// The number of the next link of a chain and the leaf hash of its last entry. Nothing when that
    /// is not there any more.
    pub(crate) fn end(&self, peer: &Ministry, direction: Direction) -> Option<(u64, Digest)> {
        let none = (!self.is_pruned).then_some((0, Digest([0; 32])));
        self.ends.get(&(peer.clone(), direction)).copied().or(none)
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
        let Some((at, boot, last)) = self.last.replace((entry.at, entry.boot, index)) else {
            if index != 0 {
                wrong("the relay's start is not among what was kept of the beginning".into());
            } else if !is_start {
                wrong("the log does not begin with the relay's start".into());
            }
            return;
        };
        // Between what was kept the clock went on.
        let is_gap = last.saturating_add(1) != index;
        if let LogEvent::ClockStepped { from } = entry.event {
            let fits = if is_gap { from >= at && entry.at < from } else { from == at };
            if !fits || (!is_gap && entry.at >= at) {
                wrong(format!("the clock was set from {from} to {}, and it showed {at}", entry.at));
            }
        } else if entry.at < at {
            wrong(format!("the time falls from {at} to {}, and no step is told", entry.at));
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
            let key = (channel.peer.clone(), channel.direction);
            let unknown = match self.is_pruned {
                true => (channel.seq, channel.prev),
                false => (0, Digest([0; 32])),
            };
            let (next, last) = self.ends.get(&key).copied().unwrap_or(unknown);
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
        let comes_from = decided.envelope.as_ref().and_then(|_| decided.path.last());
        let links_in: Vec<&Ministry> = entry
            .channels
            .iter()
            .filter(|channel| channel.direction == Direction::In)
            .map(|channel| &channel.peer)
            .collect();
        if links_in != comes_from.into_iter().collect::<Vec<_>>() {
            let what = "it is not in the chain of the relay that handed the message over, alone";
            out.add(Finding::fault(Check::Channels, what).at(index).against(&self.home));
        }
        let goes = entry.channels.iter().any(|channel| channel.direction == Direction::Out);
        if goes && decided.ruling != LoggedRuling::Permit {
            let what = "a message goes on that the decision does not permit to go";
            out.add(Finding::fault(Check::Channels, what).at(index).against(&self.home));
        }
    }

    fn own_receipt(&self, index: u64, at: Timestamp, receipt: &Receipt, out: &mut Findings) {
        if receipt.issuer != self.home {
            let what = format!("this log speaks as {}", receipt.issuer);
            out.add(Finding::fault(Check::Order, what).at(index).of(receipt.message));
        }
        if receipt.at != at {
            let what = format!("a receipt of {} stands in an entry of {at}", receipt.at);
            out.add(Finding::fault(Check::Order, what).at(index).of(receipt.message));
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
