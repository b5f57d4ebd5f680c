//! What became of every message, by what one log says of it.
//!
//! While a log is read only a small record is kept of each entry about a message, and in files when
//! there are many; afterwards all records of a message are looked at together.

use kuriiri_merkle::digest;
use kuriiri_types::{Decided, Digest, LoggedRuling, Ministry, Receipt, ReceiptKind, Timestamp};
use serde::Serialize;

use crate::spill::Record;

/// What an entry says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// Decided: the ruling, and whether the header stands with it.
    Decided(LoggedRuling, bool),
    /// This relay states it. The flag: its code is that the recipient is unknown.
    Own(ReceiptKind, bool),
    /// Another relay's statement came in. The flag: the sender is at home here.
    Came(ReceiptKind, bool),
    /// Salt and body were erased.
    Erased,
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
    pub(crate) fn decided(index: u64, at: Timestamp, decided: &Decided, about: About) -> Self {
        let said = Said::Decided(decided.ruling, decided.envelope.is_some());
        Self::new(decided.subject, (index, at), about, said)
    }

    pub(crate) fn receipt(
        index: u64,
        at: Timestamp,
        receipt: &Receipt,
        about: About,
        said: Said,
    ) -> Self {
        Self::new(receipt.header_digest, (index, at), about, said)
    }

    pub(crate) fn erased(index: u64, at: Timestamp, subject: Digest) -> Self {
        Self::new(subject, (index, at), About::default(), Said::Erased)
    }

    fn new(subject: Digest, (index, at): (u64, Timestamp), about: About, said: Said) -> Self {
        let (message, at) = (beginning(subject), at.as_millis());
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

impl About {
    pub(crate) fn recipient(receipt: &Receipt) -> Self {
        let who = stand_in(&receipt.recipient.to_string());
        Self { who, ..Self::ministry(receipt.recipient.ministry()) }
    }

    pub(crate) fn ministry(dest: &Ministry) -> Self {
        Self { who: 0, dest: u32::try_from(stand_in(dest.as_str()) >> 32).unwrap_or(0) }
    }
}

/// The first half of a digest: enough to tell messages apart.
pub(crate) fn beginning(subject: Digest) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(subject.as_bytes()).for_each(|(to, from)| *to = *from);
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

impl Said {
    fn to_bytes(self) -> [u8; 2] {
        let kind = |kind: ReceiptKind| {
            let place = ReceiptKind::ALL.iter().position(|known| *known == kind);
            place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
        };
        match self {
            Self::Decided(LoggedRuling::Deny, header) => [0, u8::from(header)],
            Self::Decided(LoggedRuling::Hold, header) => [1, u8::from(header)],
            Self::Decided(LoggedRuling::Permit, header) => [2, u8::from(header)],
            Self::Own(said, flag) => [8 + kind(said), u8::from(flag)],
            Self::Came(said, flag) => [16 + kind(said), u8::from(flag)],
            Self::Erased => [24, 0],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [number, flag] = *bytes else { return None };
        let kind = |base: u8| ReceiptKind::ALL.get(usize::from(number - base)).copied();
        let flag = flag != 0;
        Some(match number {
            0 => Self::Decided(LoggedRuling::Deny, flag),
            1 => Self::Decided(LoggedRuling::Hold, flag),
            2 => Self::Decided(LoggedRuling::Permit, flag),
            8..16 => Self::Own(kind(8)?, flag),
            16..24 => Self::Came(kind(16)?, flag),
            24 => Self::Erased,
            _ => return None,
        })
    }
}

/// How many messages, by what became of them; one for each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Fates {
    /// Messages that this log speaks of.
    pub messages: u64,
    /// Accepted or received, one for each recipient; the next six are parts of it.
    pub accepted: u64,
    /// The recipient's system has confirmed them.
    pub delivered: u64,
    /// Refused after they were accepted.
    pub refused: u64,
    /// Their time ran out.
    pub expired: u64,
    /// They wait for officers.
    pub held: u64,
    /// The next relay has them, and this one will hear no more or has not yet.
    pub passed_on: u64,
    /// They are here.
    pub in_flight: u64,
    /// Not accepted at all; not among the accepted.
    pub turned_down: u64,
    /// Messages whose salt and body were erased.
    pub erased: u64,
}

/// Something wrong with what a log says of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) index: u64,
    pub(crate) kind: FlawKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlawKind {
    /// A decision on a message whose header is not in the log before it.
    NoHeader,
    /// Taken without a decision that lets it be taken.
    NoDecision,
    /// Taken twice.
    Twice,
    /// A fate without having been taken.
    NeverTaken,
    /// Two fates by this relay.
    TwoFates,
    /// This relay says one thing and another the other; the answer of one of them was lost.
    BothTold,
    /// Another relay's word on a message that this one's systems never sent.
    NeverSent,
}

impl FlawKind {
    /// Whether something is wrong only if nothing before it was pruned.
    pub(crate) fn is_of_something_missing(self) -> bool {
        match self {
            Self::NeverSent | Self::NoHeader | Self::NoDecision | Self::NeverTaken => true,
            Self::Twice | Self::TwoFates | Self::BothTold => false,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoHeader => "the log decides on a message whose header it has not shown",
            Self::NoDecision => "it was taken without a decision that lets it be taken",
            Self::Twice => "it was taken twice for the same recipient",
            Self::NeverTaken => "the log tells the fate of a message that it never took",
            Self::TwoFates => "the log tells two fates of one message and recipient",
            Self::BothTold => "two relays tell different fates; an answer between them was lost",
            Self::NeverSent => "another relay speaks of a message that was never decided on here",
        }
    }
}

/// What is said of one message, and the decisions that have to be taken again with a header that
/// stands in an earlier entry.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) fates: Fates,
    pub(crate) flaws: Vec<Flaw>,
    /// The entry with the header, and the decision without.
    pub(crate) deferred: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Copy {
    dest: u32,
    ruling: LoggedRuling,
}

#[derive(Debug)]
struct Recipient {
    who: u64,
    dest: u32,
    taken: bool,
    passed_on: bool,
    own: Option<ReceiptKind>,
    came: Option<ReceiptKind>,
    /// Refused before it was taken, at this time, because nobody knows the recipient.
    unknown_at: Option<i64>,
}

/// Follows one message through one log; its records are in the order of the log.
pub(crate) fn follow(traces: &[Trace]) -> Life {
    let mut life = Life::default();
    let (mut copies, mut recipients): (Vec<Copy>, Vec<Recipient>) = Default::default();
    let (mut header, mut is_erased) = (None, false);
    for trace in traces {
        match trace.said {
            Said::Decided(ruling, has_header) => {
                if has_header {
                    header.get_or_insert(trace.index);
                } else if let Some(header) = header {
                    life.deferred.push((header, trace.index));
                } else {
                    life.flaw(trace, FlawKind::NoHeader);
                }
                decide(&mut copies, trace.dest, ruling);
            }
            Said::Own(kind, flag) => {
                let ruling = copies.iter().find(|copy| copy.dest == trace.dest);
                let may = ruling.is_some_and(|copy| copy.ruling != LoggedRuling::Deny);
                let recipient = find(&mut recipients, trace);
                life.own(recipient, trace, kind, (flag, may));
            }
            Said::Came(kind, is_home) => {
                if is_home && copies.is_empty() {
                    life.flaw(trace, FlawKind::NeverSent);
                }
                let recipient = find(&mut recipients, trace);
                if is_home && !copies.is_empty() && !recipient.taken {
                    life.flaw(trace, FlawKind::NeverTaken);
                }
                life.came(recipient, trace, kind);
            }
            Said::Erased => is_erased = true,
        }
    }
    life.fates.messages = 1;
    life.fates.erased = u64::from(is_erased);
    for recipient in &recipients {
        let holds = |copy: &Copy| copy.dest == recipient.dest && copy.ruling == LoggedRuling::Hold;
        life.fates.count(recipient, copies.iter().any(holds));
    }
    life
}

fn decide(copies: &mut Vec<Copy>, dest: u32, ruling: LoggedRuling) {
    match copies.iter_mut().find(|copy| copy.dest == dest) {
        Some(copy) => copy.ruling = ruling,
        None => copies.push(Copy { dest, ruling }),
    }
}

fn find<'a>(recipients: &'a mut Vec<Recipient>, trace: &Trace) -> &'a mut Recipient {
    let known = recipients.iter().position(|known| known.who == trace.who);
    let at = known.unwrap_or_else(|| {
        recipients.push(Recipient {
            who: trace.who,
            dest: trace.dest,
            taken: false,
            passed_on: false,
            own: None,
            came: None,
            unknown_at: None,
        });
        recipients.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "it was found there or has just been added")]
    &mut recipients[at]
}

