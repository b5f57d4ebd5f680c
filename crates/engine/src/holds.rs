//! Messages that wait at their origin: for officers to release them, or for their hours.
//!
//! A hold is a record of its own, in custody like anything else: it is released into the queues,
//! or ends with a negative receipt when an officer rejects it, when the rules no longer allow it,
//! or when its time is over. In memory there is one small entry for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, MessageId, Ministry, Refusal, SignedApproval, Subject, Timestamp,
    limits::{APPROVALS_MAX, HOLDS_MAX},
};

use crate::{
    admit::Stop,
    commit::Write,
    engine::Engine,
    held::{Custody, Held, Message, Reader, Release, Waiting},
    judge::{Case, Need, Onward, Ruled, Ruling, Way, held, named, officers_needed},
    receipts::{Negative, Sent},
    record::{Body, Hold, HoldNumber, approvals_weight},
    ruled::Judged,
    view::ViewError,
    work::Work,
};

/// Holds looked at again in one step; more wait for the next, which comes at once.
const LOOKS_PER_STEP_MAX: usize = 64;
/// How often holds that wait for their hours, or for room, are looked at: rules give minutes.
const LATER_ROUND: Duration = Duration::from_secs(60);
/// Bytes that an approval adds to what it repeats of the header: names, times and the proof.
const APPROVAL_EXTRA_BYTES: usize = 1024;
/// Bytes of a header with the approvals that it needs, so that all of it fits a stored value.
pub(crate) const HEADER_AND_APPROVALS_BYTES_MAX: usize = 26 * 1024;

/// The holds of a relay, without what is on disk.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    entries: BTreeMap<HoldNumber, Entry>,
    /// By the time at which each expires.
    expiry: BTreeSet<(Timestamp, HoldNumber)>,
    /// To be looked at again as soon as possible.
    due: BTreeSet<HoldNumber>,
    /// When those that need nobody are looked at next.
    later_at: Option<Timestamp>,
    /// Written in this step, so that what is on disk is not what holds now.
    fresh: BTreeMap<HoldNumber, Option<Waiting>>,
}

/// What is known of a hold without reading it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    message: MessageId,
    expires: Timestamp,
    waits_for_later: bool,
}

impl Holds {
    /// The holds as they were left behind. All are looked at again.
    pub(crate) fn restore(reader: &Reader<'_>) -> Result<Self, ViewError> {
        let mut holds = Self::default();
        let mut from = 0;
        while let Some((number, waiting)) = reader.next_hold(from)? {
            holds.note(number, &waiting, false);
            holds.due.insert(number);
            from = number.saturating_add(1);
        }
        Ok(holds)
    }

    /// True when there are as many as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= HOLDS_MAX
    }

    /// The numbers of those of messages after one, in the order of their ids.
    pub(crate) fn after(&self, after: Option<MessageId>) -> Vec<HoldNumber> {
        let later = |id: &MessageId| after.is_none_or(|after| *id > after);
        let entries = self.entries.iter().map(|(number, entry)| (entry.message, *number));
        let mut found: Vec<_> = entries.filter(|(id, _)| later(id)).collect();
        found.sort_unstable();
        // Copies that wait apart are one message to people.
        found.dedup_by_key(|(id, _)| *id);
        found.into_iter().map(|(_, number)| number).collect()
    }

    /// The numbers of those of one message.
    pub(crate) fn of(&self, message: MessageId) -> Vec<HoldNumber> {
        let entries = self.entries.iter().filter(|(_, entry)| entry.message == message);
        entries.map(|(number, _)| *number).collect()
    }

    /// Has all of them looked at again: the rules have changed.
    pub(crate) fn look_at_all(&mut self) {
        self.due.extend(self.entries.keys());
    }

    fn note(&mut self, number: HoldNumber, waiting: &Waiting, waits_for_later: bool) {
        let (message, expires) = (waiting.header.id, waiting.hold.expires);
        self.entries.insert(number, Entry { message, expires, waits_for_later });
        self.expiry.insert((expires, number));
    }

    fn forget(&mut self, number: HoldNumber) {
        if let Some(entry) = self.entries.remove(&number) {
            self.expiry.remove(&(entry.expires, number));
        }
        self.due.remove(&number);
        self.fresh.insert(number, None);
    }

    /// Marks what has come due by now.
    fn mark_due(&mut self, now: Timestamp) {
        let expired = self.expiry.iter().take_while(|(at, _)| *at <= now);
        self.due.extend(expired.map(|(_, number)| *number).take(LOOKS_PER_STEP_MAX));
        if self.later_at.is_some_and(|at| at <= now) {
            let waiting = self.entries.iter().filter(|(_, entry)| entry.waits_for_later);
            self.due.extend(waiting.map(|(number, _)| *number));
            self.later_at = None;
        }
    }

    /// When something has to be looked at next.
    fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let expiry = self.expiry.first().map(|(at, _)| *at);
        let due = (!self.due.is_empty()).then_some(now);
        expiry.into_iter().chain(due).chain(self.later_at).min()
    }
}

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

