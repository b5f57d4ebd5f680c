//! Reads one log for a comparison: its tree, its chains, and what it says of messages.

use std::{collections::HashMap, io};

use kuriiri_merkle::leaf;
use kuriiri_types::{
    ChannelHead, Decided, Digest, Direction, Entry, Header, LogEvent, LoggedRuling, Ministry,
    Receipt, ReceiptKind, SignedReceipt, Subject, Timestamp, limits::MESSAGE_TTL_MAX,
};

use super::{
    own::Own,
    records::{IdRecord, InMinute, MinuteRecord, Records, Tie, TieRecord},
};
use crate::{
    audit::check_checkpoint,
    copy::{Bundle, Copy, Place},
    finding::{Check, Finding, Findings, FirstMissing},
    folder::LogFolder,
    found::{Found, log_of},
    heads::{handed_over_by, minute_of},
    kept_checkpoints::{note_in, parsed},
    scan::scan,
    trace::beginning,
    trusted::Anchors,
};

/// A checkpoint of the other log that this one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) size: u64,
    pub(super) root: Digest,
    pub(super) index: u64,
    pub(super) at: Timestamp,
}

/// A link that does not follow, and the link before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) before: Option<u64>,
    pub(super) index: u64,
}

/// What one log is, besides what it says of messages. It grows with the distinct checkpoints that it
/// holds of the other, 64 bytes each.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) period: Option<(Timestamp, Timestamp)>,
    pub(super) seen: Vec<Seen>,
    pub(super) gaps: Vec<Gap>,
    /// Every entry is there as the log signed it, if its root is.
    pub(super) is_whole: bool,
}

struct Reader<'a> {
    side: u8,
    peer: &'a Ministry,
    /// The origin of the peer's log that was given.
    peers_log: &'a str,
    own: Own,
    records: &'a mut Records,
    survey: Survey,
    links: HashMap<(Ministry, Direction), u64>,
    last_seen: Option<(u64, Digest)>,
}

/// Reads the log of a ministry, whose side is numbered.
pub(super) fn survey(
    folder: &LogFolder,
    anchors: &Anchors,
    (side, home, (peer, peers_log)): (u8, &Ministry, (&Ministry, &str)),
    records: &mut Records,
    findings: &mut Findings,
    progress: &mut impl FnMut(u64),
) -> Survey {
    check_checkpoint(folder, anchors, findings);
    let own = Own::new(home, &folder.checkpoint().origin);
    let survey = Survey { period: None, seen: Vec::new(), gaps: Vec::new(), is_whole: true };
    let missing = FirstMissing::default();
    let (mut copy, mut found_here) = (Copy::of(folder, &missing), Findings::of_a_copy(&missing));
    let out = &mut found_here;
    let links = HashMap::new();
    let mut reader = Reader { side, peer, peers_log, own, records, survey, links, last_seen: None };
    scan(folder, with_traits, |chunk| {
        let goes_on = match copy.take(reader.own.size(), chunk, out) {
            Bundle::Entries(places) => {
                places.into_iter().for_each(|place| reader.place(folder, place, out));
                true
            }
            Bundle::Missing(root) => reader.own.push_full(root),
            Bundle::Unknown => false,
        };
        progress(reader.own.size());
        goes_on
    });
    reader.own.finish(folder, out);
    reader.survey.is_whole = copy.read == folder.size();
    findings.merge(found_here);
    reader.survey.seen.sort_unstable();
    reader.survey.seen.dedup_by_key(|seen| (seen.size, seen.root));
    reader.survey
}

/// What of a header says how its message goes and until when.
#[derive(Debug, Clone, Copy)]
struct Traits {
    lane: u64,
    over: u64,
}

/// An entry with what the headers beside it say, of each message that it names first; made by the
/// threads that read, because it takes time.
fn with_traits(found: Found) -> (Found, Vec<Option<Traits>>) {
    let headers = found.first_headers();
    let traits = headers.map(|(_, header)| header.as_ref().map(Traits::of)).collect();
    (found, traits)
}

