//! What systems write: some messages, a circular, or a flood.

use std::sync::Arc;

use kuriiri_types::{
    Address, Header, Precedence, Timestamp, WireLabel,
    limits::{BODY_INLINE_BYTES_MAX, BODY_SALT_BYTES, LANE_MEMORY_BYTES_MAX},
};

use crate::{
    drafts::{laid_out, salted},
    failure::Failure,
    rng::Rng,
    sender::{Sender, Sent},
};

/// Messages that one system writes at once, at most.
const FLURRY_MAX: usize = 6;
/// Of a hundred times that a system writes, it writes a circular so often.
const CIRCULARS: u64 = 20;

/// Messages of a flood: with the largest body that stands in a pack, more than a lane holds in
/// memory.
const FLOOD: usize = LANE_MEMORY_BYTES_MAX / BODY_INLINE_BYTES_MAX + 32;

impl Sender {
    /// Writes some messages and signs them in batches of any size.
    pub(crate) fn compose(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
    ) -> Result<Vec<Arc<Sent>>, Failure> {
        if rng.chance(CIRCULARS) {
            let drafts = self.circular(now, rng, everybody)?;
            return Ok(self.queue_together(drafts));
        }
        let mut drafts = Vec::new();
        for _ in 0..rng.count(FLURRY_MAX) {
            drafts.push(self.draft(now, rng, everybody)?);
        }
        Ok(self.queue(drafts, rng))
    }

    /// Writes more large messages to one mailbox than a relay keeps in memory.
    pub(crate) fn flood(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        to: &Address,
    ) -> Result<Vec<Arc<Sent>>, Failure> {
        let mut drafts = Vec::new();
        for _ in 0..FLOOD {
            let body = salted(rng, BODY_INLINE_BYTES_MAX - BODY_SALT_BYTES);
            let header = self.header(now, rng, std::slice::from_ref(to), &body)?;
            let label = Some(WireLabel::plain("FI", "JULK"));
            let precedence = Precedence::Routine;
            let header = Header { label, precedence, expires: None, ..header };
            drafts.push(laid_out(header, body)?);
        }
        Ok(self.queue(drafts, rng))
    }
}