/// What officers have signed of a message, verbatim and as decisions need it, in the same order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endorsed {
    pub(crate) approvals: Vec<SignedApproval>,
    pub(crate) releases: Vec<Release>,
}

// === into a hold ===

impl Engine {
    /// Whether one more message may wait, for this.
    pub(crate) fn may_hold(&self, message: &VerifiedMessage, need: &Need) -> Result<bool, Refusal> {
        let officers = officers_of(need);
        let header = message.envelope().header.len();
        let all = header.saturating_add(approvals_bytes(header, officers));
        if officers > APPROVALS_MAX || all > HEADER_AND_APPROVALS_BYTES_MAX {
            let what = format!("{officers} officers cannot sign for a header of {header} bytes");
            return Err(Refusal { code: Code::TOO_BIG, reasons: vec![what] });
        }
        Ok(!self.holds.is_full())
    }

    /// Keeps a message that may be taken until what it needs comes about.
    pub(crate) fn hold_message(&mut self, work: &mut Work<'_>, held: HeldBack) {
        let HeldBack { message, dests, path, endorsed, need, expires, .. } = held;
        let officers = officers_of(&need).max(endorsed.approvals.len());
        let beside = approvals_bytes(message.envelope().header.len(), officers);
        let body = self.place(work, message.salted_body(), 1, beside);
        let (envelope, accepted) = (message.envelope().clone(), work.now);
        let Endorsed { approvals, releases } = endorsed;
        let hold = Hold { envelope, dests, path, expires, accepted, approvals, body };
        let (header, leaf) = (message.shared_header(), message.leaf());
        let number = self.next_serial();
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
            self.log_decided_again(work, message, next);
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
        let number = self.next_serial();
        self.write_hold(work, number, Waiting::of(message, hold), need);
    }

    pub(crate) fn write_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: Waiting,
        need: &Need,
    ) {
        let for_later = *need == Need::Later;
        self.holds.note(number, &waiting, for_later);
        if for_later && self.holds.later_at.is_none() {
            self.holds.later_at = Some(work.now.after(LATER_ROUND));
        }
        work.commit.writes.push(Write::PutHold(number, waiting.hold.clone()));
        self.holds.fresh.insert(number, Some(waiting));
    }

    /// The hold as it is now.
    pub(crate) fn waiting(
        &self,
        work: &Work<'_>,
        number: HoldNumber,
    ) -> Result<Option<Waiting>, ViewError> {
        if let Some(fresh) = self.holds.fresh.get(&number) {
            return Ok(fresh.clone());
        }
        let found = work.reader.next_hold(number)?;
        Ok(found.filter(|(at, _)| *at == number).map(|(_, waiting)| waiting))
    }
}

// === out of it ===

impl Engine {
    /// Looks again at holds whose time has come, and says when to look next.
    pub(crate) fn tend_holds(&mut self, work: &mut Work<'_>) -> Result<(), ViewError> {
        self.holds.mark_due(work.now);
        for _ in 0..LOOKS_PER_STEP_MAX {
            let Some(number) = self.holds.due.pop_first() else { break };
            if let Some(waiting) = self.waiting(work, number)? {
                self.settle_hold(work, number, waiting);
            }
        }
        if let Some(at) = self.holds.next_look(work.now) {
            work.wake_at(at);
        }
        Ok(())
    }

    /// Forgets what was written in a step that is over.
    pub(crate) fn holds_are_committed(&mut self) {
        self.holds.fresh.clear();
    }

