//! Headers beside a log: entries speak of many messages, and each header is held against them; one may be
//! missing only if the log says why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, time::Duration};

use bytes::Bytes;
use kuriiri_tlog::{EntryHeaders, decode_headers, encode_headers};
use kuriiri_types::{Digest, Direction, Giver, LogEvent, LoggedRuling, Subject};
use support::{
    Author, Bench, Cast, DAY, Report, Send, class, classes, exchange, finish, keep_until,
    much_later, sends, sign_all, story,
};

/// The audit of a log.
fn audited(bench: &Bench, author: &Author<'_>) -> Report {
    bench.log(&bench.write(author, &[]), &[])
}

// === classes ===

#[test]
fn one_entry_about_many_messages_is_checked_message_by_message() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = classes(&cast, &[0, 10, 20]);
    for author in [&a, &b] {
        let report = audited(&bench, author);
        report.is_good();
        for check in ["headers", "originators", "decisions", "messages"] {
            assert_eq!(report.done(check), 15, "{check} {}", report.text);
        }
        let log = &report.json["log"];
        assert_eq!((&log["fates"]["messages"], &log["messages"]), (&15.into(), &15.into()));
        assert_eq!(log["fates"]["delivered"], 15, "{log}");
        assert_eq!(log["kinds"]["DECIDED"], 3, "{log}");
        let spans = report.json["timeline"]["spans"].as_object().unwrap();
        let sum = |what: &str| spans.values().map(|span| span[what].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("permitted"), sum("entries")), (15, log["read"].as_u64().unwrap()));
    }
    let (one, two) = (bench.write(&a, &[]), bench.write(&b, &[]));
    let compared = bench.run(&["reconcile", one.to_str().unwrap(), two.to_str().unwrap()]);
    compared.is_good();
    assert_eq!(compared.json["reconcile"]["rows"]["matched"], 15, "{}", compared.text);
    assert_eq!(compared.json["reconcile"]["minutes"]["agreed"], 3, "{}", compared.text);
}

#[test]
fn one_wrong_message_among_many_is_found_and_named() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = classes(&cast, &[0]);
    let mut all = sends(10);
    // Its label may not go where those of the others may.
    all[3].label = "FI TL1";
    class(&mut a, &mut b, &all);
    let report = audited(&bench, &a);
    let found = report.tells("fault", "decisions", "the rules say DENY");
    assert_eq!(found["message"], all[3].id().to_string());
    assert_eq!(report.faults("decisions"), 1, "{}", report.text);
    // A statement leaves one of them out.
    let (mut a, mut b) = classes(&cast, &[0]);
    class(&mut a, &mut b, &sends(10));
    let left_out = sends(10)[2].id();
    let without = a.rewritten(|entries| {
        for entry in entries {
            if let LogEvent::Receipt(receipt) = &mut entry.event {
                receipt.subjects.retain(|told| told.subject.message != left_out);
            }
        }
    });
    let report = audited(&bench, &without);
    let found = report.tells("fault", "receipts", "a copy that was never taken here");
    assert_eq!(found["message"], left_out.to_string());
}

#[test]
fn the_signature_is_over_all_messages_of_an_entry() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, b) = classes(&cast, &[0]);
    let signer = &cast.member("sm").system;
    let signed = sign_all(&cast, signer, &sends(10));
    // Some of a batch go another way; the rest of it is proved by digests alone.
    let next = b.home.clone();
    a.submit_class(&[signed[0].clone(), signed[3].clone()], Some(&next));
    audited(&bench, &a).is_good();
    // One of another batch is put among them.
    let mut mixed = vec![signed[1].clone(), signed[2].clone()];
    mixed[1].0 = sends(20).remove(0);
    mixed[1].1.header = sends(20)[0].envelope(&cast, signer).header;
    a.submit_class(&mixed, Some(&next));
    let report = audited(&bench, &a);
    let found = report.tells("fault", "originators", "so for 1 more messages");
    assert_eq!(found["message"], sends(10)[1].id().to_string());
}

// === missing with leave ===

