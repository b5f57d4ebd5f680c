//! Statements that say what their issuer said before.
//!
//! Whatever is taken from another relay is written into this relay's log. A true statement comes once for what it
//! says; the same said in other words, at another time or for other reasons, is new to the log each time. A relay
//! that lost its state may say all of it once more, and of a message that is set aside again that is news; so a
//! little of it is taken.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use kuriiri_types::{
    Ministry, Receipt, Timestamp,
    limits::{SAID_AGAIN_BYTES_MAX, SAID_AGAIN_PER_MINUTE, SAID_IN_MEMORY_MAX},
};

use crate::shares::{Allowances, Terms};

/// What was said of late, and how much each issuer may say again.
#[derive(Debug)]
pub(super) struct Repeats {
    /// A digest of each issuer, kind, message and recipient, of the latest half.
    said: HashSet<u64>,
    /// Of the half before it.
    before: HashSet<u64>,
    allowances: Allowances<Ministry>,
}

impl Default for Repeats {
    fn default() -> Self {
        let (most, per_minute) = (SAID_AGAIN_BYTES_MAX, SAID_AGAIN_PER_MINUTE);
        Self {
            said: HashSet::new(),
            before: HashSet::new(),
            allowances: Allowances::new(Terms { most, per_minute }),
        }
    }
}

impl Repeats {
    /// Whether a statement of so many bytes may be taken: it says nothing that its issuer said before, or that is
    /// within what its issuer may say again.
    pub(super) fn may_say(&mut self, now: Timestamp, receipt: &Receipt, bytes: usize) -> bool {
        let mut is_repeat = false;
        for what in digests(receipt) {
            let is_new = !self.before.contains(&what) && self.said.insert(what);
            is_repeat |= !is_new;
            if self.said.len() >= SAID_IN_MEMORY_MAX / 2 {
                self.before = std::mem::take(&mut self.said);
            }
        }
        !is_repeat || self.allowances.spend(now, receipt.issuer.clone(), bytes as u64)
    }
}

/// What it says of each message to each recipient. Two that share a digest cost their issuer some of its
/// allowance, and nothing else.
fn digests(receipt: &Receipt) -> impl Iterator<Item = u64> {
    let mut issued = DefaultHasher::new();
    (&receipt.issuer, receipt.kind).hash(&mut issued);
    receipt.subjects.iter().map(move |told| {
        let mut what = issued.clone();
        (told.subject.header, &told.recipient).hash(&mut what);
        what.finish()
    })
}

#[cfg(test)]
mod tests {
    use kuriiri_types::ReceiptKind;

    use super::*;
    use crate::testing::{Letter, NOW, receipt_of};

    fn receipt(number: u8, kind: ReceiptKind, issuer: &str) -> Receipt {
        let letter = Letter::new(number, "kirjaamo@sm.example", &["kirjaamo@plm.example"]);
        receipt_of(&letter, &letter.to[0], (kind, issuer), NOW)
    }

    #[test]
    fn what_was_not_said_before_costs_nothing() {
        let (mut repeats, much) = (Repeats::default(), usize::MAX);
        for kind in ReceiptKind::ALL {
            for (number, issuer) in [(1, "plm.example"), (2, "plm.example"), (1, "hub.example")] {
                assert!(repeats.may_say(NOW, &receipt(number, kind, issuer), much));
            }
        }
    }

    #[test]
    fn what_was_said_before_is_taken_within_its_issuers_allowance() {
        let mut repeats = Repeats::default();
        let said = receipt(1, ReceiptKind::Delivered, "plm.example");
        let all = usize::try_from(SAID_AGAIN_BYTES_MAX).unwrap();
        assert!(repeats.may_say(NOW, &said, 1));
        let mut both = said.clone();
        both.subjects.extend(receipt(2, ReceiptKind::Delivered, "plm.example").subjects);
        assert!(repeats.may_say(NOW, &both, all), "one of its messages is enough");
        assert!(!repeats.may_say(NOW, &said, 1));
        let new = receipt(3, ReceiptKind::Delivered, "plm.example");
        assert!(repeats.may_say(NOW, &new, all), "its first statements are welcome");
        let other = receipt(1, ReceiptKind::Relayed, "hub.example");
        assert!(repeats.may_say(NOW, &other, 1) && repeats.may_say(NOW, &other, 1));
    }
}
