//! Two ministries' logs against each other: each row of the comparison, with the evidence that is
//! written for it and stands alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, time::Duration};

use kuriiri_merkle::leaf;
use kuriiri_seal::Purpose;
use kuriiri_types::{
    Direction, Envelope, Giver, LogEvent, LoggedRuling, ReceiptKind, SignedReceipt,
};
use kuriiri_verify::{MessageBundle, check_bundle};
use kuriiri_wire::header;
use support::{
    Author, Bench, Cast, NOW, Send, a_little_later, compare, compare_with, exchange, finish,
    much_later_on, quiet, story,
};

#[test]
fn logs_that_agree_are_matched_and_their_minutes_too() {
    let cast = Cast::new();
    let (a, b) = quiet(&cast);
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    assert_eq!(compared.row("matched"), 60, "{}", compared.report.text);
    let minutes = &compared.report.json["reconcile"]["minutes"];
    assert!(minutes["compared"].as_u64().unwrap() >= 5 && minutes["compared"] == minutes["agreed"]);

    let from = NOW.after(Duration::from_secs(100)).to_string();
    let to = NOW.after(Duration::from_secs(200)).to_string();
    let part = compare_with(&cast, &a, &b, &["--from", &from, "--to", &to]);
    part.report.is_good();
    assert!(part.row("matched") > 0 && part.row("matched") < 30, "{}", part.report.text);
}

#[test]
fn a_day_with_everything_in_it_reconciles() {
    let cast = Cast::new();
    let (a, b) = story(&cast);
    let html = tempfile::TempDir::new().unwrap();
    let page = html.path().join("page.html");
    let compared = compare_with(&cast, &a, &b, &["--html", page.to_str().unwrap()]);
    compared.report.is_good();
    assert_eq!((compared.row("matched"), compared.row("beyond-other-log")), (22, 1));
    assert!(fs::read_to_string(page).unwrap().contains("22"));
}

#[test]
fn a_receipt_for_what_is_not_there_is_evidence_against_its_issuer() {
    let cast = Cast::new();
    let (a, b) = quiet(&cast);
    // The receiver writes its log again, without the entries of one message.
    let mut without = b.rewritten(|entries| {
        let at = entries.iter().position(|e| matches!(e.event, LogEvent::Decided(_))).unwrap();
        entries.drain(at..at + 3);
    });
    a_little_later(&mut without);
    let compared = compare(&cast, &a, &without);
    compared.report.finds("agreement", "gave a receipt for an entry that is not in its log");
    let what = compared.evidence("missing-at-receiver");
    assert!(what.contains("plm.example signed in its checkpoint"), "{what}");
    assert!(compared.row("missing-at-receiver") > 0);
    // The checkpoints that came with the receipts are of another history.
    assert!(compared.row("split-view") > 0);
    compared.evidence("split-view");
}

#[test]
fn a_receiver_that_was_rolled_back_and_went_on_is_found_and_an_older_copy_is_none() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let kept = b.entries.len();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 60));
    let older = b.rewritten(|entries| entries.truncate(kept));
    let compared = compare(&cast, &a, &older);
    // Nothing is wrong with it, and what is beyond it was not checked.
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    assert_eq!(compared.row("missing-at-receiver"), 0);
    assert_eq!((compared.row("matched"), compared.row("receipt-beyond-log")), (60, 1));
    assert!(compared.report.text.contains("1 messages have receipts of plm.example for entries"));
    assert!(compared.report.text.contains("holds a checkpoint that plm.example signed"));
    // A log that is shorter and has later times is no proof either: clocks are set.
    let mut gone_on = b.rewritten(|entries| entries.truncate(kept));
    gone_on.at = a.at;
    much_later_on(&mut gone_on);
    let compared = compare(&cast, &a, &gone_on);
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    compared.accuses_nobody();
    // Once it is as long, the trees contradict each other.
    for n in 0..8 {
        gone_on.append(vec![], LogEvent::Booted { software: format!("again {n}") });
    }
    let compared = compare(&cast, &a, &gone_on);
    compared.report.finds("agreement", "gave a receipt");
    compared.evidence("missing-at-receiver");
    compared.evidence("split-view");
}