#[test]
fn headers_that_were_pruned_after_their_time_are_counted_and_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = classes(&cast, &[0]);
    let until = much_later(&mut a);
    let later = Send { at: a.at, ..Send::new("sm", "plm", 50) };
    exchange(&mut a, &mut b, &later);
    a.say_pruned(until);
    let whole = audited(&bench, &a);
    whole.is_good();
    assert_eq!(whole.json["log"]["gone"]["pruned"], 0);
    a.gone.extend(sends(0).iter().map(|send| send.leaf(&cast)));
    let dir = bench.write(&a, &[]);
    let report = bench.log(&dir, &[]);
    report.is_good();
    report.notes("headers", "5 decisions on their messages were not taken again");
    let gone = &report.json["log"]["gone"];
    assert_eq!((&gone["pruned"], &gone["erased"]), (&5.into(), &0.into()));
    assert_eq!((report.done("headers"), report.done("decisions")), (1, 1));
    // That a system signed them follows from the entry alone.
    assert_eq!(report.done("originators"), 6);
    let (page, policy) = (bench.folder("page.html"), bench.policy().to_str().unwrap());
    let args = ["log", dir.to_str().unwrap(), "--policy", policy, "--html", page.to_str().unwrap()];
    let (exit, text) = support::run(&args);
    assert!(exit == 0 && text.contains("5 headers are missing with leave"), "{text}");
    assert!(fs::read_to_string(page).unwrap().contains("Headers that are gone"));
    // Without any header left there need not be a file.
    a.gone.insert(later.leaf(&cast));
    a.say_pruned(a.at.after(Duration::from_secs(60)));
    let dir = bench.write(&a, &[]);
    assert!(!dir.join("headers").exists());
    // The last one is to be kept for longer.
    let report = bench.log(&dir, &[]);
    assert_eq!(report.faults("headers"), 1, "{}", report.text);
}

#[test]
fn headers_that_were_erased_are_counted_and_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = classes(&cast, &[0, 10]);
    let erased = sends(10)[4].leaf(&cast);
    a.say_erased(erased, true);
    a.gone.insert(erased);
    let report = audited(&bench, &a);
    report.is_good();
    let gone = &report.json["log"]["gone"];
    assert_eq!((&gone["pruned"], &gone["erased"]), (&0.into(), &1.into()));
    assert_eq!(gone["decisions"], 1);
    report.notes("headers", "0 pruned after their time, 1 erased");
    assert_eq!((report.done("headers"), report.done("originators")), (9, 10));
}

// === missing without leave ===

/// A log with one header missing, of the second of five messages, after something was said; what is found
/// against it, with the message.
fn missing(words: &str, say: impl FnOnce(&mut Author<'_>, Digest)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = classes(&cast, &[0]);
    let victim = &sends(0)[1];
    say(&mut a, victim.leaf(&cast));
    audited(&bench, &a).is_good();
    a.gone.insert(victim.leaf(&cast));
    let report = audited(&bench, &a);
    report.finds("headers", words);
    let found = report.tells("fault", "headers", words);
    assert_eq!(found["message"], victim.id().to_string());
    assert!(found.get("against").is_none(), "a copy may lack it: {found}");
    let decided = a.entries.iter().position(|e| matches!(e.event, LogEvent::Decided(_)));
    assert_eq!(found["entry"], decided.unwrap() as u64);
    assert_eq!(report.faults("headers"), 1, "{}", report.text);
}

#[test]
fn a_header_that_is_missing_without_a_word_is_found() {
    missing("does not say that it was pruned", |_, _| {});
}

#[test]
fn a_header_whose_time_is_not_over_is_not_pruned_with_leave() {
    missing("does not say that it was pruned", |a, _| {
        let until = much_later(a);
        a.say_pruned(until.before(Duration::from_millis(1)));
    });
}

#[test]
fn only_what_the_log_says_afterwards_and_of_this_header_gives_leave() {
    missing("does not say that it was pruned", |a, _| {
        // Said before the message came.
        let until = keep_until(a);
        *a = a.rewritten(|entries| {
            let by = "spiffe://sm.example/operator/otto".parse().unwrap();
            let event = LogEvent::Pruned { until, headers: 1, by, basis: "x".into() };
            let mut said = entries[0].clone();
            said.event = event;
            // The clock was far ahead and was set back.
            said.at = until;
            entries.insert(1, said);
            let mut stepped = entries[0].clone();
            stepped.event = LogEvent::ClockStepped { from: until };
            entries.insert(2, stepped);
        });
    });
    missing("does not say that it was pruned", |a, header| {
        a.say_erased(header, false);
        let other = a.headers.keys().copied().find(|one| *one != header).unwrap();
        a.say_erased(other, true);
    });
}

#[test]
fn pruning_does_not_reach_into_the_time_to_come() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = classes(&cast, &[0]);
    a.say_pruned(keep_until(&a));
    a.gone.extend(sends(0).iter().map(|send| send.leaf(&cast)));
    audited(&bench, &a).finds("headers", "were pruned that were to be kept until");
}

