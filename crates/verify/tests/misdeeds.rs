//! What a log says that is not so, signed and whole: each with what is found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, time::Duration};

use kuriiri_types::{
    Channel, Decided, Digest, Direction, Entry, Giver, LogEvent, LoggedRuling, ReceiptKind,
};
use support::{Author, Bench, Cast, NOW, Send, story};

/// A log with one misdeed in it, signed and whole.
fn misdeed(check: &str, words: &str, commit: impl FnOnce(&Cast, &mut Author<'_>, &mut Author<'_>)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = story(&cast);
    commit(&cast, &mut a, &mut b);
    let report = bench.log(&bench.write(&a, &[]), &[]);
    assert_eq!(report.exit, 1, "{}", report.text);
    report.finds(check, words);
}

fn last(author: &Author<'_>) -> Entry {
    author.entries.last().unwrap().clone()
}

#[test]
fn a_forged_receipt_is_found() {
    misdeed("receipts", "not genuine", |_, a, b| {
        let send = Send::new("sm", "plm", 500);
        a.submit(&send, Some(&b.home.clone()));
        let mut receipt = b.proven(5);
        receipt.entry = b.raw[b.raw.len() - 1].clone();
        a.hear(&b.home, receipt);
    });
}

#[test]
fn a_receipt_in_a_log_of_the_operators_own_making_is_found() {
    misdeed("receipts", "not genuine", |cast, a, b| {
        let other = Cast::new();
        let send = Send::new("sm", "plm", 500);
        a.submit(&send, Some(&b.home.clone()));
        let mut fake = Author::start(&other, "plm");
        let envelope = send.envelope(cast, &cast.member("sm").system);
        let path = [a.home.clone()];
        let at = fake.arrive(&send, &envelope, (&cast.member("sm").system, &path, None));
        a.hear(&fake.home, fake.proven(at));
    });
}

#[test]
fn a_receipt_of_a_message_that_was_never_sent_is_found() {
    misdeed("receipts", "never decided on here", |cast, a, b| {
        let send = Send::new("sm", "plm", 501);
        let envelope = send.envelope(cast, &cast.member("sm").system);
        let path = [a.home.clone()];
        let at = b.arrive(&send, &envelope, (&cast.member("sm").system, &path, None));
        a.at = a.at.max(b.at);
        a.hear(&b.home, b.proven(at));
    });
}

#[test]
fn a_decision_that_the_rules_do_not_give_is_found() {
    misdeed("decisions", "the rules say DENY", |cast, a, b| {
        // A label that may not go there.
        let send = Send { label: "FI TL1", ..Send::new("sm", "plm", 502) };
        a.at = a.at.max(send.at);
        let signer = cast.member("sm").system.id();
        let envelope = send.envelope(cast, &cast.member("sm").system);
        let mut decided = a.decide(&send, &envelope, &[], Some(&b.home), Some(signer), &[]);
        assert_eq!(decided.ruling, LoggedRuling::Deny);
        (decided.ruling, decided.reasons) = (LoggedRuling::Permit, vec![]);
        let decided = a.first_of(decided, &send, envelope);
        let links = vec![(b.home.clone(), Direction::Out)];
        a.append(links, LogEvent::Decided(Box::new(decided)));
        a.state(&send.header(cast), ReceiptKind::Accepted, Some(signer));
    });
}

#[test]
fn reasons_that_the_rules_do_not_give_are_found() {
    misdeed("decisions", "it says DENY", |cast, a, b| {
        let send = Send { label: "FI TL1", ..Send::new("sm", "plm", 502) };
        a.at = a.at.max(send.at);
        let signer = cast.member("sm").system.id();
        let envelope = send.envelope(cast, &cast.member("sm").system);
        let mut decided = a.decide(&send, &envelope, &[], Some(&b.home), Some(signer), &[]);
        decided.reasons = vec!["NO_ROUTE".into()];
        let decided = a.first_of(decided, &send, envelope);
        a.append(vec![], LogEvent::Decided(Box::new(decided)));
    });
}

