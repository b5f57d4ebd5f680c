//! Nobody honest is accused, whatever others have of them or say of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use kuriiri_types::LogEvent;
use support::{Author, Cast, Send, compare, exchange, much_later_on, quiet};

/// A ministry lost its log and goes on with another: what its peers have of the first is no claim against
/// the second, in either direction.
#[test]
fn a_log_that_goes_on_from_another_answers_for_its_own_entries_alone() {
    let cast = Cast::new();
    let (mut a, b) = quiet(&cast);
    let mut second = Author::renewed(&b);
    for n in 0..200 {
        second.append(vec![], LogEvent::Booted { software: format!("{n}") });
    }
    exchange(&mut a, &mut second, &Send::new("sm", "plm", 90));
    much_later_on(&mut a);
    much_later_on(&mut second);
    for (one, other) in [(&a, &second), (&second, &a)] {
        let compared = compare(&cast, one, other);
        assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
        compared.accuses_nobody();
        assert_eq!((compared.row("matched"), compared.row("receipt-in-other-log")), (1, 30));
        assert_eq!(compared.row("before-log"), 30, "{}", compared.report.text);
    }
    assert_eq!(compare(&cast, &a, &b).row("receipt-beyond-log"), 0);
}

/// The recipient and a third ministry say that a message through the hub came straight from its origin.
#[test]
fn whoever_colludes_cannot_accuse_the_origin() {
    let cast = Cast::new();
    let (mut a, mut hub) = (Author::start(&cast, "sm"), Author::start(&cast, "hub"));
    let mut b = Author::start(&cast, "plm");
    let send = Send::new("sm", "plm", 91);
    let signer = &cast.member("sm").system;
    let envelope = send.envelope(&cast, signer);
    a.submit(&send, Some(&hub.home.clone()));
    let next = b.home.clone();
    hub.arrive(&send, &envelope, (signer, &[a.home.clone()], Some(&next)));
    b.arrive(&send, &envelope, (signer, &[a.home.clone()], None));
    [&mut a, &mut b, &mut hub].into_iter().for_each(much_later_on);
    let compared = compare(&cast, &a, &b);
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    compared.accuses_nobody();
    assert_eq!(compared.row("unaccounted"), 1, "{}", compared.report.text);
}
