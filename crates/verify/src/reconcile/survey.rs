//! Reads one log for a comparison: its tree, its chains, and what it says of messages.

use std::{collections::HashMap, io};

use kuriiri_types::{
    Decided, Digest, Direction, Entry, Header, LogEvent, LoggedRuling, Ministry, Receipt,
    ReceiptKind, SignedReceipt, Timestamp, limits::MESSAGE_TTL_MAX,
};

use crate::{
    audit::check_checkpoint,
    finding::{Check, Finding, Findings},
    folder::LogFolder,
    known::{note_in, parsed},
    lives::beginning,
    order::Order,
    scan::{Found, Inner, scan},
    scene::Anchors,
    spill::{Record, Spill},
    tree::{Rebuilt, check_tile, root_at},
};

/// What one entry says of a message between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tie {
    /// It leaves for the other; permitted, with its lane or 255.
    Sent,
    /// The other's receipt came in.
    Heard(ReceiptKind),
    /// It came from the other; permitted or not.
    Came(bool),
    /// This log states it.
    Own(ReceiptKind),
}

/// One entry of one of the logs about a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TieRecord {
    pub(super) message: [u8; 16],
    pub(super) side: u8,
    pub(super) index: u64,
    pub(super) at: i64,
    /// Stands for the recipient of a receipt; the number in the chain of the others.
    pub(super) who: u64,
    /// Of a receipt that came in: its place in the other's log. Of one that leaves: when it expires.
    pub(super) place: u64,
    /// The beginning of the leaf hash of the receipt's entry; the lane of a message that leaves.
    pub(super) leaf: u64,
    pub(super) tie: Tie,
}

impl Record for TieRecord {
    const BYTES: usize = 58;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.message);
        to.push(self.side);
        to.extend(self.index.to_be_bytes());
        to.extend(self.at.to_be_bytes());
        to.extend(self.who.to_be_bytes());
        to.extend(self.place.to_be_bytes());
        to.extend(self.leaf.to_be_bytes());
        to.push(self.tie.to_byte());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (message, rest) = from.split_first_chunk()?;
        let (side, rest) = rest.split_first()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (who, rest) = rest.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let (leaf, rest) = rest.split_first_chunk()?;
        Some(Self {
            message: *message,
            side: *side,
            index: u64::from_be_bytes(*index),
            at: i64::from_be_bytes(*at),
            who: u64::from_be_bytes(*who),
            place: u64::from_be_bytes(*place),
            leaf: u64::from_be_bytes(*leaf),
            tie: Tie::from_byte(*rest.first()?)?,
        })
    }

    fn part(&self) -> u8 {
        self.message.first().copied().unwrap_or(0)
    }
}

impl Tie {
    fn to_byte(self) -> u8 {
        let kind = |kind: ReceiptKind| {
            let place = ReceiptKind::ALL.iter().position(|known| *known == kind);
            place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
        };
        match self {
            Self::Sent => 0,
            Self::Came(permitted) => 1 + u8::from(permitted),
            Self::Heard(said) => 8 + kind(said),
            Self::Own(said) => 16 + kind(said),
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        let kind = |base: u8| ReceiptKind::ALL.get(usize::from(byte - base)).copied();
        Some(match byte {
            0 => Self::Sent,
            1 | 2 => Self::Came(byte == 2),
            8..16 => Self::Heard(kind(8)?),
            16..24 => Self::Own(kind(16)?),
            _ => return None,
        })
    }
}

/// A signed header under its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdRecord {
    pub(super) id: [u8; 16],
    pub(super) message: [u8; 16],
    pub(super) side: u8,
    pub(super) index: u64,
}

impl Record for IdRecord {
    const BYTES: usize = 41;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.id);
        to.extend(self.message);
        to.push(self.side);
        to.extend(self.index.to_be_bytes());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (id, rest) = from.split_first_chunk()?;
        let (message, rest) = rest.split_first_chunk()?;
        let (side, rest) = rest.split_first()?;
        let index = u64::from_be_bytes(rest.try_into().ok()?);
        Some(Self { id: *id, message: *message, side: *side, index })
    }

    /// Not the time in front, which all ids of a while share.
    fn part(&self) -> u8 {
        self.id.last().copied().unwrap_or(0)
    }
}

/// One message in a minute of the receiver's time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MinuteRecord {
    /// The receiver's side in front.
    pub(super) to: u8,
    pub(super) minute: i64,
    pub(super) side: u8,
    pub(super) header: Digest,
}

