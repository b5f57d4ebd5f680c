//! Both logs beside each other, as those need them who compare.

use kuriiri_tlog::log_number;
use kuriiri_types::{Ministry, Timestamp};

use super::{options::ReconcileOptions, survey::Survey};
use crate::{folder::LogFolder, histories::REACH};

/// Both logs, as they were found.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) folders: [&'a LogFolder; 2],
    pub(super) homes: &'a [Ministry; 2],
    pub(super) surveys: &'a [Survey],
    pub(super) options: &'a ReconcileOptions,
}

impl<'a> Context<'a> {
    pub(super) fn folder(&self, side: u8) -> &'a LogFolder {
        let [one, two] = self.folders;
        if side == 0 { one } else { two }
    }

    pub(super) fn home(&self, side: u8) -> &'a Ministry {
        let [one, two] = self.homes;
        if side == 0 { one } else { two }
    }

    /// When the last entry of a log was written.
    pub(super) fn last(&self, side: u8) -> Option<Timestamp> {
        self.surveys.get(usize::from(side)).and_then(|s| s.period).map(|(_, last)| last)
    }

    /// Whether a message of this time may be in a log that the given one goes on from: messages live long,
    /// and their receipts may be late.
    pub(super) fn may_be_before(&self, side: u8, at: i64) -> bool {
        let goes_on = log_number(&self.folder(side).checkpoint().origin) > Some(1);
        let period = self.surveys.get(usize::from(side)).and_then(|survey| survey.period);
        goes_on && period.is_none_or(|(first, _)| Timestamp::from_millis(at) <= first.after(REACH))
    }

    /// Whether a time is among those that are compared.
    pub(super) fn is_within(&self, at: i64) -> bool {
        let at = Timestamp::from_millis(at);
        self.options.from.is_none_or(|from| from <= at) && self.options.to.is_none_or(|to| at <= to)
    }
}
