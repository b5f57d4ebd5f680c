//! What is written about messages that are not taken.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Code, Digest, Header, Ministry, Timestamp,
    limits::{CLOCK_SKEW_MAX, DENIED_BYTES_MAX, DENIED_BYTES_PER_MINUTE, MESSAGE_TTL_MAX},
};

use crate::{
    seen::{Spot, Taker},
    shares::{Allowances, Payer, Terms},
    step::Work,
};

/// Bytes of entries about one message besides its header, roughly: its decision and its statement.
const ENTRIES_BYTES: usize = 1024;

/// How much may be written about what is denied.
#[derive(Debug)]
pub(super) struct Denials(Allowances<Payer>);

impl Default for Denials {
    fn default() -> Self {
        let (most, per_minute) = (DENIED_BYTES_MAX, DENIED_BYTES_PER_MINUTE);
        Self(Allowances::new(Terms { most, per_minute }))
    }
}

impl Denials {
    /// Whether the log may say of one more message of this payer that it was denied.
    pub(super) fn may_be_written(
        &mut self,
        now: Timestamp,
        message: &VerifiedMessage,
        path: &[Ministry],
    ) -> bool {
        let bytes = message.envelope().header.len().saturating_add(ENTRIES_BYTES);
        self.0.spend(now, Payer::of(message.header(), path), bytes as u64)
    }
}

/// Where it is remembered that a message was denied, with this code and by the rules that are in force.
pub(super) fn spot(
    work: &Work<'_>,
    (header, leaf): (&Header, Digest),
    dest: Option<&Ministry>,
    code: Code,
) -> Spot {
    let rules = work.log.policy().map_or_else(String::new, |digest| digest.to_string());
    let dest = dest.map_or("", Ministry::as_str);
    // No ministry has such a name.
    let taker = Taker::named(&format!("(denied) {code} {rules} {dest}"));
    Spot::new(remembered_by(work.now, header.id.time()), &leaf, taker)
}

/// Under which time. Marks under times that no message has that is taken would never be cleared.
fn remembered_by(now: Timestamp, made: Timestamp) -> Timestamp {
    let is_of_age = made < now.before(MESSAGE_TTL_MAX + CLOCK_SKEW_MAX);
    let is_to_come = made > now.after(CLOCK_SKEW_MAX);
    if is_of_age || is_to_come { now } else { made }
}
