//! What people do to the log itself: entries are given to auditors, and headers leave when the time is
//! over for which they are kept. Both are entries.

use kuriiri_types::{Code, LogEvent, Refusal, SpiffeId};

use crate::{
    action::Reply,
    config::Config,
    event::{LogDeed, Token},
    step::Work,
};

impl Work<'_> {
    /// Writes what was done, and has headers that leave do so with the commit.
    pub(crate) fn on_deed(&mut self, config: &Config, token: Token, by: SpiffeId, deed: LogDeed) {
        let reply = if config.is_ours(&by) {
            self.note_deed(by, deed)
        } else {
            Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER))
        };
        self.answer(token, reply);
    }

    fn note_deed(&mut self, by: SpiffeId, deed: LogDeed) -> Reply {
        match deed {
            LogDeed::Export { what } => {
                self.note(LogEvent::Exported { by, what });
            }
            LogDeed::Prune { .. } if self.commit.pruned.is_some() => {
                return Reply::Refused(Refusal::bare(Code::BUSY));
            }
            LogDeed::Prune { basis, until, headers } => {
                self.note(LogEvent::Pruned { until, headers, by, basis });
                self.commit.pruned = Some(until);
            }
        }
        Reply::Noted
    }
}
