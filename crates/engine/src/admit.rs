//! Admission: what may be taken into custody, and where it goes from here.
//!
//! `VerifiedMessage → Admitted → custody`. Only this module makes an `Admitted`, and only an
//! `Admitted` is put into a queue.

mod arrival;
mod submission;

use std::collections::BTreeMap;

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Giver, Header, Lane, LogEvent, Ministry, Refusal, Subject, Timestamp, Verdict,
    limits::{
        BODY_BYTES_MAX, CLOCK_SKEW_MAX, MAILBOX_MESSAGES_MAX, MESSAGE_TTL_MAX, OUTBOX_MESSAGES_MAX,
    },
};

use crate::{
    classes::First,
    engine::Engine,
    event::{LinkId, Token},
    held::{Custody, Held, Message},
    holds::{Endorsed, HeldBack},
    judge::{Hop, Ruled, Way},
    receipts::Sent,
    record::{QueueId, approvals_weight},
    ruled::Judged,
    seen::{Spot, Taken},
    statements::StatementId,
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
    ruled: Vec<Ruled>,
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
    /// Taken before.
    Repeat(Box<VerifiedMessage>, Taken),
    /// Genuine, and not taken.
    Denied(Box<Denied>),
    /// Not even read.
    Refused(Refusal),
    Busy,
}

/// A message that is not taken.
struct Denied {
    message: VerifiedMessage,
    path: Vec<Ministry>,
    endorsed: Endorsed,
    refusal: Refusal,
    /// What the rules said, if they were asked.
    ruled: Vec<Ruled>,
}

impl Admission {
    /// Refuses what the rules were not asked about.
    fn deny(message: VerifiedMessage, refusal: Refusal) -> Self {
        Self::deny_ruled(message, refusal, (Vec::new(), Endorsed::default()), Vec::new())
    }

    fn deny_ruled(
        message: VerifiedMessage,
        refusal: Refusal,
        (path, endorsed): (Vec<Ministry>, Endorsed),
        ruled: Vec<Ruled>,
    ) -> Self {
        Self::Denied(Box::new(Denied { message, path, endorsed, refusal, ruled }))
    }
}

