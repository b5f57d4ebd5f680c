//! What waits to be sent to systems on their subscriptions, weighed: one that reads nothing must not fill the
//! memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use kuriiri_engine::{Body, Delivery, ReceiptOut, Seq, Ticket, Unproved};
use kuriiri_types::{Refusal, SpiffeId, limits::PUSHED_BYTES_MAX};
use kuriiri_wire::limits::SIGNED_RECEIPT_BYTES_MAX;

/// Something for a subscriber.
#[derive(Debug)]
pub(crate) enum Push {
    Confirmed(Vec<Ticket>),
    Messages(Vec<Delivery>),
    Receipts(Vec<(Seq, ReceiptOut)>, Seq),
    Refused(Refusal),
}

/// A push on its way, and its weight until it is dropped.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) push: Push,
    pub(crate) weight: Weight,
}

/// What waits for each system.
#[derive(Debug, Default)]
pub(crate) struct Scales(HashMap<SpiffeId, Weak<AtomicU64>>);

/// What waits for one system.
#[derive(Debug, Clone)]
pub(crate) struct Scale(Arc<AtomicU64>);

/// Bytes that wait until this is dropped.
#[derive(Debug)]
pub(crate) struct Weight {
    scale: Scale,
    bytes: u64,
}

impl Scales {
    /// That of a system, shared by all its subscriptions.
    pub(crate) fn of(&mut self, system: &SpiffeId) -> Scale {
        if let Some(scale) = self.0.get(system).and_then(Weak::upgrade) {
            return Scale(scale);
        }
        self.0.retain(|_, scale| scale.strong_count() > 0);
        let scale = Arc::default();
        self.0.insert(system.clone(), Arc::downgrade(&scale));
        Scale(scale)
    }
}

impl Scale {
    /// Puts a push on it, unless there is too much already.
    pub(crate) fn weigh(&self, push: Push) -> Option<Pushed> {
        self.put(bytes_of(&push)).map(|weight| Pushed { push, weight })
    }

    fn put(&self, bytes: u64) -> Option<Weight> {
        // Only the loop puts things on, so what was read can have become less only.
        if self.0.load(Ordering::Relaxed).saturating_add(bytes) > PUSHED_BYTES_MAX {
            return None;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Weight { scale: self.clone(), bytes })
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.scale.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that a push keeps in memory while it waits. Bodies in files are read when they are sent.
fn bytes_of(push: &Push) -> u64 {
    let bytes = match push {
        Push::Messages(items) => items.iter().map(of_message).sum(),
        Push::Receipts(receipts, _) => {
            receipts.iter().map(|(_, receipt)| of_receipt(receipt)).sum()
        }
        Push::Confirmed(tickets) => size_of_val(tickets.as_slice()),
        Push::Refused(refusal) => refusal.reasons.iter().map(String::len).sum(),
    };
    bytes as u64
}

fn of_message(item: &Delivery) -> usize {
    let approvals: usize = item.approvals.iter().map(|signed| signed.approval.len()).sum();
    let body = match &item.body {
        Body::Inline(bytes) => bytes.len(),
        Body::File(_) => 0,
    };
    size_of::<Delivery>() + item.envelope.header.len() + approvals + body
}

fn of_receipt(receipt: &ReceiptOut) -> usize {
    match receipt {
        ReceiptOut::Other(_) => SIGNED_RECEIPT_BYTES_MAX,
        ReceiptOut::Own(unproved) => size_of::<Unproved>() + unproved.entry.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_system_has_one_scale_and_what_was_sent_weighs_nothing() {
        let (one, other) = ("spiffe://sm.example/system/a", "spiffe://sm.example/system/b");
        let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
        let mut scales = Scales::default();
        let (scale, same, another) = (scales.of(&one), scales.of(&one), scales.of(&other));
        let waits = scale.put(PUSHED_BYTES_MAX).unwrap();
        assert!(same.put(1).is_none(), "another subscription of the same system");
        assert!(another.put(PUSHED_BYTES_MAX).is_some());
        drop(waits);
        assert!(same.put(1).is_some());
        let tickets = Push::Confirmed(Vec::new());
        assert_eq!(scale.weigh(tickets).unwrap().weight.bytes, 0);
    }
}
