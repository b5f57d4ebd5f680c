//! What rules ask, and how several become one: always the strictest.

use std::time::Duration;

use kuriiri_types::{Onward, Precedence, limits::HOPS_MAX};
use serde::{Deserialize, Serialize};

/// Whether a message may pass a hub, strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transit {
    No,
    Sealed,
    Clear,
}

impl Transit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Sealed => "sealed",
            Self::Clear => "clear",
        }
    }
}

/// What the originator is to be told, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptDemand {
    /// Nothing in particular.
    None,
    /// That the recipient's system has it.
    Delivered,
    /// That a person has read it.
    Read,
    /// That a person has read it, signed by that person.
    Signed,
}

impl ReceiptDemand {
    /// The word as in the rule files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Signed => "signed",
        }
    }
}

/// Everything that the rules matching one message ask of it.
///
/// Merging is commutative, associative and idempotent, with [`Terms::NEUTRAL`] as the neutral
/// element, so neither order nor repetition of rules can matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// A rule of the federation names the level.
    pub(crate) covered: bool,
    /// What those rules that name the level allow; none of them says means no.
    pub(crate) granted: Option<Transit>,
    /// What all other rules leave of it.
    pub(crate) ceiling: Transit,
    pub(crate) forbid: bool,
    pub(crate) seal: bool,
    /// Position of the named encryptor.
    pub(crate) system: Option<u8>,
    pub(crate) approvals: u8,
    /// Positions of the roles demanded of approvers, one bit each.
    pub(crate) roles: u64,
    pub(crate) onward: Onward,
    pub(crate) max_size: u64,
    pub(crate) ttl: Duration,
    pub(crate) max_hops: u16,
    pub(crate) retain_max: Duration,
    pub(crate) retain_min: Duration,
    /// Messages per hour.
    pub(crate) rate: u64,
    pub(crate) precedence_max: Precedence,
    pub(crate) receipt: ReceiptDemand,
    pub(crate) markers: u64,
    pub(crate) windows: u64,
}

#[expect(clippy::cast_possible_truncation, reason = "eight hops fit any integer")]
const HOPS: u16 = HOPS_MAX as u16;

impl Terms {
    /// Asks nothing; and, because no rule names the level, permits nothing.
    pub(crate) const NEUTRAL: Self = Self {
        covered: false,
        granted: None,
        ceiling: Transit::Clear,
        forbid: false,
        seal: false,
        system: None,
        approvals: 0,
        roles: 0,
        onward: Onward::Free,
        max_size: u64::MAX,
        ttl: Duration::MAX,
        max_hops: HOPS,
        retain_max: Duration::MAX,
        retain_min: Duration::ZERO,
        rate: u64::MAX,
        precedence_max: Precedence::Override,
        receipt: ReceiptDemand::None,
        markers: 0,
        windows: 0,
    };

    /// The terms of a rule that says `transit`: one that covers the level grants, others only cap.
    pub(crate) fn with_transit(self, transit: Option<Transit>) -> Self {
        match transit {
            Some(_) if self.covered => Self { granted: transit, ..self },
            Some(ceiling) => Self { ceiling, ..self },
            None => self,
        }
    }

    pub(crate) fn merge(self, other: &Self) -> Self {
        Self {
            covered: self.covered || other.covered,
            granted: match (self.granted, other.granted) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            ceiling: self.ceiling.min(other.ceiling),
            forbid: self.forbid || other.forbid,
            seal: self.seal || other.seal,
            system: self.system.max(other.system),
            approvals: self.approvals.max(other.approvals),
            roles: self.roles | other.roles,
            onward: self.onward.min(other.onward),
            max_size: self.max_size.min(other.max_size),
            ttl: self.ttl.min(other.ttl),
            max_hops: self.max_hops.min(other.max_hops),
            retain_max: self.retain_max.min(other.retain_max),
            retain_min: self.retain_min.max(other.retain_min),
            rate: self.rate.min(other.rate),
            precedence_max: self.precedence_max.min(other.precedence_max),
            receipt: self.receipt.max(other.receipt),
            markers: self.markers | other.markers,
            windows: self.windows | other.windows,
        }
    }

