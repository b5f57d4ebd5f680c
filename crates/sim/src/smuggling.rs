//! A hostile origin: it hands over what its officers have not released.

use kuriiri_engine::{Event, LinkId};
use kuriiri_types::{Ministry, SignedApproval};

use crate::{
    batches::Giver,
    judgement::officers_at_least,
    network::{Caller, Cargo, Parcel},
    sender::Sent,
    word::{Intent, Seen, given, sign},
    world::World,
};

/// What a smuggler shows instead of enough releases. Only what all of them come short of.
const PRETENCES: [&[Intent]; 6] = [
    &[],
    &[Intent::ReleaseOwn],
    &[Intent::ReleaseEdited, Intent::ReleaseEdited],
    &[Intent::ReleaseTooLate, Intent::ReleaseTooLate],
    &[Intent::Meddle, Intent::Meddle],
    &[Intent::Reject, Intent::Reject],
];
/// The same person twice, which is one too few where two are needed.
const TWICE: &[Intent] = &[Intent::Release, Intent::ReleaseBriefly];

impl World {
    /// The relay of a message's origin skips its officers, and hands it over with what it has.
    pub(crate) fn smuggle(&mut self) {
        let secret = |sent: &&std::sync::Arc<Sent>| officers_at_least(sent) > 0;
        let secrets: Vec<_> = self.observer.sent.values().filter(secret).cloned().collect();
        let Some(message) = self.rng.pick(&secrets).cloned() else {
            return;
        };
        let origin = message.header.from.ministry().clone();
        let mut dests = message.header.destinations();
        dests.retain(|dest| *dest != origin);
        let Some(dest) = self.rng.pick(&dests).cloned() else {
            return;
        };
        let approvals = self.pretend(&message, &origin);
        let (index, count) = (message.index, approvals.len());
        self.trace.line(
            self.agenda.now(),
            format_args!("{origin} smuggles {index} to {dest} with {count} approvals"),
        );
        let (path, envelope) = (vec![origin.clone()], message.envelope.clone());
        let body = message.body.clone();
        let parcel = Parcel { dest: dest.clone(), path, envelope, approvals, body };
        let link = LinkId(self.number());
        let giver = Giver { caller: Caller::Relay(origin), link, lane: message.header.lane() };
        self.repeat(giver, &dest, Cargo::Parcels(0, vec![parcel]));
        let problem = "it was a smuggler".to_owned();
        self.tell(&dest, Event::LinkDown { peer: None, link, problem });
    }

    fn pretend(&mut self, message: &Sent, origin: &Ministry) -> Vec<SignedApproval> {
        let two = officers_at_least(message) > 1;
        let intents = self.rng.pick(&PRETENCES).copied().unwrap_or_default();
        let intents = if two && self.rng.chance(30) { TWICE } else { intents };
        let first = self.rng.below(u64::MAX);
        let mut approvals = Vec::new();
        for (place, intent) in (0u64..).zip(intents) {
            // One and the same person, or one after the other.
            let person = if intents == TWICE { first } else { first.wrapping_add(place) };
            approvals.extend(self.pretence(message, origin, *intent, person));
        }
        approvals
    }

    fn pretence(
        &mut self,
        message: &Sent,
        origin: &Ministry,
        intent: Intent,
        person: u64,
    ) -> Option<SignedApproval> {
        let fits = |id: &kuriiri_types::SpiffeId| match intent {
            Intent::Meddle => id.ministry() != origin,
            Intent::ReleaseOwn => message.header.is_drafted_by(id),
            Intent::Release
            | Intent::ReleaseBriefly
            | Intent::Reject
            | Intent::Miscount
            | Intent::ReleaseEdited
            | Intent::ReleaseTooLate
            | Intent::Borrow => id.ministry() == origin,
        };
        let signers: Vec<_> = self.officers.iter().filter(|o| fits(o.id())).cloned().collect();
        let place = person.checked_rem(signers.len() as u64)?;
        let signer = signers.get(usize::try_from(place).ok()?)?;
        let needed = u32::try_from(officers_at_least(message)).ok()?;
        let seen = Seen::of(message, needed);
        let now = self.time_at(origin);
        sign(signer, &given(&mut self.rng, now, &seen, intent, signer.id())?)
    }
}