    /// Decides on a hold now. Gives back what it still needs, if it stays.
    pub(crate) fn settle_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: Waiting,
    ) -> Ruling<()> {
        if waiting.hold.expires <= work.now {
            self.end_hold(work, number, &waiting, &Negative::expired());
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
                self.end_hold(work, number, &waiting, &Negative::refused(refusal.clone()));
                Ruling::End(refusal)
            }
        }
    }

    /// What becomes of a hold: it goes when all of it may go.
    pub(crate) fn rule(&self, now: Timestamp, waiting: &Waiting) -> Ruling<Vec<(Ministry, Way)>> {
        let mut ways = Vec::with_capacity(waiting.hold.dests.len());
        let mut needed = None;
        for dest in &waiting.hold.dests {
            match self.judge.decide(now, &waiting.case(dest)).0 {
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
        if !self.has_room(&stops) || !self.within_rates(work.now, lane, &stops) {
            return false;
        }
        self.count_rates(work.now, lane, &stops);
        self.log_hold(work, waiting, &stops);
        if let Body::File(place) = waiting.hold.body {
            // The hold's own reference goes to the first copy.
            work.commit.retained.extend(stops.iter().skip(1).map(|_| place));
        }
        for stop in stops {
            let queue = stop.queue.clone();
            let custody = waiting.custody(stop);
            self.enqueue(&queue, lane, Held::Message(Message::resume(waiting, custody)));
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
            .map(|dest| self.judge.ruled(work.now, &waiting.case(dest), Onward::Considered));
        let judged = Judged {
            subject: waiting.subject(),
            giver: None,
            path: &waiting.hold.path,
            approvals: &waiting.hold.approvals,
            first: None,
        };
        self.log_decided(work, judged, ruled.collect(), stops);
    }

    /// Ends a hold and tells its sender why, for every recipient that a copy waited for.
    pub(crate) fn end_hold(
        &mut self,
        work: &mut Work<'_>,
        number: HoldNumber,
        waiting: &Waiting,
        why: &Negative,
    ) {
        let sent = Sent { sender: &waiting.header.from, subject: waiting.subject() };
        let waits = |address: &&Address| waiting.hold.dests.contains(address.ministry());
        let all = waiting.header.to.iter().map(|recipient| &recipient.address).filter(waits);
        self.tell_negative(work, sent, all, why);
        work.commit.released.extend(waiting.hold.body.reference());
        self.forget_hold(work, number);
    }

    fn forget_hold(&mut self, work: &mut Work<'_>, number: HoldNumber) {
        work.commit.writes.push(Write::DeleteHold(number));
        self.holds.forget(number);
    }
}

impl Waiting {
    fn subject(&self) -> Subject {
        Subject { message: self.header.id, header: self.leaf }
    }

    fn of(message: &Message, hold: Hold) -> Self {
        let (header, leaf) = (message.shared_header(), message.leaf());
        Self { header, leaf, releases: message.releases().to_vec(), hold }
    }

    fn custody(&self, stop: Stop) -> Custody {
        let hold = &self.hold;
        Custody {
            dest: stop.dest,
            path: hold.path.clone(),
            expires: stop.expires,
            accepted: hold.accepted,
            approvals: hold.approvals.clone(),
            releases: self.releases.clone(),
            body: hold.body.clone(),
        }
    }

    /// The copy of it for one ministry, as a case to be judged.
    pub(crate) fn case<'a>(&'a self, dest: &'a Ministry) -> Case<'a> {
        Case {
            header: &self.header,
            subject: self.leaf,
            dest,
            path: &self.hold.path,
            releases: &self.releases,
            submitter: None,
        }
    }

    /// Adds an approval in the place of an earlier one of the same officer. False when there are
    /// as many as may be; then it is not to be written.
    pub(crate) fn add(&mut self, signed: SignedApproval, release: Release) -> bool {
        let known = self.releases.iter().position(|known| known.officer == release.officer);
        if let Some(at) = known {
            self.releases.remove(at);
            self.hold.approvals.remove(at);
        }
        self.hold.approvals.push(signed);
        let bytes = self.hold.envelope.header.len() + approvals_weight(&self.hold.approvals);
        if self.releases.len() >= APPROVALS_MAX || bytes > HEADER_AND_APPROVALS_BYTES_MAX {
            return false;
        }
        self.releases.push(release);
        true
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
        Need::People(missing) => held(missing).reasons,
        Need::Later => vec!["it waits for the hours at which it may leave, or for room".into()],
    }
}