/// Who hands over a batch, and on which terms.
pub(crate) struct Source {
    pub(crate) giver: Giver,
    /// Where the verdicts and receipts go.
    pub(crate) token: Token,
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
            let reasons = vec!["the hourly limit for this label is reached".into()];
            let refusal = Refusal { code: Code::RATE_EXCEEDED, reasons };
            let Admitted { message, path, endorsed, ruled, .. } = admitted;
            return Admission::deny_ruled(message, refusal, (path, endorsed), ruled);
        }
        Admission::Admitted(Box::new(admitted))
    }

    /// Takes a message that must wait, if there is room for it.
    fn hold_back(&self, held: HeldBack, spot: Spot) -> Admission {
        match self.may_hold(&held.message, &held.need) {
            Ok(true) => Admission::Held(Box::new(held), spot),
            Ok(false) => Admission::Busy,
            Err(refusal) => {
                let HeldBack { message, path, endorsed, ruled, .. } = held;
                Admission::deny_ruled(message, refusal, (path, endorsed), ruled)
            }
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

    /// Turns the end of an admission into a verdict, taking the message if it was admitted. The log
    /// gets the decisions first, and then what is answered.
    fn conclude(
        &mut self,
        work: &mut Work<'_>,
        source: &Source,
        dest: Option<&Ministry>,
        admission: Admission,
    ) -> Result<Verdict, ViewError> {
        let accepted = Verdict::Accepted { at: work.now, repeat: false };
        match admission {
            Admission::Refused(refusal) => Ok(Verdict::Refused(refusal)),
            Admission::Busy => {
                self.hold_off(source);
                Ok(Verdict::Busy)
            }
            Admission::Repeat(message, Taken { at, said }) => {
                if !self.answer_again(work, said, source.token)? {
                    self.state_taken(work, source, dest, &message);
                }
                Ok(Verdict::Accepted { at, repeat: true })
            }
            Admission::Denied(denied) => {
                let Denied { message, path, endorsed, refusal, ruled } = *denied;
                self.log_ruled(work, source, &message, (&path, &endorsed, ruled), &[]);
                let (to, by) = (recipients(message.header(), dest), (source.token, &source.giver));
                self.answer_refused(work, sent(&message), to, by, &refusal);
                Ok(Verdict::Refused(refusal))
            }
            Admission::Admitted(admitted) => {
                let Admitted { message, path, endorsed, stops, ruled, .. } = &*admitted;
                let basis = (path.as_slice(), endorsed, ruled.clone());
                self.log_ruled(work, source, message, basis, stops);
                let statement = self.state_taken(work, source, dest, message);
                self.take_into_custody(work, *admitted, statement)?;
                Ok(accepted)
            }
            Admission::Held(held, spot) => {
                let HeldBack { message, path, endorsed, ruled, .. } = &*held;
                let basis = (path.as_slice(), endorsed, ruled.clone());
                self.log_ruled(work, source, message, basis, &[]);
                let statement = self.state_taken(work, source, dest, message);
                self.seen.take_pending(spot, statement, work)?;
                self.hold_message(work, *held);
                Ok(accepted)
            }
        }
    }

    /// Notes the decisions on a message that comes in.
    fn log_ruled(
        &mut self,
        work: &mut Work<'_>,
        source: &Source,
        message: &VerifiedMessage,
        (path, endorsed, ruled): (&[Ministry], &Endorsed, Vec<Ruled>),
        stops: &[Stop],
    ) {
        if ruled.is_empty() {
            return;
        }
        let keep = self.retention_of(message.header().label.as_ref());
        let judged = Judged {
            subject: sent(message).subject,
            giver: Some(&source.giver),
            path,
            approvals: &endorsed.approvals,
            first: Some(First::of(message, keep)),
        };
        self.log_decided(work, judged, ruled, stops);
    }

    /// States that a message is taken.
    fn state_taken(
        &self,
        work: &mut Work<'_>,
        source: &Source,
        dest: Option<&Ministry>,
        message: &VerifiedMessage,
    ) -> StatementId {
        let to = recipients(message.header(), dest);
        self.answer_taken(work, sent(message), to, (source.token, &source.giver))
    }

    fn take_into_custody(
        &mut self,
        work: &mut Work<'_>,
        admitted: Admitted,
        statement: StatementId,
    ) -> Result<(), ViewError> {
        let Admitted { message, path, endorsed, stops, spot, .. } = admitted;
        self.seen.take_pending(spot, statement, work)?;
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

    /// Writes how many of a batch the host could not show to be genuine, by reason.
    pub(crate) fn log_turned_away<T>(
        &self,
        work: &mut Work<'_>,
        giver: &Giver,
        items: &[Result<T, Refusal>],
    ) {
        let mut counts: BTreeMap<Code, u32> = BTreeMap::new();
        for refusal in items.iter().filter_map(|item| item.as_ref().err()) {
            let count = counts.entry(refusal.code).or_default();
            *count = count.saturating_add(1);
        }
        for (code, count) in counts {
            work.note(LogEvent::TurnedAway { by: giver.clone(), code, count });
        }
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

/// The recipients that a copy is for: those at one ministry, or all of a submission.
fn recipients<'a>(
    header: &'a Header,
    dest: Option<&'a Ministry>,
) -> impl Iterator<Item = &'a Address> {
    let is_for = move |address: &&Address| dest.is_none_or(|dest| dest == address.ministry());
    header.to.iter().map(|recipient| &recipient.address).filter(is_for)
}

fn sent(message: &VerifiedMessage) -> Sent<'_> {
    let header = message.header();
    let subject = Subject { message: header.id, header: message.leaf() };
    Sent { sender: &header.from, subject }
}

fn mailbox_stop(dest: &Ministry, expires: Timestamp, address: Address) -> Stop {
    Stop { dest: dest.clone(), expires, queue: QueueId::Mailbox(address), rate: None }
}

/// True when a message is too late to be taken. A repeat of one that was taken never is: its giver
/// only wants to hear so.
fn is_over(header: &Header, now: Timestamp) -> bool {
    header.expires.is_some_and(|expires| expires <= now)
}
