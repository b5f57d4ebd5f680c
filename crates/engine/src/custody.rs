//! What this relay has taken, and what decides where it goes: the state that a message in custody meets.
//!
//! Whoever takes messages in, hands them out or acts on them is a part of its own, and takes custody along.

mod aside;
mod fill;
mod hearing;
mod holding;
mod leaving;
mod officers;
mod receipts;
mod repeats;

use std::{sync::Arc, time::Duration};

use kuriiri_policy::{Obligations, Policy};
use kuriiri_types::{
    Code, Header, Ministry, Refusal, SpiffeId, Timestamp, WireLabel,
    limits::{
        ASIDE_MESSAGES_MAX, CUSTODY_SHARE_BYTES, MAILBOX_MESSAGES_MAX, OUTBOX_MESSAGES_MAX,
        QUEUE_SHARES,
    },
};

pub(crate) use holding::{HeldBack, stricter};

pub(crate) use self::receipts::Heard;
use crate::{
    action::Reply,
    config::{Config, Roster},
    event::{Question, RoomLeft},
    holds::Holds,
    message::Message,
    queues::Queues,
    rates::Rates,
    reader::Reader,
    record::QueueId,
    retention::Retention,
    rules::{Hop, Need, Rules, Ruling, Way, refusal_of_missing},
    seen::{Seen, Taker},
    serials::Serials,
    shares::Payer,
    stating::Failure,
    step::Work,
    stop::Stop,
    turned_away::TurnedAway,
    view::ViewError,
};

use repeats::Repeats;

/// Everything in custody.
pub(crate) struct Custody {
    pub(crate) config: Config,
    pub(crate) rules: Rules,
    pub(crate) queues: Queues,
    /// What waits for people or hours.
    pub(crate) holds: Holds,
    /// What left when, by peer and lane.
    pub(crate) rates: Rates,
    /// What was taken before.
    pub(crate) seen: Seen,
    pub(crate) serials: Serials,
    /// How much room the disk has.
    pub(crate) room: RoomLeft,
    /// What was not even read.
    pub(crate) turned_away: TurnedAway,
    /// What peers stated.
    repeats: Repeats,
    /// By which receipts of peers are remembered.
    taker: Taker,
    /// How long headers with the label of the last message are kept.
    keeps: Option<(Option<WireLabel>, Duration)>,
}

impl Custody {
    /// Takes up what a relay left behind that has now started so often.
    pub(crate) fn restore(
        config: Config,
        starts: u64,
        reader: &Reader<'_>,
    ) -> Result<Self, ViewError> {
        let serials = Serials::of_start(starts);
        let rules = rules(&config, Arc::clone(&config.policy));
        Ok(Self {
            queues: Queues::restore(serials.base(), reader)?,
            holds: Holds::restore(reader)?,
            taker: Taker::named(config.ministry.as_str()),
            config,
            rules,
            rates: Rates::default(),
            seen: Seen::default(),
            room: RoomLeft::Plenty,
            turned_away: TurnedAway::default(),
            repeats: Repeats::default(),
            serials,
            keeps: None,
        })
    }

    /// Writes what is left to write of a step, which is to be committed now.
    pub(crate) fn close(&mut self, work: &mut Work<'_>) {
        self.seen.settle(&mut self.serials, work);
        self.holds.are_committed();
    }

    /// The ministry of this relay.
    pub(crate) fn home(&self) -> &Ministry {
        &self.config.ministry
    }

    /// What would happen to a message that a system could send.
    pub(crate) fn on_asked(&self, now: Timestamp, system: &SpiffeId, question: &Question) -> Reply {
        if self.config.may_use(system, &question.from) {
            Reply::Outcome(self.rules.ask(now, system, question))
        } else {
            Reply::Refused(Refusal::bare(Code::NOT_YOURS))
        }
    }

    /// Decides by these rules from now on.
    pub(crate) fn change_rules(&mut self, policy: Arc<Policy>) {
        self.keeps = None;
        self.rules = rules(&self.config, policy);
        self.holds.look_at_all();
    }

    /// Whether it serves these already.
    pub(crate) fn serves(&self, roster: &Roster) -> bool {
        let Roster { systems, clearances, officers: holders } = roster;
        let config = &self.config;
        config.systems == *systems
            && config.clearances == *clearances
            && config.officers == *holders
    }

    /// Serves these from now on.
    pub(crate) fn change_roster(&mut self, roster: Roster) {
        self.config.systems = roster.systems;
        self.config.clearances = roster.clearances;
        self.config.officers = roster.officers;
        self.change_rules(self.rules.shared_policy());
    }

