//! Places at the door: for handshakes that are not finished, and for links.
//!
//! Before a handshake is over nobody knows who knocks, so these places are shared out by address. Afterwards
//! everybody has a few by their identity, out of those that are kept for the conversation: no one kind of
//! guest can take the places of another.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use kuriiri_types::limits::{
    HANDSHAKE_GRACE, LINKS_PER_MINISTRY_MAX, LINKS_PER_PERSON_MAX, LINKS_PER_SYSTEM_MAX,
};
use tokio::{sync::Notify, time::Instant};

use crate::{Capacity, CloseCode, Conversation, Figure, Link, holder::Holder, link::LinkState};

/// All places of an endpoint.
#[derive(Debug)]
pub(crate) struct Places {
    capacity: Capacity,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// Unfinished handshakes by number, so the oldest comes first.
    knocks: BTreeMap<u64, Knock>,
    prefixes: HashMap<Prefix, usize>,
    seats: HashMap<(Conversation, Holder), Vec<Weak<LinkState>>>,
}

#[derive(Debug)]
struct Knock {
    prefix: Prefix,
    since: Instant,
    ended: Arc<Notify>,
}

impl Places {
    pub(crate) fn new(capacity: Capacity) -> Arc<Self> {
        Arc::new(Self { capacity, taken: Mutex::default() })
    }

    /// A place for a handshake, or nothing when whoever has this prefix has enough of them.
    pub(crate) fn knock(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Place> {
        let prefix = Prefix::of(address);
        let mut taken = self.locked();
        if !taken.makes_room(&self.capacity, prefix, now) {
            return None;
        }
        let number = taken.next;
        taken.next = number.saturating_add(1);
        *taken.prefixes.entry(prefix).or_default() += 1;
        let ended = Arc::new(Notify::new());
        taken.knocks.insert(number, Knock { prefix, since: now, ended: Arc::clone(&ended) });
        Some(Place { number, ended, places: Arc::clone(self) })
    }

    /// Gives a link its seat. A relay of a ministry that has all of its own takes that of its oldest.
    pub(crate) fn seat(&self, link: &Link) -> Result<(), Full> {
        let conversation = link.conversation();
        let holder = Holder::of(link.peer().id(), conversation);
        let mut taken = self.locked();
        taken.forget_ended();
        let own = taken.seats.get(&(conversation, holder.clone())).map_or(0, Vec::len);
        let is_over = own >= per_holder(conversation);
        if is_over && conversation != Conversation::Relay {
            return Err(Full::Own(per_holder(conversation)));
        }
        if !is_over && taken.seated(conversation) >= self.seats(conversation) {
            return Err(Full::All(self.seats(conversation)));
        }
        let seats = taken.seats.entry((conversation, holder)).or_default();
        let replaced = is_over.then(|| seats.remove(0)).as_ref().and_then(Link::upgrade);
        seats.push(link.downgrade());
        drop(taken);
        if let Some(replaced) = replaced {
            replaced
                .close(CloseCode::Replaced, "a newer link of the same ministry takes its place");
        }
        Ok(())
    }

    /// How many places are taken.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut taken = self.locked();
        taken.forget_ended();
        let knocks = (taken.knocks.len(), self.capacity.handshakes);
        let seats = [
            ("links of peers", Conversation::Relay),
            ("links of systems", Conversation::Client),
            ("links to administer", Conversation::Admin),
        ]
        .map(|(name, of)| (name, (taken.seated(of), self.seats(of))));
        let all = [("unfinished handshakes", knocks)].into_iter().chain(seats);
        all.map(|(name, (used, limit))| Figure { name, used: used as u64, limit: limit as u64 })
            .collect()
    }

    fn seats(&self, conversation: Conversation) -> usize {
        match conversation {
            Conversation::Relay => self.capacity.relays,
            Conversation::Client => self.capacity.clients,
            Conversation::Admin => self.capacity.admin,
        }
    }

