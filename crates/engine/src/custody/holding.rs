//! Messages that wait at their origin: into a hold, and out of it.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Ministry, Refusal, Timestamp,
    limits::{APPROVALS_MAX, HOLDS_SHARE_MAX},
};

use crate::{
    commit::Write,
    custody::Custody,
    decisions::Judged,
    endorsed::{Endorsed, HEADER_AND_APPROVALS_BYTES_MAX},
    holds::LOOKS_PER_STEP_MAX,
    message::Message,
    queued::Queued,
    record::{Body, Hold, HoldNumber},
    rules::{Need, Onward, Ruled, Ruling, Way, named, officers_needed, refusal_of_missing},
    shares::Payer,
    stating::{Failure, Sent},
    step::Work,
    stop::Stop,
    view::ViewError,
    waiting::Waiting,
};

/// Bytes that an approval adds to what it repeats of the header: names, times and the proof.
const APPROVAL_EXTRA_BYTES: usize = 1024;

/// A message that is taken and cannot go on yet.
#[derive(Debug)]
pub(crate) struct HeldBack {
    pub(crate) message: VerifiedMessage,
    pub(crate) dests: Vec<Ministry>,
    pub(crate) path: Vec<Ministry>,
    pub(crate) endorsed: Endorsed,
    pub(crate) need: Need,
    pub(crate) expires: Timestamp,
    /// The decisions, for the log.
    pub(crate) ruled: Vec<Ruled>,
}

// === into a hold ===

impl Custody {
    /// Whether one more message may wait, for this.
    pub(crate) fn may_hold(
        &self,
        (message, path): (&VerifiedMessage, &[Ministry]),
        need: &Need,
    ) -> Result<(), Refusal> {
        let officers = officers_of(need);
        let header = message.envelope().header.len();
        let all = header.saturating_add(approvals_bytes(header, officers));
        if officers > APPROVALS_MAX || all > HEADER_AND_APPROVALS_BYTES_MAX {
            let what = format!("{officers} officers cannot sign for a header of {header} bytes");
            return Err(Refusal { code: Code::TOO_BIG, reasons: vec![what] });
        }
        let code = if self.holds.is_full() {
            Code::QUEUE_FULL
        } else if self.holds.of_payer(&Payer::of(message.header(), path)) >= HOLDS_SHARE_MAX {
            Code::SHARE_SPENT
        } else {
            return Ok(());
        };
        let reasons = vec!["as many messages wait for officers or hours as may".into()];
        Err(Refusal { code, reasons })
    }

    /// Keeps a message that may be taken until what it needs comes about.
    pub(crate) fn hold_message(&mut self, work: &mut Work<'_>, back: HeldBack) {
        let HeldBack { message, dests, path, endorsed, need, expires, .. } = back;
        let officers = officers_of(&need).max(endorsed.approvals.len());
        let beside = approvals_bytes(message.envelope().header.len(), officers);
        let body = self.serials.place(work, message.salted_body(), 1, beside);
        let (envelope, accepted) = (message.envelope().clone(), work.now);
        let Endorsed { approvals, releases } = endorsed;
        let hold = Hold { envelope, dests, path, expires, accepted, approvals, body };
        let (header, leaf) = (message.shared_header(), message.leaf());
        let number = self.serials.next();
        self.write_hold(work, number, Waiting { header, leaf, releases, hold }, &need);
    }

    /// Takes a copy out of a queue that may not go on now. The caller ends it there.
    pub(crate) fn hold_copy(
        &mut self,
        work: &mut Work<'_>,
        message: &Message,
        next: Option<&Ministry>,
        need: &Need,
    ) {
        if matches!(need, Need::People(_)) {
            self.rules.log_decided_again(work, message, next);
        }
        let parcel = message.parcel();
        let hold = Hold {
            envelope: message.envelope(),
            dests: vec![parcel.dest.clone()],
            path: parcel.path.clone(),
            expires: parcel.expires,
            accepted: parcel.accepted,
            approvals: parcel.approvals.clone(),
            body: parcel.body.clone(),
        };
        work.commit.retained.extend(hold.body.reference());
        let number = self.serials.next();
        self.write_hold(work, number, Waiting::of(message, hold), need);
    }

    pub(crate) fn write_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: Waiting,
        need: &Need,
    ) {
        work.commit.writes.push(Write::PutHold(number, waiting.hold.clone()));
        self.holds.write(work.now, number, waiting, *need == Need::Later);
    }

    /// The hold as it is now.
    pub(crate) fn waiting(
        &self,
        work: &Work<'_>,
        number: HoldNumber,
    ) -> Result<Option<Waiting>, ViewError> {
        if let Some(fresh) = self.holds.fresh(number) {
            return Ok(fresh.cloned());
        }
        let found = work.reader.next_hold(number)?;
        Ok(found.filter(|(at, _)| *at == number).map(|(_, waiting)| waiting))
    }
}

// === out of it ===

impl Custody {
    /// Looks again at holds whose time has come, and says when to look next.
    pub(crate) fn tend_holds(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        self.holds.mark_due(work.now);
        for _ in 0..LOOKS_PER_STEP_MAX {
            let Some(number) = self.holds.next_due() else { break };
            if let Some(waiting) = self.waiting(work, number)? {
                self.settle_hold(work, number, waiting);
            }
        }
        if let Some(at) = self.holds.next_look(work.now) {
            work.wake_at(at);
        }
        Ok(())
    }