#[test]
fn a_message_of_which_nothing_was_heard_is_in_flight_and_then_stalled() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    a.submit(&Send::new("sm", "plm", 70), Some(&b.home.clone()));
    b.at = a.at;
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    a_little_later(&mut b);
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    assert_eq!(compared.row("in-flight"), 1);
    much_later_on(&mut a);
    much_later_on(&mut b);
    let compared = compare(&cast, &a, &b);
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    compared.report.tells("unchecked", "agreement", "its time is over");
    compared.accuses_nobody();
    assert!(compared.evidence("stalled").contains("the whole log only"));
    // Also by a deadline of the auditor's.
    let (mut a, mut b) = quiet(&cast);
    a.submit(&Send::new("sm", "plm", 71), Some(&b.home.clone()));
    for author in [&mut a, &mut b] {
        author.at = author.at.after(Duration::from_secs(7200));
        author.append(vec![], LogEvent::Booted { software: "later".into() });
    }
    assert_eq!(compare_with(&cast, &a, &b, &["--deadline", "30"]).row("stalled"), 1);
}

#[test]
fn a_message_that_expired_or_was_refused_has_ended() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 72);
    a.submit(&send, Some(&b.home.clone()));
    a.state(&send.header(&cast), ReceiptKind::Expired, None);
    much_later_on(&mut a);
    much_later_on(&mut b);
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    assert_eq!(compared.row("ended"), 1, "{}", compared.report.text);
}

#[test]
fn a_receipt_that_is_under_way_is_no_fault() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 73);
    a.submit(&send, Some(&b.home.clone()));
    let signer = &cast.member("sm").system;
    let envelope = send.envelope(&cast, signer);
    b.arrive(&send, &envelope, (signer, &[a.home.clone()], None));
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    assert_eq!(compared.row("receipt-under-way"), 1, "{}", compared.report.text);
}

#[test]
fn what_the_sender_left_out_is_told_and_held_against_nobody() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let kept = a.entries.len();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 74));
    let mut without = a.rewritten(|entries| entries.truncate(kept));
    without.at = a.at;
    a_little_later(&mut without);
    let compared = compare(&cast, &without, &b);
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    compared.report.tells("unchecked", "agreement", "whose log does not say that it left");
    compared.accuses_nobody();
    let what = compared.evidence("unaccounted");
    assert!(what.contains("which its sender's system signed"), "{what}");
    // A copy of its log from before is no omission.
    let older = a.rewritten(|entries| entries.truncate(kept));
    let compared = compare(&cast, &older, &b);
    assert_eq!(compared.row("unknown-to-sender"), 1, "{}", compared.report.text);
    assert_eq!(compared.report.exit, 2, "{}", compared.report.text);
    assert!(compared.report.text.contains("ends too early to say"), "{}", compared.report.text);
}

#[test]
fn what_the_receiver_made_up_is_evidence_against_it() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 75);
    let signer = &cast.member("sm").system;
    let mut envelope = send.envelope(&cast, signer);
    envelope.proof.signature = vec![7; 64].into();
    b.arrive(&send, &envelope, (signer, &[a.home.clone()], None));
    a.at = b.at;
    a_little_later(&mut a);
    let compared = compare(&cast, &a, &b);
    compared.report.finds("agreement", "without a genuine signature");
    assert!(compared.evidence("unsigned-extra").contains("plm.example took"));
}

#[test]
fn two_messages_of_one_id_are_evidence_against_their_sender() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 76);
    a.submit(&send, Some(&b.home.clone()));
    let signer = &cast.member("sm").system;
    let mut other = send.header(&cast);
    other.subject = "another".into();
    let bytes = header::encode(&other);
    let proof = signer.sign(Purpose::Messages, &[leaf(&bytes)]).remove(0);
    let envelope = Envelope { header: bytes, proof };
    b.at = a.at;
    let decided = b.decide(&send, &envelope, &[a.home.clone()], None, None, &[]);
    let decided = b.first_of(decided, &send, envelope);
    let links = vec![(a.home.clone(), Direction::In)];
    b.append(links, LogEvent::Decided(Box::new(decided)));
    let by = Some(Giver::Peer(a.home.clone()));
    b.state_by(&[other], ReceiptKind::Relayed, by);
    // Whose systems signed is told by authorities that a lying log could have made up.
    let compared = compare(&cast, &a, &b);
    compared.report.tells("unchecked", "agreement", "two different messages");
    compared.accuses_nobody();
    assert!(compared.evidence("content-differs").contains("systems of sm.example"));
    // With authorities that the auditor believes it is proved.
    let federation = compared.bench.folder("federation.toml");
    fs::write(&federation, &cast.federation).unwrap();
    let more = ["--federation", federation.to_str().unwrap()];
    let compared = compare_with(&cast, &a, &b, &more);
    compared.report.finds("agreement", "two different messages");
    let file = support::files(&compared.evidence).remove(0);
    let bundle = MessageBundle::read(&file).unwrap();
    assert!(check_bundle(&bundle, compared.bench.anchors()).claim.unwrap().proved);
}

