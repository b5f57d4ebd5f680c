//! Officers: they look at what waits at their relay, and release it, send it back, or get it wrong.

use std::{sync::Arc, time::Duration};

use kuriiri_engine::{Event, HoldState, PersonRequest, Reply, Resolution, Token};
use kuriiri_merkle::leaf;
use kuriiri_seal::{Signer, VerifiedApproval};
use kuriiri_types::{Digest, Header, MessageId, Ministry, SignedApproval, SpiffeId};
use kuriiri_wire::approval;

use crate::{
    failure::{Check, Failure},
    node::Question,
    planned::Planned,
    rng::Rng,
    sabotage::Sabotage,
    word::{Intent, Seen, Word, given, sign},
    world::World,
};

/// How often an officer comes when all is calm; what nobody has dealt with by then expires.
const CALM_ROUNDS: u32 = 12;
/// Milliseconds from one round of theirs to the next, at most: in a storm, and then.
const STORM_ROUND: u64 = 8000;
const CALM_ROUND: u64 = 15_000;
/// By then they have gone home.
pub(crate) const LAST_ROUNDS_WITHIN: Duration =
    Duration::from_millis(CALM_ROUNDS as u64 * CALM_ROUND + STORM_ROUND);

impl World {
    /// Officers come from the beginning on.
    pub(crate) fn begin_rounds(&mut self) {
        for officer in 0..self.officers.len() {
            let round = Planned::Round { officer, rounds: u32::MAX };
            self.agenda.after(self.rng.between(500, STORM_ROUND), round);
        }
    }

    /// In a calm they come a few times more.
    pub(crate) fn begin_last_rounds(&mut self) {
        for officer in 0..self.officers.len() {
            let round = Planned::Round { officer, rounds: CALM_ROUNDS };
            self.agenda.after(self.rng.between(500, STORM_ROUND), round);
        }
    }

    // === what waits ===

    /// An officer asks what waits.
    pub(crate) fn round(&mut self, officer: usize, rounds: u32) {
        let Some(id) = self.officers.get(officer).map(|signer| signer.id().clone()) else {
            return;
        };
        if rounds == 0 || (self.is_calm && rounds > CALM_ROUNDS) {
            return;
        }
        let wait = if self.is_calm { CALM_ROUND } else { STORM_ROUND };
        let next = Planned::Round { officer, rounds: rounds.saturating_sub(1) };
        let next = if self.is_calm { next } else { Planned::Round { officer, rounds } };
        self.agenda.after(self.rng.between(500, wait), next);
        let relay = id.ministry().clone();
        let token = Token(self.number());
        if let Some(node) = self.nodes.get_mut(&relay).filter(|node| node.is_up()) {
            node.ask(token, Question::Holds(officer));
            self.tell(
                &relay,
                Event::Person { person: id, token, request: PersonRequest::Holds { after: None } },
            );
        }
    }

    /// An officer sees a list, and means to deal with some of it.
    pub(crate) fn on_holds(
        &mut self,
        relay: &Ministry,
        officer: usize,
        holds: Vec<HoldState>,
        more: bool,
    ) -> Check {
        if let Some(node) = self.nodes.get(relay) {
            self.observer.officers_see_what_waits(node, &holds, more)?;
        }
        for state in holds {
            let leaf = leaf(&state.envelope.header);
            if state.needed == 0 || !self.cares(leaf) {
                continue;
            }
            let Some(intent) = self.choose(officer, &state.header) else {
                continue;
            };
            let wait = self.rng.between(50, 3000);
            let what = if self.rng.chance(20) {
                Planned::Ask { officer, message: state.header.id, intent }
            } else {
                let seen = seen(relay, &state);
                Planned::Say { officer, seen: Box::new(seen), intent }
            };
            self.agenda.after(wait, what);
        }
        Ok(())
    }

