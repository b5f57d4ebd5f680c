//! What an entry says of one message, in the few bytes that are kept of it until a log was read.

use kuriiri_merkle::digest;
use kuriiri_types::{
    Address, Code, Digest, LoggedRuling, MessageId, Ministry, Receipt, ReceiptKind, Timestamp,
};

use crate::spill::Record;

/// What an entry says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// What its header says of the copy for a ministry, from the entry that names it first. The time of
    /// the trace is that at which the message was made; `who` is the sum over its recipients there, so many.
    Named(u8),
    /// What its header says of its end, which is the time of the trace.
    Ends,
    /// Decided. The flag: it went on to a peer.
    Decided(LoggedRuling, Header, bool),
    /// This relay states it, for this cause.
    Own(ReceiptKind, Cause),
    /// Another relay's statement came in. The flag: the sender is at home here.
    Came(ReceiptKind, bool),
    /// Salt and body were erased. The flag: the header too.
    Erased(bool),
    /// The header is not beside the entry that names the message first. The time of the trace is that
    /// until which it was to be kept.
    Gone,
}

/// Why a message is refused, as far as it matters for what else the log must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// There is no mailbox for the recipient, or it has no room.
    NoMailbox,
    /// The rules.
    Rules,
    /// Another cause, or it is not refused.
    Other,
}

impl Cause {
    /// That of a statement.
    pub(crate) fn of(receipt: &Receipt) -> Self {
        match receipt.code {
            Some(Code::UNKNOWN_RECIPIENT | Code::QUEUE_FULL | Code::SHARE_SPENT) => Self::NoMailbox,
            Some(Code::POLICY | Code::WITHDRAWN) => Self::Rules,
            Some(_) | None => Self::Other,
        }
    }
}

/// Where the header is of a message that is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Header {
    /// Beside this entry, which names it first.
    Here,
    /// Beside an earlier entry, and the decision was already taken again with it.
    Used,
    /// It must be looked for beside an earlier entry.
    Earlier,
}

/// One entry about one message. 48 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trace {
    /// The beginning of the header's leaf hash.
    pub(crate) message: [u8; 16],
    pub(crate) index: u64,
    pub(crate) at: i64,
    /// Of a receipt: stands for the recipient, with the sender and the message's id as the receipt has
    /// them.
    pub(crate) who: u64,
    /// Stands for the ministry that the copy or the recipient is of.
    pub(crate) dest: u32,
    pub(crate) said: Said,
}

impl Trace {
    /// What an entry of this place and time says of the message with this header.
    pub(crate) fn new(
        (index, at): (u64, Timestamp),
        header: Digest,
        about: About,
        said: Said,
    ) -> Self {
        let (message, at) = (beginning(header), at.as_millis());
        Self { message, index, at, who: about.who, dest: about.dest, said }
    }
}

/// Numbers that stand for whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct About {
    /// The recipient of a receipt, with its sender and the id.
    pub(crate) who: u64,
    /// The ministry of the recipient, or the one that a decision is for.
    pub(crate) dest: u32,
}

/// Whom an entry is about, by its messages: one for all where all have the same.
#[derive(Debug)]
pub(crate) struct Abouts {
    first: About,
    /// Of each, where they differ.
    each: Vec<About>,
}

impl Abouts {
    pub(crate) fn nobody() -> Self {
        Self { first: About::default(), each: Vec::new() }
    }

    /// Those of a decision.
    pub(crate) fn ministry(dest: &Ministry) -> Self {
        Self { first: About { who: 0, dest: stand_in_for(dest) }, each: Vec::new() }
    }

    /// Those of a statement.
    pub(crate) fn recipients(receipt: &Receipt) -> Self {
        let mut last: Option<(&Ministry, u32)> = None;
        let mut each = Vec::with_capacity(receipt.subjects.len());
        for told in &receipt.subjects {
            let ministry = told.recipient.ministry();
            let known = last.filter(|(known, _)| *known == ministry);
            let (_, dest) =
                *last.insert(known.unwrap_or_else(|| (ministry, stand_in_for(ministry))));
            let who = stand_in_for_copy(&receipt.sender, &told.recipient, told.subject.message);
            each.push(About { who, dest });
        }
        Self { first: each.first().copied().unwrap_or_default(), each }
    }

    /// That of the message at this place.
    pub(crate) fn of(&self, place: usize) -> About {
        self.each.get(place).copied().unwrap_or(self.first)
    }
}

/// A number for what one recipient gets: a message of this id from this sender.
pub(crate) fn stand_in_for_copy(sender: &Address, recipient: &Address, id: MessageId) -> u64 {
    let parts = [sender.mailbox(), sender.ministry().as_str()];
    let parts = parts.into_iter().chain([recipient.mailbox(), recipient.ministry().as_str()]);
    let mut text = Vec::with_capacity(256);
    for part in parts {
        text.extend(part.as_bytes());
        text.push(0);
    }
    text.extend(id.as_bytes());
    number(digest(&text))
}

/// A number for a ministry.
pub(crate) fn stand_in_for(ministry: &Ministry) -> u32 {
    u32::try_from(number(digest(ministry.as_str().as_bytes())) >> 32).unwrap_or(0)
}

/// The first half of a digest: enough to tell messages apart.
pub(crate) fn beginning(header: Digest) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(header.as_bytes()).for_each(|(to, from)| *to = *from);
    first
}

