//! Two logs of which one ends before the other, or was made to: what can still be told, and what not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{slice, time::Duration};

use kuriiri_types::LogEvent;
use support::{Author, Bench, Cast, Report, Send, exchange};

/// Both ministries, with messages that all arrived.
fn quiet(cast: &Cast) -> (Author<'_>, Author<'_>) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    for n in 0..20 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    (a, b)
}

fn compare(bench: &Bench, a: &Author<'_>, b: &Author<'_>, witnesses: &[&str]) -> Report {
    let (one, two) = (bench.write(a, witnesses), bench.write(b, witnesses));
    let evidence = bench.folder("evidence");
    let dirs = [&one, &two, &evidence].map(|path| path.to_str().unwrap());
    let mut report = bench.run(&["reconcile", dirs[0], dirs[1], "--evidence", dirs[2]]);
    let file = support::files(&evidence).into_iter().next();
    report.json["first"] = file.map(|file| file.to_str().unwrap().into()).unwrap_or_default();
    report
}

fn row(report: &Report, row: &str) -> u64 {
    report.json["reconcile"]["rows"][row].as_u64().unwrap_or(0)
}

#[test]
fn what_the_sender_left_out_is_found_by_what_it_knew_of_the_receiver() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = quiet(&cast);
    let from = a.entries.len();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 81));
    let to = a.entries.len();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 82));
    compare(&bench, &a, &b, &[]).is_good();
    // Its log ends within what the clocks of the two may differ by.
    let without = a.rewritten(|entries| {
        entries.drain(from..to);
    });
    let report = compare(&bench, &without, &b, &[]);
    report.tells("unchecked", "agreement", "whose log does not say that it left");
    assert_eq!(row(&report, "unaccounted"), 1, "{}", report.text);
}

#[test]
fn what_the_sender_left_out_at_the_very_end_is_not_checked() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = quiet(&cast);
    let kept = a.entries.len();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 84));
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 85));
    let without = a.rewritten(|entries| entries.truncate(kept));
    let report = compare(&bench, &without, &b, &[]);
    assert_eq!(report.exit, 2, "{}", report.text);
    assert_eq!(row(&report, "unknown-to-sender"), 2, "{}", report.text);
    assert!(report.text.contains("2 messages are in the log of plm.example"), "{}", report.text);
}

#[test]
fn what_became_of_a_message_is_not_told_by_a_log_that_ended_before() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, b) = quiet(&cast);
    a.submit(&Send::new("sm", "plm", 86), Some(&b.home.clone()));
    compare(&bench, &a, &b, &[]).is_good();
    a.at = a.at.after(Duration::from_secs(40 * 86_400));
    a.append(vec![], LogEvent::Booted { software: "later".into() });
    let report = compare(&bench, &a, &b, &[]);
    assert_eq!(report.exit, 2, "{}", report.text);
    assert_eq!(row(&report, "unknown-to-receiver"), 1, "{}", report.text);
}

#[test]
fn what_the_receiver_made_up_is_found_whenever_the_log_of_the_sender_ends() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 83);
    let signer = &cast.member("sm").system;
    let mut envelope = send.envelope(&cast, signer);
    envelope.proof.signature = vec![7; 64].into();
    b.arrive(&send, &envelope, (signer, slice::from_ref(&a.home), None));
    let report = compare(&bench, &a, &b, &[]);
    report.finds("agreement", "without a genuine signature");
    bench.run(&["bundle", report.json["first"].as_str().unwrap()]).is_good();
}

#[test]
fn a_split_view_needs_no_witness_to_have_seen_it() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["um"], 1);
    let (a, mut b) = quiet(&cast);
    let forked = a.rewritten(|entries| {
        entries.truncate(40);
        entries[0].boot += 1;
    });
    b.at = a.at;
    b.witness_checkpoint(&forked);
    let report = compare(&bench, &a, &b, &["um"]);
    report.finds("growth", "not the beginning of its log");
    let report = bench.run(&["bundle", report.json["first"].as_str().unwrap()]);
    report.is_good();
    report.notes("checkpoint", "too few witnesses");
}

#[test]
fn whose_a_message_was_is_not_told_without_its_header_unless_its_signature_is_wrong() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, b) = quiet(&cast);
    let signer = &cast.member("sm").system;
    let send = Send::new("sm", "plm", 87);
    a.at = a.at.after(Duration::from_secs(7200));
    a.append(vec![], LogEvent::Booted { software: "later".into() });
    for is_forged in [false, true] {
        let mut b = b.rewritten(|_| {});
        let mut envelope = send.envelope(&cast, signer);
        if is_forged {
            envelope.proof.signature = vec![7; 64].into();
        }
        b.arrive(&send, &envelope, (signer, slice::from_ref(&a.home), None));
        b.gone.insert(send.leaf(&cast));
        let report = compare(&bench, &a, &b, &[]);
        if is_forged {
            report.finds("agreement", "without a genuine signature");
            bench.run(&["bundle", report.json["first"].as_str().unwrap()]).is_good();
        } else {
            assert_eq!(report.exit, 2, "{}", report.text);
            report.tells("unchecked", "agreement", "who sent them cannot be told");
        }
        assert_eq!(row(&report, "header-gone"), u64::from(!is_forged), "{}", report.text);
    }
}
