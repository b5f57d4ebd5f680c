//! Messages that wait at their origin: for officers to release them, or for their hours.
//!
//! A hold is a record of its own, in custody like anything else: it is released into the queues,
//! or ends with a negative receipt when an officer rejects it, when the rules no longer allow it,
//! or when its time is over. In memory there is one small entry for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kuriiri_types::{MessageId, Timestamp, limits::HOLDS_MAX};

use crate::{reader::Reader, record::HoldNumber, shares::Payer, view::ViewError, waiting::Waiting};

/// Holds looked at again in one step; more wait for the next, which comes at once.
pub(crate) const LOOKS_PER_STEP_MAX: usize = 64;
/// How often holds that wait for their hours, or for room, are looked at: rules give minutes.
const LATER_ROUND: Duration = Duration::from_secs(60);
/// The holds of a relay, without what is on disk.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    entries: BTreeMap<HoldNumber, Entry>,
    /// How many each payer has.
    payers: BTreeMap<Payer, usize>,
    /// By the time at which each expires.
    expiry: BTreeSet<(Timestamp, HoldNumber)>,
    /// To be looked at again as soon as possible.
    due: BTreeSet<HoldNumber>,
    /// When those that need nobody are looked at next.
    later_at: Option<Timestamp>,
    /// Written in this step, so that what is on disk is not what holds now.
    fresh: BTreeMap<HoldNumber, Option<Waiting>>,
}

/// What is known of a hold without reading it.
#[derive(Debug, Clone)]
struct Entry {
    message: MessageId,
    payer: Payer,
    expires: Timestamp,
    waits_for_later: bool,
}

impl Holds {
    /// The holds as they were left behind. All are looked at again.
    pub(crate) fn restore(reader: &Reader<'_>) -> Result<Self, ViewError> {
        let mut holds = Self::default();
        let mut from = 0;
        while let Some((number, waiting)) = reader.next_hold(from)? {
            holds.note(number, &waiting, false);
            holds.due.insert(number);
            from = number.saturating_add(1);
        }
        Ok(holds)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of them are a payer's.
    pub(crate) fn of_payer(&self, payer: &Payer) -> usize {
        self.payers.get(payer).copied().unwrap_or_default()
    }

    /// True when there is no room for another.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= HOLDS_MAX
    }

    /// The numbers of those of messages after one, in the order of their ids.
    pub(crate) fn after(&self, after: Option<MessageId>) -> Vec<HoldNumber> {
        let later = |id: &MessageId| after.is_none_or(|after| *id > after);
        let entries = self.entries.iter().map(|(number, entry)| (entry.message, *number));
        let mut found: Vec<_> = entries.filter(|(id, _)| later(id)).collect();
        found.sort_unstable();
        // Copies that wait apart are one message to people.
        found.dedup_by_key(|(id, _)| *id);
        found.into_iter().map(|(_, number)| number).collect()
    }

    /// The numbers of those of one message.
    pub(crate) fn of(&self, message: MessageId) -> Vec<HoldNumber> {
        let entries = self.entries.iter().filter(|(_, entry)| entry.message == message);
        entries.map(|(number, _)| *number).collect()
    }

    /// Has all of them looked at again: the rules have changed.
    pub(crate) fn look_at_all(&mut self) {
        self.due.extend(self.entries.keys());
    }

    /// A hold as this step writes it.
    pub(crate) fn write(
        &mut self,
        now: Timestamp,
        number: HoldNumber,
        waiting: Waiting,
        waits_for_later: bool,
    ) {
        self.note(number, &waiting, waits_for_later);
        if waits_for_later && self.later_at.is_none() {
            self.later_at = Some(now.after(LATER_ROUND));
        }
        self.fresh.insert(number, Some(waiting));
    }

    /// A hold as this step has left it; nothing when the step has not touched it.
    pub(crate) fn fresh(&self, number: HoldNumber) -> Option<Option<&Waiting>> {
        self.fresh.get(&number).map(Option::as_ref)
    }

    /// Forgets what was written in a step that is over.
    pub(crate) fn are_committed(&mut self) {
        self.fresh.clear();
    }

    /// Takes the next that is to be looked at.
    pub(crate) fn next_due(&mut self) -> Option<HoldNumber> {
        self.due.pop_first()
    }

    fn note(&mut self, number: HoldNumber, waiting: &Waiting, waits_for_later: bool) {
        let (message, expires) = (waiting.header.id, waiting.hold.expires);
        let payer = Payer::of(&waiting.header, &waiting.hold.path);
        let entry = Entry { message, payer: payer.clone(), expires, waits_for_later };
        if self.entries.insert(number, entry).is_none() {
            let count = self.payers.entry(payer).or_default();
            *count = count.saturating_add(1);
        }
        self.expiry.insert((expires, number));
    }

    /// It is over.
    pub(crate) fn forget(&mut self, number: HoldNumber) {
        if let Some(entry) = self.entries.remove(&number) {
            self.expiry.remove(&(entry.expires, number));
            if let Some(count) = self.payers.get_mut(&entry.payer) {
                *count = count.saturating_sub(1);
            }
            self.payers.retain(|_, count| *count > 0);
        }
        self.due.remove(&number);
        self.fresh.insert(number, None);
    }

    /// Marks what has come due by now.
    pub(crate) fn mark_due(&mut self, now: Timestamp) {
        let expired = self.expiry.iter().take_while(|(at, _)| *at <= now);
        self.due.extend(expired.map(|(_, number)| *number).take(LOOKS_PER_STEP_MAX));
        if self.later_at.is_some_and(|at| at <= now) {
            let waiting = self.entries.iter().filter(|(_, entry)| entry.waits_for_later);
            self.due.extend(waiting.map(|(number, _)| *number));
            self.later_at = None;
        }
    }

    /// When something has to be looked at next.
    pub(crate) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let expiry = self.expiry.first().map(|(at, _)| *at);
        let due = (!self.due.is_empty()).then_some(now);
        expiry.into_iter().chain(due).chain(self.later_at).min()
    }
}
