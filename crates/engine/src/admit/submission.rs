//! Messages from the ministry's own systems.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Code, Digest, Giver, Header, Lane, Ministry, Refusal, SpiffeId, Timestamp, Verdict,
};

use super::{Admission, Admitted, Source, Stop, is_over};
use crate::{
    engine::Engine,
    holds::{Endorsed, HeldBack, stricter},
    judge::{Case, Need, Ruled, Ruling, named},
    seen::{Spot, Taker},
    view::ViewError,
    work::Work,
};

/// The taker's name in the marks of submissions: a message is submitted once for all its
/// destinations. It cannot be a ministry's name.
const SUBMISSION: &str = "(submission)";

impl Engine {
    /// Takes a system's messages.
    pub(crate) fn on_submitted(
        &mut self,
        work: &mut Work<'_>,
        source: &Source,
        messages: Vec<Result<VerifiedMessage, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        let Giver::System(system) = &source.giver else {
            return Ok(Vec::new());
        };
        self.log_turned_away(work, &source.giver, &messages);
        let mut verdicts = Vec::with_capacity(messages.len());
        for message in messages {
            let admission = match message {
                _ if self.is_held_off(source) => Admission::Busy,
                Ok(message) => self.admit_submission(work, system, source.lane, message)?,
                Err(refusal) => Admission::Refused(refusal),
            };
            verdicts.push(self.conclude(work, source, None, admission)?);
        }
        Ok(verdicts)
    }

    fn admit_submission(
        &mut self,
        work: &Work<'_>,
        system: &SpiffeId,
        lane: Lane,
        message: VerifiedMessage,
    ) -> Result<Admission, ViewError> {
        let header = message.header();
        let form = if !self.config.may_use(system, &header.from) || message.signer() != system {
            Err(Refusal::bare(Code::NOT_YOURS))
        } else {
            self.check_form(work.now, header, lane)
        };
        if let Err(refusal) = form {
            return Ok(Admission::deny(message, refusal));
        }
        let spot = Spot::new(header.id.time(), &message.leaf(), Taker::named(SUBMISSION));
        if let Some(taken) = self.seen.taken(spot, &work.reader)? {
            return Ok(Admission::Repeat(Box::new(message), taken));
        }
        if is_over(header, work.now) {
            return Ok(Admission::deny(message, Refusal::bare(Code::EXPIRED)));
        }
        let (leaf, dests) = (message.leaf(), header.destinations());
        let (path, endorsed) = (Vec::new(), Endorsed::default());
        let (plan, ruled) = self.plan_submission(work.now, &message, &dests, system);
        match plan {
            Ruling::Go(stops) => {
                let admitted = Admitted { message, path, endorsed, stops, spot, ruled };
                Ok(self.with_room(work.now, lane, admitted))
            }
            Ruling::Wait(need) => {
                let expires = self.deadline(work.now, header, leaf, &dests);
                let held = HeldBack { message, dests, path, endorsed, need, expires, ruled };
                Ok(self.hold_back(held, spot))
            }
            Ruling::End(refusal) => {
                Ok(Admission::deny_ruled(message, refusal, (path, endorsed), ruled))
            }
        }
    }

    /// Where each copy of a new message goes, and the decision on each. All must be allowed: a sender
    /// learns that one recipient may not have it before any other has it. If one of them must wait,
    /// all do.
    fn plan_submission(
        &mut self,
        now: Timestamp,
        message: &VerifiedMessage,
        dests: &[Ministry],
        system: &SpiffeId,
    ) -> (Ruling<Vec<Stop>>, Vec<Ruled>) {
        let (header, subject) = (message.header(), message.leaf());
        let mut plan = Plan::default();
        let mut all = Vec::with_capacity(dests.len());
        for dest in dests {
            let submitter = Some(system);
            let case = Case { header, subject, dest, path: &[], releases: &[], submitter };
            self.decided.note(now, message.shared_header(), &case);
            let (ruling, ruled) = self.judge.decide(now, &case);
            all.push(ruled);
            if dest == self.home()
                && let Some(stranger) = self.mailboxes(header).1.first()
            {
                let reasons = vec![format!("{stranger} is not a mailbox here")];
                plan.refused.get_or_insert(Refusal { code: Code::UNKNOWN_RECIPIENT, reasons });
                continue;
            }
            match ruling {
                Ruling::Go(way) => plan.stops.extend(self.stops(now, header, dest, &way)),
                Ruling::Wait(need) => plan.needed = Some(stricter(plan.needed, need)),
                Ruling::End(refusal) => plan.refuse(dest, refusal),
            }
        }
        (plan.conclude(), all)
    }

    /// Until when a submission may wait: as long as its copy that may live shortest.
    fn deadline(
        &self,
        now: Timestamp,
        header: &Header,
        subject: Digest,
        dests: &[Ministry],
    ) -> Timestamp {
        let deadline = |dest| {
            let case = Case { header, subject, dest, path: &[], releases: &[], submitter: None };
            self.judge.deadline(now, &case)
        };
        dests.iter().map(deadline).min().unwrap_or(now)
    }
}

/// What becomes of a submission, ministry by ministry.
#[derive(Default)]
struct Plan {
    stops: Vec<Stop>,
    needed: Option<Need>,
    refused: Option<Refusal>,
}

impl Plan {
    fn refuse(&mut self, dest: &Ministry, refusal: Refusal) {
        let known = self.refused.get_or_insert_with(|| Refusal::bare(refusal.code));
        known.reasons.extend(named(dest, refusal).reasons);
    }

    fn conclude(self) -> Ruling<Vec<Stop>> {
        match (self.refused, self.needed) {
            (Some(refusal), _) => Ruling::End(refusal),
            (None, Some(need)) => Ruling::Wait(need),
            (None, None) => Ruling::Go(self.stops),
        }
    }
}
