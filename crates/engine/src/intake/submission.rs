//! Messages from the ministry's own systems.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{Code, Digest, Giver, Header, Lane, Ministry, Refusal, SpiffeId, Timestamp};

use super::{
    Intake, Source,
    admission::{Admission, Admitted, check_form, check_time},
};
use crate::{
    case::Case,
    custody::{Custody, HeldBack, stricter},
    endorsed::Endorsed,
    record::Certificate,
    rules::{Need, Ruled, Ruling, named},
    seen::{Known, Spot, Taker},
    shares::Payer,
    step::Work,
    stop::Stop,
    view::ViewError,
};

impl Intake {
    /// Takes a system's messages.
    pub(crate) fn on_submitted(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        source: &Source,
        (messages, certificates): (Vec<Result<VerifiedMessage, Refusal>>, Vec<Certificate>),
    ) -> Result<(), ViewError> {
        let Giver::System(system) = &source.giver else {
            return Ok(());
        };
        self.offer(certificates);
        custody.turned_away.note(work, &source.giver, &messages);
        let mut verdicts = Vec::with_capacity(messages.len());
        for message in messages {
            let admission = match message {
                _ if self.is_pushed_back(source) => Admission::Busy,
                Ok(message) => {
                    self.admit_submission(custody, work, system, source.lane, message)?
                }
                Err(refusal) => Admission::Refused(refusal),
            };
            verdicts.push(self.conclude(custody, work, source, None, admission)?);
        }
        work.answer_batch(source.token, verdicts);
        Ok(())
    }

    fn admit_submission(
        &mut self,
        custody: &mut Custody,
        work: &Work<'_>,
        system: &SpiffeId,
        lane: Lane,
        message: VerifiedMessage,
    ) -> Result<Admission, ViewError> {
        let header = message.header();
        let form = if !custody.config.may_use(system, &header.from) || message.signer() != system {
            Err(Refusal::bare(Code::NOT_YOURS))
        } else {
            check_form(header, lane)
        };
        if let Err(refusal) = form {
            return Ok(Admission::deny(message, refusal));
        }
        let spot = Spot::new(header.id.time(), &message.leaf(), Taker::of_submissions());
        match custody.seen.known(spot, &Payer::of(header, &[]), work)? {
            Known::Taken(taken) => return Ok(Admission::Repeat(Box::new(message), taken)),
            Known::NotNow => return Ok(Admission::Later(Code::BUSY)),
            Known::New => {}
        }
        if let Err(refusal) = check_time(work.now, header) {
            return Ok(Admission::deny(message, refusal));
        }
        let (leaf, dests) = (message.leaf(), header.destinations());
        let (path, endorsed) = (Vec::new(), Endorsed::default());
        let (plan, ruled) = self.plan_submission(custody, work.now, &message, (&dests, system));
        match plan {
            Ruling::Go(stops) => {
                let admitted = Admitted { message, path, endorsed, stops, spot, ruled };
                Ok(Admission::with_room(custody, work.now, lane, admitted))
            }
            Ruling::Wait(need) => {
                let expires = deadline(custody, work.now, header, leaf, &dests);
                let back = HeldBack { message, dests, path, endorsed, need, expires, ruled };
                Ok(Admission::hold_back(custody, back, spot))
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
        custody: &Custody,
        now: Timestamp,
        message: &VerifiedMessage,
        (dests, system): (&[Ministry], &SpiffeId),
    ) -> (Ruling<Vec<Stop>>, Vec<Ruled>) {
        let (header, subject) = (message.header(), message.leaf());
        let mut plan = Plan::default();
        let mut all = Vec::with_capacity(dests.len());
        for dest in dests {
            let submitter = Some(system);
            let case = Case { header, subject, dest, path: &[], releases: &[], submitter };
            self.recent.note(now, message.shared_header(), &case);
            let (ruling, ruled) = custody.rules.rule_on(now, &case);
            all.push(ruled);
            if dest == custody.home()
                && let Some(stranger) = custody.config.mailboxes(header).1.first()
            {
                let reasons = vec![format!("{stranger} is not a mailbox here")];
                plan.refused.get_or_insert(Refusal { code: Code::UNKNOWN_RECIPIENT, reasons });
                continue;
            }
            match ruling {
                Ruling::Go(way) => plan.stops.extend(custody.stops(now, header, dest, &way)),
                Ruling::Wait(need) => plan.needed = Some(stricter(plan.needed, need)),
                Ruling::End(refusal) => plan.refuse(dest, refusal),
            }
        }
        (plan.conclude(), all)
    }
}

/// Until when a submission may wait: as long as its copy that may live shortest.
fn deadline(
    custody: &Custody,
    now: Timestamp,
    header: &Header,
    subject: Digest,
    dests: &[Ministry],
) -> Timestamp {
    let deadline = |dest| {
        let case = Case { header, subject, dest, path: &[], releases: &[], submitter: None };
        custody.rules.deadline(now, &case)
    };
    dests.iter().map(deadline).min().unwrap_or(now)
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