fn number(hash: Digest) -> u64 {
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

impl Record for Trace {
    const BYTES: usize = 46;

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.message);
        to.extend(self.index.to_be_bytes());
        to.extend(self.at.to_be_bytes());
        to.extend(self.who.to_be_bytes());
        to.extend(self.dest.to_be_bytes());
        to.extend(self.said.to_bytes());
    }

    fn read(from: &[u8]) -> Option<Self> {
        let (message, rest) = from.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (who, rest) = rest.split_first_chunk()?;
        let (dest, said) = rest.split_first_chunk()?;
        Some(Self {
            message: *message,
            index: u64::from_be_bytes(*index),
            at: i64::from_be_bytes(*at),
            who: u64::from_be_bytes(*who),
            dest: u32::from_be_bytes(*dest),
            said: Said::from_bytes(said)?,
        })
    }

    fn part(&self) -> u8 {
        self.message.first().copied().unwrap_or(0)
    }
}

const HEADERS: [Header; 3] = [Header::Here, Header::Used, Header::Earlier];
const CAUSES: [Cause; 3] = [Cause::NoMailbox, Cause::Rules, Cause::Other];
/// Set in the second byte of a decision on a message that went on.
const LEFT: u8 = 0x80;

impl Said {
    fn to_bytes(self) -> [u8; 2] {
        let kind = |kind: ReceiptKind| place_in(&ReceiptKind::ALL, &kind);
        let ruled = |base, header: Header, left: bool| {
            [base, place_in(&HEADERS, &header) | if left { LEFT } else { 0 }]
        };
        match self {
            Self::Decided(LoggedRuling::Deny, header, left) => ruled(0, header, left),
            Self::Decided(LoggedRuling::Hold, header, left) => ruled(1, header, left),
            Self::Decided(LoggedRuling::Permit, header, left) => ruled(2, header, left),
            Self::Own(said, cause) => [8 + kind(said), place_in(&CAUSES, &cause)],
            Self::Came(said, flag) => [16 + kind(said), u8::from(flag)],
            Self::Erased(flag) => [24, u8::from(flag)],
            Self::Gone => [25, 0],
            // The first of all that is said of a message.
            Self::Named(count) => [26, count],
            Self::Ends => [27, 0],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [number, more] = *bytes else { return None };
        let kind = |base: u8| ReceiptKind::ALL.get(usize::from(number - base)).copied();
        let (flag, left) = (more != 0, more & LEFT != 0);
        let header = HEADERS.get(usize::from(more & !LEFT)).copied();
        Some(match number {
            0 => Self::Decided(LoggedRuling::Deny, header?, left),
            1 => Self::Decided(LoggedRuling::Hold, header?, left),
            2 => Self::Decided(LoggedRuling::Permit, header?, left),
            8..16 => Self::Own(kind(8)?, CAUSES.get(usize::from(more)).copied()?),
            16..24 => Self::Came(kind(16)?, flag),
            24 => Self::Erased(flag),
            25 => Self::Gone,
            26 => Self::Named(more),
            27 => Self::Ends,
            _ => return None,
        })
    }
}

fn place_in<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|known| known == one).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use kuriiri_types::{Addressed, Subject};

    use super::*;

    #[test]
    fn a_record_comes_back() {
        let kinds = ReceiptKind::ALL.into_iter();
        let stated = kinds.flat_map(|kind| {
            CAUSES.map(|cause| Said::Own(kind, cause)).into_iter().chain([Said::Came(kind, false)])
        });
        let rulings = [LoggedRuling::Deny, LoggedRuling::Hold, LoggedRuling::Permit];
        let decided = rulings.into_iter().flat_map(|ruling| {
            HEADERS.into_iter().flat_map(move |header| {
                [true, false].map(|left| Said::Decided(ruling, header, left))
            })
        });
        let others =
            [Said::Erased(true), Said::Erased(false), Said::Gone, Said::Named(3), Said::Ends];
        for said in stated.chain(decided).chain(others) {
            let trace = Trace { message: [1; 16], index: 2, at: 3, who: 4, dest: 5, said };
            let mut bytes = Vec::new();
            trace.write(&mut bytes);
            assert_eq!(bytes.len(), Trace::BYTES);
            assert_eq!(Trace::read(&bytes), Some(trace));
        }
    }

    #[test]
    fn each_message_of_a_statement_has_its_own_recipient() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let receipt = |recipients: &[&str]| Receipt {
            issuer: "sm.example".parse().unwrap(),
            kind: ReceiptKind::Accepted,
            at,
            sender: "a@sm.example".parse().unwrap(),
            by: None,
            code: None,
            reasons: Vec::new(),
            subjects: recipients
                .iter()
                .map(|recipient| Addressed {
                    subject: Subject {
                        message: MessageId::new(at, [1; 10]),
                        header: Digest([1; 32]),
                    },
                    recipient: recipient.parse().unwrap(),
                })
                .collect(),
        };
        let (b, c) = ("b@um.example", "c@plm.example");
        let alone = |recipient| Abouts::recipients(&receipt(&[recipient])).of(0);
        for all in [&[b][..], &[b, b, b], &[b, c], &[b, b, c, c, b]] {
            let abouts = Abouts::recipients(&receipt(all));
            for (place, recipient) in all.iter().enumerate() {
                assert_eq!(abouts.of(place), alone(*recipient), "{place} of {all:?}");
            }
        }
        assert_ne!(alone(b), alone(c));
    }
}
