//! What became of every message, by what one log says of it.
//!
//! While a log is read only a small record is kept of each entry and message; afterwards all records of
//! a message are looked at together.

use std::time::Duration;

use kuriiri_types::{
    LoggedRuling, ReceiptKind,
    limits::{MESSAGE_TTL_MAX, RECEIPT_AGE_MAX},
};
use serde::Serialize;

use crate::trace::{Header, Said, Trace};

/// How much later than the beginning of a log something can still come of a message that only the log
/// before it knows: a message lives so long, and its receipts may be as old when they come.
pub(crate) const REACH: Duration = MESSAGE_TTL_MAX.saturating_add(RECEIPT_AGE_MAX);

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
    /// A decision on a message that nothing before it names for the first time.
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
    /// Whether something is wrong only if the log does not go on from another one.
    pub(crate) fn is_of_something_missing(self) -> bool {
        match self {
            Self::NeverSent | Self::NoHeader | Self::NoDecision | Self::NeverTaken => true,
            Self::Twice | Self::TwoFates | Self::BothTold => false,
        }
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoHeader => {
                "the log decides on a message whose header no entry before it brought"
            }
            Self::NoDecision => "it was taken without a decision that lets it be taken",
            Self::Twice => "it was taken twice for the same recipient",
            Self::NeverTaken => "the log tells the fate of a message that it never took",
            Self::TwoFates => "the log tells two fates of one message and recipient",
            Self::BothTold => "two relays tell different fates; an answer between them was lost",
            Self::NeverSent => "another relay speaks of a message that was never decided on here",
        }
    }
}

/// What is said of one message.
#[derive(Debug, Default)]
pub(crate) struct MessageHistory {
    pub(crate) fates: Fates,
    pub(crate) flaws: Vec<Flaw>,
    /// The entry with the header, and a decision that has yet to be taken again with it.
    pub(crate) deferred: Vec<(u64, u64)>,
    pub(crate) gone: Vec<Gone>,
}

/// A header that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone {
    /// The entry that names the message first.
    pub(crate) index: u64,
    /// Until when the header was to be kept.
    pub(crate) keep_until: i64,
    /// A later entry says that it was erased.
    pub(crate) is_erased: bool,
}

