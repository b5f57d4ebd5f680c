//! Logs whose beginning was pruned: what is still checked, and what an operator could hide behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, time::Duration};

use kuriiri_types::{Code, Direction, Giver, LogEvent, LoggedRuling, ReceiptKind};
use support::{
    Author, Bench, Cast, PRUNED, Send, envelope, exchange, finish, kept_of, later, long, pruned,
};

// === honest logs ===

#[test]
fn a_log_that_says_that_it_was_pruned_is_good_and_all_that_is_there_was_looked_at() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = long(&cast);
    for author in [&a, &b] {
        let whole = bench.log(&bench.write(author, &[]), &[]);
        whole.is_good();
        whole.notes("files", "those from 0 on are still there");
        let report = bench.log(&pruned(&bench, author, PRUNED), &[]);
        report.is_good();
        let kept = (kept_of(author, 0), kept_of(author, 1));
        assert!(kept.0.len() > 10_000, "the first files are there");
        report.notes("files", "the first 512 entries were pruned");
        assert_eq!(report.json["log"]["pruned"], PRUNED);
        assert!(report.json["log"]["kept"].as_u64().unwrap() >= 9, "{}", report.text);
        assert_eq!(report.json["log"]["kinds"]["FILE"], whole.json["log"]["kinds"]["FILE"]);
        assert_eq!(report.done("root"), author.raw.len() as u64 - PRUNED);
        for check in ["originators", "approvals", "decisions", "heads", "messages"] {
            assert!(report.done(check) <= whole.done(check), "{check}");
        }
        assert!(report.done("decisions") > 20 && report.done("originators") > 20);
    }
}

#[test]
fn the_page_and_the_text_say_what_was_pruned() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let dir = pruned(&bench, &long(&cast).0, PRUNED);
    let (page, policy) = (bench.folder("page.html"), bench.policy().to_str().unwrap());
    let args = ["log", dir.to_str().unwrap(), "--policy", policy, "--html", page.to_str().unwrap()];
    let (exit, text) = support::run(&args);
    assert!(exit == 0 && text.contains("the first 512 entries were pruned, "), "{text}");
    assert!(fs::read_to_string(page).unwrap().contains("the first 512 entries, "));
}

#[test]
fn earlier_checkpoints_within_what_was_pruned_still_hold() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let dir = pruned(&bench, &a, PRUNED);
    let since = |author: &Author<'_>| {
        let mut early = Author::blank(&cast, "sm");
        author.entries.iter().take(300).for_each(|entry| {
            early.push(entry.clone());
        });
        let file = bench.folder("since");
        fs::write(&file, early.checkpoint()).unwrap();
        bench.log(&dir, &["--since", file.to_str().unwrap()])
    };
    let report = since(&a);
    report.is_good();
    assert_eq!(report.done("growth"), 1);
    let other = a.rewritten(|entries| entries.swap(100, 101));
    since(&other).finds("growth", "the log was rewritten");
}

#[test]
fn a_message_that_waited_before_and_goes_after_is_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let (held, next) = (Send::held("sm", "plm", 1), b.home.clone());
    a.submit(&held, Some(&next));
    for n in 3..90 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    a.say_pruned(256);
    let signed = a.release(&held, &envelope(&cast, &held), &next);
    b.show(cast.member("sm").officer.certificate());
    b.at = b.at.max(a.at);
    finish(&mut a, &mut b, &held, &[signed]);
    let report = bench.log(&pruned(&bench, &a, 256), &[]);
    report.is_good();
    report.notes("messages", "whose header it has not shown");
}

#[test]
fn a_release_that_was_pruned_may_be_gone_by_afterwards() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let (held, next) = (Send::held("sm", "plm", 1), b.home.clone());
    a.submit(&held, Some(&next));
    a.release(&held, &envelope(&cast, &held), &next);
    let goes = a.raw.len() - 1;
    for n in 3..90 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
    }
    a.say_pruned(256);
    let a = a.rewritten(|entries| {
        let mut goes = entries.remove(goes);
        goes.at = entries.last().unwrap().at;
        entries.push(goes);
    });
    bench.log(&bench.write(&a, &[]), &[]).is_good();
    let report = bench.log(&pruned(&bench, &a, 256), &[]);
    report.is_good();
    report.notes("approvals", "does not stand in the log before it");
}