/// A permit for what must be sealed and is sealed to keys that no federation file lists.
fn permit_invented_keys(cast: &Cast, a: &mut Author<'_>, b: &Author<'_>, semantics: u32) {
    let sealed = Send { label: "FI TL4", sealed: true, ..Send::new("sm", "plm", 504) };
    let send = Send { invented: true, ..sealed };
    a.at = a.at.max(send.at);
    let signer = cast.member("sm").system.id();
    let envelope = send.envelope(cast, &cast.member("sm").system);
    let mut decided = a.decide(&send, &envelope, &[], Some(&b.home), Some(signer), &[]);
    assert_eq!(decided.reasons, ["SEAL_REQUIRED"]);
    (decided.ruling, decided.reasons) = (LoggedRuling::Permit, vec![]);
    decided.semantics = semantics;
    let decided = a.first_of(decided, &send, envelope);
    let links = vec![(b.home.clone(), Direction::Out)];
    a.append(links, LogEvent::Decided(Box::new(decided)));
    a.state(&send.header(cast), ReceiptKind::Accepted, Some(signer));
}

#[test]
fn keys_that_no_federation_file_lists_seal_nothing_since_rules_mean_that() {
    misdeed("decisions", "the rules say DENY", |cast, a, b| permit_invented_keys(cast, a, b, 3));
    for before in [1, 2] {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let (mut a, b) = story(&cast);
        permit_invented_keys(&cast, &mut a, &b, before);
        let report = bench.log(&bench.write(&a, &[]), &[]);
        assert!(!report.text.contains("the rules say"), "{}", report.text);
    }
}

#[test]
fn a_decision_by_files_that_were_not_in_force_is_found() {
    misdeed("decisions", "other files", |cast, a, b| {
        let send = Send::new("sm", "plm", 503);
        a.at = a.at.max(send.at);
        let signer = cast.member("sm").system.id();
        let envelope = send.envelope(cast, &cast.member("sm").system);
        let mut decided = a.decide(&send, &envelope, &[], Some(&b.home), Some(signer), &[]);
        decided.policy = Digest([1; 32]);
        let decided = a.first_of(decided, &send, envelope);
        let links = vec![(b.home.clone(), Direction::Out)];
        a.append(links, LogEvent::Decided(Box::new(decided)));
        a.state(&send.header(cast), ReceiptKind::Accepted, Some(signer));
    });
}

#[test]
fn a_release_that_no_officer_signed_is_found() {
    misdeed("decisions", "the rules say HOLD", |cast, a, b| {
        let send = Send::held("sm", "plm", 504);
        let mut decided = a.submit(&send, Some(&b.home.clone()));
        assert_eq!(decided.ruling, LoggedRuling::Hold);
        (decided.ruling, decided.reasons) = (LoggedRuling::Permit, vec![]);
        (decided.batch, decided.keep_until, decided.giver) = (None, None, None);
        let links = vec![(b.home.clone(), Direction::Out)];
        a.append(links, LogEvent::Decided(Box::new(decided)));
        let _ = cast;
    });
}

#[test]
fn a_release_that_is_no_act_of_its_own_is_found() {
    let commit = |_: &Cast, a: &mut Author<'_>, b: &mut Author<'_>| {
        let send = Send::held("sm", "plm", 25);
        a.submit(&send, Some(&b.home.clone()));
        let envelope = send.envelope(a.cast, &a.cast.member("sm").system);
        a.release(&send, &envelope, &b.home.clone());
        let subject = kuriiri_merkle::leaf(&envelope.header);
        let of_this = |entry: &Entry| entry.event.subjects().any(|named| named == subject);
        *a = a.rewritten(|entries| {
            entries.retain(|e| !(e.event.kind() == "APPROVED" && of_this(e)));
        });
    };
    misdeed("approvals", "is not in the log before it", commit);
    // It may be in the log that this one goes on from.
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = story(&cast);
    let old = a.checkpoint();
    commit(&cast, &mut a, &mut b);
    let restored = LogEvent::Restored { checkpoint: old };
    a.log = 2;
    let a = a.rewritten(|entries| {
        let first = Entry { event: restored, ..entries[0].clone() };
        entries.insert(0, first);
    });
    let report = bench.log(&bench.write(&a, &[]), &[]);
    report.is_good();
    report.notes("approvals", "is not in the log before it");
}

