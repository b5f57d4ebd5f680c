//! Messages from the relays of peers.

use kuriiri_seal::{VerifiedApproval, VerifiedMessage};
use kuriiri_types::{
    ApprovalAct, Code, Giver, Header, Lane, Ministry, Refusal, Verdict, limits::HOPS_MAX,
};

use super::{Admission, Admitted, Source, is_over, sent};
use crate::{
    engine::Engine,
    event::Arrival,
    held::Release,
    holds::{Endorsed, HEADER_AND_APPROVALS_BYTES_MAX, HeldBack},
    judge::{Case, Hop, Ruling},
    receipts::Negative,
    record::approvals_weight,
    seen::{Spot, Taker},
    view::ViewError,
    work::Work,
};

impl Engine {
    /// Takes a peer's messages.
    pub(crate) fn on_arrived(
        &mut self,
        work: &mut Work<'_>,
        source: &Source,
        parcels: Vec<Result<Arrival, Refusal>>,
    ) -> Result<Vec<Verdict>, ViewError> {
        let Giver::Peer(peer) = &source.giver else {
            return Ok(Vec::new());
        };
        self.log_turned_away(work, &source.giver, &parcels);
        let mut verdicts = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let dest = parcel.as_ref().ok().map(|arrival| arrival.dest.clone());
            let admission = match parcel {
                _ if self.is_held_off(source) => Admission::Busy,
                Ok(arrival) => self.admit_arrival(work, peer, source.lane, arrival)?,
                Err(refusal) => Admission::Refused(refusal),
            };
            verdicts.push(match self.conclude(work, source, dest.as_ref(), admission)? {
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
        let Arrival { message, dest, path, approvals } = arrival;
        let header = message.header();
        let form = self
            .check_form(work.now, header, lane)
            .and_then(|()| self.check_path(header, &dest, &path, peer));
        if let Err(refusal) = form {
            return Ok(Admission::deny(message, refusal));
        }
        let spot = Spot::new(header.id.time(), &message.leaf(), Taker::named(dest.as_str()));
        if let Some(taken) = self.seen.taken(spot, &work.reader)? {
            return Ok(Admission::Repeat(Box::new(message), taken));
        }
        if is_over(header, work.now) {
            return Ok(Admission::deny(message, Refusal::bare(Code::EXPIRED)));
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
        self.decided.note(work.now, message.shared_header(), &case);
        let (ruling, ruled) = self.judge.decide(work.now, &case);
        let ruled = vec![ruled];
        match ruling {
            Ruling::End(refusal) => {
                Ok(Admission::deny_ruled(message, refusal, (path, endorsed), ruled))
            }
            Ruling::Wait(need) => {
                let expires = self.judge.deadline(work.now, &case);
                let dests = vec![dest];
                let held = HeldBack { message, dests, path, endorsed, need, expires, ruled };
                Ok(self.hold_back(held, spot))
            }
            Ruling::Go(way) => {
                let stops = self.stops(work.now, header, &dest, &way);
                if stops.is_empty() {
                    let refusal = Refusal::bare(Code::UNKNOWN_RECIPIENT);
                    return Ok(Admission::deny_ruled(message, refusal, (path, endorsed), ruled));
                }
                let arrived = way.hop == Hop::Here;
                let admitted = Admitted { message, path, endorsed, stops, spot, ruled };
                let admission = self.with_room(work.now, lane, admitted);
                if let (true, Admission::Admitted(admitted)) = (arrived, &admission) {
                    self.tell_unknown(work, &admitted.message);
                }
                Ok(admission)
            }
        }
    }

    /// If only some of a message's recipients are known, the others are refused one by one, once
    /// it is sure that it is taken, for the rest of the message is welcome.
    fn tell_unknown(&self, work: &mut Work<'_>, message: &VerifiedMessage) {
        let (_, unknown) = self.mailboxes(message.header());
        let why = Negative::refused(Refusal::bare(Code::UNKNOWN_RECIPIENT));
        if !unknown.is_empty() {
            self.tell_negative(work, sent(message), &unknown, &why);
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
}

impl Endorsed {
    /// The approvals that are of this message. Others came along by mistake or malice.
    fn of(message: &VerifiedMessage, approvals: Vec<VerifiedApproval>) -> Self {
        let mut endorsed = Self::default();
        for approval in approvals {
            let releases = approval.approval().act == ApprovalAct::Release;
            if releases && approval.check(message.header(), message.leaf()).is_ok() {
                endorsed.releases.push(Release::from(approval.approval()));
                endorsed.approvals.push(approval.into_parts().1);
            }
        }
        endorsed
    }

    /// True when a stored value has room for them beside the header.
    fn fits(&self, message: &VerifiedMessage) -> bool {
        let header = message.envelope().header.len();
        header + approvals_weight(&self.approvals) <= HEADER_AND_APPROVALS_BYTES_MAX
    }
}