#[test]
fn more_bundles_than_were_to_stay_are_told_and_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    // It stopped between keeping and pruning, and in the middle of pruning.
    for gone in [0, 1] {
        let dir = pruned(&bench, &a, PRUNED);
        let whole = bench.write(&a, &[]);
        for bundle in gone..2 {
            let name = format!("tile/entries/{bundle:03}");
            fs::copy(whole.join(&name), dir.join(&name)).unwrap();
        }
        let report = bench.log(&dir, &[]);
        report.is_good();
        report.notes("files", &format!("those from {} on are still there", gone * 256));
        report.notes("files", "kept/001 was kept to prune its bundle");
        // What was kept must be of the bundle even then.
        let kept = dir.join("kept/001");
        let mut bytes = fs::read(&kept).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&kept, bytes).unwrap();
        bench.log(&dir, &[]).finds("files", "does not have the entries of its bundle");
    }
}

#[test]
fn what_is_kept_before_the_log_says_that_it_prunes_is_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let said = a.entries.iter().position(|e| matches!(e.event, LogEvent::Pruned { .. }));
    let a = a.rewritten(|entries| entries.truncate(said.unwrap()));
    let dir = bench.write(&a, &[]);
    fs::create_dir_all(dir.join("kept")).unwrap();
    fs::write(dir.join("kept/001"), kept_of(&a, 1)).unwrap();
    let report = bench.log(&dir, &[]);
    report.is_good();
    report.notes("files", "kept/001 was kept to prune its bundle");
}

#[test]
fn old_narrow_files_of_what_was_pruned_are_held_against_its_hashes() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let dir = pruned(&bench, &a, PRUNED);
    let narrow = dir.join("tile/entries/000.p/2");
    fs::create_dir_all(narrow.parent().unwrap()).unwrap();
    fs::write(&narrow, kuriiri_tlog::encode_bundle(&a.raw[..2]).unwrap()).unwrap();
    bench.log(&dir, &[]).is_good();
    fs::write(&narrow, kuriiri_tlog::encode_bundle(&a.raw[1..3]).unwrap()).unwrap();
    bench.log(&dir, &[]).finds("files", "not the beginning of what came after");
}

#[test]
fn what_people_did_stays() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let report = bench.log(&pruned(&bench, &long(&cast).0, PRUNED), &[]);
    report.is_good();
    let log = &report.json["log"];
    for kind in ["ERASED", "EXPORTED"] {
        assert_eq!(log["kinds"][kind], 1, "{}", report.text);
    }
    assert_eq!(log["fates"]["erased"], 1, "{}", report.text);
}

// === what comes after is judged as ever ===

/// A log that was pruned, with something wrong after it.
fn after(check: &str, words: &str, commit: impl FnOnce(&Cast, &mut Author<'_>, &mut Author<'_>)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = long(&cast);
    commit(&cast, &mut a, &mut b);
    bench.log(&pruned(&bench, &a, PRUNED), &[]).finds(check, words);
}