impl Record for MinuteRecord {
    const BYTES: usize = 42;

    fn write(&self, to: &mut Vec<u8>) {
        to.push(self.to);
        to.extend(self.minute.to_be_bytes());
        to.push(self.side);
        to.extend(self.header.as_bytes());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (to, rest) = from.split_first()?;
        let (minute, rest) = rest.split_first_chunk()?;
        let (side, rest) = rest.split_first()?;
        let header = Digest::from_slice(rest)?;
        Some(Self { to: *to, minute: i64::from_be_bytes(*minute), side: *side, header })
    }

    fn part(&self) -> u8 {
        u8::try_from(self.minute.rem_euclid(256)).unwrap_or(0)
    }
}

/// What both logs say.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) ties: Spill<TieRecord>,
    pub(super) ids: Spill<IdRecord>,
    pub(super) minutes: Spill<MinuteRecord>,
}

impl Records {
    pub(super) fn new() -> Self {
        Self { ties: Spill::new(), ids: Spill::new(), minutes: Spill::new() }
    }
}

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
}

struct Reader<'a> {
    side: u8,
    peer: &'a Ministry,
    records: &'a mut Records,
    survey: Survey,
    links: HashMap<(Ministry, Direction), u64>,
    /// The message that came from the peer last.
    came: Option<Digest>,
    last_seen: Option<(u64, Digest)>,
}

/// Reads a log whose side is numbered.
pub(super) fn survey(
    folder: &LogFolder,
    anchors: &Anchors,
    (side, peer): (u8, &Ministry),
    records: &mut Records,
    findings: &mut Findings,
    progress: &mut impl FnMut(u64),
) -> Survey {
    check_checkpoint(folder, anchors, findings);
    let home = kuriiri_tlog::ministry_of(&folder.checkpoint().origin);
    let mut order = home.map(Order::new);
    let survey = Survey { period: None, seen: Vec::new(), gaps: Vec::new() };
    let links = HashMap::new();
    let mut reader = Reader { side, peer, records, survey, links, came: None, last_seen: None };
    let mut tree = Rebuilt::default();
    scan(folder, 0, |_, chunk| {
        let entries = match chunk {
            Ok(entries) => entries,
            Err(error) => {
                findings.add(Finding::fault(Check::Root, error.to_string()));
                return false;
            }
        };
        for found in entries {
            for expected in tree.push(found.leaf) {
                check_tile(folder, &expected, findings);
            }
            reader.found(&found, order.as_mut(), findings);
        }
        progress(tree.size());
        true
    });
    for expected in tree.partial() {
        check_tile(folder, &expected, findings);
    }
    findings.done(Check::Root, tree.size());
    if tree.size() != folder.size() || root_at(&tree) != folder.checkpoint().root {
        let what = format!("the entries of {} have another root", folder.checkpoint().origin);
        findings.add(Finding::fault(Check::Root, what));
    }
    reader.survey.seen.sort_unstable();
    reader.survey.seen.dedup_by_key(|seen| (seen.size, seen.root));
    reader.survey
}

impl Reader<'_> {
    fn found(&mut self, found: &Found, order: Option<&mut Order>, findings: &mut Findings) {
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
        if let Some(order) = order {
            order.next(found.index, found.leaf, entry, &mut own);
        }
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
        if let LogEvent::ReceiptIn { receipt, .. } = &entry.event {
            return self.came_in(found, receipt);
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
                place: expiry(entry.at, header),
                leaf: header.map_or(NO_LANE, |header| header.precedence as u64),
                tie,
            })?;
        }
        Ok(())
    }

    fn came_in(&mut self, found: &Found, signed: &SignedReceipt) -> io::Result<()> {
        let Inner::Receipt(receipt) = &found.inner else { return Ok(()) };
        if receipt.issuer != *self.peer {
            return Ok(());
        }
        if receipt.kind == ReceiptKind::Relayed {
            self.minute(1 - self.side, receipt)?;
        }
        let record = self.receipt(found, receipt, Tie::Heard(receipt.kind));
        let leaf = leaf_number(kuriiri_seal::leaf(&signed.entry));
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
        let minute = receipt.at.as_millis().div_euclid(60_000);
        let (side, header) = (self.side, receipt.header_digest);
        self.records.minutes.push(MinuteRecord { to, minute, side, header })
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
    u64::try_from(over.as_millis()).unwrap_or(0)
}

fn leaf_number(leaf: Digest) -> u64 {
    leaf.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
