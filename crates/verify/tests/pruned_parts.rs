//! Pruned logs against others, and parts of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, path::Path, time::Duration};

use kuriiri_types::{LogEvent, ReceiptKind};
use kuriiri_verify::{LogFolder, Selection, bundle_of, export, find, prove, summary};
use support::{Author, Bench, Cast, PRUNED, Report, Send, envelope, exchange, later, long, pruned};

// === two logs ===

fn compare(bench: &Bench, one: &Path, two: &Path) -> Report {
    bench.run(&["reconcile", one.to_str().unwrap(), two.to_str().unwrap()])
}

fn row(report: &Report, row: &str) -> u64 {
    report.json["reconcile"]["rows"][row].as_u64().unwrap_or(0)
}

#[test]
fn what_both_still_have_is_compared() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = long(&cast);
    let whole = [&a, &b].map(|author| bench.write(author, &[]));
    let short = [&a, &b].map(|author| pruned(&bench, author, PRUNED));
    let all = compare(&bench, &whole[0], &whole[1]);
    all.is_good();
    let matched = row(&all, "matched");
    for (one, two) in [(&whole[0], &short[1]), (&short[0], &whole[1]), (&short[0], &short[1])] {
        let report = compare(&bench, one, two);
        report.is_good();
        report.notes("agreement", "where it was pruned");
        let (pruned, still) = (row(&report, "pruned"), row(&report, "matched"));
        assert!(pruned > 0 && still > 10 && still < matched, "{}", report.text);
        let minutes = &report.json["reconcile"]["minutes"];
        assert!(minutes["pruned"].as_u64().unwrap() > 0, "{minutes}");
        assert_eq!(minutes["compared"], minutes["agreed"], "{minutes}");
    }
    let report = compare(&bench, &whole[0], &short[1]);
    assert_eq!(row(&report, "matched") + row(&report, "pruned"), matched, "{}", report.text);
    let policy = bench.policy().to_str().unwrap();
    let args = ["reconcile", short[0].to_str().unwrap(), short[1].to_str().unwrap()];
    let (_, text) = support::run(&[&args[..], &["--policy", policy]].concat());
    assert!(text.contains(", the first 512 pruned") && text.contains("are pruned in one log"));
}

#[test]
fn a_receipt_for_what_was_never_there_is_found_though_it_was_pruned() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = long(&cast);
    let forged = b.rewritten(|entries| {
        let at = entries.iter().position(|e| matches!(e.event, LogEvent::Decided(_))).unwrap();
        entries.drain(at..at + 3);
        let by = "spiffe://plm.example/operator/otto".parse().unwrap();
        for n in 0..3 {
            let mut entry = entries[at].clone();
            entry.channels.clear();
            entry.event = LogEvent::Acted { by: Clone::clone(&by), what: n.to_string() };
            entries.insert(at, entry);
        }
    });
    let report = compare(&bench, &bench.write(&a, &[]), &pruned(&bench, &forged, PRUNED));
    report.finds("agreement", "gave a receipt for an entry that its log has not");
}

#[test]
fn a_message_whose_arrival_was_pruned_has_not_stalled() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let (send, path) = (Send::new("sm", "plm", 0), [a.home.clone()]);
    a.submit(&send, Some(&b.home.clone()));
    b.arrive(&send, &envelope(&cast, &send), (&cast.member("sm").system, &path, None));
    let mut n = 1;
    while b.raw.len() < 600 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        n += 1;
    }
    b.say_pruned(PRUNED);
    for author in [&mut a, &mut b] {
        author.at = author.at.after(Duration::from_secs(40 * 86_400));
        author.append(vec![], LogEvent::Booted { software: "later".into() });
    }
    let (a, whole) = (bench.write(&a, &[]), bench.write(&b, &[]));
    let before = compare(&bench, &a, &whole);
    before.is_good();
    assert_eq!((row(&before, "receipt-under-way"), row(&before, "pruned")), (1, 0));
    let report = compare(&bench, &a, &pruned(&bench, &b, PRUNED));
    report.is_good();
    let counted = row(&report, "pruned") + row(&report, "matched");
    assert_eq!((row(&report, "stalled"), counted), (0, n), "{}", report.text);
}

#[test]
fn what_the_sender_left_out_after_it_was_pruned_is_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, mut b) = long(&cast);
    let send = later(&a, 60);
    let path = [a.home.clone()];
    b.arrive(&send, &envelope(&cast, &send), (&cast.member("sm").system, &path, None));
    let mut a = a;
    a.at = b.at.after(Duration::from_secs(3600));
    a.append(vec![], LogEvent::Booted { software: "later".into() });
    let report = compare(&bench, &pruned(&bench, &a, PRUNED), &bench.write(&b, &[]));
    report.finds("agreement", "does not say that it left");
    assert_eq!(row(&report, "omitted-by-sender"), 1);
}

