//! Circulars: many messages that a system writes, signs and hands over at once. Relays take them apart
//! again where they go different ways, wait, or are not what the others are.

use kuriiri_types::{Address, Header, Precedence, Recipient, Role, Timestamp, WireLabel};

use crate::{
    drafts::{laid_out, sealing},
    failure::Failure,
    rng::Rng,
    sender::{Draft, Sender},
};

/// Messages of one circular, at most.
const CIRCULAR_MAX: usize = 24;
/// A label that goes everywhere, and one that a relay keeps until officers have released it.
const OPEN: &str = "FI JULK";
const RELEASED: &str = "FI TL3";
/// A label that no rule knows.
const UNKNOWN: &str = "FI UNHEARD-OF";

/// What the messages of a circular have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The same goes to the same recipients.
    Alike,
    /// They go to two ministries, some to one and some to both.
    Divided,
    /// Some of them have to wait for officers.
    HeldInPart,
    /// One of them is not what it should be.
    WithABadOne,
}

const KINDS: [Kind; 4] = [Kind::Alike, Kind::Divided, Kind::HeldInPart, Kind::WithABadOne];

impl Sender {
    /// Writes a circular.
    pub(crate) fn circular(
        &self,
        now: Timestamp,
        rng: &mut Rng,
        everybody: &[Address],
    ) -> Result<Vec<Draft>, Failure> {
        let kind = rng.pick(&KINDS).copied().unwrap_or(Kind::Alike);
        let (one, other) = two(rng, everybody)?;
        let cleared = self.cleared("TL3", everybody);
        let count = 1 + rng.count(CIRCULAR_MAX - 1);
        let (bad, is_spoilt) = (rng.count(count) - 1, rng.chance(50));
        let mut drafts = Vec::with_capacity(count);
        for place in 0..count {
            let draft = self.draft(now, rng, everybody)?;
            let is_bad = kind == Kind::WithABadOne && place == bad;
            let is_held = kind == Kind::HeldInPart && place % 3 == 1 && !cleared.is_empty();
            let label = match (is_bad && !is_spoilt, is_held) {
                (true, _) => UNKNOWN,
                (false, true) => RELEASED,
                (false, false) => OPEN,
            };
            let to = match (kind, place % 3) {
                _ if is_held => cleared.clone(),
                (Kind::Divided, 1) => vec![other.clone()],
                (Kind::Divided, 2) => vec![one.clone(), other.clone()],
                _ => vec![one.clone()],
            };
            let header = addressed(draft.header, label, to)?;
            let draft = laid_out(header, draft.body)?;
            drafts.push(Draft { is_spoilt: is_bad && is_spoilt, ..draft });
        }
        Ok(drafts)
    }
}

/// Two addresses, of two ministries if chance will have it.
fn two(rng: &mut Rng, everybody: &[Address]) -> Result<(Address, Address), Failure> {
    let nobody = || Failure::setup("a world without mailboxes");
    let one = rng.pick(everybody).cloned().ok_or_else(nobody)?;
    let far: Vec<_> = everybody.iter().filter(|a| a.ministry() != one.ministry()).collect();
    let other = rng.pick(&far).copied().cloned().ok_or_else(nobody)?;
    Ok((one, other))
}

/// The header of a routine message with this label, to these recipients.
fn addressed(header: Header, label: &str, mut to: Vec<Address>) -> Result<Header, Failure> {
    let label: WireLabel = label.parse().map_err(Failure::setup)?;
    to.sort();
    Ok(Header {
        sealing: (label.level != "JULK").then(|| sealing(&header.from, &to)),
        to: to.into_iter().map(|address| Recipient { address, role: Role::Action }).collect(),
        label: Some(label),
        precedence: Precedence::Routine,
        expires: None,
        ..header
    })
}