impl Life {
    fn flaw(&mut self, trace: &Trace, kind: FlawKind) {
        self.flaws.push(Flaw { index: trace.index, kind });
    }

    fn own(
        &mut self,
        recipient: &mut Recipient,
        trace: &Trace,
        kind: ReceiptKind,
        (is_unknown, may): (bool, bool),
    ) {
        match kind {
            ReceiptKind::Accepted | ReceiptKind::Relayed => {
                if recipient.taken {
                    return self.flaw(trace, FlawKind::Twice);
                }
                if !may {
                    self.flaw(trace, FlawKind::NoDecision);
                }
                recipient.taken = true;
                // Unknown recipients are told of right before the message is taken for the others.
                let just_now = recipient.unknown_at == Some(trace.at);
                recipient.own = just_now.then_some(ReceiptKind::Refused);
            }
            ReceiptKind::Refused if !recipient.taken => {
                self.fates.turned_down += u64::from(recipient.unknown_at.is_none());
                recipient.unknown_at = is_unknown.then_some(trace.at);
            }
            ReceiptKind::Delivered | ReceiptKind::Refused | ReceiptKind::Expired => {
                if !recipient.taken {
                    self.flaw(trace, FlawKind::NeverTaken);
                } else if recipient.own.is_some() {
                    self.flaw(trace, FlawKind::TwoFates);
                } else if recipient.came.is_some_and(|came| came != kind) {
                    self.flaw(trace, FlawKind::BothTold);
                }
                recipient.own = Some(kind);
            }
        }
    }

