//! How long entries of the log are kept, by the labels of the messages that they are about, and which
//! of them may leave.
//!
//! A log loses entries only at its beginning. So an entry leaves when its own time is over and that of
//! all before it; one of a label that is kept for ten years holds back all that come after it. What
//! is about no message holds nothing back. What later entries are judged by, and what people did, stays
//! for good.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use kuriiri_engine::{Late, Pruning, ViewError};
use kuriiri_policy::Policy;
use kuriiri_store::LogStart;
use kuriiri_types::{
    Digest, Entry, LogEvent, Timestamp, WireLabel,
    limits::{LOG_RETENTION_MIN, MESSAGE_REACH},
};
use kuriiri_wire::{entry, header, receipt};

/// Entries that leave at once: looking at them takes some seconds, and so many messages of one
/// planning are remembered. More leave the next time.
const AT_ONCE_MAX: u64 = 1_048_576;
/// Entries in a bundle, which leave together.
const WIDTH: u64 = 256;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long entries are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Those about messages of labels that none of the others names.
    rest: Duration,
    labels: Vec<LabelRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelRule {
    /// The id of the label policy, and its name for people.
    catalogue: String,
    policy: String,
    /// The id of the level.
    level: String,
    keep: Duration,
}

/// What may leave, or what holds it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    Leaves(Pruning),
    /// No whole bundle. The entry that is to go next may go at this time; nothing is known of any when
    /// there is none yet whose files are durable.
    Stays(Option<Timestamp>),
}

impl Retention {
    /// So many days for everything but the labels that are named, by policy, level and days.
    pub(crate) fn new(
        days: u32,
        labels: impl IntoIterator<Item = (String, String, u32)>,
        policy: &Policy,
    ) -> Result<Self, String> {
        let mut all: Vec<LabelRule> = Vec::new();
        for (name, level, days) in labels {
            let known = policy.catalogue(&name);
            let found = known.and_then(|known| Some((known, known.level_called(&level)?)));
            let Some((known, id)) = found else {
                return Err(format!("no catalogue knows the label `{name} {level}`"));
            };
            let (catalogue, policy, level) = (known.id().into(), known.name().into(), id.into());
            let rule = LabelRule { catalogue, policy, level, keep: checked(days)? };
            if all.iter().any(|one| (&one.catalogue, &one.level) == (&rule.catalogue, &rule.level))
            {
                return Err(format!(
                    "the label `{name} {level}` is there twice",
                    level = rule.level
                ));
            }
            all.push(rule);
        }
        Ok(Self { rest: checked(days)?, labels: all })
    }

    fn of(&self, label: Option<&WireLabel>, policy: &Policy) -> Duration {
        let Some(label) = label else { return self.rest };
        let longest = || self.labels.iter().map(|rule| rule.keep).fold(self.rest, Duration::max);
        let catalogue = policy.catalogue(&label.policy);
        let level =
            catalogue.and_then(|known| Some((known.id(), known.level_called(&label.level)?)));
        let Some((catalogue, level)) = level else { return longest() };
        let is_it = |rule: &&LabelRule| {
            (rule.catalogue.as_str(), rule.level.as_str()) == (catalogue, level)
        };
        self.labels.iter().find(is_it).map_or(self.rest, |rule| rule.keep)
    }

    /// In words, for the entry that says what left.
    pub(crate) fn words(&self) -> String {
        let days = |keep: Duration| keep.as_secs() / DAY.as_secs();
        let label =
            |rule: &LabelRule| format!("{} {} {}", rule.policy, rule.level, days(rule.keep));
        let labels: Vec<String> = self.labels.iter().map(label).collect();
        let rest = format!("all else {}", days(self.rest));
        format!("days kept: {}", [labels, vec![rest]].concat().join(", "))
    }

