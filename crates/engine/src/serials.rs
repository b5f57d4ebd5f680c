//! Numbers that never repeat.

use bytes::Bytes;

use crate::{record::Body, step::Work};

/// Bits of a number below the count of starts: 2^40 items in one run of a relay.
pub(crate) const START_SHIFT: u32 = 40;

/// Numbers runs of marks, holds and body files.
#[derive(Debug)]
pub(crate) struct Serials {
    last: u64,
    /// The body file of the step in hand, if it has one.
    body_file: u64,
}

impl Serials {
    /// The numbers of a relay that started so often, this start included.
    pub(crate) fn of_start(starts: u64) -> Self {
        let base = starts.checked_shl(START_SHIFT).unwrap_or(u64::MAX);
        Self { last: base, body_file: base }
    }

    /// Where the numbers of this run begin.
    pub(crate) fn base(&self) -> u64 {
        self.last
    }

    /// A number that was never given before, in no run of this relay.
    pub(crate) fn next(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Finds a place for a body; see [`Work::place`].
    pub(crate) fn place(
        &mut self,
        work: &mut Work<'_>,
        body: &Bytes,
        copies: u32,
        beside: usize,
    ) -> Body {
        if work.commit.bodies.is_none() {
            self.body_file = self.next();
        }
        work.place(body, copies, self.body_file, beside)
    }
}
