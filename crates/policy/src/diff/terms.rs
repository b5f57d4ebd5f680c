//! What two policies ask of the same message, field by field.

use kuriiri_types::Timestamp;

use super::{change::FieldChange, domain::Both};
use crate::{
    merge::Terms,
    policy::Policy,
    text::{Lang, Phrase},
    units::{bytes, span},
    window::Window,
};

/// Terms with the numbers of roles, markers, windows and encryptors replaced by numbers that mean
/// the same in both policies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) terms: Terms,
    roles: u128,
    markers: u128,
    windows: u128,
    system: Option<u8>,
}

impl Plain {
    pub(super) const NEUTRAL: Self =
        Self { terms: Terms::NEUTRAL, roles: 0, markers: 0, windows: 0, system: None };

    pub(super) fn merge(self, other: &Self) -> Self {
        Self {
            terms: self.terms.merge(&other.terms),
            roles: self.roles | other.roles,
            markers: self.markers | other.markers,
            windows: self.windows | other.windows,
            system: self.system.max(other.system),
        }
    }
}

/// The words of both policies under common numbers.
#[derive(Default)]
pub(super) struct Lexicon {
    roles: Vec<Box<str>>,
    markers: Vec<Phrase>,
    windows: Vec<Box<[Window]>>,
    systems: Vec<Box<str>>,
}

impl Lexicon {
    pub(super) fn new(policies: Both<&Policy>) -> Self {
        let mut lexicon = Self::default();
        for words in policies.map(|policy| &policy.words) {
            words.roles.iter().for_each(|role| add(&mut lexicon.roles, role));
            words.markers.iter().for_each(|marker| add(&mut lexicon.markers, marker.text()));
            words.windows.iter().for_each(|window| add(&mut lexicon.windows, window));
            words.systems.iter().for_each(|system| add(&mut lexicon.systems, system));
        }
        lexicon
    }

    /// The terms of a rule of one policy.
    pub(super) fn plain(&self, policy: &Policy, terms: &Terms) -> Plain {
        let words = &policy.words;
        let system = terms.system.and_then(|place| words.systems.get(usize::from(place)));
        let system = system.and_then(|name| self.systems.iter().position(|known| known == name));
        Plain {
            terms: Terms { roles: 0, markers: 0, windows: 0, system: None, ..*terms },
            roles: renumber(terms.roles, &words.roles, |role| place(&self.roles, role)),
            markers: renumber(terms.markers, &words.markers, |marker| {
                place(&self.markers, marker.text())
            }),
            windows: renumber(terms.windows, &words.windows, |w| place(&self.windows, w)),
            system: system.and_then(|place| u8::try_from(place).ok()),
        }
    }