    /// Headers of messages that come from now on are kept as this says.
    pub(crate) fn change_retention(&mut self, retention: Retention) {
        self.config.retention = retention;
        self.keeps = None;
    }

    /// How long the header of a message with this label is kept beside the log. Messages of a batch
    /// mostly have the same.
    pub(crate) fn retention_of(&mut self, label: Option<&WireLabel>) -> Duration {
        if let Some((known, keep)) = &self.keeps
            && known.as_ref() == label
        {
            return *keep;
        }
        let keep = self.config.retention.of(label, self.rules.policy());
        self.keeps = Some((label.cloned(), keep));
        keep
    }

    /// Why there is no room for a message that goes to these stops, if there is none.
    pub(crate) fn no_room(
        &self,
        (header, path): (&Header, &[Ministry]),
        stops: &[Stop],
    ) -> Option<Refusal> {
        let payer = Payer::of(header, path);
        if self.room == RoomLeft::Tight && self.queues.shares().bytes(&payer) >= CUSTODY_SHARE_BYTES
        {
            let reasons = vec!["the disk is filling up, and as much waits here as may".into()];
            return Some(Refusal { code: Code::SHARE_SPENT, reasons });
        }
        let queue = self.full(stops, &payer)?;
        let is_full = !self.takes_one_more(queue, None);
        let code = if is_full { Code::QUEUE_FULL } else { Code::SHARE_SPENT };
        let reasons = vec![format!("no room for it is left in {queue}")];
        Some(Refusal { code, reasons })
    }

    /// The queue that has no room for a message of this payer, if one of those that it goes to has none.
    pub(crate) fn full<'a>(&self, stops: &'a [Stop], payer: &Payer) -> Option<&'a QueueId> {
        stops.iter().map(|stop| &stop.queue).find(|queue| !self.takes_one_more(queue, Some(payer)))
    }

    /// Whether a queue has room for one more message. Of one that is half full a payer has no more than a part.
    fn takes_one_more(&self, queue: &QueueId, payer: Option<&Payer>) -> bool {
        let Some(bound) = bound_of(queue) else { return true };
        let waiting = self.queues.waiting(queue);
        let has_share = |payer: &Payer| {
            waiting < bound / 2
                || self.queues.shares().messages(queue, payer) < bound / QUEUE_SHARES
        };
        waiting < bound && payer.is_none_or(has_share)
    }

    /// The queues that a copy for one ministry goes to: at its end the mailboxes that there are.
    pub(crate) fn stops(
        &self,
        now: Timestamp,
        header: &Header,
        dest: &Ministry,
        way: &Way,
    ) -> Vec<Stop> {
        let (expires, rate) = (self.rules.lifetime(now, header, way), way.terms.rate_per_hour);
        match &way.hop {
            Hop::Peer(peer) => {
                let queue = QueueId::Outbox(peer.clone());
                vec![Stop { dest: dest.clone(), expires, queue, rate }]
            }
            Hop::Here => {
                let (known, _) = self.config.mailboxes(header);
                known.into_iter().map(|a| Stop::mailbox(dest, expires, a)).collect()
            }
        }
    }

    /// Whether a message in custody may still go on: to a peer, or into the hands of a system.
    pub(crate) fn may_go(
        &self,
        now: Timestamp,
        message: &Message,
        next: Option<&Ministry>,
    ) -> Ruling<Box<Obligations>, Failure> {
        let parcel = message.parcel();
        if parcel.expires <= now {
            return Ruling::End(Failure::expired());
        }
        match self.rules.still_allows(now, &message.case(), next) {
            Ruling::Go(terms) => Ruling::Go(Box::new(terms)),
            // A mailbox is no place to wait for people: they have had their say.
            Ruling::Wait(Need::People(missing)) if next.is_none() => {
                Ruling::End(Failure::refused(refusal_of_missing(&missing)))
            }
            Ruling::Wait(need) => Ruling::Wait(need),
            Ruling::End(refusal) => Ruling::End(Failure::refused(refusal)),
        }
    }
}

/// How many messages may wait in a queue; nothing where receipts wait, of which the oldest go.
fn bound_of(queue: &QueueId) -> Option<u64> {
    match queue {
        QueueId::Outbox(_) => Some(OUTBOX_MESSAGES_MAX),
        QueueId::Mailbox(_) => Some(MAILBOX_MESSAGES_MAX),
        QueueId::MailboxAside(_) | QueueId::OutboxAside(_) => Some(ASIDE_MESSAGES_MAX),
        QueueId::Receipts(_) => None,
    }
}

fn rules(config: &Config, policy: Arc<Policy>) -> Rules {
    Rules::new(policy, config.ministry.clone(), &config.clearances)
}
