//! The way in: what may be taken into custody, and where it goes from here.
//!
//! `VerifiedMessage → Admitted → custody`. Only this module makes an `Admitted`, and only an
//! `Admitted` is put into a queue.

mod admission;
mod arrival;
mod denials;
mod submission;

use std::collections::{HashMap, HashSet};

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Fingerprint, Giver, Header, Lane, Ministry, Refusal, SpiffeId, Subject, Verdict,
};

use crate::{
    action::{Reply, WitnessAnswer},
    classes::First,
    custody::{Custody, HeldBack},
    decisions::Judged,
    endorsed::Endorsed,
    event::{Event, LinkId, RoomLeft, Token},
    message::{Keeping, Message},
    queued::Queued,
    recent::Recent,
    record::{Certificate, approvals_weight},
    rules::Ruled,
    seen::{Known, Taken},
    shares::Payer,
    statements::StatementId,
    stating::Sent,
    step::Work,
    stop::Stop,
    view::ViewError,
};
use admission::{Admission, Admitted, Denied};
use denials::Denials;

/// Certificates that are known to be kept, 32 bytes each. When there are more, each may be kept once
/// more.
const CERTIFICATES_KNOWN_MAX: usize = 65_536;

/// Who hands over a batch, and on which terms.
pub(crate) struct Source {
    pub(crate) giver: Giver,
    /// Where the verdicts and receipts go.
    pub(crate) token: Token,
    pub(crate) link: LinkId,
    pub(crate) lane: Lane,
    pub(crate) epoch: u32,
}

/// What came in of late.
#[derive(Default)]
pub(crate) struct Intake {
    /// The epoch in which a source was told that a queue or the disk is full.
    pushed_back: HashMap<(LinkId, Lane), u32>,
    /// Certificates that this run has kept.
    certificates: HashSet<Fingerprint>,
    /// Certificates that came with the batch in hand.
    offered: HashMap<Fingerprint, Certificate>,
    /// What was decided on.
    recent: Recent,
    /// Bytes that may be written about what is denied.
    denials: Denials,
}

impl Intake {
    /// Gives an event back that may go on. What a giver hands over while there is too little room for it is
    /// answered here: the giver keeps it and comes again, and nothing is written, not even what is wrong with it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only what comes in and stays is turned back"
    )]
    pub(crate) fn let_in(
        &mut self,
        custody: &Custody,
        work: &mut Work<'_>,
        event: Event,
    ) -> Option<Event> {
        if custody.room != RoomLeft::Scarce {
            return Some(event);
        }
        match event {
            Event::Arrived { link, token, lane, epoch, parcels, .. } => {
                self.pushed_back.insert((link, lane), epoch);
                work.answer_batch(token, vec![Verdict::Busy; parcels.len()]);
            }
            Event::Submitted { link, token, lane, epoch, messages, .. } => {
                self.pushed_back.insert((link, lane), epoch);
                work.answer_batch(token, vec![Verdict::Busy; messages.len()]);
            }
            Event::ReceiptsArrived { token, receipts, .. } => {
                work.answer_batch(token, vec![Verdict::Busy; receipts.len()]);
            }
            Event::CheckpointShown { token, .. } => {
                let refusal = WitnessAnswer::Refused(Refusal::bare(Code::BUSY));
                work.answer(token, Reply::Witnessed(refusal));
            }
            other => return Some(other),
        }
        None
    }

    /// The last decisions, newest first, as the rules in force have them.
    pub(crate) fn on_decisions_asked(
        &self,
        custody: &Custody,
        person: &SpiffeId,
        limit: usize,
    ) -> Reply {
        if !custody.config.is_ours(person) {
            return Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER));
        }
        Reply::Decisions(self.recent.records(&custody.rules, limit))
    }

    /// Hears which certificates come with a batch.
    fn offer(&mut self, certificates: Vec<Certificate>) {
        let named = certificates.into_iter().map(|offered| (offered.fingerprint, offered));
        self.offered = named.collect();
    }

    /// Keeps certificates, each once in a run: what they signed is committed with them or after them.
    pub(crate) fn keep(&mut self, work: &mut Work<'_>, certificates: Vec<Certificate>) {
        for certificate in certificates {
            if self.certificates.len() >= CERTIFICATES_KNOWN_MAX {
                self.certificates.clear();
            }
            if self.certificates.insert(certificate.fingerprint) {
                work.keep(certificate);
            }
        }
    }

    /// Forgets what a source on this connection was told.
    pub(crate) fn link_is_gone(&mut self, link: LinkId) {
        self.pushed_back.retain(|(known, _), _| *known != link);
    }

    /// True when this source was told in this epoch that a queue or the disk is full: what it had under way
    /// behind that message must not overtake it.
    fn is_pushed_back(&self, source: &Source) -> bool {
        self.pushed_back.get(&(source.link, source.lane)) == Some(&source.epoch)
    }

    fn push_back(&mut self, source: &Source) {
        self.pushed_back.insert((source.link, source.lane), source.epoch);
    }

    /// Turns the end of an admission into a verdict, taking the message if it was admitted. The log
    /// gets the decisions first, and then what is answered.
    fn conclude(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        source: &Source,
        dest: Option<&Ministry>,
        admission: Admission,
    ) -> Result<Verdict, ViewError> {
        let accepted = Verdict::Accepted { at: work.now, repeat: false };
        match admission {
            Admission::Refused(refusal) => Ok(Verdict::Refused(refusal)),
            Admission::Later(code) => Ok(Verdict::Later(code)),
            Admission::Busy => {
                self.push_back(source);
                Ok(Verdict::Busy)
            }
            Admission::Repeat(message, Taken { at, said }) => {
                if !work.answer_again(said, source.token)? {
                    state_taken(work, source, dest, &message);
                }
                Ok(Verdict::Accepted { at, repeat: true })
            }
            Admission::Denied(denied) => self.deny(custody, work, source, dest, *denied),
            Admission::Admitted(admitted) => {
                let Admitted { message, path, endorsed, stops, ruled, .. } = &*admitted;
                self.keep_signers(work, message, endorsed);
                let basis = (path.as_slice(), endorsed, ruled.clone());
                log_ruled(custody, work, source, message, basis, stops);
                let statement = state_taken(work, source, dest, message);
                take_into_custody(custody, work, *admitted, statement)?;
                Ok(accepted)
            }
            Admission::ToHold(back, spot) => {
                let HeldBack { message, path, endorsed, ruled, .. } = &*back;
                self.keep_signers(work, message, endorsed);
                let basis = (path.as_slice(), endorsed, ruled.clone());
                log_ruled(custody, work, source, message, basis, &[]);
                let statement = state_taken(work, source, dest, message);
                custody.seen.take_pending(spot, statement, work)?;
                custody.hold_message(work, *back);
                Ok(accepted)
            }
        }
    }
}

