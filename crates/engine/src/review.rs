//! After the rules have changed, and after a start: all that waits is decided again, a part of it
//! in each step.
//!
//! What may no longer go is withdrawn with a receipt to its sender, even if its peer is away; what
//! must now be released by people goes into a hold. What is under way is decided when it comes back.

use std::collections::VecDeque;

use kuriiri_types::Lane;

use crate::{
    custody::Custody,
    record::{PackKey, QueueId, Seq},
    step::Work,
    view::ViewError,
};

/// Packs looked at in one step: some megabytes at the most.
const PACKS_PER_STEP_MAX: usize = 64;

/// Where the review stands: lanes still to be looked at, the first from a number on.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// It begins with the next step, when all that was taken before is in its lanes.
    wanted: bool,
    lanes: VecDeque<(QueueId, Lane)>,
    from: Seq,
}

impl Review {
    /// A review that is still to begin.
    pub(crate) fn wanted() -> Self {
        Self { wanted: true, ..Self::default() }
    }

    /// Begins, if it is wanted, with everything that waits now: what comes later is decided by the new rules
    /// anyway. To be asked at the beginning of a step.
    pub(crate) fn begin(&mut self, custody: &Custody) {
        if self.wanted {
            *self = Self { wanted: false, lanes: custody.message_lanes(), from: 0 };
        }
    }

    /// Goes on with the review. True when something ended that was only on disk.
    pub(crate) fn go_on(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
    ) -> Result<bool, ViewError> {
        let mut on_disk = false;
        if self.wanted {
            work.wake_at(work.now);
        }
        for _ in 0..PACKS_PER_STEP_MAX {
            let Some((queue, lane)) = self.lanes.front().cloned() else {
                return Ok(on_disk);
            };
            match custody.queues.next_pack(&queue, lane, self.from, &work.reader)? {
                None => {
                    self.lanes.pop_front();
                    self.from = 0;
                }
                Some((first, pack)) => {
                    let key = PackKey { queue, lane, first };
                    on_disk |=
                        custody.end_where(work, &key, pack, &mut |custody, work, (_, item)| {
                            custody.must_leave(work, &key.queue, item)
                        });
                    self.from = first.saturating_add(1);
                }
            }
        }
        if !self.lanes.is_empty() {
            work.wake_at(work.now);
        }
        Ok(on_disk)
    }
}