#[test]
fn a_log_pruned_without_a_word_is_found_by_the_comparison_too() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = long(&cast);
    let silent = a.rewritten(|entries| {
        entries.retain(|entry| !matches!(entry.event, LogEvent::Pruned { .. }));
    });
    let report = compare(&bench, &pruned(&bench, &silent, 256), &bench.write(&b, &[]));
    report.finds("files", "nothing in the log says that they were pruned");
}

// === parts of a log ===

#[test]
fn parts_of_a_pruned_log_stand_and_what_was_pruned_is_said_to_be() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = long(&cast);
    let folder = LogFolder::open(&pruned(&bench, &a, PRUNED)).unwrap();
    assert_eq!(folder.first(), PRUNED);
    assert_eq!(folder.leaf(300).unwrap(), kuriiri_merkle::leaf(&a.raw[300]));
    assert_eq!(folder.entry(0).unwrap(), a.raw[0]);
    let gone = prove(&folder, 300).unwrap_err();
    assert!(gone.is_pruned() && gone.to_string().contains("entry 300 was pruned"), "{gone}");

    let there = a.entries.iter().rev().find_map(|entry| {
        let LogEvent::Receipt(receipt) = &entry.event else { return None };
        Some(receipt.message)
    });
    let other = LogFolder::open(&pruned(&bench, &b, PRUNED)).unwrap();
    let bundle = bundle_of(there.unwrap(), &[&folder, &other], None).unwrap();
    let file = bench.folder("bundle.json");
    bundle.write(&file).unwrap();
    let report = bench.run(&["bundle", file.to_str().unwrap()]);
    report.is_good();
    assert!(report.done("decisions") >= 2 && report.done("originators") == 2);

    let error = bundle_of(Send::new("sm", "plm", 3).id(), &[&folder], None).unwrap_err();
    assert!(error.to_string().contains("its first 512 entries were pruned"), "{error}");
    assert!(find(&folder, Send::new("sm", "plm", 3).id()).unwrap().is_empty());
    assert_eq!(summary(&folder).unwrap().kinds["PRUNED"], 1);
}

#[test]
fn a_message_whose_header_was_pruned_is_not_proved_and_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, _) = long(&cast);
    let early = Send::new("sm", "plm", 3);
    a.state(&early.header(&cast), ReceiptKind::Expired, None);
    let folder = LogFolder::open(&pruned(&bench, &a, PRUNED)).unwrap();
    let bundle = bundle_of(early.id(), &[&folder], None).unwrap();
    let file = bench.folder("bundle.json");
    bundle.write(&file).unwrap();
    let report = bench.run(&["bundle", file.to_str().unwrap()]);
    assert_eq!(report.exit, 2, "{}", report.text);
    assert!(report.text.contains("may be among what was pruned"));
    // Not without the word of the log.
    let mut without = bundle.clone();
    without.logs[0].entries.retain(|proved| {
        let entry = kuriiri_wire::entry::decode(&proved.entry).unwrap();
        !matches!(entry.event, LogEvent::Pruned { .. })
    });
    without.write(&file).unwrap();
    bench.run(&["bundle", file.to_str().unwrap()]).finds("proofs", "");
}

#[test]
fn an_export_of_a_pruned_log_is_whole_but_for_what_was_pruned() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let folder = LogFolder::open(&pruned(&bench, &a, PRUNED)).unwrap();
    let peer = Some("plm.example".parse().unwrap());
    for selection in [Selection::default(), Selection { peer, ..Selection::default() }] {
        let to = bench.folder("export");
        let count = export(&folder, &selection, &to).unwrap();
        assert!(count > 50);
        let report = bench.run(&["export", to.to_str().unwrap()]);
        report.is_good();
        report.notes("proofs", "its entries before 512 were pruned");
        if selection.peer.is_some() {
            continue;
        }
        let file = to.join("entries.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        let without = |index: u64| {
            let is_it = |line: &&str| !line.contains(&format!("\"index\":{index},"));
            text.lines().filter(is_it).map(|line| format!("{line}\n")).collect::<String>()
        };
        fs::write(&file, without(520)).unwrap();
        let report = bench.run(&["export", to.to_str().unwrap()]);
        report.finds("proofs", "entries of the period before it are left out");
        // Without the word of the log it is not whole either.
        let said = a.entries.iter().position(|e| matches!(e.event, LogEvent::Pruned { .. }));
        fs::write(&file, without(said.unwrap() as u64)).unwrap();
        let report = bench.run(&["export", to.to_str().unwrap()]);
        report.finds("proofs", "entries of the period before it are left out");
    }
}
