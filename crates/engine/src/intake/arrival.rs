//! Messages from the relays of peers.

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Code, Giver, Header, Lane, Ministry, Refusal, Verdict, limits::HOPS_MAX,
};

use super::{
    Intake, Source,
    admission::{Admission, Admitted, check_form, check_time},
    sent,
};
use crate::{
    case::Case,
    custody::{Custody, HeldBack},
    endorsed::Endorsed,
    event::Arrival,
    record::Certificate,
    rules::{Hop, Rules, Ruling},
    seen::{Known, Spot, Taker},
    shares::Payer,
    stating::Failure,
    step::Work,
    stop::Stop,
    view::ViewError,
};

impl Intake {
    /// Takes a peer's messages.
    pub(crate) fn on_arrived(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        source: &Source,
        (parcels, certificates): (Vec<Result<Arrival, Refusal>>, Vec<Certificate>),
    ) -> Result<(), ViewError> {
        let Giver::Peer(peer) = &source.giver else {
            return Ok(());
        };
        self.offer(certificates);
        custody.turned_away.note(work, &source.giver, &parcels);
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let dest = parcel.as_ref().ok().map(|arrival| arrival.dest.clone());
            let admission = match parcel {
                _ if self.is_pushed_back(source) => Admission::Busy,
                Ok(arrival) => self.admit_arrival(custody, work, peer, source.lane, arrival)?,
                // A fault of one's own ends nobody's message.
                Err(refusal) if refusal.code == Code::TRUST_LAPSED => {
                    Admission::Later(refusal.code)
                }
                Err(refusal) => Admission::Refused(refusal),
            };
            let verdict = self.conclude(custody, work, source, dest.as_ref(), admission)?;
            verdicts.push(match verdict {
                Verdict::Refused(refusal) => Verdict::Refused(refusal.coarse()),
                other @ (Verdict::Accepted { .. } | Verdict::Busy | Verdict::Later(_)) => other,
            });
        }
        work.answer_batch(source.token, verdicts);
        Ok(())
    }

    fn admit_arrival(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        peer: &Ministry,
        lane: Lane,
        arrival: Arrival,
    ) -> Result<Admission, ViewError> {
        let Arrival { message, dest, path, approvals } = arrival;
        let header = message.header();
        let form = check_form(header, lane)
            .and_then(|()| check_path(custody.home(), header, &dest, (&path, peer)))
            .and_then(|()| check_links(&custody.rules, &path));
        if let Err(refusal) = form {
            return Ok(Admission::deny(message, refusal));
        }
        let spot = Spot::new(header.id.time(), &message.leaf(), Taker::named(dest.as_str()));
        match custody.seen.known(spot, &Payer::of(header, &path), work)? {
            Known::Taken(taken) => return Ok(Admission::Repeat(Box::new(message), taken)),
            Known::NotNow => return Ok(Admission::Later(Code::BUSY)),
            Known::New => {}
        }
        if let Err(refusal) = check_time(work.now, header) {
            if refusal.code == Code::NOT_YET {
                return Ok(Admission::Later(refusal.code));
            }
            return Ok(Admission::deny(message, refusal));
        }
        let endorsed = Endorsed::of(&message, approvals);
        if !endorsed.fits(&message) {
            return Ok(Admission::deny(message, Refusal::bare(Code::TOO_BIG)));
        }
        let case = Case {
            header,
            subject: message.leaf(),
            dest: &dest,
            path: &path,
            releases: &endorsed.releases,
            submitter: None,
        };
        self.recent.note(work.now, message.shared_header(), &case);
        let (ruling, ruled) = custody.rules.rule_on(work.now, &case);
        let ruled = vec![ruled];
        match ruling {
            Ruling::End(refusal) => {
                Ok(Admission::deny_ruled(message, refusal, (path, endorsed), ruled))
            }
            Ruling::Wait(need) => {
                let expires = custody.rules.deadline(work.now, &case);
                let dests = vec![dest];
                let back = HeldBack { message, dests, path, endorsed, need, expires, ruled };
                Ok(Admission::hold_back(custody, back, spot))
            }
            Ruling::Go(way) => {
                let stops = custody.stops(work.now, header, &dest, &way);
                if stops.is_empty() {
                    let refusal = Refusal::bare(Code::UNKNOWN_RECIPIENT);
                    return Ok(Admission::deny_ruled(message, refusal, (path, endorsed), ruled));
                }
                let arrived = way.hop == Hop::Here;
                let (stops, full) = with_room(custody, (header, &path), stops);
                let admitted = Admitted { message, path, endorsed, stops, spot, ruled };
                let admission = Admission::with_room(custody, work.now, lane, admitted);
                if let (true, Admission::Admitted(admitted)) = (arrived, &admission) {
                    tell_unknown(custody, work, &admitted.message);
                    tell_full(work, &admitted.message, full);
                }
                Ok(admission)
            }
        }
    }
}

/// The mailboxes that have room for a message, and those that have none, with why. When none has, they are all
/// given as if they had: then the message as a whole is refused.
fn with_room(
    custody: &Custody,
    (header, path): (&Header, &[Ministry]),
    stops: Vec<Stop>,
) -> (Vec<Stop>, Vec<(Address, Refusal)>) {
    let (mut room, mut full) = (Vec::with_capacity(stops.len()), Vec::new());
    for stop in stops {
        match (custody.no_room((header, path), std::slice::from_ref(&stop)), stop.queue.recipient())
        {
            (Some(refusal), Some(address)) => full.push((address.clone(), refusal, stop)),
            (None, _) | (Some(_), None) => room.push(stop),
        }
    }
    if room.is_empty() {
        return (full.into_iter().map(|(_, _, stop)| stop).collect(), Vec::new());
    }
    (room, full.into_iter().map(|(address, refusal, _)| (address, refusal)).collect())
}

/// A mailbox that is full answers for itself: the rest of the message is welcome.
fn tell_full(work: &mut Work<'_>, message: &VerifiedMessage, full: Vec<(Address, Refusal)>) {
    for (address, refusal) in full {
        work.tell_negative(sent(message), [&address], &Failure::refused(refusal));
    }
}

/// If only some of a message's recipients are known, the others are refused one by one, once
/// it is sure that it is taken, for the rest of the message is welcome.
fn tell_unknown(custody: &Custody, work: &mut Work<'_>, message: &VerifiedMessage) {
    let (_, unknown) = custody.config.mailboxes(message.header());
    let why = Failure::refused(Refusal::bare(Code::UNKNOWN_RECIPIENT));
    if !unknown.is_empty() {
        work.tell_negative(sent(message), &unknown, &why);
    }
}

/// Each relay on the way that a message says it came is a member, and has a link with the one after it.
fn check_links(rules: &Rules, path: &[Ministry]) -> Result<(), Refusal> {
    rules.is_way(path).then_some(()).ok_or(Refusal::bare(Code::NO_ROUTE))
}

/// The way a message says it came must fit its header and the certificate of the peer.
fn check_path(
    home: &Ministry,
    header: &Header,
    dest: &Ministry,
    (path, peer): (&[Ministry], &Ministry),
) -> Result<(), Refusal> {
    let fits = path.first() == Some(header.from.ministry())
        && path.last() == Some(peer)
        && path.len() < HOPS_MAX
        && !path.contains(home)
        && header.recipients_at(dest).next().is_some();
    fits.then_some(()).ok_or(Refusal::bare(Code::MALFORMED))
}