#[test]
fn what_was_taken_twice_is_evidence_against_the_receiver() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let send = Send::new("sm", "plm", 77);
    exchange(&mut a, &mut b, &send);
    let signer = &cast.member("sm").system;
    b.arrive(&send, &send.envelope(&cast, signer), (signer, &[a.home.clone()], None));
    let compared = compare(&cast, &a, &b);
    compared.report.finds("agreement", "took it twice");
    assert!(compared.evidence("duplicate").contains("plm.example took one message"));
}

#[test]
fn a_gap_in_a_chain_is_evidence_against_its_owner() {
    let cast = Cast::new();
    let (a, b) = quiet(&cast);
    let mut entries = a.entries.clone();
    let at = entries.iter().rposition(|e| !e.channels.is_empty()).unwrap();
    entries[at].channels[0].prev = kuriiri_types::Digest([9; 32]);
    let mut wrong = Author::blank(&cast, "sm");
    entries.into_iter().for_each(|entry| {
        wrong.push(entry);
    });
    let compared = compare(&cast, &wrong, &b);
    compared.report.finds("channels", "does not name its entry before");
    compared.report.finds("agreement", "gap or a wrong link");
    assert!(compared.evidence("chain-gap").contains("does not follow"));
}

#[test]
fn rules_that_differ_are_told_with_evidence_and_are_nobodys_fault() {
    let cast = Cast::new();
    let strict = cast.with_other_rules(|rules| {
        rules.replacen("level = \"JULK\"", "level = \"JULK\"\napprovals = 1", 1)
    });
    let (mut a, mut b) = quiet(&cast);
    b.cast = &strict;
    b.at = a.at.max(b.at);
    b.put_in_force();
    let send = Send::new("sm", "plm", 78);
    a.submit(&send, Some(&b.home.clone()));
    let signer = &cast.member("sm").system;
    let refused = b.arrive(&send, &send.envelope(&cast, signer), (signer, &[a.home.clone()], None));
    a.hear(&b.home, b.proven(refused));
    a.state(&send.header(&cast), ReceiptKind::Refused, None);
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    compared.report.notes("agreement", "refuses it by the rules");
    assert!(compared.evidence("policy-divergence").contains("denied"));
}

#[test]
fn late_messages_and_messages_out_of_order_are_told() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let sends = [Send::new("sm", "plm", 79), Send::new("sm", "plm", 80)];
    for send in &sends {
        a.submit(send, Some(&b.home.clone()));
    }
    b.at = a.at.after(Duration::from_secs(3600));
    a.at = b.at;
    for send in sends.iter().rev() {
        b.at = b.at.after(Duration::from_secs(1));
        finish(&mut a, &mut b, send, &[]);
    }
    let compared = compare(&cast, &a, &b);
    compared.report.is_good();
    assert_eq!((compared.row("late"), compared.row("reordered")), (2, 1));
    compared.report.notes("agreement", "by the clocks of the two");
    compared.report.notes("agreement", "after one that left later");
}

#[test]
fn a_split_view_is_evidence_with_two_signatures() {
    let cast = Cast::new();
    let (a, mut b) = quiet(&cast);
    let forked = a.rewritten(|entries| {
        if let LogEvent::Booted { software } = &mut entries[0].event {
            *software = "another".into();
        }
        entries.truncate(70);
    });
    b.at = a.at;
    b.witness_checkpoint(&forked);
    let compared = compare(&cast, &a, &b);
    compared.report.finds("growth", "not the beginning of its log");
    assert!(compared.evidence("split-view").contains("signed two histories"));
    // Two roots at one size.
    let (a, mut b) = quiet(&cast);
    let forked = a.rewritten(|entries| {
        if let LogEvent::Booted { software } = &mut entries[0].event {
            *software = "another".into();
        }
    });
    b.at = a.at;
    b.witness_checkpoint(&forked);
    let compared = compare(&cast, &a, &b);
    assert!(compared.evidence("split-view").contains("two roots at"));
}

