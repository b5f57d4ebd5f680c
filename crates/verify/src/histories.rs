//! What became of every message, by what one log says of it.
//!
//! While a log is read only a small record is kept of each entry and message; afterwards all records of
//! a message are looked at together.

use std::time::Duration;

use kuriiri_types::{
    LoggedRuling, ReceiptKind, Timestamp,
    limits::{CLOCK_SKEW_MAX, MESSAGE_TTL_MAX, RECEIPT_AGE_MAX},
};
use serde::Serialize;

use crate::{
    few::Few,
    flaws::{Flaw, FlawKind},
    trace::{Cause, Header, Said, Trace},
};

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

/// What the header says of the copy for a ministry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Names {
    /// Sum over its recipients there, and how many.
    sum: u64,
    count: u8,
    /// The earliest at which it can expire.
    earliest: i64,
}

/// What was decided on the copy for one ministry.
#[derive(Debug)]
struct Copy {
    dest: u32,
    ruling: LoggedRuling,
    /// It was decided on first here, or again with its header, so what its header names is to be told.
    index: u64,
    /// It went on to a peer.
    left: bool,
    /// A decision has permitted it. When a system of the recipient got it is in no log, so one that was
    /// permitted once may be confirmed after the rules have changed.
    was_permitted: bool,
    /// When a decision last let it be taken. Within a moment all decisions come before all
    /// statements, so one of the same moment counts whatever was decided after it.
    taken_at_will: Option<i64>,
}

/// The copies of a message, by ministry.
#[derive(Debug)]
struct Copies {
    all: Few<u32, Copy>,
    /// How many of them were last denied.
    denied: usize,
    /// Whether any went on to a peer.
    has_left: bool,
}

#[derive(Debug)]
struct Recipient {
    who: u64,
    dest: u32,
    /// This log states something of it.
    told: bool,
    /// It was taken from a system.
    is_accepted: bool,
    taken: bool,
    passed_on: bool,
    own: Option<ReceiptKind>,
    came: Option<ReceiptKind>,
    /// Refused before it was taken, at this time, because the recipient has no mailbox or that no room.
    no_mailbox_at: Option<i64>,
}

/// Follows one message through the log of a ministry, under rules of which the strictest let a message live
/// so long; its records are in the order of the log.
pub(crate) fn follow(traces: &[Trace], (home, life): (u32, Duration)) -> MessageHistory {
    let mut history = MessageHistory::default();
    let (mut copies, mut recipients) = (Copies::new(), Few::new());
    let (names, brought) = (names_in(traces, life), Brought::of(traces));
    let erased = traces.iter().rev().find(|trace| trace.said == Said::Erased(true));
    let is_known = traces.iter().any(|trace| !matches!(trace.said, Said::Erased(_)));
    let mut is_erased = false;
    for trace in traces {
        match trace.said {
            Said::Named(_) | Said::Ends => {}
            Said::Decided(ruling, header, left) => {
                history.header(&brought, trace, header);
                copies.decide(trace, (ruling, left));
            }
            Said::Own(kind, cause) => {
                history.ended((&copies, &names), trace, (kind, cause));
                let recipient = find(&mut recipients, trace);
                let copy = copies.all.get(trace.dest);
                let may = copy.is_some_and(|copy| copy.may_be_taken(trace.at));
                history.own(recipient, trace, kind, (cause, may));
            }
            Said::Came(kind, is_home) => {
                let recipient = find(&mut recipients, trace);
                if is_home && copies.all.is_empty() {
                    history.flaw(trace, FlawKind::NeverSent);
                } else if !copies.all.is_empty() && !recipient.taken {
                    history.flaw(trace, FlawKind::HeardUntaken);
                } else if trace.dest != home && copies.all.get(trace.dest).is_some_and(|c| !c.left)
                {
                    history.flaw(trace, FlawKind::NotLeft);
                }
                history.came(recipient, trace, kind);
            }
            Said::Erased(_) => {
                if !is_known {
                    history.flaw(trace, FlawKind::ErasedNothing);
                }
                is_erased = true;
            }
            Said::Gone => history.gone.push(Gone {
                index: trace.index,
                keep_until: trace.at,
                is_erased: erased.is_some_and(|erased| erased.index > trace.index),
            }),
        }
    }
    history.complete(&copies, &names, &recipients);
    history.fates.messages = 1;
    history.fates.erased = u64::from(is_erased);
    for recipient in recipients.iter() {
        let copy = copies.all.get(recipient.dest);
        let is_held = copy.is_some_and(|copy| copy.ruling == LoggedRuling::Hold);
        history.fates.count(recipient, is_held);
    }
    history
}

