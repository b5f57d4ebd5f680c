//! Reads one log for a comparison: its tree, its chains, and what it says of messages.

use std::{collections::HashMap, io};

use kuriiri_types::{
    ChannelHead, Decided, Digest, Direction, Entry, Header, LogEvent, LoggedRuling, Ministry,
    Receipt, ReceiptKind, SignedReceipt, Timestamp, limits::MESSAGE_TTL_MAX,
};

use super::{
    own::Own,
    records::{IdRecord, InMinute, MinuteRecord, Records, Tie, TieRecord},
};
use crate::{
    audit::check_checkpoint,
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    heads::minute_of,
    known::{note_in, parsed},
    lives::beginning,
    scan::{Found, Inner, scan},
    scene::Anchors,
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
    pub(super) is_pruned: bool,
    pub(super) seen: Vec<Seen>,
    pub(super) gaps: Vec<Gap>,
}

struct Reader<'a> {
    side: u8,
    peer: &'a Ministry,
    own: Own,
    records: &'a mut Records,
    survey: Survey,
    links: HashMap<(Ministry, Direction), u64>,
    /// The message that came from the peer last.
    came: Option<Digest>,
    last_seen: Option<(u64, Digest)>,
}

/// Reads the log of a ministry, whose side is numbered.
pub(super) fn survey(
    folder: &LogFolder,
    anchors: &Anchors,
    (side, home, peer): (u8, &Ministry, &Ministry),
    records: &mut Records,
    findings: &mut Findings,
    progress: &mut impl FnMut(u64),
) -> Survey {
    check_checkpoint(folder, anchors, findings);
    let own = Own::new(home, folder);
    let is_pruned = own.is_pruned();
    let survey = Survey { period: None, is_pruned, seen: Vec::new(), gaps: Vec::new() };
    let links = HashMap::new();
    let mut reader =
        Reader { side, peer, own, records, survey, links, came: None, last_seen: None };
    if let Err(error) = reader.own.begin(folder, findings) {
        findings.add(Finding::fault(Check::Root, error.to_string()));
    }
    scan(folder, folder.first_bundle(), |_, chunk| {
        let entries = match chunk {
            Ok(entries) => entries,
            Err(error) => {
                findings.add(Finding::fault(Check::Root, error.to_string()));
                return false;
            }
        };
        for found in entries {
            reader.own.push(folder, found.leaf, findings);
            reader.found(&found, findings);
        }
        progress(reader.own.size());
        true
    });
    reader.own.finish(folder, findings);
    reader.survey.seen.sort_unstable();
    reader.survey.seen.dedup_by_key(|seen| (seen.size, seen.root));
    reader.survey
}