    /// Which entries may leave a log now, of those before `end`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn plan(
        &self,
        policy: &Policy,
        now: Timestamp,
        (start, end): (LogStart, u64),
        read: impl Fn(u64) -> Result<Option<Bytes>, ViewError>,
    ) -> Result<Plan, ViewError> {
        let begin = start.first;
        let mut walk =
            Walk { retention: self, policy, start, known: HashMap::new(), late: Vec::new() };
        let (mut kept, mut leaves, mut held) = (Vec::new(), begin, None);
        for index in begin..end.min(begin.saturating_add(AT_ONCE_MAX)) {
            let damaged = || ViewError(format!("entry {index} of the log cannot be read"));
            let bytes = read(index)?.ok_or_else(damaged)?;
            let found = entry::decode(&bytes).map_err(|_| damaged())?;
            held = walk.until(index, &found).filter(|until| *until > now);
            if held.is_some() {
                break;
            }
            if found.event.outlasts_pruning() {
                kept.push(index);
            }
            leaves = index + 1;
        }
        let before = leaves - leaves % WIDTH;
        if before <= begin {
            return Ok(Plan::Stays(held));
        }
        kept.retain(|index| *index < before);
        let late = walk.late(before);
        Ok(Plan::Leaves(Pruning { before, kept, late }))
    }
}

fn checked(days: u32) -> Result<Duration, String> {
    let keep = DAY.saturating_mul(days);
    if keep >= LOG_RETENTION_MIN {
        return Ok(keep);
    }
    let least = LOG_RETENTION_MIN.as_secs() / DAY.as_secs();
    Err(format!("{days} days are too few: what waits and repeats may need {least}"))
}

/// From the first entry on, with what the messages seen so far are kept for.
struct Walk<'a> {
    retention: &'a Retention,
    policy: &'a Policy,
    start: LogStart,
    known: HashMap<Digest, Duration>,
    /// Place, time and keeping of each message's first entry.
    late: Vec<(u64, Timestamp, Duration)>,
}

impl Walk<'_> {
    /// Until when an entry is kept. Nothing when it holds nothing back.
    fn until(&mut self, index: u64, found: &Entry) -> Option<Timestamp> {
        let message = message(&found.event)?;
        if let LogEvent::Decided(decided) = &found.event
            && let Some(envelope) = &decided.envelope
        {
            let header = header::decode(&envelope.header).ok();
            let label = header.as_ref().and_then(|header| header.label.as_ref());
            let keep = self.retention.of(label, self.policy);
            self.known.insert(message, keep);
            self.late.push((index, found.at, keep));
        }
        let unknown = || self.unknown(found.at);
        Some(found.at.after(self.known.get(&message).copied().unwrap_or_else(unknown)))
    }

    /// How long an entry is kept whose message's first entry left before: as long as any of those asks
    /// for of which something can still come at this time.
    fn unknown(&self, at: Timestamp) -> Duration {
        let late = self.start.late.iter().filter(|late| late.last.after(MESSAGE_REACH) >= at);
        late.map(|late| DAY.saturating_mul(late.days)).max().unwrap_or(self.retention.rest)
    }

    /// What the log must remember of messages whose first entries leave, and left before, as long as
    /// something of them may still stand behind those that leave.
    fn late(&self, before: u64) -> Vec<Late> {
        let leaving = self.late.iter().take_while(|(index, ..)| *index < before);
        let mut lasts: BTreeMap<u32, Timestamp> = BTreeMap::new();
        let days = |keep: &Duration| u32::try_from(keep.as_secs().div_ceil(DAY.as_secs()));
        let now = leaving.map(|(_, at, keep)| (days(keep).unwrap_or(u32::MAX), *at));
        for (days, at) in self.start.late.iter().map(|late| (late.days, late.last)).chain(now) {
            let last = lasts.entry(days).or_insert(at);
            *last = at.max(*last);
        }
        let end = lasts.values().copied().max();
        let all = lasts.into_iter().map(|(days, last)| Late { days, last });
        all.filter(|late| end.is_none_or(|end| late.last.after(MESSAGE_REACH) >= end)).collect()
    }
}

/// The message that an entry is about.
fn message(event: &LogEvent) -> Option<Digest> {
    if let LogEvent::ReceiptIn { receipt: signed, .. } = event {
        return receipt::decode(&signed.entry).ok().map(|said| said.header_digest);
    }
    event.subject()
}

#[cfg(test)]
mod tests;