/// What the header of a message says, if it was at hand; whoever names a message twice says it twice.
fn names_in(traces: &[Trace], life: Duration) -> Few<u32, Names> {
    let ends = traces.iter().filter(|trace| trace.said == Said::Ends).map(|trace| trace.at);
    let ends = ends.min().unwrap_or(i64::MAX);
    // What is counted from its arrival can end before what is counted from its making, as far as clocks
    // differ.
    let life = life.min(MESSAGE_TTL_MAX);
    let over = |made| Timestamp::from_millis(made).after(life).before(CLOCK_SKEW_MAX).as_millis();
    let mut names = Few::new();
    for trace in traces {
        let Said::Named(count) = trace.said else { continue };
        let one = Names { sum: trace.who, count, earliest: over(trace.at).min(ends) };
        let known: &mut Names = names.get_or_add(trace.dest, || one);
        known.earliest = known.earliest.min(one.earliest);
    }
    names
}

/// The entries that bring the header of a message.
struct Brought {
    first: Option<u64>,
    /// Those of each moment.
    at: Few<i64, u64>,
}

impl Brought {
    fn of(traces: &[Trace]) -> Self {
        let (mut first, mut at) = (None, Few::new());
        for trace in traces {
            if matches!(trace.said, Said::Decided(_, Header::Here, _)) {
                first.get_or_insert(trace.index);
                at.get_or_add(trace.at, || trace.index);
            }
        }
        Self { first, at }
    }

    /// The entry that brings the header for a decision: one before it, or within a moment one after it.
    fn before(&self, decision: &Trace) -> Option<u64> {
        let before = self.first.filter(|first| *first < decision.index);
        before.or_else(|| self.at.get(decision.at).copied())
    }
}

impl Copy {
    fn may_be_taken(&self, at: i64) -> bool {
        self.ruling != LoggedRuling::Deny || self.taken_at_will == Some(at)
    }
}

impl Copies {
    fn new() -> Self {
        Self { all: Few::new(), denied: 0, has_left: false }
    }

    fn decide(&mut self, trace: &Trace, (ruling, left): (LoggedRuling, bool)) {
        let taken_at_will = (ruling != LoggedRuling::Deny).then_some(trace.at);
        let copy = self.all.get_or_add(trace.dest, || Copy {
            dest: trace.dest,
            ruling: LoggedRuling::Hold,
            index: trace.index,
            left: false,
            was_permitted: false,
            taken_at_will: None,
        });
        let was_denied = std::mem::replace(&mut copy.ruling, ruling) == LoggedRuling::Deny;
        copy.left |= left;
        copy.was_permitted |= ruling == LoggedRuling::Permit;
        copy.taken_at_will = taken_at_will.or(copy.taken_at_will);
        self.has_left |= left;
        self.denied += usize::from(ruling == LoggedRuling::Deny);
        self.denied -= usize::from(was_denied);
    }
}

fn find<'a>(recipients: &'a mut Few<u64, Recipient>, trace: &Trace) -> &'a mut Recipient {
    recipients.get_or_add(trace.who, || Recipient {
        who: trace.who,
        dest: trace.dest,
        told: false,
        is_accepted: false,
        taken: false,
        passed_on: false,
        own: None,
        came: None,
        no_mailbox_at: None,
    })
}

impl MessageHistory {
    /// Looks for the header that a decision was taken on: beside the first entry that has it, which
    /// within a moment may come after.
    fn header(&mut self, brought: &Brought, decision: &Trace, header: Header) {
        match (header, brought.before(decision)) {
            (Header::Here | Header::Used, _) => {}
            (Header::Earlier, Some(first)) => self.deferred.push((first, decision.index)),
            (Header::Earlier, None) => self.flaw(decision, FlawKind::NoHeader),
        }
    }