// === wrong headers ===

/// Changes the headers of a log of two classes and one message.
fn changed(words: &str, change: impl Fn(&mut Vec<EntryHeaders>)) -> Report {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = classes(&cast, &[0, 10]);
    let dir = bench.write(&a, &[]);
    let file = support::files(&dir.join("headers")).remove(0);
    let mut parts = decode_headers(&Bytes::from(fs::read(&file).unwrap())).unwrap();
    change(&mut parts);
    fs::write(&file, encode_headers(&parts).unwrap()).unwrap();
    let report = bench.log(&dir, &[]);
    report.finds("headers", words);
    report
}

#[test]
fn headers_that_are_not_those_that_the_entries_name_are_found() {
    let report = changed("not the one that it names", |parts| parts[1].headers.swap(2, 3));
    assert_eq!(report.faults("headers"), 2, "{}", report.text);
    changed("not the one that it names", |parts| {
        parts[0].headers[4] = parts[1].headers[4].clone();
    });
    changed("not the one that it names", |parts| {
        parts[0].headers[0] = Some(Bytes::from_static(b"x"));
    });
    changed("are 4 headers, and it names 5", |parts| {
        parts[0].headers.pop();
    });
    changed("names no message for the first time", |parts| parts[0].place += 1);
    changed("is missing", |parts| {
        parts.remove(1);
    });
}

#[test]
fn a_file_of_headers_that_is_cut_off_is_found_once() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = classes(&cast, &[0, 10]);
    let dir = bench.write(&a, &[]);
    let file = support::files(&dir.join("headers")).remove(0);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    let report = bench.log(&dir, &[]);
    report.finds("headers", "headers/000.p");
    assert_eq!(report.faults("headers"), 1, "{}", report.text);
}

#[test]
fn narrow_files_of_headers_are_of_the_same_log() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = classes(&cast, &[0]);
    let dir = bench.write(&a, &[]);
    let old = support::files(&dir.join("headers")).remove(0);
    class(&mut a, &mut b, &sends(10));
    a.write(&dir, &[]);
    bench.log(&dir, &[]).is_good();
    let (mut other, mut c) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    class(&mut other, &mut c, &sends(30));
    let foreign = bench.write(&other, &[]);
    let foreign = support::files(&foreign.join("headers")).remove(0);
    fs::copy(foreign, &old).unwrap();
    bench.log(&dir, &[]).finds("files", "does not have the headers of its entries");
    // Beyond the checkpoint too.
    fs::remove_file(&old).unwrap();
    let beyond = dir.join("headers/000.p/250");
    fs::write(beyond, b"x").unwrap();
    bench.log(&dir, &[]).finds("files", "larger tree");
}

// === decisions taken again with the header of an earlier entry ===

/// A message that waits, many others, and the release of it.
fn released<'a>(cast: &'a Cast, between: u64) -> (Author<'a>, Author<'a>, Send) {
    let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
    let (held, next) = (Send::held("sm", "plm", 1), b.home.clone());
    a.submit(&held, Some(&next));
    for n in 0..between {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", 3 + n));
    }
    let envelope = held.envelope(cast, &cast.member("sm").system);
    let signed = a.release(&held, &envelope, &next);
    b.show(cast.member("sm").officer.certificate());
    b.at = b.at.max(a.at);
    finish(&mut a, &mut b, &held, &[signed]);
    (a, b, held)
}

