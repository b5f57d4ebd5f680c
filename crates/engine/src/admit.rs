//! Admission: what may be taken into custody, and where it goes from here.
//!
//! `VerifiedMessage → Admitted → custody`. Only this module makes an `Admitted`, and only an
//! `Admitted` is put into a queue.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Header, Lane, Ministry, Refusal, SpiffeId, Timestamp, Verdict,
    limits::{BODY_BYTES_MAX, CLOCK_SKEW_MAX, HOPS_MAX, MAILBOX_MESSAGES_MAX, OUTBOX_MESSAGES_MAX},
};

use crate::{
    engine::Engine,
    event::{Arrival, LinkId, Token},
    held::{Custody, Held, Message},
    judge::{Case, Hop},
    receipts::{Negative, Subject},
    record::QueueId,
    seen::Spot,
    view::ViewError,
    work::Work,
};

/// The taker's name in the marks of submissions: a message is submitted once for all its
/// destinations. It cannot be a ministry's name.
const SUBMISSION: &str = "(submission)";

/// A message that may be taken: checked, decided, with room for it everywhere it goes.
struct Admitted {
    message: VerifiedMessage,
    path: Vec<Ministry>,
    stops: Vec<Stop>,
    spot: Spot,
}

/// One way on from here.
struct Stop {
    dest: Ministry,
    expires: Timestamp,
    queue: QueueId,
}

/// How admission ends.
enum Admission {
    Admitted(Box<Admitted>),
    /// Taken before, at this time.
    Repeat(Box<VerifiedMessage>, Timestamp),
    Refused(Refusal),
    Busy,
}

impl From<Refusal> for Admission {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

// === from a system ===

/// Who hands over a batch, and on which terms.
pub(crate) struct Source {
    pub(crate) link: LinkId,
    pub(crate) lane: Lane,
    pub(crate) epoch: u32,
}

impl Engine {
    /// Takes a system's messages.
    pub(crate) fn on_submitted(
        &mut self,
        work: &mut Work<'_>,
        system: &SpiffeId,
        source: &Source,
        token: Token,
        messages: Vec<Result<VerifiedMessage, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        let mut verdicts = Vec::with_capacity(messages.len());
        for message in messages {
            let admission = match message {
                _ if self.is_held_off(source) => Admission::Busy,
                Ok(message) => self.admit_submission(work, system, source.lane, message)?,
                Err(refusal) => Admission::Refused(refusal),
            };
            verdicts.push(self.conclude(work, source, admission, Some(token))?);
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
        if !self.config.may_use(system, &header.from) || message.signer() != system {
            return Ok(Refusal::bare(Code::NOT_YOURS).into());
        }
        if let Err(refusal) = self.check_form(work.now, header, lane) {
            return Ok(refusal.into());
        }
        let spot = Spot::new(header.id, &message.leaf(), SUBMISSION);
        if let Some(at) = self.seen.taken(spot, &work.reader)? {
            return Ok(Admission::Repeat(Box::new(message), at));
        }
        if is_over(header, work.now) {
            return Ok(Refusal::bare(Code::EXPIRED).into());
        }
        match self.plan_submission(work.now, header) {
            Err(refusal) => Ok(refusal.into()),
            Ok(stops) if !self.has_room(&stops) => Ok(Admission::Busy),
            Ok(stops) => {
                let path = Vec::new();
                Ok(Admission::Admitted(Box::new(Admitted { message, path, stops, spot })))
            }
        }
    }

    /// Where each copy of a new message goes. All must be allowed: a sender learns that one
    /// recipient may not have it before any other has it.
    fn plan_submission(&self, now: Timestamp, header: &Header) -> Result<Vec<Stop>, Refusal> {
        let mut stops = Vec::new();
        let mut refused: Option<Refusal> = None;
        for dest in header.destinations() {
            let case = Case { header, dest: &dest, path: &[] };
            match self.judge.route(now, &case).and_then(|route| self.stops(header, &dest, route)) {
                Ok(more) => stops.extend(more),
                Err(refusal) => {
                    let named = refusal.reasons.iter().map(|reason| format!("{dest}: {reason}"));
                    let known = refused.get_or_insert_with(|| Refusal::bare(refusal.code));
                    known.reasons.extend(named);
                }
            }
        }
        refused.map_or(Ok(stops), Err)
    }

    /// The queues that a copy for one ministry goes to, at submission.
    fn stops(
        &self,
        header: &Header,
        dest: &Ministry,
        (hop, expires): (Hop, Timestamp),
    ) -> Result<Vec<Stop>, Refusal> {
        let stop = |queue| Stop { dest: dest.clone(), expires, queue };
        match hop {
            Hop::Peer(peer) => Ok(vec![stop(QueueId::Outbox(peer))]),
            Hop::Here => {
                let (known, unknown) = self.mailboxes(header);
                if let Some(unknown) = unknown.first() {
                    let reasons = vec![format!("{unknown} is not a mailbox here")];
                    return Err(Refusal { code: Code::UNKNOWN_RECIPIENT, reasons });
                }
                Ok(known.into_iter().map(|a| stop(QueueId::Mailbox(a))).collect())
            }
        }
    }

    // === from a peer ===

    /// Takes a peer's messages.
    pub(crate) fn on_arrived(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        source: &Source,
        parcels: Vec<Result<Arrival, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let admission = match parcel {
                _ if self.is_held_off(source) => Admission::Busy,
                Ok(arrival) => self.admit_arrival(work, peer, source.lane, arrival)?,
                Err(refusal) => Admission::Refused(refusal),
            };
            verdicts.push(match self.conclude(work, source, admission, None)? {
                Verdict::Refused(refusal) => Verdict::Refused(refusal.coarse()),
                other @ (Verdict::Accepted { .. } | Verdict::Busy) => other,
            });
        }
        Ok(verdicts)
    }