impl Intake {
    /// Refuses a message. The log says so once, however often the message comes while the same is decided on it,
    /// and says no more than how many there were when its payer has had too much written about such messages.
    fn deny(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        source: &Source,
        dest: Option<&Ministry>,
        denied: Denied,
    ) -> Result<Verdict, ViewError> {
        let Denied { message, path, endorsed, refusal, ruled } = denied;
        let spot = denials::spot(work, (message.header(), message.leaf()), dest, refusal.code);
        let known = custody.seen.known(spot, &Payer::of(message.header(), &path), work)?;
        if let Known::Taken(taken) = known
            && work.answer_again(taken.said, source.token)?
        {
            return Ok(Verdict::Refused(refusal));
        }
        let is_cheap = known != Known::NotNow;
        if !is_cheap || !self.denials.may_be_written(work.now, &message, &path) {
            custody.turned_away.count(work, &source.giver, refusal.code);
            return Ok(Verdict::Refused(refusal));
        }
        if !ruled.is_empty() {
            self.keep_signers(work, &message, &endorsed);
        }
        log_ruled(custody, work, source, &message, (&path, &endorsed, ruled), &[]);
        let (to, by) = (recipients(message.header(), dest), (source.token, &source.giver));
        let statement = work.answer_refused(sent(&message), to, by, &refusal);
        custody.seen.take_pending(spot, statement, work)?;
        Ok(Verdict::Refused(refusal))
    }

    /// Keeps the certificates of those who signed something of a message that the log is to name. Others that came
    /// along are not kept: nobody fills a disk with certificates.
    fn keep_signers(
        &mut self,
        work: &mut Work<'_>,
        message: &VerifiedMessage,
        endorsed: &Endorsed,
    ) {
        let approvals = endorsed.approvals.iter().map(|signed| signed.proof.signer);
        let signers = approvals.chain([message.envelope().proof.signer]);
        let kept = signers.filter_map(|signer| self.offered.remove(&signer)).collect();
        self.keep(work, kept);
    }
}

/// Notes the decisions on a message that comes in.
fn log_ruled(
    custody: &mut Custody,
    work: &mut Work<'_>,
    source: &Source,
    message: &VerifiedMessage,
    (path, endorsed, ruled): (&[Ministry], &Endorsed, Vec<Ruled>),
    stops: &[Stop],
) {
    if ruled.is_empty() {
        return;
    }
    let keep = custody.retention_of(message.header().label.as_ref());
    let judged = Judged {
        subject: sent(message).subject,
        giver: Some(&source.giver),
        path,
        approvals: &endorsed.approvals,
        first: Some(First::of(message, keep)),
    };
    custody.rules.log_decided(work, judged, ruled, stops);
}

/// States that a message is taken.
fn state_taken(
    work: &mut Work<'_>,
    source: &Source,
    dest: Option<&Ministry>,
    message: &VerifiedMessage,
) -> StatementId {
    let to = recipients(message.header(), dest);
    work.answer_taken(sent(message), to, (source.token, &source.giver))
}

fn take_into_custody(
    custody: &mut Custody,
    work: &mut Work<'_>,
    admitted: Admitted,
    statement: StatementId,
) -> Result<(), ViewError> {
    let Admitted { message, path, endorsed, stops, spot, .. } = admitted;
    custody.seen.take_pending(spot, statement, work)?;
    let copies = u32::try_from(stops.len()).unwrap_or(u32::MAX);
    let beside = approvals_weight(&endorsed.approvals);
    let body = custody.serials.place(work, message.salted_body(), copies, beside);
    let lane = message.header().lane();
    custody.rates.count(work.now, (lane, message.header().from.ministry()), &stops);
    for Stop { dest, expires, queue, .. } in stops {
        let Endorsed { approvals, releases } = endorsed.clone();
        let (path, body, accepted) = (path.clone(), body.clone(), work.now);
        let keeping = Keeping { dest, path, expires, accepted, approvals, releases, body };
        custody.queues.append(&queue, lane, Queued::Message(Message::take(&message, keeping)));
    }
    Ok(())
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