    /// Every field in which the terms of a message that may go in both policies differ.
    pub(super) fn changes(&self, old: &Plain, new: &Plain) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        let mut note = |field: &'static str, old: String, new: String, looser: bool| {
            if old != new {
                changes.push(FieldChange { field, old, new, looser });
            }
        };
        let (a, b) = (&old.terms, &new.terms);
        let (x, y) = (a.transit(), b.transit());
        note("transit", x.as_str().into(), y.as_str().into(), y > x);
        note("seal", a.seal.to_string(), b.seal.to_string(), a.seal && !b.seal);
        let dropped = old.system.is_some() && new.system != old.system;
        note("encryptor", self.system(old), self.system(new), dropped);
        let (x, y) = (a.approvals, b.approvals);
        note("approvals", x.to_string(), y.to_string(), y < x);
        let dropped = |old: u128, new: u128| old & !new != 0;
        let lost = dropped(old.roles, new.roles);
        note("approver_role", self.role(old), self.role(new), lost);
        note("onward", a.onward.as_str().into(), b.onward.as_str().into(), b.onward > a.onward);
        let size = |size: u64| limited(size != u64::MAX, bytes(size));
        note("max_size", size(a.max_size), size(b.max_size), b.max_size > a.max_size);
        let life = |terms: &Terms| lasting(terms.ttl);
        note("ttl", life(a), life(b), b.ttl > a.ttl);
        note("max_hops", a.max_hops.to_string(), b.max_hops.to_string(), b.max_hops > a.max_hops);
        let retain = |terms: &Terms| lasting(terms.retain_max);
        note("retain_max", retain(a), retain(b), b.retain_max > a.retain_max);
        let (x, y) = (span(a.retain_min.as_secs()), span(b.retain_min.as_secs()));
        note("retain_min", x, y, b.retain_min < a.retain_min);
        let rate = |rate: u64| limited(rate != u64::MAX, format!("{rate}/h"));
        note("rate", rate(a.rate), rate(b.rate), b.rate > a.rate);
        let (x, y) = (a.precedence_max, b.precedence_max);
        note("precedence_max", x.to_string(), y.to_string(), y > x);
        let (x, y) = (a.receipt, b.receipt);
        note("receipt", x.as_str().into(), y.as_str().into(), y < x);
        let lost = dropped(old.markers, new.markers);
        note("marker", self.marker(old), self.marker(new), lost);
        let wider = old.windows != new.windows && self.opens(old.windows, new.windows);
        note("window", self.window(old), self.window(new), wider);
        changes
    }

    fn system(&self, plain: &Plain) -> String {
        let name = plain.system.and_then(|place| self.systems.get(usize::from(place)));
        name.map_or("any", |name| name).into()
    }

    fn role(&self, plain: &Plain) -> String {
        listed(plain.roles, &self.roles, |role| role.to_string())
    }

    fn marker(&self, plain: &Plain) -> String {
        listed(plain.markers, &self.markers, |marker| {
            Lang::ALL.map(|lang| marker.pick(lang)).join(" / ")
        })
    }

    fn window(&self, plain: &Plain) -> String {
        listed(plain.windows, &self.windows, |windows| {
            windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
        })
    }

    /// True when some minute of the week is open in the new windows and not in the old ones.
    fn opens(&self, old: u128, new: u128) -> bool {
        const WEEK_MINUTES: i64 = 7 * 24 * 60;
        let open = |set: u128, minute: i64| {
            let now = Timestamp::from_millis(minute * 60_000);
            chosen(set, &self.windows).all(|windows| windows.iter().any(|w| w.is_open(now)))
        };
        (0..WEEK_MINUTES).any(|minute| open(new, minute) && !open(old, minute))
    }
}

fn limited(is_limited: bool, text: String) -> String {
    if is_limited { text } else { "unlimited".into() }
}

fn lasting(limit: std::time::Duration) -> String {
    limited(limit != std::time::Duration::MAX, span(limit.as_secs()))
}

fn add<T: PartialEq + Clone>(list: &mut Vec<T>, entry: &T) {
    if !list.contains(entry) {
        list.push(entry.clone());
    }
}

fn place<T: PartialEq>(list: &[T], entry: &T) -> Option<usize> {
    list.iter().position(|known| known == entry)
}

fn renumber<T>(set: u64, words: &[T], place: impl Fn(&T) -> Option<usize>) -> u128 {
    let numbered = (0_u32..64).zip(words).filter(|(bit, _)| (set >> bit) & 1 == 1);
    numbered.filter_map(|(_, word)| place(word)).fold(0, |set, place| set | 1_u128 << (place & 127))
}

fn chosen<T>(set: u128, words: &[T]) -> impl Iterator<Item = &T> {
    let numbered = (0_u32..128).zip(words).filter(move |(bit, _)| (set >> bit) & 1 == 1);
    numbered.map(|(_, word)| word)
}

fn listed<T>(set: u128, words: &[T], text: impl Fn(&T) -> String) -> String {
    let texts: Vec<String> = chosen(set, words).map(text).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ") }
}
