//! Messages that were signed and decided on as one.

use std::time::Duration;

use kuriiri_types::{Giver, LogEvent, ReceiptKind, Timestamp};

use super::{Author, Cast, Send, sign_all};

/// Both sides of messages that were signed and decided on as one, 5 at a time, and delivered.
pub fn classes<'a>(cast: &'a Cast, numbers: &[u64]) -> (Author<'a>, Author<'a>) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    for first in numbers {
        class(&mut a, &mut b, &sends(*first));
    }
    (a, b)
}

pub fn sends(first: u64) -> Vec<Send> {
    (first..first + 5).map(|n| Send::new("sm", "plm", n)).collect()
}

pub fn class(a: &mut Author<'_>, b: &mut Author<'_>, sends: &[Send]) {
    let signer = &a.cast.member("sm").system;
    let class = sign_all(a.cast, signer, sends);
    a.submit_class(&class, Some(&b.home.clone()));
    let relayed = b.arrive_class(&class, (signer, std::slice::from_ref(&a.home), None), &[]);
    a.hear(&b.home, b.proven(relayed));
    let headers: Vec<_> = sends.iter().map(|send| send.header(a.cast)).collect();
    let by = Giver::System(b.cast.member("plm").system.id().clone());
    let delivered = b.state_by(&headers, ReceiptKind::Delivered, Some(by));
    a.hear(&b.home, b.proven(delivered));
}

/// The time until which the headers of the first decision are kept.
pub fn keep_until(author: &Author<'_>) -> Timestamp {
    let kept = author.entries.iter().find_map(|entry| {
        let LogEvent::Decided(decided) = &entry.event else { return None };
        decided.keep_until
    });
    kept.unwrap()
}

/// Much later, when the headers of the first decision are no longer kept and those of later ones are.
pub fn much_later(author: &mut Author<'_>) -> Timestamp {
    let until = keep_until(author);
    author.at = until.after(Duration::from_secs(1));
    until
}
