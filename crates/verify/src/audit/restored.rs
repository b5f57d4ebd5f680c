//! A log that goes on from one that was lost: from which, and what may therefore be elsewhere.

use kuriiri_tlog::{Checkpoint, log_number, ministry_of};
use kuriiri_types::{MessageId, Timestamp, limits::CLOCK_SKEW_MAX};

use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
    histories::REACH,
    kept_checkpoints::{Known, parsed},
    trusted::{Anchors, Trusted},
};

/// What a log that goes on from another lacks with leave: what the other has of messages that were made
/// before, as long as something can still come of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elsewhere {
    begins: Timestamp,
}

/// Whether what an entry lacks may be in the log before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// The message was made before this log began.
    Be,
    /// Nobody can tell without the log before: the time in the id is after this log began, or the id is not
    /// known. A relay whose clock was ahead when it lost its log took messages whose ids are ahead too.
    Unclear,
    /// This is no log that goes on from another, or it has gone on for too long.
    Not,
}

impl May {
    /// How much it weighs that something is missing, in these words and for this fault.
    pub(super) fn weigh(
        self,
        check: Check,
        what: &str,
        fault: impl FnOnce() -> Finding,
    ) -> Finding {
        match self {
            Self::Be => Finding::note(check, what),
            Self::Unclear => {
                let what = format!(
                    "{what}; the log that this one goes on from settles whether it is there"
                );
                Finding::unchecked(check, what)
            }
            Self::Not => fault(),
        }
    }
}

impl Elsewhere {
    /// Whether what is said of a message at this time may rest on the log before. The time of a message is
    /// in its id.
    pub(super) fn may_have(&self, at: Timestamp, id: Option<MessageId>) -> May {
        let begins = self.begins.after(CLOCK_SKEW_MAX);
        if at > self.begins.after(REACH) {
            May::Not
        } else if id.is_some_and(|id| id.time() <= begins) {
            May::Be
        } else {
            May::Unclear
        }
    }
}

/// Which log this is, as far as it must say from which it goes on.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    pub(super) origin: &'a str,
    pub(super) anchors: &'a Anchors,
}

impl Origin<'_> {
    /// Whether it is the first of its ministry.
    pub(super) fn is_first(&self) -> bool {
        log_number(self.origin).is_none_or(|number| number == 1)
    }

    /// Looks at the first entry of a log: every log but the first must say from which it goes on.
    pub(super) fn check_first(&self, is_restored: bool, out: &mut Findings) {
        if !self.is_first() && !is_restored {
            let what = format!("{} does not begin with the log that it goes on from", self.origin);
            out.add(Finding::fault(Check::Growth, what).at(0));
        }
    }

    /// Looks at an entry that says from which log this one goes on; gives what that allows.
    pub(super) fn restored(
        &self,
        spot: Spot,
        note: &[u8],
        (trusted, known): (&Trusted, &Known),
        out: &mut Findings,
    ) -> Option<Elsewhere> {
        out.done(Check::Growth, 1);
        let wrong = |what: String| {
            Finding::fault(Check::Growth, what).at(spot.index).against(&trusted.home)
        };
        if spot.index != 0 || self.is_first() {
            let what = "only the first entry of a later log says from which one it goes on";
            out.add(wrong(what.into()));
            return None;
        }
        let Some(before) = parsed(note) else {
            out.add(wrong("what this log goes on from is no checkpoint".into()));
            return None;
        };
        let numbers = [log_number(&before.origin), log_number(self.origin)];
        let is_next = matches!(numbers, [Some(before), Some(this)] if before + 1 == this);
        if !is_next || ministry_of(&before.origin).as_ref() != Some(&trusted.home) {
            out.add(wrong(format!("{} cannot go on from {}", self.origin, before.origin)));
            return None;
        }
        let key = trusted.keys.log(&before.origin);
        let key = key.or_else(|| self.anchors.trust.log_key(&before.origin));
        out.add(match key {
            None => {
                let what =
                    format!("no key is known of {}, which this log goes on from", before.origin);
                Finding::unchecked(Check::Growth, what).at(spot.index)
            }
            Some(key) if Checkpoint::verify(note, &key).is_err() => {
                let what =
                    format!("{} did not sign what this log says that it ended with", before.origin);
                wrong(what)
            }
            Some(_) => {
                let what =
                    format!("this log goes on from {} with {} entries", before.origin, before.size);
                Finding::note(Check::Growth, what).at(spot.index)
            }
        });
        if let Some((size, by)) = known.larger(&before.origin, before.size, &self.anchors.trust) {
            let what = format!(
                "{} is said to have ended with {} entries, and {by} has its checkpoint of {size}",
                before.origin, before.size
            );
            out.add(Finding::fault(Check::Growth, what).at(spot.index));
        }
        Some(Elsewhere { begins: spot.at })
    }
}
