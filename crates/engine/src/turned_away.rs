//! What is not even read, by giver and reason: the log says so at once, and of more of the same once a minute how
//! many it was. So nobody makes a log grow by handing over nonsense.

use std::{collections::BTreeMap, time::Duration};

use kuriiri_types::{Code, Giver, LogEvent, Refusal, Timestamp};

use crate::step::Work;

/// Between two entries about the same giver and reason.
const REST: Duration = Duration::from_secs(60);
/// Givers and reasons that are counted at the same time. More are written at once: there are fewer.
const OPEN_MAX: usize = 8192;

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct TurnedAway(BTreeMap<(Giver, Code), Open>);

#[derive(Debug)]
struct Open {
    written: Timestamp,
    since: u32,
}

impl TurnedAway {
    /// Counts those of a batch that the host could not show to be genuine.
    pub(crate) fn note<T>(
        &mut self,
        work: &mut Work<'_>,
        giver: &Giver,
        items: &[Result<T, Refusal>],
    ) {
        for refusal in items.iter().filter_map(|item| item.as_ref().err()) {
            self.count(work, giver, refusal.code);
        }
    }

    /// Counts one.
    pub(crate) fn count(&mut self, work: &mut Work<'_>, giver: &Giver, code: Code) {
        if self.0.len() >= OPEN_MAX && !self.0.contains_key(&(giver.clone(), code)) {
            write(work, giver, code, 1);
            return;
        }
        let open = self.0.entry((giver.clone(), code));
        let open = open.or_insert_with(|| Open { written: work.now.before(REST), since: 0 });
        open.since = open.since.saturating_add(1);
    }

    /// Writes what is due, and forgets of whom nothing came for a while.
    pub(crate) fn settle(&mut self, work: &mut Work<'_>) {
        let mut next: Option<Timestamp> = None;
        self.0.retain(|(giver, code), open| {
            let due = open.written.after(REST);
            let is_due = due <= work.now || work.now < open.written;
            if is_due && open.since == 0 {
                return false;
            }
            if is_due {
                write(work, giver, *code, std::mem::take(&mut open.since));
                open.written = work.now;
            } else if open.since > 0 {
                next = next.into_iter().chain([due]).min();
            }
            true
        });
        if let Some(next) = next {
            work.wake_at(next);
        }
    }
}

fn write(work: &mut Work<'_>, giver: &Giver, code: Code, count: u32) {
    work.note(LogEvent::TurnedAway { by: giver.clone(), code, count });
}
