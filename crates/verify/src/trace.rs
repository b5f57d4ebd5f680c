//! What an entry says of one message, in the few bytes that are kept of it until a log was read.

use kuriiri_merkle::digest;
use kuriiri_types::{Digest, LoggedRuling, Ministry, Receipt, ReceiptKind, Timestamp};

use crate::spill::Record;

/// What an entry says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// Decided.
    Decided(LoggedRuling, Header),
    /// This relay states it. The flag: its code is that the recipient is unknown.
    Own(ReceiptKind, bool),
    /// Another relay's statement came in. The flag: the sender is at home here.
    Came(ReceiptKind, bool),
    /// Salt and body were erased. The flag: the header too.
    Erased(bool),
    /// The header is not beside the entry that names the message first. The time of the trace is that
    /// until which it was to be kept.
    Gone,
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
    /// Stands for the recipient, of a receipt.
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
    /// The recipient of a receipt.
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
        let mut recipients = receipt.subjects.iter().map(|told| &told.recipient);
        let Some(mut last) = recipients.next() else { return Self::nobody() };
        let mut about = of_recipient(last);
        let mut all = Self { first: about, each: Vec::new() };
        for (place, recipient) in (1..).zip(recipients) {
            if recipient != last {
                (last, about) = (recipient, of_recipient(recipient));
                if all.each.is_empty() {
                    all.each.resize(place, all.first);
                }
            }
            if !all.each.is_empty() {
                all.each.push(about);
            }
        }
        all
    }

    /// That of the message at this place.
    pub(crate) fn of(&self, place: usize) -> About {
        self.each.get(place).copied().unwrap_or(self.first)
    }
}

fn of_recipient(recipient: &kuriiri_types::Address) -> About {
    let who = stand_in(&recipient.to_string());
    About { who, dest: stand_in_for(recipient.ministry()) }
}

fn stand_in_for(ministry: &Ministry) -> u32 {
    u32::try_from(stand_in(ministry.as_str()) >> 32).unwrap_or(0)
}

/// The first half of a digest: enough to tell messages apart.
pub(crate) fn beginning(header: Digest) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(header.as_bytes()).for_each(|(to, from)| *to = *from);
    first
}

/// A number for a name.
fn stand_in(name: &str) -> u64 {
    let hash = digest(name.as_bytes());
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

impl Said {
    fn to_bytes(self) -> [u8; 2] {
        let kind = |kind: ReceiptKind| place_in(&ReceiptKind::ALL, &kind);
        let ruled = |base, header: Header| [base, place_in(&HEADERS, &header)];
        match self {
            Self::Decided(LoggedRuling::Deny, header) => ruled(0, header),
            Self::Decided(LoggedRuling::Hold, header) => ruled(1, header),
            Self::Decided(LoggedRuling::Permit, header) => ruled(2, header),
            Self::Own(said, flag) => [8 + kind(said), u8::from(flag)],
            Self::Came(said, flag) => [16 + kind(said), u8::from(flag)],
            Self::Erased(flag) => [24, u8::from(flag)],
            Self::Gone => [25, 0],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [number, more] = *bytes else { return None };
        let kind = |base: u8| ReceiptKind::ALL.get(usize::from(number - base)).copied();
        let (flag, header) = (more != 0, HEADERS.get(usize::from(more)).copied());
        Some(match number {
            0 => Self::Decided(LoggedRuling::Deny, header?),
            1 => Self::Decided(LoggedRuling::Hold, header?),
            2 => Self::Decided(LoggedRuling::Permit, header?),
            8..16 => Self::Own(kind(8)?, flag),
            16..24 => Self::Came(kind(16)?, flag),
            24 => Self::Erased(flag),
            25 => Self::Gone,
            _ => return None,
        })
    }
}

fn place_in<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|known| known == one).and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use kuriiri_types::{Addressed, MessageId, Subject};

    use super::*;

    #[test]
    fn a_record_comes_back() {
        let kinds = ReceiptKind::ALL.into_iter();
        let stated = kinds.flat_map(|kind| [Said::Own(kind, true), Said::Came(kind, false)]);
        let rulings = [LoggedRuling::Deny, LoggedRuling::Hold, LoggedRuling::Permit];
        let decided = rulings.into_iter().flat_map(|r| HEADERS.map(|h| Said::Decided(r, h)));
        let others = [Said::Erased(true), Said::Erased(false), Said::Gone];
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
