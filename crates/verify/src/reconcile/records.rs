//! What is kept of the entries of both logs until they are compared.

use kuriiri_types::{Digest, ReceiptKind};

use crate::spill::{Record, Spill};

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

/// What one entry of one of the logs says of one message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TieRecord {
    pub(super) message: [u8; 16],
    pub(super) side: u8,
    pub(super) index: u64,
    pub(super) at: i64,
    /// Stands for the recipient of a receipt; 0 in the others.
    pub(super) who: u64,
    /// Of a receipt: its place in its issuer's log. Of a message that leaves: when it expires. Of one
    /// that came: 0.
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

/// A message that an entry names first, by its id and by its header.
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

/// What a side has of a minute of the receiver's time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MinuteRecord {
    /// The receiver's side in front.
    pub(super) to: u8,
    pub(super) minute: i64,
    pub(super) side: u8,
    pub(super) what: InMinute,
}

/// One message of a minute, or a sum over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InMinute {
    /// A message, by its header.
    Message(Digest),
    /// A head: how many messages, and the root over their headers.
    Head(u64, Option<Digest>),
}

impl Record for MinuteRecord {
    const BYTES: usize = 51;

    fn write(&self, to: &mut Vec<u8>) {
        let (kind, count, digest) = match self.what {
            InMinute::Message(header) => (0, 0, header),
            InMinute::Head(count, Some(root)) => (1, count, root),
            InMinute::Head(count, None) => (2, count, Digest([0; 32])),
        };
        to.push(self.to);
        to.extend(self.minute.to_be_bytes());
        to.extend([self.side, kind]);
        to.extend(count.to_be_bytes());
        to.extend(digest.as_bytes());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (to, rest) = from.split_first()?;
        let (minute, rest) = rest.split_first_chunk()?;
        let ([side, kind], rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (count, digest) = (u64::from_be_bytes(*count), Digest::from_slice(rest)?);
        let what = match kind {
            0 => InMinute::Message(digest),
            1 => InMinute::Head(count, Some(digest)),
            _ => InMinute::Head(count, None),
        };
        Some(Self { to: *to, minute: i64::from_be_bytes(*minute), side: *side, what })
    }

    fn part(&self) -> u8 {
        u8::try_from((self.minute / 60_000).rem_euclid(256)).unwrap_or(0)
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