#[test]
fn times_of_cosignatures_that_cannot_be_are_found() {
    let seconds = |author: &Author<'_>| author.at.as_millis() as u64 / 1000;
    let witnessed = |by: i64| {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let (a, mut b) = story(&cast);
        let time = seconds(&b).checked_add_signed(by).unwrap();
        let checkpoint = a.cosigned_at(&["plm"], time);
        b.append(vec![], LogEvent::PeerCheckpoint { checkpoint });
        bench.log(&bench.write(&b, &[]), &[])
    };
    witnessed(0).is_good();
    assert_eq!(witnessed(0).json["found"]["findings"].as_array().unwrap().len(), 4);
    witnessed(-60).notes("witnessing", "by this relay");
    for by in [-301, 302] {
        assert_eq!(witnessed(by).exit, 2);
        witnessed(by).tells("unchecked", "witnessing", "by this relay");
    }
    let cosigned = |by: i64| {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &["plm"], 1);
        let (a, _) = story(&cast);
        let dir = bench.write(&a, &[]);
        let time = seconds(&a).checked_add_signed(by).unwrap();
        fs::write(dir.join("checkpoint"), a.cosigned_at(&["plm"], time)).unwrap();
        bench.log(&dir, &[])
    };
    for by in [0, 100_000] {
        cosigned(by).is_good();
    }
    cosigned(-60).is_good();
    cosigned(-60).notes("checkpoint", "and the last entry is of");
    assert_eq!(cosigned(-301).exit, 2);
    cosigned(-301).tells("unchecked", "checkpoint", "one of the two clocks was wrong");
}

#[test]
fn an_approval_of_another_message_is_found() {
    misdeed("approvals", "no release of this message", |cast, a, b| {
        let (one, two) = (Send::held("sm", "plm", 505), Send::held("sm", "plm", 506));
        let next = b.home.clone();
        a.submit(&one, Some(&next));
        a.submit(&two, Some(&next));
        let signer = &cast.member("sm").system;
        let signed = a.release(&one, &one.envelope(cast, signer), &next);
        let subject = kuriiri_merkle::leaf(&two.envelope(cast, signer).header);
        a.append(vec![], LogEvent::Approved { subject, approval: signed });
    });
}

/// A message signed by this signer instead of the ministry's own.
fn signed_by(check: &str, words: &str, signer: impl FnOnce(&Cast) -> kuriiri_seal::Signer) {
    misdeed(check, words, |cast, a, b| {
        let send = Send::new("sm", "plm", 507);
        let signer = signer(cast);
        a.at = a.at.max(send.at);
        a.show(signer.certificate());
        let envelope = send.envelope(cast, &signer);
        let (id, next) = (signer.id().clone(), b.home.clone());
        let decided = a.decide(&send, &envelope, &[], Some(&next), Some(&id), &[]);
        let decided = a.first_of(decided, &send, envelope);
        a.append(vec![(next, Direction::Out)], LogEvent::Decided(Box::new(decided)));
        a.state(&send.header(cast), ReceiptKind::Accepted, Some(&id));
    });
}

const SYSTEM: &str = "spiffe://sm.example/system/kirjaamo";

#[test]
fn a_certificate_that_had_expired_is_found() {
    let before = NOW.before(Duration::from_secs(20 * 86_400));
    signed_by("originators", "CertExpired", |cast| cast.member("sm").signer(SYSTEM, before, 10));
}

#[test]
fn a_certificate_that_was_not_valid_yet_is_found_though_it_is_later() {
    misdeed("originators", "CertNotValidYet", |cast, a, b| {
        let later = NOW.after(Duration::from_secs(90_000));
        let signer = cast.member("sm").signer(SYSTEM, later, 10);
        a.show(signer.certificate());
        for (number, at) in [(508, a.at), (509, later.after(Duration::from_secs(5)))] {
            let send = Send { at, ..Send::new("sm", "plm", number) };
            let envelope = send.envelope(cast, &signer);
            a.submit_signed(&send, envelope, Some(&b.home.clone()));
        }
    });
}