    fn flaw(&mut self, trace: &Trace, kind: FlawKind) {
        self.flaws.push(Flaw { index: trace.index, kind });
    }

    /// Whether a message that was taken may have ended as is stated.
    fn ended(
        &mut self,
        (copies, names): (&Copies, &Few<u32, Names>),
        trace: &Trace,
        (kind, cause): (ReceiptKind, Cause),
    ) {
        let names = names.get(trace.dest);
        if kind == ReceiptKind::Expired && names.is_some_and(|names| trace.at < names.earliest) {
            self.flaw(trace, FlawKind::EndedEarly);
        }
        // What left may have been refused by the next relay, which need not have left a word of it.
        let is_ruled = (kind, cause) == (ReceiptKind::Refused, Cause::Rules);
        if is_ruled && !copies.all.is_empty() && !copies.has_left && copies.denied == 0 {
            self.flaw(trace, FlawKind::NotDenied);
        }
        let copy = copies.all.get(trace.dest);
        let is_let = copy.is_none_or(|copy| {
            let just_now =
                copy.ruling == LoggedRuling::Deny && copy.taken_at_will == Some(trace.at);
            copy.was_permitted || just_now
        });
        if kind == ReceiptKind::Delivered && !is_let {
            self.flaw(trace, FlawKind::NotPermitted);
        }
    }

    /// Whether the log states something of exactly the recipients that the header names. A relay states
    /// what becomes of a message to all of them in the moment in which it decides on it first.
    fn complete(
        &mut self,
        copies: &Copies,
        names: &Few<u32, Names>,
        recipients: &Few<u64, Recipient>,
    ) {
        let mut told: Few<u32, (u64, usize)> = Few::new();
        for one in recipients.iter().filter(|one| one.told) {
            let (sum, count) = told.get_or_add(one.dest, || (0, 0));
            (*sum, *count) = (sum.wrapping_add(one.who), *count + 1);
        }
        // Its origin decides for every ministry that the header names.
        let is_origin = recipients.iter().any(|one| one.is_accepted);
        let decided = copies.all.iter().filter(|copy| names.get(copy.dest).is_some()).count();
        if is_origin && decided < names.iter().count() {
            let index = copies.all.iter().map(|copy| copy.index).min().unwrap_or_default();
            self.flaws.push(Flaw { index, kind: FlawKind::OtherRecipients });
        }
        for copy in copies.all.iter() {
            let Some(names) = names.get(copy.dest) else { continue };
            let told = told.get(copy.dest).copied().unwrap_or_default();
            if told != (names.sum, usize::from(names.count)) {
                let (index, kind) = (copy.index, FlawKind::OtherRecipients);
                self.flaws.push(Flaw { index, kind });
            }
        }
    }

    fn own(
        &mut self,
        recipient: &mut Recipient,
        trace: &Trace,
        kind: ReceiptKind,
        (cause, may): (Cause, bool),
    ) {
        let has_no_mailbox = cause == Cause::NoMailbox;
        recipient.told = true;
        match kind {
            ReceiptKind::Accepted | ReceiptKind::Relayed => {
                if recipient.taken {
                    return self.flaw(trace, FlawKind::Twice);
                }
                if !may {
                    self.flaw(trace, FlawKind::NoDecision);
                }
                recipient.taken = true;
                recipient.is_accepted = kind == ReceiptKind::Accepted;
                // The refusal of an unknown recipient may come before the entry that takes the message.
                let just_now = recipient.no_mailbox_at == Some(trace.at);
                recipient.own = just_now.then_some(ReceiptKind::Refused);
            }
            ReceiptKind::Refused if !recipient.taken => {
                self.fates.turned_down += u64::from(recipient.no_mailbox_at.is_none());
                recipient.no_mailbox_at = has_no_mailbox.then_some(trace.at);
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
            // It goes on later, or ends.
            ReceiptKind::SetAside => {
                if !recipient.taken {
                    self.flaw(trace, FlawKind::NeverTaken);
                } else if recipient.own.is_some() {
                    self.flaw(trace, FlawKind::TwoFates);
                }
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
            Some(ReceiptKind::Accepted | ReceiptKind::Relayed | ReceiptKind::SetAside) | None => {
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
mod tests;
