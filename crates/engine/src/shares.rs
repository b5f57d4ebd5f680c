//! Who takes how much of what all givers share, so that none takes the place of the others.
//!
//! A relay counts what it has taken since it started and still has. What it found at its start is nobody's: it
//! was within bounds when it was taken, and goes.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use kuriiri_types::{Address, Header, Ministry, Timestamp};

use crate::{message::Message, record::QueueId};

/// Who answers for what a message takes here: at its origin whoever sent it, anywhere else the ministry that it
/// comes from. Both are signed; who handed it over may be a hub that carries it for many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Payer {
    Sender(Address),
    Ministry(Ministry),
}

impl Payer {
    /// That of a message with this header that has come this way.
    pub(crate) fn of(header: &Header, path: &[Ministry]) -> Self {
        if path.is_empty() {
            Self::Sender(header.from.clone())
        } else {
            Self::Ministry(header.from.ministry().clone())
        }
    }

    /// That of a message in custody.
    pub(crate) fn of_message(message: &Message) -> Self {
        Self::of(message.header(), &message.parcel().path)
    }
}

impl std::fmt::Display for Payer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sender(address) => address.fmt(f),
            Self::Ministry(ministry) => ministry.fmt(f),
        }
    }
}

/// What each payer has in queues.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    messages: HashMap<(QueueId, Payer), u64>,
    bytes: HashMap<Payer, u64>,
}

impl Shares {
    /// Messages that a payer has in a queue.
    pub(crate) fn messages(&self, queue: &QueueId, payer: &Payer) -> u64 {
        self.messages.get(&(queue.clone(), payer.clone())).copied().unwrap_or_default()
    }

    /// Bytes that a payer has in all queues, on the wire; each copy counts.
    pub(crate) fn bytes(&self, payer: &Payer) -> u64 {
        self.bytes.get(payer).copied().unwrap_or_default()
    }

    /// The same of each payer that has any.
    pub(crate) fn all_bytes(&self) -> impl Iterator<Item = (&Payer, u64)> {
        self.bytes.iter().map(|(payer, bytes)| (payer, *bytes))
    }

    /// Counts a message that comes into a queue.
    pub(crate) fn add(&mut self, queue: &QueueId, message: &Message) {
        let payer = Payer::of_message(message);
        let bytes = self.bytes.entry(payer.clone()).or_default();
        *bytes = bytes.saturating_add(message.load_bytes() as u64);
        let messages = self.messages.entry((queue.clone(), payer)).or_default();
        *messages = messages.saturating_add(1);
    }

    /// Counts one that leaves it.
    pub(crate) fn take(&mut self, queue: &QueueId, message: &Message) {
        let payer = Payer::of_message(message);
        less(&mut self.bytes, payer.clone(), message.load_bytes() as u64);
        less(&mut self.messages, (queue.clone(), payer), 1);
    }
}

#[cfg(test)]
impl Shares {
    pub(crate) fn count_as(&mut self, queue: &QueueId, ministry: &str, messages: u64) {
        let payer = Payer::Ministry(ministry.parse().unwrap());
        self.messages.insert((queue.clone(), payer), messages);
    }
}

fn less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u64>, key: K, by: u64) {
    if let std::collections::hash_map::Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() = count.get().saturating_sub(by);
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// How much of something may be had: so much at once, and so much more each minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) most: u64,
    pub(crate) per_minute: u64,
}

/// What is left to each of what it may have.
#[derive(Debug)]
pub(crate) struct Allowances<K> {
    terms: Terms,
    left: BTreeMap<K, Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    amount: u64,
    at: Timestamp,
}

const MINUTE_MS: u64 = 60_000;
/// Names that are kept at most. More than there are members and addresses: beyond it those that have all of their
/// allowance again are forgotten.
const NAMES_MAX: usize = 8192;

impl<K: Ord> Allowances<K> {
    pub(crate) fn new(terms: Terms) -> Self {
        Self { terms, left: BTreeMap::new() }
    }

    /// Takes so much of what somebody may have. False, and nothing is taken, when less is left.
    pub(crate) fn spend(&mut self, now: Timestamp, who: K, amount: u64) -> bool {
        let terms = self.terms;
        if self.left.len() >= NAMES_MAX {
            self.left.retain(|_, left| left.at(now, terms).amount < terms.most);
        }
        let left = self.left.entry(who).or_insert(Left { amount: terms.most, at: now });
        *left = left.at(now, terms);
        let rest = left.amount.checked_sub(amount);
        left.amount = rest.unwrap_or(left.amount);
        rest.is_some()
    }
}

impl Left {
    /// How much it is by now. A clock that is set back gives nothing, and the time is kept that gave less than one.
    fn at(self, now: Timestamp, terms: Terms) -> Self {
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = passed.saturating_mul(terms.per_minute) / MINUTE_MS;
        let used = Duration::from_millis(more.saturating_mul(MINUTE_MS) / terms.per_minute.max(1));
        let amount = self.amount.saturating_add(more);
        if amount >= terms.most {
            return Self { amount: terms.most, at: self.at.max(now) };
        }
        Self { amount, at: self.at.after(used) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOW;

    const TERMS: Terms = Terms { most: 100, per_minute: 60 };

    #[test]
    fn an_allowance_is_spent_and_comes_back_in_time() {
        let mut allowances = Allowances::new(TERMS);
        assert!(allowances.spend(NOW, "a", 100));
        assert!(!allowances.spend(NOW, "a", 1));
        assert!(allowances.spend(NOW, "b", 1), "another has its own");
        let later = NOW.after(Duration::from_secs(10));
        assert!(!allowances.spend(later, "a", 11));
        assert!(allowances.spend(later, "a", 10), "what was not given is not taken");
        let much_later = later.after(Duration::from_secs(3600));
        assert!(!allowances.spend(much_later, "a", 101), "it does not gather beyond the most");
        assert!(allowances.spend(much_later, "a", 100));
    }

    #[test]
    fn small_steps_give_as_much_as_large_ones_and_a_clock_set_back_gives_nothing() {
        let mut allowances = Allowances::new(TERMS);
        assert!(allowances.spend(NOW, "a", 100));
        let mut now = NOW;
        let mut given = 0;
        for _ in 0..600 {
            now = now.after(Duration::from_millis(100));
            given += u64::from(allowances.spend(now, "a", 1));
        }
        assert_eq!(given, 60, "a look that gives nothing does not take the time");
        assert!(!allowances.spend(now.before(Duration::from_secs(3600)), "a", 1));
    }

    #[test]
    fn names_that_have_all_again_are_forgotten() {
        let mut allowances = Allowances::new(TERMS);
        let later = NOW.after(Duration::from_secs(3600));
        for name in 0..2 * NAMES_MAX {
            assert!(allowances.spend(if name < NAMES_MAX { NOW } else { later }, name, 1));
        }
        assert!(allowances.left.len() <= NAMES_MAX, "{}", allowances.left.len());
    }
}