#[test]
fn a_certificate_of_another_ministry_is_found() {
    signed_by("originators", "in the name of", |cast| {
        cast.member("um").signer(
            "spiffe://um.example/system/kirjaamo",
            NOW.before(support::DAY),
            300,
        )
    });
}

#[test]
fn a_certificate_of_another_authority_is_found() {
    signed_by("originators", "not one that its ministry issued", |_| {
        Cast::new().member("sm").signer(SYSTEM, NOW.before(support::DAY), 300)
    });
}

#[test]
fn an_officer_does_not_sign_messages() {
    signed_by("originators", "only a system may", |cast| {
        let id = "spiffe://sm.example/officer/anna";
        cast.member("sm").signer(id, NOW.before(support::DAY), 300)
    });
}

#[test]
fn a_certificate_that_is_not_in_the_log_is_found() {
    misdeed("originators", "not in the log before", |cast, a, b| {
        let send = Send::new("sm", "plm", 510);
        let signer = cast.member("sm").signer(SYSTEM, NOW.before(support::DAY), 300);
        let envelope = send.envelope(cast, &signer);
        a.submit_signed(&send, envelope, Some(&b.home.clone()));
    });
}

#[test]
fn a_log_under_another_federation_file_of_the_same_serial_is_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let dir = bench.write(&a, &[]);
    let (same, other) = (bench.folder("same.toml"), bench.folder("other.toml"));
    fs::write(&same, &cast.federation).unwrap();
    fs::write(&other, &Cast::new().federation).unwrap();
    bench.log(&dir, &["--federation", same.to_str().unwrap()]).is_good();
    let report = bench.log(&dir, &["--federation", other.to_str().unwrap()]);
    report.finds("signed-files", "another than the one that was given with this serial");
}

#[test]
fn a_channel_with_a_gap_or_a_wrong_link_is_found() {
    let link = |change: fn(&mut Channel), words: &str| {
        misdeed("channels", words, |_, a, b| {
            a.submit(&Send::new("sm", "plm", 511), Some(&b.home.clone()));
            let mut entries = a.entries.clone();
            let at = entries.iter().rposition(|e| !e.channels.is_empty()).unwrap();
            change(&mut entries[at].channels[0]);
            let mut new = Author::blank(a.cast, "sm");
            entries.into_iter().for_each(|entry| {
                new.push(entry);
            });
            std::mem::swap(a, &mut new);
        });
    };
    link(|channel| channel.seq += 1, "goes on with number");
    link(|channel| channel.prev = Digest([1; 32]), "does not name its entry before");
}

#[test]
fn a_message_that_goes_on_or_comes_in_outside_its_chain_is_found() {
    misdeed("channels", "not in the chain", |cast, a, _| {
        let send = Send::new("plm", "sm", 512);
        let signer = &cast.member("plm").system;
        let envelope = send.envelope(cast, signer);
        let path = [signer.id().ministry().clone()];
        a.at = a.at.max(send.at);
        a.show(signer.certificate());
        let decided = a.decide(&send, &envelope, &path, None, None, &[]);
        let decided = a.first_of(decided, &send, envelope);
        a.append(vec![], LogEvent::Decided(Box::new(decided)));
        let by = Some(Giver::Peer(path[0].clone()));
        a.state_by(&[send.header(cast)], ReceiptKind::Relayed, by);
    });
    misdeed("channels", "does not permit to go", |_, a, b| {
        let decided = a.submit(&Send::held("sm", "plm", 513), None);
        let decided = Decided { batch: None, keep_until: None, giver: None, ..decided };
        let links = vec![(b.home.clone(), Direction::Out)];
        a.append(links, LogEvent::Decided(Box::new(decided)));
    });
}

