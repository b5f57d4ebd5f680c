//! Admission: what may be taken into custody, and where it goes from here.
//!
//! `VerifiedMessage → Admitted → custody`. Only this module makes an `Admitted`, and only an
//! `Admitted` is put into a queue.

mod arrival;
mod submission;

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Header, Lane, Ministry, Refusal, Timestamp, Verdict,
    limits::{
        BODY_BYTES_MAX, CLOCK_SKEW_MAX, MAILBOX_MESSAGES_MAX, MESSAGE_TTL_MAX, OUTBOX_MESSAGES_MAX,
    },
};

use crate::{
    engine::Engine,
    event::{LinkId, Token},
    held::{Custody, Held, Message},
    holds::{Endorsed, HeldBack},
    judge::{Hop, Way},
    receipts::Subject,
    record::{QueueId, approvals_weight},
    seen::Spot,
    view::ViewError,
    work::Work,
};

/// A message that may be taken: checked, decided, with room for it everywhere it goes.
struct Admitted {
    message: VerifiedMessage,
    path: Vec<Ministry>,
    endorsed: Endorsed,
    stops: Vec<Stop>,
    spot: Spot,
}

/// One way on from here.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) dest: Ministry,
    pub(crate) expires: Timestamp,
    pub(crate) queue: QueueId,
    /// At most so many such messages may leave in an hour.
    pub(crate) rate: Option<u64>,
}

/// How admission ends.
enum Admission {
    Admitted(Box<Admitted>),
    /// Taken, and waits for people or hours.
    Held(Box<HeldBack>, Spot),
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

/// Who hands over a batch, and on which terms.
pub(crate) struct Source {
    pub(crate) link: LinkId,
    pub(crate) lane: Lane,
    pub(crate) epoch: u32,
}

impl Engine {
    /// What must hold for any message: the right lane, an id of a time that is remembered, and a
    /// body within bounds.
    fn check_form(&self, now: Timestamp, header: &Header, lane: Lane) -> Result<(), Refusal> {
        let made = header.id.time();
        let apart = made.since(header.created).max(header.created.since(made));
        if header.lane() != lane || apart > CLOCK_SKEW_MAX || made > now.after(CLOCK_SKEW_MAX) {
            return Err(Refusal::bare(Code::MALFORMED));
        }
        if made < now.before(MESSAGE_TTL_MAX + CLOCK_SKEW_MAX) {
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

    /// Takes a message that may go, if there is room for it everywhere and its rates allow it.
    fn with_room(&self, now: Timestamp, lane: Lane, admitted: Admitted) -> Admission {
        if !self.has_room(&admitted.stops) {
            return Admission::Busy;
        }
        if !self.within_rates(now, lane, &admitted.stops) {
            let reasons = vec!["as many such messages have left in this hour as may".into()];
            return Admission::Refused(Refusal { code: Code::RATE_EXCEEDED, reasons });
        }
        Admission::Admitted(Box::new(admitted))
    }

    /// Takes a message that must wait, if there is room for it.
    fn hold_back(&self, held: HeldBack, spot: Spot) -> Admission {
        match self.may_hold(&held.message, &held.need) {
            Ok(true) => Admission::Held(Box::new(held), spot),
            Ok(false) => Admission::Busy,
            Err(refusal) => refusal.into(),
        }
    }

    pub(crate) fn has_room(&self, stops: &[Stop]) -> bool {
        stops.iter().all(|stop| {
            let bound = match &stop.queue {
                QueueId::Outbox(_) => OUTBOX_MESSAGES_MAX,
                QueueId::Mailbox(_) => MAILBOX_MESSAGES_MAX,
                QueueId::Receipts(_) => return true,
            };
            self.queues.waiting(&stop.queue) < bound
        })
    }

    /// The queues that a copy for one ministry goes to: at its end the mailboxes that there are.
    pub(crate) fn stops(
        &self,
        now: Timestamp,
        header: &Header,
        dest: &Ministry,
        way: &Way,
    ) -> Vec<Stop> {
        let (expires, rate) = (self.judge.lifetime(now, header, way), way.terms.rate_per_hour);
        match &way.hop {
            Hop::Peer(peer) => {
                let queue = QueueId::Outbox(peer.clone());
                vec![Stop { dest: dest.clone(), expires, queue, rate }]
            }
            Hop::Here => {
                let (known, _) = self.mailboxes(header);
                known.into_iter().map(|a| mailbox_stop(dest, expires, a)).collect()
            }
        }
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
            Admission::Held(held, spot) => {
                self.tell_submission(work, &held.message, submission, work.now);
                self.seen.take(spot, work)?;
                self.hold_message(work, *held);
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
        let Admitted { message, path, endorsed, stops, spot } = admitted;
        self.seen.take(spot, work)?;
        let copies = u32::try_from(stops.len()).unwrap_or(u32::MAX);
        let beside = approvals_weight(&endorsed.approvals);
        let body = self.place(work, message.salted_body(), copies, beside);
        let lane = message.header().lane();
        self.count_rates(work.now, lane, &stops);
        for Stop { dest, expires, queue, .. } in stops {
            let Endorsed { approvals, releases } = endorsed.clone();
            let (path, body, accepted) = (path.clone(), body.clone(), work.now);
            let custody = Custody { dest, path, expires, accepted, approvals, releases, body };
            self.enqueue(&queue, lane, Held::Message(Message::take(&message, custody)));
        }
        Ok(())
    }

    /// Puts an item into a queue; a peer for which something waits is dialled.
    pub(crate) fn enqueue(&mut self, queue: &QueueId, lane: Lane, held: Held) {
        self.queues.append(queue, lane, held);
        if let QueueId::Outbox(peer) = queue {
            self.meet(peer.clone());
        }
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

fn mailbox_stop(dest: &Ministry, expires: Timestamp, address: Address) -> Stop {
    Stop { dest: dest.clone(), expires, queue: QueueId::Mailbox(address), rate: None }
}

/// True when a message is too late to be taken. A repeat of one that was taken never is: its giver
/// only wants to hear so.
fn is_over(header: &Header, now: Timestamp) -> bool {
    header.expires.is_some_and(|expires| expires <= now)
}