#[test]
fn logs_that_are_not_sound_in_themselves_are_not_compared() {
    let cast = Cast::new();
    let (a, b) = quiet(&cast);
    let bench = Bench::new(&cast, &[], 0);
    let (one, two) = (bench.write(&a, &[]), bench.write(&b, &[]));
    let other = Cast::new();
    fs::write(one.join("checkpoint"), Author::start(&other, "sm").checkpoint()).unwrap();
    let report = bench.run(&["reconcile", one.to_str().unwrap(), two.to_str().unwrap()]);
    report.finds("checkpoint", "");
    let twice = bench.run(&["reconcile", two.to_str().unwrap(), two.to_str().unwrap()]);
    twice.finds("agreement", "same ministry");
}

#[test]
fn a_message_through_a_hub_is_compared_with_the_hub() {
    let cast = Cast::new();
    let mut a = Author::start(&cast, "sm");
    let (mut hub, mut um) = (Author::start(&cast, "hub"), Author::start(&cast, "um"));
    for n in 0..5 {
        let send = Send::new("sm", "um", n);
        let signer = &cast.member("sm").system;
        let envelope = send.envelope(&cast, signer);
        let decided = a.submit(&send, Some(&hub.home.clone()));
        assert_eq!(decided.ruling, LoggedRuling::Permit, "{:?}", decided.reasons);
        let path = [a.home.clone()];
        let at = hub.arrive(&send, &envelope, (signer, &path, Some(&um.home.clone())));
        a.hear(&hub.home, hub.proven(at));
        let path = [a.home.clone(), hub.home.clone()];
        um.at = um.at.max(hub.at);
        let at = um.arrive(&send, &envelope, (signer, &path, None));
        let relayed: SignedReceipt = um.proven(at);
        hub.hear(&um.home, relayed);
        let by = cast.member("um").system.id();
        let delivered = um.state(&send.header(&cast), ReceiptKind::Delivered, Some(by));
        let delivered = um.proven(delivered);
        hub.hear(&um.home, delivered.clone());
        a.hear(&hub.home, delivered);
    }
    for (one, two) in [(&a, &hub), (&hub, &um), (&a, &um)] {
        let compared = compare(&cast, one, two);
        compared.report.is_good();
        assert_eq!(compared.row("matched"), 5, "{}", compared.report.text);
        let bench = Bench::new(&cast, &[], 0);
        bench.log(&bench.write(one, &[]), &[]).is_good();
    }
}

#[test]
fn a_receipt_whose_entry_was_replaced_by_another_is_found() {
    let cast = Cast::new();
    let (a, b) = quiet(&cast);
    let replaced = b.rewritten(|entries| {
        for entry in entries {
            if let LogEvent::Receipt(receipt) = &mut entry.event
                && receipt.kind == ReceiptKind::Relayed
            {
                receipt.by = Some(Giver::Peer("um.example".parse().unwrap()));
            }
        }
    });
    let compared = compare(&cast, &a, &replaced);
    compared.report.finds("agreement", "gave a receipt for an entry that is not in its log");
    assert!(compared.evidence("missing-at-receiver").contains("another entry is there"));
}

#[test]
fn of_very_many_findings_all_are_told_and_only_some_have_evidence() {
    let cast = Cast::new();
    let (mut a, mut b) = quiet(&cast);
    let path = [a.home.clone()];
    for n in 100..305 {
        let send = Send::new("sm", "plm", n);
        let signer = &cast.member("sm").system;
        b.arrive(&send, &send.envelope(&cast, signer), (signer, &path, None));
    }
    a.at = b.at;
    a_little_later(&mut a);
    let compared = compare(&cast, &a, &b);
    assert_eq!(compared.row("unaccounted"), 205, "{}", compared.report.text);
    assert_eq!(support::files(&compared.evidence).len(), 200);
    compared.report.notes("agreement", "written for 200 findings; of 5 more there is none");
    compared.evidence("unaccounted");
}