impl Traits {
    fn of(header: &Header) -> Self {
        let limit = header.created.after(MESSAGE_TTL_MAX);
        let over = header.expires.map_or(limit, |expires| expires.min(limit));
        Self { lane: header.precedence as u64, over: millis(over) }
    }

    /// Those of a message whose header is not at hand.
    fn unknown(at: Timestamp) -> Self {
        Self { lane: NO_LANE, over: millis(at.after(MESSAGE_TTL_MAX)) }
    }
}

impl Reader<'_> {
    fn place(
        &mut self,
        folder: &LogFolder,
        place: Place<Vec<Option<Traits>>>,
        findings: &mut Findings,
    ) {
        match place {
            Place::Missing(leaf) => self.own.push(folder, leaf, findings),
            Place::Entry(entry) => {
                let (found, traits) = *entry;
                self.own.push(folder, found.leaf, findings);
                self.found(&found, &traits, findings);
            }
        }
    }

    fn found(&mut self, found: &Found, traits: &[Option<Traits>], findings: &mut Findings) {
        findings.done(Check::Entries, 1);
        let entry = match &found.entry {
            Ok(entry) => entry,
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                return findings.add(Finding::fault(Check::Entries, what).at(found.index));
            }
        };
        let first = self.survey.period.map_or(entry.at, |(first, _)| first);
        self.survey.period = Some((first, entry.at));
        let broken = entry.channels.iter().find(|channel| {
            self.own.end(&channel.peer, channel.direction) != (channel.seq, channel.prev)
        });
        if let Some(channel) = broken {
            let before = self.links.get(&(channel.peer.clone(), channel.direction)).copied();
            self.survey.gaps.push(Gap { before, index: found.index });
        }
        self.own.next(found, entry, findings);
        for channel in &entry.channels {
            self.links.insert((channel.peer.clone(), channel.direction), found.index);
        }
        if let Err(error) = self.note(found, entry, traits) {
            let what = format!("records cannot be written beside: {error}");
            findings.add(Finding::unchecked(Check::Agreement, what));
        }
    }

    fn note(&mut self, found: &Found, entry: &Entry, traits: &[Option<Traits>]) -> io::Result<()> {
        if let Some(note) = note_in(&entry.event) {
            self.see(found.index, entry.at, &note);
        }
        if let LogEvent::Decided(decided) = &entry.event {
            return self.decided(found.index, entry, decided, traits);
        }
        if let LogEvent::ReceiptIn { from, receipt } = &entry.event {
            return self.came_in(found, from, receipt);
        }
        if let LogEvent::ChannelHeads(heads) = &entry.event {
            return self.heads(heads);
        }
        let LogEvent::Receipt(receipt) = &entry.event else { return Ok(()) };
        if handed_over_by(receipt) == Some(self.peer) {
            self.minute(self.side, receipt)?;
        }
        let place = (found.index, leaf_number(found.leaf));
        self.told((found, receipt), place, Tie::Own(receipt.kind))
    }

    fn decided(
        &mut self,
        index: u64,
        entry: &Entry,
        decided: &Decided,
        traits: &[Option<Traits>],
    ) -> io::Result<()> {
        for (number, subject) in decided.subjects.iter().enumerate() {
            if decided.batch.is_some() {
                self.records.ids.push(IdRecord {
                    id: *subject.message.as_bytes(),
                    message: beginning(subject.header),
                    side: self.side,
                    index,
                })?;
            }
            let known = traits.get(number).copied().flatten();
            let traits = known.unwrap_or_else(|| Traits::unknown(entry.at));
            self.ties((index, entry), decided.ruling, subject, traits)?;
        }
        Ok(())
    }

    /// What a decision says of one message between the two.
    fn ties(
        &mut self,
        (index, entry): (u64, &Entry),
        ruling: LoggedRuling,
        subject: &Subject,
        traits: Traits,
    ) -> io::Result<()> {
        for channel in entry.channels.iter().filter(|channel| channel.peer == *self.peer) {
            let (tie, place) = match channel.direction {
                Direction::Out => (Tie::Sent, traits.over),
                Direction::In => (Tie::Came(ruling != LoggedRuling::Deny), 0),
            };
            self.records.ties.push(TieRecord {
                message: beginning(subject.header),
                side: self.side,
                index,
                at: entry.at.as_millis(),
                who: 0,
                place,
                leaf: traits.lane,
                tie,
            })?;
        }
        Ok(())
    }

    fn came_in(
        &mut self,
        found: &Found,
        from: &Ministry,
        signed: &SignedReceipt,
    ) -> io::Result<()> {
        let Some(receipt) = found.came().filter(|said| said.issuer == *self.peer) else {
            return Ok(());
        };
        // What comes through a hub is of a message that went to the hub.
        if receipt.kind == ReceiptKind::Relayed && *from == receipt.issuer {
            self.minute(1 - self.side, receipt)?;
        }
        // A ministry may have several logs, one after the other; each answers for its own entries.
        let is_here = self.peers_log == log_of(signed);
        let index = if is_here { signed.index } else { ELSEWHERE };
        let place = (index, leaf_number(leaf(&signed.entry)));
        self.told((found, receipt), place, Tie::Heard(receipt.kind))
    }

    /// What a statement says of each of its messages; its place and leaf are those in its issuer's log.
    fn told(
        &mut self,
        (found, receipt): (&Found, &Receipt),
        (place, leaf): (u64, u64),
        tie: Tie,
    ) -> io::Result<()> {
        for (number, told) in receipt.subjects.iter().enumerate() {
            self.records.ties.push(TieRecord {
                message: beginning(told.subject.header),
                side: self.side,
                index: found.index,
                at: receipt.at.as_millis(),
                who: found.about.of(number).who,
                place,
                leaf,
                tie,
            })?;
        }
        Ok(())
    }

    fn minute(&mut self, to: u8, receipt: &Receipt) -> io::Result<()> {
        let (minute, side) = (minute_of(receipt.at), self.side);
        for told in &receipt.subjects {
            let what = InMinute::Message(told.subject.header);
            self.records.minutes.push(MinuteRecord { to, minute, side, what })?;
        }
        Ok(())
    }

    /// Keeps what this side sums up of the other.
    fn heads(&mut self, heads: &[ChannelHead]) -> io::Result<()> {
        for head in heads.iter().filter(|head| head.peer == *self.peer) {
            let to = match head.direction {
                Direction::In => self.side,
                Direction::Out => 1 - self.side,
            };
            let (minute, side) = (head.minute.as_millis(), self.side);
            let what = InMinute::Head(head.count, head.root);
            self.records.minutes.push(MinuteRecord { to, minute, side, what })?;
        }
        Ok(())
    }

    /// Keeps a checkpoint of the other log; those that follow each other are mostly the same.
    fn see(&mut self, index: u64, at: Timestamp, note: &[u8]) {
        let Some(checkpoint) = parsed(note) else { return };
        let is_of_peers = checkpoint.origin == self.peers_log;
        let this = (checkpoint.size, checkpoint.root);
        if is_of_peers && self.last_seen != Some(this) {
            self.last_seen = Some(this);
            let (size, root) = this;
            self.survey.seen.push(Seen { size, root, index, at });
        }
    }
}

/// The place of a receipt in another log than the one given.
pub(super) const ELSEWHERE: u64 = u64::MAX;

/// No lane is known.
pub(super) const NO_LANE: u64 = 255;

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

/// The beginning of a leaf hash.
pub(super) fn leaf_number(leaf: Digest) -> u64 {
    leaf.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