#[test]
fn a_later_decision_is_taken_again_with_the_header_of_the_entry_that_brought_it() {
    for between in [0, 200] {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let (a, _, _) = released(&cast, between);
        let report = audited(&bench, &a);
        report.is_good();
        assert_eq!(report.done("decisions"), between + 2, "{}", report.text);
        assert_eq!(report.done("headers"), between + 1, "{}", report.text);
        // It is found if the rules do not give it.
        let wrong = a.rewritten(|entries| {
            let release = entries.iter_mut().rev().find_map(|entry| {
                let LogEvent::Decided(decided) = &mut entry.event else { return None };
                decided.batch.is_none().then_some(decided)
            });
            release.unwrap().approvals.clear();
        });
        audited(&bench, &wrong).finds("decisions", "the rules say HOLD");
    }
}

#[test]
fn a_later_decision_whose_header_is_gone_with_leave_is_not_taken_again() {
    for between in [0, 200] {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let (mut a, _, held) = released(&cast, between);
        a.say_erased(held.leaf(&cast), true);
        a.gone.insert(held.leaf(&cast));
        let report = audited(&bench, &a);
        report.is_good();
        let gone = &report.json["log"]["gone"];
        assert_eq!((&gone["erased"], &gone["decisions"]), (&1.into(), &2.into()), "{gone}");
    }
}

#[test]
fn a_message_for_two_ministries_has_its_header_once() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    for turned_round in [false, true] {
        let mut a = Author::start(&cast, "sm");
        let mut all = sends(0);
        all.truncate(2);
        all.iter_mut().for_each(|send| send.copy_to = Some("um"));
        let signed = sign_all(&cast, &cast.member("sm").system, &all);
        let system = cast.member("sm").system.id().clone();
        a.show(cast.member("sm").system.certificate());
        a.at = a.at.max(all[1].at);
        let plm = "plm.example".parse().unwrap();
        let decided = a.decide(&all[0], &signed[0].1, &[], Some(&plm), Some(&system), &[]);
        let first = a.first(decided, &signed);
        let (um, hub) = ("um.example".parse().unwrap(), "verkko.example".parse().unwrap());
        let header = all[0].header(&cast);
        let mut second = cast.decide(&support::Question {
            at: a.at,
            home: &a.home,
            header: &header,
            subject: all[0].leaf(&cast),
            dest: &um,
            path: &[],
            next: Some(&hub),
            giver: Some(&Giver::System(system.clone())),
            approvals: &[],
        });
        assert_eq!(second.ruling, LoggedRuling::Permit, "{:?}", second.reasons);
        second.subjects = all
            .iter()
            .map(|send| Subject { message: send.id(), header: send.leaf(&cast) })
            .collect();
        // Within a moment either may come first.
        let mut both = [(plm, first), (hub, second)];
        if turned_round {
            both.reverse();
        }
        for (peer, decided) in both {
            a.append(vec![(peer, Direction::Out)], LogEvent::Decided(Box::new(decided)));
        }
        let headers: Vec<_> = all.iter().map(|send| send.header(&cast)).collect();
        a.state_by(&headers, kuriiri_types::ReceiptKind::Accepted, Some(Giver::System(system)));
        let report = audited(&bench, &a);
        report.is_good();
        assert_eq!((report.done("headers"), report.done("decisions")), (2, 4), "{}", report.text);
    }
}

#[test]
fn a_log_that_goes_on_from_a_lost_one_may_lack_headers_of_what_is_under_way() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (old, _) = story(&cast);
    let (released, ..) = released(&cast, 0);
    let goes_on = |days: u32| {
        let mut later = released.rewritten(|_| {});
        later.log = 2;
        let new = later.rewritten(|entries| {
            let waiting = entries.iter().position(|e| matches!(e.event, LogEvent::Decided(_)));
            let waiting = waiting.unwrap();
            entries.drain(waiting..waiting + 2);
            let restored = LogEvent::Restored { checkpoint: old.checkpoint() };
            let mut first = entries[0].clone();
            first.event = restored;
            first.at = first.at.before(DAY * days);
            entries.insert(0, first);
        });
        audited(&bench, &new)
    };
    let report = goes_on(0);
    report.notes("messages", "whose header no entry before it brought");
    assert_eq!(report.faults("messages"), 0, "{}", report.text);
    // What was made after the log began may be in the one before if a clock was ahead.
    let report = goes_on(1);
    report.tells("unchecked", "messages", "settles whether it is there");
    assert_eq!((report.exit, report.faults("messages")), (2, 0), "{}", report.text);
    // Of what was made before nothing comes so late.
    goes_on(94).finds("messages", "whose header no entry before it brought");
}