impl Reader<'_> {
    fn found(&mut self, found: &Found, findings: &mut Findings) {
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
        let mut own = Findings::new();
        self.own.next(found, entry, &mut own);
        if own.has(Check::Channels) {
            let before = entry.channels.iter().find_map(|channel| {
                self.links.get(&(channel.peer.clone(), channel.direction)).copied()
            });
            self.survey.gaps.push(Gap { before, index: found.index });
        }
        findings.merge(own);
        for channel in &entry.channels {
            self.links.insert((channel.peer.clone(), channel.direction), found.index);
        }
        if let Err(error) = self.note(found, entry) {
            let what = format!("records cannot be written beside: {error}");
            findings.add(Finding::unchecked(Check::Agreement, what));
        }
    }

    fn note(&mut self, found: &Found, entry: &Entry) -> io::Result<()> {
        if let Some(note) = note_in(&entry.event) {
            self.see(found.index, entry.at, &note);
        }
        if let LogEvent::Decided(decided) = &entry.event {
            return self.decided(found, entry, decided);
        }
        if let LogEvent::ReceiptIn { from, receipt } = &entry.event {
            return self.came_in(found, from, receipt);
        }
        if let LogEvent::ChannelHeads(heads) = &entry.event {
            return self.heads(heads);
        }
        let LogEvent::Receipt(receipt) = &entry.event else { return Ok(()) };
        let record = self.receipt(found, receipt, Tie::Own(receipt.kind));
        if receipt.kind == ReceiptKind::Relayed && self.came == Some(receipt.header_digest) {
            self.minute(self.side, receipt)?;
        }
        let leaf = leaf_number(found.leaf);
        self.records.ties.push(TieRecord { leaf, place: found.index, ..record })
    }

    fn decided(&mut self, found: &Found, entry: &Entry, decided: &Decided) -> io::Result<()> {
        let header = match &found.inner {
            Inner::Header(header) => Some(&**header),
            Inner::Nothing | Inner::Receipt(_) | Inner::Unreadable(_) => None,
        };
        if let Some(header) = header {
            self.records.ids.push(IdRecord {
                id: *header.id.as_bytes(),
                message: beginning(decided.subject),
                side: self.side,
                index: found.index,
            })?;
        }
        self.came = None;
        for channel in entry.channels.iter().filter(|channel| channel.peer == *self.peer) {
            let tie = match channel.direction {
                Direction::Out => Tie::Sent,
                Direction::In => Tie::Came(decided.ruling != LoggedRuling::Deny),
            };
            if channel.direction == Direction::In {
                self.came = Some(decided.subject);
            }
            self.records.ties.push(TieRecord {
                message: beginning(decided.subject),
                side: self.side,
                index: found.index,
                at: entry.at.as_millis(),
                who: channel.seq,
                place: match channel.direction {
                    Direction::Out => expiry(entry.at, header),
                    Direction::In => header.map_or(0, |header| millis(header.created)),
                },
                leaf: header.map_or(NO_LANE, |header| header.precedence as u64),
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
        let Inner::Receipt(receipt) = &found.inner else { return Ok(()) };
        if receipt.issuer != *self.peer {
            return Ok(());
        }
        // What comes through a hub is of a message that went to the hub.
        if receipt.kind == ReceiptKind::Relayed && *from == receipt.issuer {
            self.minute(1 - self.side, receipt)?;
        }
        let record = self.receipt(found, receipt, Tie::Heard(receipt.kind));
        let leaf = leaf_number(kuriiri_merkle::leaf(&signed.entry));
        self.records.ties.push(TieRecord { leaf, place: signed.index, ..record })
    }

    fn receipt(&self, found: &Found, receipt: &Receipt, tie: Tie) -> TieRecord {
        TieRecord {
            message: beginning(receipt.header_digest),
            side: self.side,
            index: found.index,
            at: receipt.at.as_millis(),
            who: found.about.who,
            place: 0,
            leaf: 0,
            tie,
        }
    }

    fn minute(&mut self, to: u8, receipt: &Receipt) -> io::Result<()> {
        let (minute, side) = (minute_of(receipt.at), self.side);
        let what = InMinute::Message(receipt.header_digest);
        self.records.minutes.push(MinuteRecord { to, minute, side, what })
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
        let of_peer = kuriiri_tlog::ministry_of(&checkpoint.origin);
        let this = (checkpoint.size, checkpoint.root);
        if of_peer.as_ref() == Some(self.peer) && self.last_seen != Some(this) {
            self.last_seen = Some(this);
            let (size, root) = this;
            self.survey.seen.push(Seen { size, root, index, at });
        }
    }
}

/// No lane is known.
pub(super) const NO_LANE: u64 = 255;

/// When a message that leaves is over, in milliseconds.
fn expiry(at: Timestamp, header: Option<&Header>) -> u64 {
    let limit = header.map_or(at, |header| header.created).after(MESSAGE_TTL_MAX);
    let over = header.and_then(|header| header.expires).map_or(limit, |expires| expires.min(limit));
    millis(over)
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

/// The beginning of a leaf hash.
pub(super) fn leaf_number(leaf: Digest) -> u64 {
    leaf.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
