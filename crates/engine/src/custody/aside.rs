//! Messages that are set aside: nobody could accept them or hand them on, and nothing behind them waits for
//! that. People give them out again or refuse them.

use std::sync::Arc;

use kuriiri_types::{
    Code, Fault, Giver, Lane, LogEvent, MessageId, Refusal, SpiffeId,
    limits::{ASIDE_REASON_BYTES_MAX, PACK_MESSAGES_MAX},
};

use crate::{
    action::{AsideState, Reply},
    custody::Custody,
    event::{AsideDeed, AsidePlace},
    loaded::Loaded,
    message::Message,
    queued::Queued,
    record::{Aside, PackKey, QueueId, Seq},
    shares::Payer,
    stating::{Failure, Sent},
    step::Work,
    view::ViewError,
};

/// Copies that go on or end in one step; more wait to be asked for again.
const ACTS_PER_STEP_MAX: u32 = 256;

// === into it ===

impl Custody {
    /// Sets a message aside that cannot leave its queue as it should, and tells its sender. The caller ends it
    /// there. False when it has to stay: there is no room for more, and it is not the sender's fault.
    pub(crate) fn set_aside(
        &mut self,
        work: &mut Work<'_>,
        (queue, lane): (&QueueId, Lane),
        message: &Message,
        (why, by): (&Refusal, Option<Giver>),
    ) -> bool {
        let Some(aside) = queue.aside() else { return false };
        let why = in_short(why);
        if !self.takes_one_more(&aside, Some(&Payer::of_message(message))) {
            let is_senders = why.code.fault() == Fault::Sender;
            if is_senders {
                self.withdraw(work, queue, message, &Failure::refused(why));
            }
            return is_senders;
        }
        let sent = Sent::from(message);
        match queue.recipient() {
            Some(address) => work.tell_aside(sent, [address], &why, by),
            None => work.tell_aside(sent, message.recipients(), &why, by),
        }
        let since = work.now;
        self.put(work, (&aside, lane), message.with_aside(Some(Aside { since, why })));
        true
    }

    /// Puts a message at the end of another queue than the one that it stands in, which the caller ends it in.
    fn put(&mut self, work: &mut Work<'_>, (queue, lane): (&QueueId, Lane), message: Arc<Message>) {
        work.commit.retained.extend(message.parcel().body.reference());
        self.queues.append(queue, lane, Queued::Message(message));
    }
}

/// What is kept of a reason: it stands with its message in a pack.
fn in_short(why: &Refusal) -> Refusal {
    let cut = |reason: &String| {
        let end = reason.floor_char_boundary(ASIDE_REASON_BYTES_MAX);
        reason.get(..end).unwrap_or_default().to_owned()
    };
    Refusal { code: why.code, reasons: why.reasons.first().map(cut).into_iter().collect() }
}

// === what is there, and out of it ===

