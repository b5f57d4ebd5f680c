//! Whether a message may be taken.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Code, Header, Lane, Ministry, Refusal, Timestamp,
    limits::{BODY_BYTES_MAX, CLOCK_SKEW_MAX, MESSAGE_TTL_MAX},
};

use crate::{
    custody::{Custody, HeldBack},
    endorsed::Endorsed,
    rules::Ruled,
    seen::{Spot, Taken},
    stop::Stop,
};

/// A message that may be taken: checked, decided, with room for it everywhere it goes.
pub(super) struct Admitted {
    pub(super) message: VerifiedMessage,
    pub(super) path: Vec<Ministry>,
    pub(super) endorsed: Endorsed,
    pub(super) stops: Vec<Stop>,
    pub(super) spot: Spot,
    pub(super) ruled: Vec<Ruled>,
}

/// How admission ends.
pub(super) enum Admission {
    Admitted(Box<Admitted>),
    /// Taken, and waits for people or hours.
    ToHold(Box<HeldBack>, Spot),
    /// Taken before.
    Repeat(Box<VerifiedMessage>, Taken),
    /// Genuine, and not taken.
    Denied(Box<Denied>),
    /// Not even read.
    Refused(Refusal),
    Busy,
    /// To be given again later, for a reason that may pass.
    Later(Code),
}

/// A message that is not taken.
pub(super) struct Denied {
    pub(super) message: VerifiedMessage,
    pub(super) path: Vec<Ministry>,
    pub(super) endorsed: Endorsed,
    pub(super) refusal: Refusal,
    /// What the rules said, if they were asked.
    pub(super) ruled: Vec<Ruled>,
}

impl Admission {
    /// Refuses what the rules were not asked about.
    pub(super) fn deny(message: VerifiedMessage, refusal: Refusal) -> Self {
        Self::deny_ruled(message, refusal, (Vec::new(), Endorsed::default()), Vec::new())
    }

    pub(super) fn deny_ruled(
        message: VerifiedMessage,
        refusal: Refusal,
        (path, endorsed): (Vec<Ministry>, Endorsed),
        ruled: Vec<Ruled>,
    ) -> Self {
        Self::Denied(Box::new(Denied { message, path, endorsed, refusal, ruled }))
    }

    /// Takes a message that may go, if there is room for it everywhere and its rates allow it.
    pub(super) fn with_room(
        custody: &Custody,
        now: Timestamp,
        lane: Lane,
        admitted: Admitted,
    ) -> Self {
        if let Some(refusal) =
            custody.no_room((admitted.message.header(), &admitted.path), &admitted.stops)
        {
            let Admitted { message, path, endorsed, ruled, .. } = admitted;
            return Self::deny_ruled(message, refusal, (path, endorsed), ruled);
        }
        let limited = (lane, admitted.message.header().from.ministry());
        if !custody.rates.allow(now, limited, &admitted.stops) {
            let reasons = vec!["the hourly limit for this label is reached".into()];
            let refusal = Refusal { code: Code::RATE_EXCEEDED, reasons };
            let Admitted { message, path, endorsed, ruled, .. } = admitted;
            return Self::deny_ruled(message, refusal, (path, endorsed), ruled);
        }
        Self::Admitted(Box::new(admitted))
    }

    /// Takes a message that must wait, if there is room for it.
    pub(super) fn hold_back(custody: &Custody, back: HeldBack, spot: Spot) -> Self {
        match custody.may_hold((&back.message, &back.path), &back.need) {
            Ok(()) => Self::ToHold(Box::new(back), spot),
            Err(refusal) => {
                let HeldBack { message, path, endorsed, ruled, .. } = back;
                Self::deny_ruled(message, refusal, (path, endorsed), ruled)
            }
        }
    }
}

/// What must hold for any message, whatever the time is: the right lane, an id of the time at which it was
/// made, and a body within bounds.
pub(super) fn check_form(header: &Header, lane: Lane) -> Result<(), Refusal> {
    let made = header.id.time();
    let apart = made.since(header.created).max(header.created.since(made));
    if header.lane() != lane || apart > CLOCK_SKEW_MAX {
        return Err(Refusal::bare(Code::MALFORMED));
    }
    if header.body_size > BODY_BYTES_MAX {
        return Err(Refusal::bare(Code::TOO_BIG));
    }
    Ok(())
}

/// Whether it is the time for a message: it is not of a time to come, not older than what is remembered,
/// and not over. To be asked only of one that was not taken before: the giver of a repeat wants to
/// hear that it was taken, also when a clock was set in between.
pub(super) fn check_time(now: Timestamp, header: &Header) -> Result<(), Refusal> {
    let made = header.id.time();
    if made > now.after(CLOCK_SKEW_MAX) {
        return Err(Refusal::bare(Code::NOT_YET));
    }
    let is_forgotten = made < now.before(MESSAGE_TTL_MAX + CLOCK_SKEW_MAX);
    if is_forgotten || header.expires.is_some_and(|expires| expires <= now) {
        return Err(Refusal::bare(Code::EXPIRED));
    }
    Ok(())
}