    /// In a storm officers have no time for everything; some messages nobody ever deals with.
    fn cares(&mut self, leaf: Digest) -> bool {
        let [first, ..] = *leaf.as_bytes();
        first % 8 != 0 && (self.is_calm || self.rng.chance(45))
    }

    fn choose(&mut self, officer: usize, header: &Header) -> Option<Intent> {
        let id = self.officers.get(officer)?.id();
        if header.is_drafted_by(id) {
            return self.rng.chance(20).then_some(Intent::ReleaseOwn);
        }
        Some(if self.is_calm { choose_calmly(&mut self.rng) } else { choose(&mut self.rng) })
    }

    /// An officer asks for one message.
    pub(crate) fn ask_for_hold(&mut self, officer: usize, message: MessageId, intent: Intent) {
        let Some(id) = self.officers.get(officer).map(|signer| signer.id().clone()) else {
            return;
        };
        let relay = id.ministry().clone();
        let token = Token(self.number());
        if let Some(node) = self.nodes.get_mut(&relay).filter(|node| node.is_up()) {
            node.ask(token, Question::Hold(officer, intent));
            self.tell(
                &relay,
                Event::Person { person: id, token, request: PersonRequest::Hold { message } },
            );
        }
    }

    /// An officer sees it, and deals with it.
    pub(crate) fn on_hold(
        &mut self,
        relay: &Ministry,
        officer: usize,
        intent: Intent,
        state: HoldState,
    ) -> Check {
        if let Some(node) = self.nodes.get(relay) {
            self.observer.a_hold_is_shown_as_it_is(node, &state)?;
        }
        if state.needed > 0 {
            let seen = Box::new(seen(relay, &state));
            self.agenda.after(self.rng.between(10, 500), Planned::Say { officer, seen, intent });
        }
        Ok(())
    }

    // === what they say ===

    /// An officer signs, and hands it in if the relay is there; else it is lost.
    pub(crate) fn say(&mut self, officer: usize, seen: &Seen, intent: Intent) -> Check {
        let Some((signer, giver)) = self.hands(officer, intent) else {
            return Ok(());
        };
        let now = self.time_at(&seen.relay);
        let Some(given) = given(&mut self.rng, now, seen, intent, signer.id()) else {
            return Ok(());
        };
        let Some(signed) = sign(&signer, &given) else {
            return Ok(());
        };
        let verified = self.verify_word(signed)?;
        let proof = verified.signed().proof.clone();
        let sent = self.observer.sent.get(&seen.leaf);
        let now = self.now();
        let what = sent.map(|sent| format!("{} of {}", sent.index, sent.system));
        let by = signer.id();
        self.trace.line(now, format_args!("{by} means to {intent:?} {}", what.unwrap_or_default()));
        let relay = &seen.relay;
        if !self.nodes.get(relay).is_some_and(|node| node.is_up()) {
            return Ok(());
        }
        let token = Token(self.number());
        let trusts = self.saboteur.plan == Sabotage::TrustsAnybody;
        let giver = if trusts { by.clone() } else { giver };
        let word = Word { officer: giver.clone(), leaf: seen.leaf, intent };
        let certificates = self.certificates_of(&[proof]);
        if let Some(node) = self.nodes.get_mut(relay) {
            node.ask(token, Question::Word(word));
        }
        let approval = Box::new(verified);
        self.tell(
            relay,
            Event::Person {
                person: giver,
                token,
                request: PersonRequest::Approve { approval, certificates },
            },
        );
        if intent == Intent::Release && self.rng.chance(10) {
            // Whoever does not hear in time says it again; so does who wants to count twice.
            let (seen, wait) = (Box::new(seen.clone()), self.rng.between(1, 400));
            self.agenda.after(wait, Planned::Say { officer, seen, intent });
        }
        Ok(())
    }