    fn came(&mut self, recipient: &mut Recipient, trace: &Trace, kind: ReceiptKind) {
        if !kind.is_final() {
            recipient.passed_on = true;
            return;
        }
        let others = [recipient.own, recipient.came].into_iter().flatten();
        if others.into_iter().any(|other| other != kind) {
            self.flaw(trace, FlawKind::BothTold);
        }
        recipient.came = Some(kind);
    }
}

impl Fates {
    fn count(&mut self, recipient: &Recipient, is_held: bool) {
        if !recipient.taken {
            return;
        }
        self.accepted += 1;
        let delivered = [recipient.own, recipient.came].contains(&Some(ReceiptKind::Delivered));
        let fate =
            if delivered { Some(ReceiptKind::Delivered) } else { recipient.own.or(recipient.came) };
        match fate {
            Some(ReceiptKind::Delivered) => self.delivered += 1,
            Some(ReceiptKind::Expired) => self.expired += 1,
            Some(ReceiptKind::Refused) => self.refused += 1,
            Some(ReceiptKind::Accepted | ReceiptKind::Relayed) | None => {
                if recipient.passed_on {
                    self.passed_on += 1;
                } else if is_held {
                    self.held += 1;
                } else {
                    self.in_flight += 1;
                }
            }
        }
    }

    /// Adds those of another message.
    pub(crate) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.expired += other.expired;
        self.held += other.held;
        self.passed_on += other.passed_on;
        self.in_flight += other.in_flight;
        self.turned_down += other.turned_down;
        self.erased += other.erased;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(said: &[Said]) -> Vec<Trace> {
        let trace = |(index, said): (u64, &Said)| Trace {
            message: [1; 16],
            index,
            at: 5,
            who: 7,
            dest: 9,
            said: *said,
        };
        (0..).zip(said).map(trace).collect()
    }

    const PERMIT: Said = Said::Decided(LoggedRuling::Permit, true);
    const HOLD: Said = Said::Decided(LoggedRuling::Hold, true);
    const AGAIN: Said = Said::Decided(LoggedRuling::Permit, false);
    const TAKEN: Said = Said::Own(ReceiptKind::Accepted, false);
    const DELIVERED: Said = Said::Came(ReceiptKind::Delivered, true);
    const PASSED: Said = Said::Came(ReceiptKind::Relayed, true);
    const REFUSED: Said = Said::Own(ReceiptKind::Refused, false);
    const UNKNOWN: Said = Said::Own(ReceiptKind::Refused, true);
    const EXPIRED: Said = Said::Own(ReceiptKind::Expired, false);

    #[test]
    fn a_message_has_one_fate_at_most() {
        use FlawKind::*;
        for (said, flaws, fate) in [
            (&[PERMIT, TAKEN][..], &[][..], "in_flight"),
            (&[PERMIT, TAKEN, PASSED], &[], "passed_on"),
            (&[PERMIT, TAKEN, PASSED, DELIVERED], &[], "delivered"),
            (&[HOLD, TAKEN], &[], "held"),
            (&[HOLD, TAKEN, AGAIN], &[], "in_flight"),
            (&[PERMIT, TAKEN, REFUSED], &[], "refused"),
            (&[PERMIT, UNKNOWN, TAKEN], &[], "refused"),
            (&[REFUSED, PERMIT, TAKEN], &[], "in_flight"),
            (&[PERMIT, TAKEN, EXPIRED], &[], "expired"),
            (&[TAKEN], &[NoDecision], "in_flight"),
            (&[Said::Decided(LoggedRuling::Deny, true), TAKEN], &[NoDecision], "in_flight"),
            (&[PERMIT, TAKEN, TAKEN], &[Twice], "in_flight"),
            (&[PERMIT, EXPIRED], &[NeverTaken], ""),
            (&[PERMIT, TAKEN, EXPIRED, REFUSED], &[TwoFates], "refused"),
            (&[PERMIT, TAKEN, EXPIRED, DELIVERED], &[BothTold], "delivered"),
            (&[DELIVERED], &[NeverSent], ""),
            (&[AGAIN], &[NoHeader], ""),
        ] {
            let life = follow(&traces(said));
            let found: Vec<FlawKind> = life.flaws.iter().map(|flaw| flaw.kind).collect();
            assert_eq!(found, flaws, "{said:?}");
            let counted = serde_json::to_value(life.fates).unwrap();
            assert!(fate.is_empty() || counted[fate] == 1, "{said:?} {counted}");
            assert_eq!(life.fates.accepted, u64::from(!fate.is_empty()));
        }
    }

    #[test]
    fn a_record_comes_back() {
        let all = [PERMIT, HOLD, AGAIN, TAKEN, DELIVERED, PASSED, UNKNOWN, Said::Erased];
        for trace in traces(&all) {
            let mut bytes = Vec::new();
            trace.write(&mut bytes);
            assert_eq!(bytes.len(), Trace::BYTES);
            assert_eq!(Trace::read(&bytes), Some(trace));
        }
    }
}