    fn admit_arrival(
        &mut self,
        work: &mut Work<'_>,
        peer: &Ministry,
        lane: Lane,
        arrival: Arrival,
    ) -> Result<Admission, ViewError> {
        let Arrival { message, dest, path } = arrival;
        let header = message.header();
        let form = self
            .check_form(work.now, header, lane)
            .and_then(|()| self.check_path(header, &dest, &path, peer));
        if let Err(refusal) = form {
            return Ok(refusal.into());
        }
        let spot = Spot::new(header.id, &message.leaf(), dest.as_str());
        if let Some(at) = self.seen.taken(spot, &work.reader)? {
            return Ok(Admission::Repeat(Box::new(message), at));
        }
        if is_over(header, work.now) {
            return Ok(Refusal::bare(Code::EXPIRED).into());
        }
        let case = Case { header, dest: &dest, path: &path };
        let stops = match self.judge.route(work.now, &case) {
            Err(refusal) => return Ok(refusal.into()),
            Ok((Hop::Peer(next), expires)) => {
                vec![Stop { dest, expires, queue: QueueId::Outbox(next) }]
            }
            Ok((Hop::Here, expires)) => self.arrival_stops(header, &dest, expires),
        };
        if stops.is_empty() {
            return Ok(Refusal::bare(Code::UNKNOWN_RECIPIENT).into());
        }
        if !self.has_room(&stops) {
            return Ok(Admission::Busy);
        }
        if stops.iter().any(|stop| matches!(stop.queue, QueueId::Mailbox(_))) {
            self.tell_unknown(work, &message);
        }
        Ok(Admission::Admitted(Box::new(Admitted { message, path, stops, spot })))
    }

    /// The mailboxes of an arrived message.
    fn arrival_stops(&self, header: &Header, dest: &Ministry, expires: Timestamp) -> Vec<Stop> {
        let (known, _) = self.mailboxes(header);
        let stop = |a| Stop { dest: dest.clone(), expires, queue: QueueId::Mailbox(a) };
        known.into_iter().map(stop).collect()
    }

    /// If only some of a message's recipients are known, the others are refused one by one, once
    /// it is sure that it is taken, for the rest of the message is welcome.
    fn tell_unknown(&self, work: &mut Work<'_>, message: &VerifiedMessage) {
        let (_, unknown) = self.mailboxes(message.header());
        let why = Negative::refused(Refusal::bare(Code::UNKNOWN_RECIPIENT));
        for recipient in unknown {
            let subject = Subject::new(message.header(), message.leaf());
            self.tell_negative(work, subject, &recipient, &why);
        }
    }

    /// The way a message says it came must fit its header and the certificate of the peer.
    fn check_path(
        &self,
        header: &Header,
        dest: &Ministry,
        path: &[Ministry],
        peer: &Ministry,
    ) -> Result<(), Refusal> {
        let fits = path.first() == Some(header.from.ministry())
            && path.last() == Some(peer)
            && path.len() < HOPS_MAX
            && !path.contains(self.home())
            && header.recipients_at(dest).next().is_some();
        fits.then_some(()).ok_or(Refusal::bare(Code::MALFORMED))
    }