#[test]
fn decisions_and_signatures_after_it_are_judged_by_what_was_kept() {
    after("decisions", "the rules say DENY", |cast, a, b| {
        let send = Send { label: "FI TL1", ..later(a, 0) };
        a.at = a.at.max(send.at);
        let signer = cast.member("sm").system.id();
        let envelope = envelope(cast, &send);
        let mut decided = a.decide(&send, &envelope, &[], Some(&b.home), Some(signer), &[]);
        (decided.ruling, decided.reasons) = (LoggedRuling::Permit, vec![]);
        decided.envelope = Some(envelope);
        let links = vec![(b.home.clone(), Direction::Out)];
        a.append(links, LogEvent::Decided(Box::new(decided)));
        a.state(&send.header(cast), ReceiptKind::Accepted, Some(signer));
    });
    after("originators", "", |cast, a, b| {
        let send = later(a, 0);
        let mut forged = envelope(cast, &send);
        forged.proof = envelope(cast, &later(a, 1)).proof;
        a.submit_signed(&send, forged, Some(&b.home.clone()));
    });
    after("receipts", "not genuine", |cast, a, b| {
        let send = later(a, 0);
        a.submit(&send, Some(&b.home.clone()));
        let mut receipt = b.proven(5);
        receipt.entry = b.raw[b.raw.len() - 1].clone();
        a.hear(&b.home, receipt);
        let _ = cast;
    });
    after("order", "the time falls", |_, a, _| {
        a.at = support::NOW;
        a.append(
            vec![],
            LogEvent::Acted {
                by: "spiffe://sm.example/operator/otto".parse().unwrap(),
                what: "x".into(),
            },
        );
    });
    // What was pruned does not explain everything for ever.
    let much_later = |a: &mut Author<'_>| a.at = a.at.after(Duration::from_secs(94 * 86_400));
    after("messages", "a message that it never took", |cast, a, _| {
        much_later(a);
        a.state(&Send::new("sm", "plm", 3).header(cast), ReceiptKind::Expired, None);
    });
    after("approvals", "does not stand in the log before it", |cast, a, b| {
        much_later(a);
        let send = Send { label: "FI TL3", sealed: true, at: a.at, ..later(a, 0) };
        a.submit(&send, Some(&b.home.clone()));
        a.release(&send, &envelope(cast, &send), &b.home.clone());
        let last = a.entries.iter().rposition(|e| e.event.kind() == "APPROVED").unwrap();
        *a = a.rewritten(|entries| {
            entries.remove(last);
        });
    });
    after("heads", "its entries tell of", |_, a, b| {
        exchange(a, b, &later(a, 0));
        let mut heads = a.heads(a.at.after(Duration::from_secs(180)));
        heads.last_mut().unwrap().count += 1;
        a.append(vec![], LogEvent::ChannelHeads(heads));
    });
}

// === pruning as a pretext ===

#[test]
fn entries_that_are_missing_without_a_word_are_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let silent = a.rewritten(|entries| {
        entries.retain(|entry| !matches!(entry.event, LogEvent::Pruned { .. }));
    });
    let report = bench.log(&pruned(&bench, &silent, 256), &[]);
    report.finds("files", "nothing in the log says that they were pruned");
    assert!(report.text.contains(r#""against":"sm.example""#));
    // More than it says.
    let little = a.rewritten(|entries| {
        for entry in entries {
            if let LogEvent::Pruned { before, .. } = &mut entry.event {
                *before = 256;
            }
        }
    });
    bench.log(&pruned(&bench, &little, 256), &[]).is_good();
    let report = bench.log(&pruned(&bench, &little, 512), &[]);
    report.finds("files", "the log says that the first 256 were pruned");
    // In the middle, with the beginning still there.
    let dir = bench.write(&a, &[]);
    fs::remove_file(dir.join("tile/entries/001")).unwrap();
    bench.log(&dir, &[]).finds("files", "tile/entries/001");
}

#[test]
fn a_log_does_not_prune_what_is_yet_to_come_or_half_a_bundle() {
    for before in [100, 1024, u64::MAX / 256 * 256] {
        let cast = Cast::new();
        let bench = Bench::new(&cast, &[], 0);
        let mut a = Author::start(&cast, "sm");
        a.say_pruned(before);
        let report = bench.log(&bench.write(&a, &[]), &[]);
        assert_eq!(report.exit, 1, "{}", report.text);
        if before != 100 {
            report.finds("files", "could be pruned here");
        }
    }
}

#[test]
fn what_was_kept_is_what_the_hashes_say_and_nothing_else() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let dir = pruned(&bench, &a, PRUNED);
    assert_eq!(bench.quick(&dir), 0);
    for file in ["kept/000", "kept/001"] {
        let file = dir.join(file);
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(if whole.len() > 4000 { 499 } else { 13 }) {
            let mut bytes = whole.clone();
            bytes[at] ^= if at % 2 == 0 { 1 } else { 0x80 };
            fs::write(&file, bytes).unwrap();
            assert_eq!(bench.quick(&dir), 1, "byte {at} of {}", file.display());
        }
        for cut in [1, 3, whole.len() - 1] {
            fs::write(&file, &whole[..cut]).unwrap();
            assert_eq!(bench.quick(&dir), 1, "cut at {cut}");
        }
        fs::write(&file, b"").unwrap();
        assert_eq!(bench.quick(&dir), 1, "empty");
        // The second before the first.
        let length =
            |at: usize| 3 + usize::from(u16::from_be_bytes([whole[at + 1], whole[at + 2]]));
        let (first, second) = whole.split_at(length(0));
        let (second, rest) = second.split_at(length(first.len()));
        fs::write(&file, [second, first, rest].concat()).unwrap();
        bench.log(&dir, &[]).finds("files", "it is not entries with their places");
        fs::write(&file, [first, first, second, rest].concat()).unwrap();
        bench.log(&dir, &[]).finds("files", "it is not entries with their places");
        // The first at another place.
        let mut moved = first.to_vec();
        moved[0] += 1;
        fs::write(&file, moved).unwrap();
        bench.log(&dir, &[]).finds("files", "is not what its leaf hash says");
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(bench.quick(&dir), 0);
}

#[test]
fn what_should_have_been_kept_and_was_not_is_missed() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let dir = pruned(&bench, &a, PRUNED);
    fs::remove_file(dir.join("kept/000")).unwrap();
    let report = bench.log(&dir, &[]);
    report.finds("order", "start is not among what was kept");
    fs::remove_dir_all(dir.join("kept")).unwrap();
    let report = bench.log(&dir, &[]);
    report.finds("order", "start is not among what was kept");
    // By what decisions after it are judged is not known.
    let unchecked = r#""weight":"unchecked","what":"the files that were in force were pruned""#;
    assert!(report.json["found"].to_string().contains(unchecked), "{}", report.text);
}

