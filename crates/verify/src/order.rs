//! What must only go forward within a log: times, starts, and the chains between relays.

use std::collections::HashMap;

use kuriiri_tlog::{Checkpoint, Note, log_number};
use kuriiri_types::{
    Channel, Decided, Digest, Direction, Entry, Giver, LogEvent, LoggedRuling, Ministry, Receipt,
    Timestamp, limits::CLOCK_SKEW_MAX,
};

use crate::finding::{Check, Finding, Findings};

/// Starts that a relay can count.
const STARTS_MAX: u64 = 1 << 24;

/// Where each chain ends, and what the last entry said of time. It grows with the number of peers.
#[derive(Debug)]
pub(crate) struct Order {
    home: Ministry,
    /// Whether it is the first log of its ministry, in which starts are counted from 1.
    is_first: bool,
    /// Time and start.
    last: Option<(Timestamp, u64)>,
    clocks: Clocks,
    ends: HashMap<(Ministry, Direction), (u64, Digest)>,
    witnessed: HashMap<String, (u64, Digest)>,
}

impl Order {
    pub(crate) fn new(home: Ministry, origin: &str) -> Self {
        let is_first = log_number(origin) == Some(1);
        let (ends, witnessed) = (HashMap::new(), HashMap::new());
        Self { home, is_first, last: None, clocks: Clocks::default(), ends, witnessed }
    }

    /// The number of the next link of a chain and the leaf hash of its last entry.
    pub(crate) fn end(&self, peer: &Ministry, direction: Direction) -> (u64, Digest) {
        self.ends.get(&(peer.clone(), direction)).copied().unwrap_or((0, Digest([0; 32])))
    }

    /// What can be said of the clocks once all was read.
    pub(crate) fn finish(&self, out: &mut Findings) {
        self.clocks.finish(out);
    }

    /// Looks at the next entry, with the receipt that came in.
    pub(crate) fn next(
        &mut self,
        index: u64,
        leaf: Digest,
        (entry, came): (&Entry, Option<&Receipt>),
        out: &mut Findings,
    ) {
        if let (LogEvent::ClockStepped { from }, Some((at, _))) = (&entry.event, self.last) {
            let what = format!("the clock was set back by {:?}, from {from}", at.since(entry.at));
            out.add(Finding::note(Check::Order, what).at(index));
        }
        self.times(index, entry, out);
        self.clocks.next(index, entry.at, came);
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
            if (self.is_first && entry.boot != 1) || entry.boot > STARTS_MAX {
                wrong(format!("the first start in it has the number {}", entry.boot));
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
        } else if entry.boot > boot + 1 {
            // A relay writes of each start with the number of it, or not at all.
            wrong(format!("start {} comes after start {boot}", entry.boot));
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
        if !receipt.is_its_issuers_to_say() {
            let (issuer, kind) = (&receipt.issuer, receipt.kind);
            wrong(format!(
                "it is not for {issuer} to say, with what is said of who handed it over or \
                           confirmed it, that this was {kind}"
            ));
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
            // Whether that log signed both is looked at elsewhere; a witness signs one only.
            let what = format!("two trees of {size} entries of {} were cosigned", seen.origin);
            out.add(Finding::fault(Check::Witnessing, what).at(index).against(&self.home));
        }
    }
}

/// Times of entries against those of other relays' receipts that stand before them.
#[derive(Debug, Default)]
struct Clocks {
    /// The latest time in a receipt that came in, by whom, and in which entry.
    heard: Option<(Timestamp, Ministry, u64)>,
    /// The first entry that is much earlier than a receipt before it, with that; and how many are.
    behind: Option<(u64, Timestamp, Ministry, u64)>,
    count: u64,
}

impl Clocks {
    fn next(&mut self, index: u64, at: Timestamp, came: Option<&Receipt>) {
        if let Some((heard, by, entry)) = &self.heard
            && at < heard.before(CLOCK_SKEW_MAX)
        {
            self.count += 1;
            self.behind.get_or_insert_with(|| (index, *heard, by.clone(), *entry));
        }
        let Some(came) = came else { return };
        if self.heard.as_ref().is_none_or(|(latest, ..)| came.at > *latest) {
            self.heard = Some((came.at, came.issuer.clone(), index));
        }
    }

    /// One of two clocks was wrong, and nothing that is signed tells which.
    fn finish(&self, out: &mut Findings) {
        if let Some((index, heard, by, entry)) = &self.behind {
            let what = format!(
                "{} entries, this one the first, have times more than {} minutes before {heard}, at which the \
                 receipt of {by} in entry {entry} was given, and stand after it: one of the two clocks was \
                 wrong, and these times are not to be relied on; the log of {by} may tell",
                self.count,
                CLOCK_SKEW_MAX.as_secs() / 60
            );
            out.add(Finding::unchecked(Check::Order, what).at(*index));
        }
    }
}