    fn locked(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn per_holder(conversation: Conversation) -> usize {
    match conversation {
        Conversation::Relay => LINKS_PER_MINISTRY_MAX,
        Conversation::Client => LINKS_PER_SYSTEM_MAX,
        Conversation::Admin => LINKS_PER_PERSON_MAX,
    }
}

impl Taken {
    /// Whether there is room for one more of this prefix, after others have made it.
    fn makes_room(&mut self, capacity: &Capacity, prefix: Prefix, now: Instant) -> bool {
        let own = self.prefixes.get(&prefix).copied().unwrap_or(0);
        if own >= capacity.handshakes_per_prefix {
            return self.end_oldest(prefix, now, HANDSHAKE_GRACE);
        }
        if self.knocks.len() < capacity.handshakes {
            return true;
        }
        // Of several with as many the one whose handshake began first.
        let most =
            self.knocks.values().map(|knock| knock.prefix).rev().max_by_key(|of| self.count(*of));
        most.is_some_and(|most| {
            let is_fairer = self.count(most) > own.saturating_add(1);
            self.end_oldest(most, now, if is_fairer { Duration::ZERO } else { HANDSHAKE_GRACE })
        })
    }

    fn count(&self, prefix: Prefix) -> usize {
        self.prefixes.get(&prefix).copied().unwrap_or(0)
    }

    /// Ends the oldest handshake of a prefix if it is so old.
    fn end_oldest(&mut self, prefix: Prefix, now: Instant, age: Duration) -> bool {
        let mut all = self.knocks.iter();
        let oldest = all.find(|(_, knock)| knock.prefix == prefix);
        let number = oldest
            .filter(|(_, knock)| now.saturating_duration_since(knock.since) >= age)
            .map(|(number, _)| *number);
        let ended = number.and_then(|number| self.leave(number));
        ended.is_some_and(|knock| {
            knock.ended.notify_one();
            true
        })
    }

    fn leave(&mut self, number: u64) -> Option<Knock> {
        let knock = self.knocks.remove(&number)?;
        if let Some(count) = self.prefixes.get_mut(&knock.prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.prefixes.remove(&knock.prefix);
            }
        }
        Some(knock)
    }

    fn forget_ended(&mut self) {
        let is_open = |link: &Weak<LinkState>| {
            Link::upgrade(link).is_some_and(|link| link.close_reason().is_none())
        };
        self.seats.retain(|_, links| {
            links.retain(is_open);
            !links.is_empty()
        });
    }

    fn seated(&self, conversation: Conversation) -> usize {
        let mine = self.seats.iter().filter(|((of, _), _)| *of == conversation);
        mine.map(|(_, links)| links.len()).sum()
    }
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The holder has all of its own, so many.
    Own(usize),
    /// All of the conversation are taken, so many.
    All(usize),
}

/// The place of an unfinished handshake; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    ended: Arc<Notify>,
    places: Arc<Places>,
}

impl Place {
    /// Waits until the place is wanted for somebody else.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.locked().leave(self.number);
    }
}

/// Addresses that one network has: a /24 of IPv4, a /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Prefix {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Arc<Places> {
        Places::new(Capacity { handshakes: 8, handshakes_per_prefix: 3, ..Capacity::default() })
    }

    fn at(net: u8, host: u8) -> IpAddr {
        IpAddr::from([192, 0, net, host])
    }

    async fn is_ended(place: &Place) -> bool {
        tokio::time::timeout(Duration::ZERO, place.ended()).await.is_ok()
    }

    #[tokio::test]
    async fn one_network_has_its_share_and_its_old_ones_make_room() {
        let (places, now) = (places(), Instant::now());
        let held: Vec<_> = (0..3).map(|host| places.knock(at(1, host), now).unwrap()).collect();
        assert!(places.knock(at(1, 9), now).is_none(), "a fourth of one network");
        assert!(places.knock(at(2, 9), now).is_some(), "another network has its own");
        let newer = places.knock(at(1, 9), now + HANDSHAKE_GRACE).unwrap();
        assert!(is_ended(&held[0]).await && !is_ended(&held[1]).await && !is_ended(&newer).await);
        drop((held, newer));
        assert_eq!(places.figures()[0].used, 0);
        assert!(places.locked().prefixes.is_empty());
    }

    #[tokio::test]
    async fn when_all_are_taken_those_with_most_make_room_however_young() {
        let (places, now) = (places(), Instant::now());
        let crowd: Vec<_> =
            [1, 1, 1, 2, 2, 2, 3, 4].map(|net| places.knock(at(net, 1), now).unwrap()).into();
        let newcomer = places.knock(at(5, 1), now).expect("a network that has none gets a place");
        assert!(is_ended(&crowd[0]).await && !is_ended(&newcomer).await);
        assert!(places.knock(at(4, 2), now).is_some(), "2 is fairer than 3");
        assert!(is_ended(&crowd[3]).await);
        assert_eq!(places.figures()[0].used, 7, "the second newcomer has left");
    }

    #[tokio::test]
    async fn among_equals_only_the_old_make_room() {
        let (places, now) = (places(), Instant::now());
        let crowd: Vec<_> = (0..8).map(|net| places.knock(at(net, 1), now).unwrap()).collect();
        assert!(places.knock(at(9, 1), now).is_none());
        assert!(places.knock(at(9, 1), now + HANDSHAKE_GRACE).is_some());
        assert!(is_ended(&crowd[0]).await);
    }

    #[test]
    fn networks_are_told_apart_by_their_prefix() {
        let of = |text: &str| Prefix::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.200"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:ffff::"));
        assert_ne!(of("2001:db8:1::"), of("2001:db8:2::"));
    }
}