    pub(crate) fn transit(&self) -> Transit {
        self.granted.unwrap_or(Transit::No).min(self.ceiling)
    }

    /// Why two rules that may both match cannot both be kept, if so.
    pub(crate) fn conflict(&self, other: &Self) -> Option<&'static str> {
        let both = self.merge(other);
        if both.retain_min > both.retain_max {
            return Some("retain_min is longer than retain_max");
        }
        let systems = self.system.zip(other.system);
        let differ = systems.is_some_and(|(a, b)| a != b);
        differ.then_some("two approved encryptors are demanded at once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms() -> impl Strategy<Value = Terms> {
        let transit = prop_oneof![Just(Transit::No), Just(Transit::Sealed), Just(Transit::Clear)];
        let onward =
            prop_oneof![Just(Onward::Never), Just(Onward::OriginatorConsent), Just(Onward::Free)];
        let precedence = (0_u32..6).prop_map(|n| Precedence::from_number(n).unwrap());
        let flags = any::<[bool; 3]>();
        let numbers = any::<[u16; 6]>();
        (proptest::option::of(transit), onward, precedence, flags, numbers).prop_map(
            |(transit, onward, precedence_max, [covered, forbid, seal], [a, b, c, d, e, f])| {
                Terms {
                    covered,
                    forbid,
                    seal,
                    system: a.checked_rem(3).and_then(|n| u8::try_from(n).ok()).filter(|n| *n > 0),
                    approvals: u8::try_from(b % 5).unwrap(),
                    roles: b.into(),
                    onward,
                    max_size: c.into(),
                    ttl: Duration::from_secs(d.into()),
                    max_hops: e % 9,
                    retain_max: Duration::from_secs(e.into()),
                    retain_min: Duration::from_secs(f.into()),
                    rate: f.into(),
                    precedence_max,
                    receipt: ReceiptDemand::Delivered,
                    markers: d.into(),
                    windows: e.into(),
                    ..Terms::NEUTRAL
                }
                .with_transit(transit)
            },
        )
    }

    proptest! {
        #[test]
        fn merging_knows_no_order_and_no_repetition(a in terms(), b in terms(), c in terms()) {
            prop_assert_eq!(a.merge(&b), b.merge(&a));
            prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
            prop_assert_eq!(a.merge(&a), a);
            prop_assert_eq!(a.merge(&Terms::NEUTRAL), a);
        }

        #[test]
        fn a_rule_that_covers_nothing_only_tightens(a in terms(), b in terms()) {
            let b = Terms { covered: false, granted: None, ..b };
            let both = a.merge(&b);
            prop_assert_eq!(both.covered, a.covered);
            prop_assert!(both.transit() <= a.transit() && both.onward <= a.onward);
            prop_assert!(both.seal >= a.seal && both.forbid >= a.forbid);
            prop_assert!(both.approvals >= a.approvals && both.roles & a.roles == a.roles);
            prop_assert!(both.max_size <= a.max_size && both.ttl <= a.ttl);
            prop_assert!(both.max_hops <= a.max_hops && both.rate <= a.rate);
            prop_assert!(both.precedence_max <= a.precedence_max && both.receipt >= a.receipt);
            prop_assert!(both.windows & a.windows == a.windows);
        }
    }

    #[test]
    fn a_level_rule_that_does_not_say_transit_means_direct() {
        let covering = Terms { covered: true, ..Terms::NEUTRAL };
        assert_eq!(covering.transit(), Transit::No);
        let capped = covering
            .with_transit(Some(Transit::Clear))
            .merge(&Terms::NEUTRAL.with_transit(Some(Transit::Sealed)));
        assert_eq!(capped.transit(), Transit::Sealed);
    }
}
