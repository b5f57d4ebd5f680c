//! What is asked of a message that goes.

use std::time::Duration;

use kuriiri_types::{Onward, Precedence};

use crate::{
    label::Label,
    merge::{ReceiptDemand, Terms, Transit},
};

/// What the relay must do with a message that goes, merged from all matching rules.
///
/// Limits on size, time, urgency and hops were already held against the facts; they are repeated
/// for who plans ahead. The others are for the relay to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obligations {
    /// The label that the decision rests on: a translation, a successor, or the message's own.
    pub label: Label,
    /// The body must be encrypted end to end on this way.
    pub seal: bool,
    pub(crate) seal_system: Option<u8>,
    /// It must not pass a hub.
    pub direct_only: bool,
    /// Officers that must release it before it leaves its origin.
    pub approvals: u8,
    pub(crate) roles: u64,
    /// Largest body, in bytes as carried.
    pub max_size: Option<u64>,
    /// Longest life, counted from its making.
    pub ttl: Option<Duration>,
    /// Relays that it may pass, origin counted.
    pub max_hops: usize,
    /// The most urgent that it may be.
    pub precedence_max: Precedence,
    /// Whether the recipient may pass it on.
    pub onward: Onward,
    /// What the originator is to be told.
    pub receipt: ReceiptDemand,
    /// To be erased by then, counted from its delivery.
    pub retain_max: Option<Duration>,
    /// Not to be erased before, counted from its delivery.
    pub retain_min: Option<Duration>,
    /// At most so many such messages may leave in an hour.
    pub rate_per_hour: Option<u64>,
    pub(crate) markers: u64,
    pub(crate) windows: u64,
}

impl Obligations {
    #[inline]
    pub(crate) fn new(label: Label, terms: &Terms, in_transit: bool) -> Self {
        let limited = |span: Duration| (span != Duration::MAX).then_some(span);
        let number = |number: u64| (number != u64::MAX).then_some(number);
        let transit = terms.transit();
        Self {
            label,
            seal: terms.seal || (in_transit && transit != Transit::Clear),
            seal_system: terms.system,
            direct_only: transit == Transit::No,
            approvals: terms.approvals,
            roles: terms.roles,
            max_size: number(terms.max_size),
            ttl: limited(terms.ttl),
            max_hops: terms.max_hops.into(),
            precedence_max: terms.precedence_max,
            onward: terms.onward,
            receipt: terms.receipt,
            retain_max: limited(terms.retain_max),
            retain_min: (terms.retain_min != Duration::ZERO).then_some(terms.retain_min),
            rate_per_hour: number(terms.rate),
            markers: terms.markers,
            windows: terms.windows,
        }
    }
}