#[test]
fn times_and_starts_that_fall_are_found() {
    misdeed("order", "the time falls", |_, a, b| {
        a.at = NOW;
        a.submit(&Send { at: NOW, ..Send::new("sm", "plm", 514) }, Some(&b.home.clone()));
    });
    misdeed("order", "the count of starts falls", |_, a, _| {
        a.boot -= 1;
        a.append(vec![], LogEvent::Booted { software: "x".into() });
    });
    misdeed("order", "begins without saying so", |_, a, b| {
        a.boot += 1;
        a.submit(&Send::new("sm", "plm", 515), Some(&b.home.clone()));
    });
    misdeed("order", "is in an entry of", |cast, a, b| {
        let send = Send::new("sm", "plm", 516);
        a.submit(&send, Some(&b.home.clone()));
        let mut entry = last(a);
        if let LogEvent::Receipt(receipt) = &mut entry.event {
            receipt.at = NOW;
            receipt.kind = ReceiptKind::Expired;
        }
        a.push(entry);
        let _ = cast;
    });
    misdeed("order", "the clock was set", |_, a, _| {
        let from = a.at.before(Duration::from_secs(5));
        a.at = a.at.before(Duration::from_secs(9));
        a.append(vec![], LogEvent::ClockStepped { from });
    });
}

#[test]
fn who_handed_over_what_was_taken_is_said_and_is_the_last_on_its_way() {
    misdeed("order", "it is not for sm.example to say", |_, a, b| {
        a.submit(&Send::new("sm", "plm", 522), Some(&b.home.clone()));
        let mut entry = last(a);
        if let LogEvent::Receipt(receipt) = &mut entry.event {
            receipt.by = Some(Giver::Peer(b.home.clone()));
        }
        a.push(entry);
    });
    let handed_over = |change: fn(&mut Decided)| {
        misdeed("channels", "is not the last on their way", |cast, a, _| {
            let send = Send::new("plm", "sm", 523);
            let signer = &cast.member("plm").system;
            let path = [signer.id().ministry().clone()];
            a.arrive(&send, &send.envelope(cast, signer), (signer, &path, None));
            *a = a.rewritten(|entries| {
                let decided = entries.iter_mut().rev().find_map(|entry| {
                    let LogEvent::Decided(decided) = &mut entry.event else { return None };
                    Some(decided)
                });
                change(decided.unwrap());
            });
        });
    };
    handed_over(|decided| decided.path.push("um.example".parse().unwrap()));
    handed_over(|decided| decided.giver = None);
}

#[test]
fn a_log_speaks_for_its_own_ministry_only() {
    misdeed("order", "this log speaks as plm.example", |_, a, b| {
        a.submit(&Send::new("sm", "plm", 517), Some(&b.home.clone()));
        let mut entry = last(a);
        if let LogEvent::Receipt(receipt) = &mut entry.event {
            receipt.issuer = b.home.clone();
        }
        a.push(entry);
    });
}

#[test]
fn messages_with_more_than_one_life_are_found() {
    let state = |kinds: &'static [ReceiptKind], words: &str| {
        misdeed("messages", words, |cast, a, b| {
            let send = Send::new("sm", "plm", 518);
            a.submit(&send, Some(&b.home.clone()));
            for kind in kinds {
                a.state(&send.header(cast), *kind, None);
            }
        });
    };
    state(&[ReceiptKind::Accepted], "taken twice");
    state(&[ReceiptKind::Refused, ReceiptKind::Expired], "two fates");
    misdeed("messages", "never took", |cast, a, _| {
        a.state(&Send::new("sm", "plm", 519).header(cast), ReceiptKind::Expired, None);
    });
    misdeed("messages", "without a decision", |cast, a, _| {
        a.state(&Send::new("sm", "plm", 520).header(cast), ReceiptKind::Accepted, None);
    });
    misdeed("messages", "whose header no entry before it brought", |_, a, b| {
        let mut decided = a.submit(&Send::new("sm", "plm", 521), Some(&b.home.clone()));
        decided.subjects[0].header = Digest([4; 32]);
        (decided.batch, decided.keep_until, decided.giver) = (None, None, None);
        a.append(vec![], LogEvent::Decided(Box::new(decided)));
    });
}

#[test]
fn entries_that_are_no_entries_are_found() {
    misdeed("entries", "cannot be read", |_, a, _| {
        // A trailing field that this version does not know.
        let mut bytes = a.raw[0].to_vec();
        bytes.extend([0xf8, 0x01, 0x01]);
        a.raw.push(bytes.clone().into());
        a.tree.push(kuriiri_merkle::leaf(&bytes));
    });
}