    /// Decides on a hold now. Gives back what it still needs, if it stays.
    pub(crate) fn settle_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: Waiting,
    ) -> Ruling<()> {
        if waiting.hold.expires <= work.now {
            self.end_hold(work, number, &waiting, &Failure::expired());
            return Ruling::End(Refusal::bare(Code::EXPIRED));
        }
        match self.rule(work.now, &waiting) {
            Ruling::Go(ways) => {
                if !self.release(work, number, &waiting, ways) {
                    // The queue is full: again in a while.
                    self.write_hold(work, number, waiting, &Need::Later);
                    return Ruling::Wait(Need::Later);
                }
                Ruling::Go(())
            }
            Ruling::Wait(need) => {
                self.write_hold(work, number, waiting, &need);
                Ruling::Wait(need)
            }
            Ruling::End(refusal) => {
                self.log_hold(work, &waiting, &[]);
                self.end_hold(work, number, &waiting, &Failure::refused(refusal.clone()));
                Ruling::End(refusal)
            }
        }
    }

    /// What becomes of a hold: it goes when all of it may go.
    pub(crate) fn rule(&self, now: Timestamp, waiting: &Waiting) -> Ruling<Vec<(Ministry, Way)>> {
        let mut ways = Vec::with_capacity(waiting.hold.dests.len());
        let mut needed = None;
        for dest in &waiting.hold.dests {
            match self.rules.rule_on(now, &waiting.case(dest)).0 {
                Ruling::Go(way) => ways.push((dest.clone(), way)),
                Ruling::Wait(need) => needed = Some(stricter(needed, need)),
                Ruling::End(refusal) => return Ruling::End(named(dest, refusal)),
            }
        }
        needed.map_or(Ruling::Go(ways), Ruling::Wait)
    }

    /// Puts all copies of a hold into their queues. False when one of these is full.
    fn release(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: &Waiting,
        ways: Vec<(Ministry, Way)>,
    ) -> bool {
        let mut stops = Vec::new();
        let lane = waiting.header.lane();
        for (dest, way) in &ways {
            stops.extend(self.stops(work.now, &waiting.header, dest, way));
        }
        let payer = Payer::of(&waiting.header, &waiting.hold.path);
        let limited = (lane, waiting.header.from.ministry());
        if self.full(&stops, &payer).is_some() || !self.rates.allow(work.now, limited, &stops) {
            return false;
        }
        self.rates.count(work.now, limited, &stops);
        self.log_hold(work, waiting, &stops);
        if let Body::File(place) = waiting.hold.body {
            // The hold's own reference goes to the first copy.
            work.commit.retained.extend(stops.iter().skip(1).map(|_| place));
        }
        for stop in stops {
            let queue = stop.queue.clone();
            self.queues.append(&queue, lane, Queued::Message(waiting.resume(stop)));
        }
        self.forget_hold(work, number);
        true
    }

    /// Notes what was decided on a hold that goes, or ends.
    fn log_hold(&self, work: &mut Work<'_>, waiting: &Waiting, stops: &[Stop]) {
        let ruled = waiting
            .hold
            .dests
            .iter()
            .map(|dest| self.rules.ruled(work.now, &waiting.case(dest), Onward::Considered));
        let judged = Judged {
            subject: waiting.subject(),
            giver: None,
            path: &waiting.hold.path,
            approvals: &waiting.hold.approvals,
            first: None,
        };
        self.rules.log_decided(work, judged, ruled.collect(), stops);
    }

    /// Ends a hold and tells its sender why, for every recipient that a copy waited for.
    pub(crate) fn end_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: &Waiting,
        why: &Failure,
    ) {
        let sent = Sent { sender: &waiting.header.from, subject: waiting.subject() };
        let waits = |address: &&Address| waiting.hold.dests.contains(address.ministry());
        let all = waiting.header.to.iter().map(|recipient| &recipient.address).filter(waits);
        work.tell_negative(sent, all, why);
        work.commit.released.extend(waiting.hold.body.reference());
        self.forget_hold(work, number);
    }

    fn forget_hold(&mut self, work: &mut Work<'_>, number: HoldNumber) {
        work.commit.writes.push(Write::DeleteHold(number));
        self.holds.forget(number);
    }
}

fn officers_of(need: &Need) -> usize {
    match need {
        Need::People(missing) => usize::try_from(officers_needed(missing)).unwrap_or(usize::MAX),
        Need::Later => 0,
    }
}

fn approvals_bytes(header: usize, officers: usize) -> usize {
    officers.saturating_mul(header.saturating_add(APPROVAL_EXTRA_BYTES))
}

/// Of two needs the one that asks more: people before hours, more people before fewer.
pub(crate) fn stricter(known: Option<Need>, other: Need) -> Need {
    match known {
        Some(known) if officers_of(&known) >= officers_of(&other) => known,
        Some(_) | None => other,
    }
}

/// What people read of a need.
pub(crate) fn missing_texts(need: &Need) -> Vec<String> {
    match need {
        Need::People(missing) => refusal_of_missing(missing).reasons,
        Need::Later => vec!["it waits for the hours at which it may leave, or for room".into()],
    }
}