    /// Who signs, and who hands it in.
    fn hands(&mut self, officer: usize, intent: Intent) -> Option<(Arc<Signer>, SpiffeId)> {
        let here = Arc::clone(self.officers.get(officer)?);
        let others = self.officers.iter().filter(|o| o.id() != here.id());
        let at_home = |o: &&Arc<Signer>| o.id().ministry() == here.id().ministry();
        let (ours, foreign): (Vec<_>, Vec<_>) = others.cloned().partition(|o| at_home(&o));
        let signer = match intent {
            Intent::Borrow => self.rng.pick(&ours)?,
            Intent::Meddle => self.rng.pick(&foreign)?,
            Intent::Release
            | Intent::ReleaseBriefly
            | Intent::Reject
            | Intent::ReleaseOwn
            | Intent::Miscount
            | Intent::ReleaseEdited
            | Intent::ReleaseTooLate => &here,
        };
        let giver = if intent == Intent::Borrow { here.id() } else { signer.id() };
        Some((Arc::clone(signer), giver.clone()))
    }

    fn verify_word(&self, signed: SignedApproval) -> Result<VerifiedApproval, Failure> {
        let read = |bytes: &bytes::Bytes| approval::decode(bytes);
        self.cast.verifier.approval(signed, read, self.now()).map_err(Failure::setup)
    }

    /// An officer hears what a word came to.
    pub(crate) fn on_word_answered(
        &mut self,
        relay: &Ministry,
        word: &Word,
        reply: &Reply,
    ) -> Check {
        let Word { officer, leaf, intent } = word;
        let now = self.now();
        let Some(node) = self.nodes.get(relay) else {
            return Ok(());
        };
        self.observer.void_words_count_for_nothing(
            !intent.is_void() || matches!(reply, Reply::Refused(_)),
            || format!("{relay}: {officer} can {intent:?} {leaf:?}: {reply:?}"),
        )?;
        let outcome = match reply {
            Reply::Resolved(Resolution::Counted { .. }) => {
                self.observer.counted_words_are_kept(node, *leaf, officer)?;
                "counts".to_owned()
            }
            Reply::Resolved(Resolution::Released) => {
                self.observer.releases_are_made(node, *leaf)?;
                self.released = self.released.saturating_add(1);
                "releases it".to_owned()
            }
            Reply::Resolved(Resolution::Rejected) => {
                self.observer.rejections_are_told(node, *leaf)?;
                "sends it back".to_owned()
            }
            Reply::Refused(refusal) => format!("is refused: {:?}", refusal.code),
            Reply::Verdicts { .. }
            | Reply::Outcome(_)
            | Reply::Status(_)
            | Reply::Holds(..)
            | Reply::Decisions(_)
            | Reply::Witnessed(_)
            | Reply::Erased { .. }
            | Reply::Asides(..)
            | Reply::Fill(_)
            | Reply::AsideActed { .. }
            | Reply::Noted
            | Reply::Hold(_) => {
                return crate::failure::hold("replies_fit_their_questions", false, || {
                    format!("{relay}: {word:?} is answered by {reply:?}")
                });
            }
        };
        self.trace.line(now, format_args!("the word of {officer} {outcome}"));
        Ok(())
    }
}

fn choose(rng: &mut Rng) -> Intent {
    match rng.below(100) {
        0..=66 => Intent::Release,
        67..=72 => Intent::ReleaseBriefly,
        73..=80 => Intent::Reject,
        81..=84 => Intent::Miscount,
        85..=88 => Intent::ReleaseEdited,
        89..=92 => Intent::ReleaseTooLate,
        93..=96 => Intent::Borrow,
        _ => Intent::Meddle,
    }
}

fn choose_calmly(rng: &mut Rng) -> Intent {
    if rng.chance(90) { Intent::Release } else { Intent::Reject }
}

fn seen(relay: &Ministry, state: &HoldState) -> Seen {
    let (header, leaf) = (Arc::clone(&state.header), leaf(&state.envelope.header));
    Seen { relay: relay.clone(), header, leaf, needed: state.needed }
}