    // === both ===

    /// What must hold for any message: the right lane, an id of a time that is remembered, and a
    /// body within bounds.
    fn check_form(&self, now: Timestamp, header: &Header, lane: Lane) -> Result<(), Refusal> {
        let made = header.id.time();
        let apart = made.since(header.created).max(header.created.since(made));
        if header.lane() != lane || apart > CLOCK_SKEW_MAX || made > now.after(CLOCK_SKEW_MAX) {
            return Err(Refusal::bare(Code::MALFORMED));
        }
        if !self.is_timely(now, made) {
            return Err(Refusal::bare(Code::EXPIRED));
        }
        if header.body_size > BODY_BYTES_MAX {
            return Err(Refusal::bare(Code::TOO_BIG));
        }
        Ok(())
    }

    /// The header's recipients here: those that have a mailbox, and those that have none.
    fn mailboxes(&self, header: &Header) -> (Vec<Address>, Vec<Address>) {
        let here = header.recipients_at(self.home()).map(|r| r.address.clone());
        here.partition(|address| self.config.is_mailbox(address))
    }

    fn has_room(&self, stops: &[Stop]) -> bool {
        stops.iter().all(|stop| {
            let bound = match &stop.queue {
                QueueId::Outbox(_) => OUTBOX_MESSAGES_MAX,
                QueueId::Mailbox(_) => MAILBOX_MESSAGES_MAX,
                QueueId::Receipts(_) => return true,
            };
            self.queues.waiting(&stop.queue) < bound
        })
    }

    /// Turns the end of an admission into a verdict, taking the message if it was admitted.
    fn conclude(
        &mut self,
        work: &mut Work<'_>,
        source: &Source,
        admission: Admission,
        submission: Option<Token>,
    ) -> Result<Verdict, ViewError> {
        match admission {
            Admission::Refused(refusal) => Ok(Verdict::Refused(refusal)),
            Admission::Busy => {
                self.hold_off(source);
                Ok(Verdict::Busy)
            }
            Admission::Repeat(message, at) => {
                self.tell_submission(work, &message, submission, at);
                Ok(Verdict::Accepted { at, repeat: true })
            }
            Admission::Admitted(admitted) => {
                self.tell_submission(work, &admitted.message, submission, work.now);
                self.take_into_custody(work, *admitted)?;
                Ok(Verdict::Accepted { at: work.now, repeat: false })
            }
        }
    }

    fn tell_submission(
        &self,
        work: &mut Work<'_>,
        message: &VerifiedMessage,
        submission: Option<Token>,
        at: Timestamp,
    ) {
        let Some(token) = submission else { return };
        for recipient in &message.header().to {
            let subject = Subject::new(message.header(), message.leaf());
            self.tell_submitter(work, subject, &recipient.address, token, at);
        }
    }

    fn take_into_custody(
        &mut self,
        work: &mut Work<'_>,
        admitted: Admitted,
    ) -> Result<(), ViewError> {
        let Admitted { message, path, stops, spot } = admitted;
        self.seen.take(spot, work)?;
        let copies = u32::try_from(stops.len()).unwrap_or(u32::MAX);
        let body = self.place(work, message.salted_body(), copies);
        let lane = message.header().lane();
        for Stop { dest, expires, queue } in stops {
            let (path, body, accepted) = (path.clone(), body.clone(), work.now);
            let custody = Custody { dest, path, expires, accepted, body };
            self.queues.append(&queue, lane, Held::Message(Message::take(&message, custody)));
            if let QueueId::Outbox(peer) = queue {
                self.meet(peer);
            }
        }
        Ok(())
    }

    // === come again later ===

    /// True when this source was told in this epoch that a queue is full: what it had under way
    /// behind that message must not overtake it.
    fn is_held_off(&self, source: &Source) -> bool {
        self.held_off.get(&(source.link, source.lane)) == Some(&source.epoch)
    }

    fn hold_off(&mut self, source: &Source) {
        self.held_off.insert((source.link, source.lane), source.epoch);
    }
}

/// True when a message is too late to be taken. A repeat of one that was taken never is: its giver
/// only wants to hear so.
fn is_over(header: &Header, now: Timestamp) -> bool {
    header.expires.is_some_and(|expires| expires <= now)
}