/// What was decided on the copy for one ministry.
#[derive(Debug)]
struct Copy {
    dest: u32,
    ruling: LoggedRuling,
    /// When a decision last let it be taken. Within a moment all decisions come before all
    /// statements, so one of the same moment counts whatever was decided after it.
    taken_at_will: Option<i64>,
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
pub(crate) fn follow(traces: &[Trace]) -> MessageHistory {
    let mut history = MessageHistory::default();
    let (mut copies, mut recipients): (Vec<Copy>, Vec<Recipient>) = Default::default();
    let mut is_erased = false;
    for trace in traces {
        match trace.said {
            Said::Decided(ruling, header) => {
                history.header(traces, trace, header);
                decide(&mut copies, trace, ruling);
            }
            Said::Own(kind, flag) => {
                let copy = copies.iter().find(|copy| copy.dest == trace.dest);
                let may = copy.is_some_and(|copy| copy.may_be_taken(trace.at));
                let recipient = find(&mut recipients, trace);
                history.own(recipient, trace, kind, (flag, may));
            }
            Said::Came(kind, is_home) => {
                if is_home && copies.is_empty() {
                    history.flaw(trace, FlawKind::NeverSent);
                }
                let recipient = find(&mut recipients, trace);
                if is_home && !copies.is_empty() && !recipient.taken {
                    history.flaw(trace, FlawKind::NeverTaken);
                }
                history.came(recipient, trace, kind);
            }
            Said::Erased(_) => is_erased = true,
            Said::Gone => history.gone.push(Gone {
                index: trace.index,
                keep_until: trace.at,
                is_erased: traces.iter().any(|t| erases_header(t) && t.index > trace.index),
            }),
        }
    }
    history.fates.messages = 1;
    history.fates.erased = u64::from(is_erased);
    for recipient in &recipients {
        let holds = |copy: &Copy| copy.dest == recipient.dest && copy.ruling == LoggedRuling::Hold;
        history.fates.count(recipient, copies.iter().any(holds));
    }
    history
}

fn erases_header(trace: &Trace) -> bool {
    trace.said == Said::Erased(true)
}

impl Copy {
    fn may_be_taken(&self, at: i64) -> bool {
        self.ruling != LoggedRuling::Deny || self.taken_at_will == Some(at)
    }
}

fn decide(copies: &mut Vec<Copy>, trace: &Trace, ruling: LoggedRuling) {
    let taken_at_will = (ruling != LoggedRuling::Deny).then_some(trace.at);
    match copies.iter_mut().find(|copy| copy.dest == trace.dest) {
        Some(copy) => {
            copy.ruling = ruling;
            copy.taken_at_will = taken_at_will.or(copy.taken_at_will);
        }
        None => copies.push(Copy { dest: trace.dest, ruling, taken_at_will }),
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

impl MessageHistory {
    /// Looks for the header that a decision was taken on: beside the first entry that has it, which
    /// within a moment may come after.
    fn header(&mut self, traces: &[Trace], decision: &Trace, header: Header) {
        let brings = |trace: &&Trace| {
            matches!(trace.said, Said::Decided(_, Header::Here))
                && (trace.index < decision.index || trace.at == decision.at)
        };
        match (header, traces.iter().find(brings)) {
            (Header::Here | Header::Used, _) => {}
            (Header::Earlier, Some(first)) => self.deferred.push((first.index, decision.index)),
            (Header::Earlier, None) => self.flaw(decision, FlawKind::NoHeader),
        }
    }

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
                // The refusal of an unknown recipient may come before the entry that takes the message.
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

    const PERMIT: Said = Said::Decided(LoggedRuling::Permit, Header::Here);
    const HOLD: Said = Said::Decided(LoggedRuling::Hold, Header::Here);
    const DENY: Said = Said::Decided(LoggedRuling::Deny, Header::Here);
    const AGAIN: Said = Said::Decided(LoggedRuling::Permit, Header::Earlier);
    const USED: Said = Said::Decided(LoggedRuling::Permit, Header::Used);
    const WITHDRAWN: Said = Said::Decided(LoggedRuling::Deny, Header::Used);
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
            (&[DENY, TAKEN], &[NoDecision], "in_flight"),
            (&[PERMIT, WITHDRAWN, TAKEN, REFUSED], &[], "refused"),
            (&[PERMIT, TAKEN, TAKEN], &[Twice], "in_flight"),
            (&[PERMIT, EXPIRED], &[NeverTaken], ""),
            (&[PERMIT, TAKEN, EXPIRED, REFUSED], &[TwoFates], "refused"),
            (&[PERMIT, TAKEN, EXPIRED, DELIVERED], &[BothTold], "delivered"),
            (&[DELIVERED], &[NeverSent], ""),
            (&[AGAIN], &[NoHeader], ""),
            (&[USED], &[], ""),
            (&[AGAIN, PERMIT], &[], ""),
        ] {
            let history = follow(&traces(said));
            let found: Vec<FlawKind> = history.flaws.iter().map(|flaw| flaw.kind).collect();
            assert_eq!(found, flaws, "{said:?}");
            let counted = serde_json::to_value(history.fates).unwrap();
            assert!(fate.is_empty() || counted[fate] == 1, "{said:?} {counted}");
            assert_eq!(history.fates.accepted, u64::from(!fate.is_empty()));
        }
    }

    #[test]
    fn decisions_are_taken_again_with_the_header_of_the_entry_that_brought_it() {
        assert_eq!(follow(&traces(&[HOLD, TAKEN, AGAIN])).deferred, [(0, 2)]);
        assert_eq!(follow(&traces(&[HOLD, TAKEN, USED])).deferred, []);
        // Within a moment either may come first, and not otherwise.
        let mut both = traces(&[AGAIN, PERMIT]);
        assert_eq!(follow(&both).deferred, [(1, 0)]);
        both[1].at += 1;
        assert_eq!(follow(&both).flaws[0].kind, FlawKind::NoHeader);
    }

    #[test]
    fn a_header_is_erased_by_what_the_log_says_later_only() {
        let gone = |said: &[Said]| follow(&traces(said)).gone;
        let erased = |is_erased| vec![Gone { index: 1, keep_until: 5, is_erased }];
        assert_eq!(gone(&[PERMIT, Said::Gone, Said::Erased(true)]), erased(true));
        assert_eq!(gone(&[PERMIT, Said::Gone, Said::Erased(false)]), erased(false));
        assert_eq!(gone(&[Said::Erased(true), Said::Gone]), erased(false));
    }
}