impl Custody {
    /// Lists what is set aside, from behind a place on.
    pub(crate) fn on_asides_asked(
        &self,
        work: &Work<'_>,
        person: &SpiffeId,
        (after, most): (Option<&AsidePlace>, usize),
    ) -> Result<Reply, ViewError> {
        if !self.config.is_ours(person) {
            return Ok(Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER)));
        }
        let mut found = Vec::new();
        for (queue, lane) in self.aside_lanes() {
            let Some(start) = start_behind(after, &queue, lane) else { continue };
            let mut from = start.saturating_sub(PACK_MESSAGES_MAX as u64);
            while let Some((first, on_disk)) =
                self.queues.next_pack(&queue, lane, from, &work.reader)?
            {
                for (seq, message) in self.aside_in((&queue, lane), first, on_disk.as_ref()) {
                    if seq < start {
                        continue;
                    }
                    if found.len() == most {
                        return Ok(Reply::Asides(found, true));
                    }
                    let place = AsidePlace { queue: queue.clone(), lane, seq };
                    found.extend(AsideState::of(place, &message));
                }
                from = first.saturating_add(1);
            }
        }
        Ok(Reply::Asides(found, false))
    }

    /// Has messages go on or end that are set aside: all copies of one, or of all.
    pub(crate) fn on_aside_act(
        &mut self,
        work: &mut Work<'_>,
        person: &SpiffeId,
        (message, deed): (Option<MessageId>, AsideDeed),
    ) -> Result<Reply, ViewError> {
        if !self.config.is_ours(person) {
            return Ok(Reply::Refused(Refusal::bare(Code::NOT_AN_OFFICER)));
        }
        let mut act = Act { message, deed, done: 0, is_full: false };
        for (queue, lane) in self.aside_lanes() {
            let mut from = 0;
            while act.done < ACTS_PER_STEP_MAX
                && let Some((first, on_disk)) =
                    self.queues.next_pack(&queue, lane, from, &work.reader)?
            {
                let key = PackKey { queue: queue.clone(), lane, first };
                work.ended_on_disk |=
                    self.end_where(work, &key, on_disk, &mut |custody, work, (_, item)| {
                        act.carry_out(custody, work, (&queue, lane), item)
                    });
                from = first.saturating_add(1);
            }
        }
        if act.is_full && act.done == 0 {
            let reasons = vec!["the queue that it was taken out of is full".into()];
            return Ok(Reply::Refused(Refusal { code: Code::BUSY, reasons }));
        }
        if act.done > 0 {
            let what = act.what();
            work.note(LogEvent::Acted { by: person.clone(), what });
        }
        Ok(Reply::AsideActed { messages: act.done, more: act.done == ACTS_PER_STEP_MAX })
    }

    /// The lanes of all queues of what is set aside, mailboxes first.
    fn aside_lanes(&self) -> Vec<(QueueId, Lane)> {
        let lanes = self.queues.names().filter(|queue| queue.origin().is_some());
        lanes.flat_map(|queue| Lane::BY_URGENCY.map(|lane| (queue.clone(), lane))).collect()
    }

    /// What waits of a pack, in memory or on disk.
    fn aside_in(
        &self,
        (queue, lane): (&QueueId, Lane),
        first: Seq,
        on_disk: Option<&Loaded>,
    ) -> Vec<(Seq, Arc<Message>)> {
        let message = |(seq, item): (Seq, &Queued)| match item {
            Queued::Message(message) => Some((seq, Arc::clone(message))),
            Queued::Receipt(_) => None,
        };
        match on_disk {
            Some(pack) => pack.open(first).filter_map(message).collect(),
            None => {
                let lane = self.queues.lane(queue, lane);
                let free = lane.and_then(|lane| lane.free_in(first)).unwrap_or_default();
                free.iter().filter_map(|(seq, item, _)| message((*seq, item))).collect()
            }
        }
    }
}

/// The first number in a lane behind a place; nothing when the whole lane stands before it.
fn start_behind(after: Option<&AsidePlace>, queue: &QueueId, lane: Lane) -> Option<Seq> {
    let Some(after) = after else { return Some(0) };
    let rank = |lane: Lane| Lane::BY_URGENCY.iter().position(|known| *known == lane);
    match (queue, rank(lane)).cmp(&(&after.queue, rank(after.lane))) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(after.seq.saturating_add(1)),
        std::cmp::Ordering::Greater => Some(0),
    }
}

/// What a person has become of messages that are set aside, as far as it is done.
struct Act {
    message: Option<MessageId>,
    deed: AsideDeed,
    done: u32,
    is_full: bool,
}

impl Act {
    /// Deals with one item. True when it leaves its place.
    fn carry_out(
        &mut self,
        custody: &mut Custody,
        work: &mut Work<'_>,
        (queue, lane): (&QueueId, Lane),
        item: &Queued,
    ) -> bool {
        let Queued::Message(message) = item else { return false };
        let is_meant = self.message.is_none_or(|id| message.header().id == id);
        if !is_meant || self.done == ACTS_PER_STEP_MAX {
            return false;
        }
        let leaves = match self.deed {
            AsideDeed::Retry => custody.retry(work, (queue, lane), message),
            AsideDeed::Refuse => {
                let why = message.parcel().aside.as_ref().map(|aside| aside.why.clone());
                let why = why.unwrap_or(Refusal::bare(Code::INTERNAL));
                custody.withdraw(work, queue, message, &Failure::refused(why));
                true
            }
        };
        self.is_full |= !leaves;
        self.done = self.done.saturating_add(u32::from(leaves));
        leaves
    }

    /// For the log.
    fn what(&self) -> String {
        let which = self.message.map_or_else(|| "all".to_owned(), |id| id.to_string());
        let deed = match self.deed {
            AsideDeed::Retry => "give out again",
            AsideDeed::Refuse => "refuse",
        };
        format!("{deed} what is set aside: {which}; copies: {}", self.done)
    }
}

impl Custody {
    /// Puts a message at the end of the queue that it was taken out of. False when that is full.
    fn retry(
        &mut self,
        work: &mut Work<'_>,
        (queue, lane): (&QueueId, Lane),
        message: &Message,
    ) -> bool {
        let Some(origin) = queue.origin().filter(|origin| self.takes_one_more(origin, None)) else {
            return false;
        };
        self.put(work, (&origin, lane), message.with_aside(None));
        true
    }
}
