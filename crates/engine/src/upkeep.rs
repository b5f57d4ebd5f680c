//! What people do to the log itself: entries are given to auditors, and headers leave when the time is
//! over for which they are kept. Both are entries.

use kuriiri_types::{Code, LogEvent, Refusal, SpiffeId, SpiffeRole};

use crate::{
    action::Reply,
    engine::Engine,
    event::{LogDeed, Token},
    work::Work,
};

impl Engine {
    /// Writes what was done, and has headers that leave do so with the commit.
    pub(crate) fn on_log_deed(
        &self,
        work: &mut Work<'_>,
        token: Token,
        by: SpiffeId,
        deed: LogDeed,
    ) {
        if !self.is_ours(&by) {
            return work.answer(token, Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER)));
        }
        match deed {
            LogDeed::Export { what } => {
                work.note(LogEvent::Exported { by, what });
            }
            LogDeed::Prune { .. } if work.commit.pruned.is_some() => {
                return work.answer(token, Reply::Refused(Refusal::bare(Code::BUSY)));
            }
            LogDeed::Prune { basis, until, headers } => {
                work.note(LogEvent::Pruned { until, headers, by, basis });
                work.commit.pruned = Some(until);
            }
        }
        work.answer(token, Reply::Noted);
    }

    /// Whether this is an officer or operator of this ministry.
    pub(crate) fn is_ours(&self, person: &SpiffeId) -> bool {
        let is_person = [SpiffeRole::Officer, SpiffeRole::Operator].contains(&person.role());
        is_person && person.ministry() == self.home()
    }
}