#[test]
fn files_that_do_not_belong_to_what_was_kept_are_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    let dir = pruned(&bench, &a, PRUNED);
    for name in ["kept/0", "kept/000.p/7", "kept/entries/000", "kept/x", "kept/x000/000"] {
        let foreign = dir.join(name);
        fs::create_dir_all(foreign.parent().unwrap()).unwrap();
        fs::write(&foreign, kept_of(&a, 0)).unwrap();
        bench.log(&dir, &[]).finds("files", "no file of a log");
        fs::remove_file(foreign).unwrap();
    }
    for name in ["kept/002", "kept/x001/000", "kept/x018/x446/x744/x073/x709/x551/615"] {
        let other = dir.join(name);
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(&other, kept_of(&a, 0)).unwrap();
        bench.log(&dir, &[]).finds("files", "does not have the entries of its bundle");
        fs::remove_file(other).unwrap();
    }
    // A bundle of which nothing has to be kept has no file.
    let mut quiet = Author::start(&cast, "um");
    while quiet.raw.len() < 600 {
        let by = Giver::Peer("plm.example".parse().unwrap());
        quiet.append(vec![], LogEvent::TurnedAway { by, code: Code::MALFORMED, count: 1 });
    }
    quiet.say_pruned(PRUNED);
    let empty = pruned(&bench, &quiet, PRUNED);
    bench.log(&empty, &[]).is_good();
    fs::write(empty.join("kept/001"), b"").unwrap();
    bench.log(&empty, &[]).finds("files", "it is not entries with their places");
    // More than has to be kept is only told of.
    let mut all = Vec::new();
    for (place, entry) in a.raw[..256].iter().enumerate() {
        all.push(place as u8);
        all.extend((entry.len() as u16).to_be_bytes());
        all.extend_from_slice(entry);
    }
    fs::write(dir.join("kept/000"), all).unwrap();
    let report = bench.log(&dir, &[]);
    report.is_good();
    report.notes("files", "kept without need");
}

#[test]
fn the_hashes_of_what_was_pruned_must_be_there_and_lead_to_the_root() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = long(&cast);
    for name in ["tile/0/000", "tile/0/001"] {
        let dir = pruned(&bench, &a, PRUNED);
        let whole = fs::read(dir.join(name)).unwrap();
        let mut bytes = whole.clone();
        // Of an entry that was not kept.
        bytes[200 * 32] ^= 1;
        fs::write(dir.join(name), bytes).unwrap();
        bench.log(&dir, &[]).finds("root", "");
        fs::remove_file(dir.join(name)).unwrap();
        let report = bench.log(&dir, &[]);
        report.finds("files", "no leaf hashes are there of what was pruned");
        // What is there is read all the same.
        assert_eq!(report.faults("root"), 0, "{}", report.text);
        assert_eq!(report.done("root"), a.raw.len() as u64 - PRUNED);
    }
}
