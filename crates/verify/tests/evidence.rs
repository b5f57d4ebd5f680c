//! Receipts, bundles and exports: what stands alone, and what does not stand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use kuriiri_types::{Direction, LogEvent};
use kuriiri_verify::{
    Claim, ClaimKind, LogFolder, MessageBundle, Selection, bundle_of, check_bundle, evidence_of,
    export, find, prove, summary,
};
use support::{Author, Bench, Cast, Send, exchange, sign_all, story};

#[test]
fn a_receipt_says_what_it_proves_and_any_flipped_byte_is_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["um"], 1);
    let (_, b) = story(&cast);
    let folder = LogFolder::open(&bench.write(&b, &["um"])).unwrap();
    let delivered = b.entries.iter().rposition(
        |e| matches!(&e.event, LogEvent::Receipt(r) if r.kind == kuriiri_types::ReceiptKind::Delivered),
    );
    let bytes = prove(&folder, delivered.unwrap() as u64).unwrap();
    let file = bench.folder("r.tlog-proof");
    fs::write(&file, &bytes).unwrap();
    let report = bench.run(&["receipt", file.to_str().unwrap()]);
    report.is_good();
    let words = report.json["receipt"]["words"].as_str().unwrap();
    for part in ["plm.example/log", "DELIVERED", "kirjaamo@plm.example", "system/kirjaamo"] {
        assert!(words.contains(part), "{words}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        fs::write(&file, flipped).unwrap();
        let exit = kuriiri_verify::check_receipt(&fs::read(&file).unwrap(), bench.anchors());
        assert!(exit.is_err() || exit.unwrap().findings.exit() != 0, "byte {at}");
    }
}

#[test]
fn without_the_quorum_a_receipt_is_not_enough() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["plm", "um"], 2);
    let (a, _) = story(&cast);
    let folder = LogFolder::open(&bench.write(&a, &["plm"])).unwrap();
    let file = bench.folder("r.tlog-proof");
    fs::write(&file, prove(&folder, 3).unwrap()).unwrap();
    let report = bench.run(&["receipt", file.to_str().unwrap()]);
    assert_eq!(report.exit, 2, "{}", report.text);
    let what = &report.tells("not-yet", "checkpoint", "not yet witnessed")["what"];
    let what = what.as_str().unwrap();
    assert!(what.contains("plm.example/witness") && what.contains("kuriiri log prove"));
    let policy = bench.policy().to_str().unwrap();
    let (_, text) = support::run(&["receipt", file.to_str().unwrap(), "--policy", policy]);
    assert!(text.contains("NOT CHECKED: receipt") && text.contains("not yet witnessed"), "{text}");
    // With enough of them it is good, and whatever else is wrong is wrong.
    let folder = LogFolder::open(&bench.write(&a, &["plm", "um"])).unwrap();
    fs::write(&file, prove(&folder, 3).unwrap()).unwrap();
    bench.run(&["receipt", file.to_str().unwrap()]).is_good();
    let folder = LogFolder::open(&bench.write(&a, &["plm"])).unwrap();
    fs::write(&file, prove(&folder, 3).unwrap()).unwrap();
    let id = Send::new("sm", "plm", 5).id().to_string();
    let args = ["receipt", file.to_str().unwrap(), "--message", &id];
    bench.run(&args).finds("receipts", "not about this message");
}

#[test]
fn a_receipt_of_many_messages_names_each_and_says_whether_it_is_about_one() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["plm"], 1);
    let mut a = Author::start(&cast, "sm");
    let sends: Vec<Send> = (0..5).map(|n| Send::new("sm", "plm", n)).collect();
    let class = sign_all(&cast, &cast.member("sm").system, &sends);
    a.submit_class(&class, Some(&"plm.example".parse().unwrap()));
    let accepted = a.raw.len() as u64 - 1;
    let folder = LogFolder::open(&bench.write(&a, &["plm"])).unwrap();
    let [file, other] = ["one", "other"].map(|name| bench.folder(name));
    fs::write(&file, prove(&folder, accepted).unwrap()).unwrap();
    fs::write(&other, prove(&folder, accepted - 1).unwrap()).unwrap();
    let [file, other] = [&file, &other].map(|file| file.to_str().unwrap());
    let report = bench.run(&["receipt", file]);
    report.is_good();
    let messages = report.json["receipt"]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 5);
    for (said, send) in messages.iter().zip(&sends) {
        assert_eq!(said["message"], send.id().to_string());
        assert_eq!(said["recipient"], "kirjaamo@plm.example");
        assert_eq!(said["header"], send.leaf(&cast).to_string());
    }
    let policy = bench.policy().to_str().unwrap();
    let (_, text) = support::run(&["receipt", file, "--policy", policy]);
    for send in &sends {
        let line = text.lines().find(|line| line.contains(&send.id().to_string())).unwrap();
        assert!(line.contains("accepted") && line.contains("kirjaamo@plm.example"), "{line}");
    }
    let about = |id: &str| bench.run(&["receipt", file, "--message", id]);
    about(&sends[3].id().to_string()).is_good();
    let stranger = Send::new("sm", "plm", 9).id().to_string();
    about(&stranger).finds("receipts", "not about this message");
    // The worst of several receipts decides: one that is no statement is about nothing.
    let id = sends[0].id().to_string();
    assert_eq!(bench.run(&["receipt", file, file, "--message", &id]).exit, 0);
    assert_eq!(bench.run(&["receipt", file, other, "--message", &id]).exit, 1);
    assert_eq!(bench.run(&["receipt", file, "/nonexistent"]).exit, 2);
    assert_eq!(bench.run(&["receipt", "/nonexistent", other, "--message", &id]).exit, 1);
}

#[test]
fn the_bundle_of_a_message_stands_alone_with_both_sides_and_the_body() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let file = bench.folder("bundle.json");
    for send in [Send::new("sm", "plm", 5), Send::held("sm", "plm", 11)] {
        let all = [&folders[0], &folders[1]];
        let bundle = bundle_of(send.id(), &all, Some(send.body().into())).unwrap();
        bundle.write(&file).unwrap();
        assert_eq!(MessageBundle::read(&file).unwrap(), bundle);
        let report = bench.run(&["bundle", file.to_str().unwrap()]);
        report.is_good();
        assert!(report.done("originators") == 2 && report.done("decisions") >= 2);
        assert!(report.done("receipts") == 2 && report.done("bodies") == 1, "{}", report.text);
        assert!(report.json["bundle"]["body"].as_str().unwrap().contains("it is here"));
    }
    let erased = bundle_of(Send::new("sm", "plm", 3).id(), &[&folders[0]], None).unwrap();
    erased.write(&file).unwrap();
    let report = bench.run(&["bundle", file.to_str().unwrap()]);
    report.is_good();
    let body = report.json["bundle"]["body"].as_str().unwrap();
    assert!(body.contains("erased by spiffe://sm.example/operator/otto") && body.contains("JulkL"));

    let other = Send::new("sm", "plm", 6);
    let wrong =
        bundle_of(other.id(), &[&folders[0]], Some(Send::new("sm", "plm", 7).body().into()));
    wrong.unwrap().write(&file).unwrap();
    bench.run(&["bundle", file.to_str().unwrap()]).finds("bodies", "not the one");
    assert!(bundle_of(Send::new("sm", "plm", 999).id(), &[&folders[0]], None).is_err());
}

#[test]
fn a_bundle_that_was_changed_does_not_stand() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let send = Send::new("sm", "plm", 5);
    let honest = bundle_of(send.id(), &[&folders[0], &folders[1]], None).unwrap();
    let file = bench.folder("bundle.json");
    let tampered = |change: &dyn Fn(&mut MessageBundle), check: &str| {
        let mut bundle = honest.clone();
        change(&mut bundle);
        bundle.write(&file).unwrap();
        bench.run(&["bundle", file.to_str().unwrap()]).finds(check, "");
    };
    tampered(&|bundle| bundle.logs[0].entries.last_mut().unwrap().index += 1, "proofs");
    tampered(&|bundle| bundle.logs[0].entries[0].entry = b"x".to_vec().into(), "proofs");
    tampered(&|bundle| bundle.logs[0].entries.swap(0, 1), "proofs");
    tampered(
        &|bundle| {
            bundle.logs[0].entries[2].path.pop();
        },
        "proofs",
    );
    tampered(&|bundle| bundle.message = Some(Send::new("sm", "plm", 6).id().to_string()), "proofs");
    tampered(
        &|bundle| {
            bundle.logs[0].checkpoint = bundle.logs[1].checkpoint.clone();
        },
        "checkpoint",
    );
    // The receipts of another message.
    let other = bundle_of(Send::new("sm", "plm", 7).id(), &[&folders[0]], None).unwrap();
    let theirs = |bundle: &mut MessageBundle| {
        let part = &mut bundle.logs[0];
        let is_receipt = |entry: &kuriiri_verify::Proved| {
            let event = kuriiri_wire::entry::decode(&entry.entry).unwrap().event;
            matches!(event, LogEvent::ReceiptIn { .. })
        };
        part.entries.retain(|entry| !is_receipt(entry));
        part.entries
            .extend(other.logs[0].entries.iter().filter(|entry| is_receipt(entry)).cloned());
    };
    tampered(&theirs, "proofs");
    // The certificate is left out.
    tampered(
        &|bundle| {
            bundle.logs[0].entries.retain(|entry| {
                !matches!(
                    kuriiri_wire::entry::decode(&entry.entry).unwrap().event,
                    LogEvent::Certificate { .. }
                )
            })
        },
        "originators",
    );
    // An evidence file without a claim, a bundle with an unknown format.
    let mut bundle = honest.clone();
    bundle.format = "kuriiri-evidence/2".into();
    bundle.write(&file).unwrap();
    assert_eq!(bench.run(&["bundle", file.to_str().unwrap()]).exit, 2);
}

#[test]
fn an_export_shows_by_itself_that_nothing_is_left_out() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = story(&cast);
    let mut um = Author::start(&cast, "um");
    for n in 30..34 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        exchange(&mut b, &mut um, &Send::new("plm", "um", n));
    }
    let folder = LogFolder::open(&bench.write(&b, &[])).unwrap();
    let check = |dir: &std::path::Path| bench.run(&["export", dir.to_str().unwrap()]);

    let channel = Selection { peer: Some("sm.example".parse().unwrap()), ..Selection::default() };
    let dir = bench.folder("channel");
    export(&folder, &channel, &dir).unwrap();
    let report = check(&dir);
    report.is_good();
    report.notes("channels", "before the first and after the last message of a channel");
    let lines = fs::read_to_string(dir.join("entries.jsonl")).unwrap();
    assert!(!lines.is_empty() && report.done("channels") == 26, "{}", report.text);
    // Nothing of the other channel is in it.
    let text = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["index"].as_u64().unwrap()
    });
    let others = |index: u64| {
        b.entries[index as usize].channels.iter().any(|c| c.direction == Direction::Out)
    };
    assert!(!text.into_iter().any(others));

    // A link is left out.
    let links: Vec<usize> = lines
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let entry = &b.entries[line["index"].as_u64().unwrap() as usize];
            (!entry.channels.is_empty()).then_some(at)
        })
        .collect();
    let without = |left_out: usize| {
        let kept = lines.lines().enumerate().filter(|(at, _)| *at != left_out);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    fs::write(dir.join("entries.jsonl"), without(links[3])).unwrap();
    check(&dir).finds("channels", "left out");
    // Also when it is said that there are fewer.
    let manifest = fs::read_to_string(dir.join("export.json")).unwrap();
    let count = format!("\"entries\": {}", lines.lines().count());
    let fewer = manifest.replace(&count, &format!("\"entries\": {}", lines.lines().count() - 1));
    assert_ne!(fewer, manifest);
    fs::write(dir.join("export.json"), fewer).unwrap();
    check(&dir).finds("channels", "left out");

    let period = Selection {
        from: Some(b.entries[40].at),
        to: Some(b.entries[60].at),
        ..Selection::default()
    };
    let dir = bench.folder("period");
    export(&folder, &period, &dir).unwrap();
    check(&dir).is_good();
    let lines = fs::read_to_string(dir.join("entries.jsonl")).unwrap();
    let middle = lines.lines().count() - 5;
    let kept = lines.lines().enumerate().filter(|(at, _)| *at != middle);
    let kept: String = kept.map(|(_, line)| format!("{line}\n")).collect();
    fs::write(dir.join("entries.jsonl"), kept).unwrap();
    check(&dir).finds("proofs", "left out");
}

/// A message that an officer had to release was decided on, accepted and approved before it had a link.
#[test]
fn an_export_of_a_channel_has_what_waited_for_an_officer_from_its_beginning() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let folder = LogFolder::open(&bench.write(&a, &[])).unwrap();
    let dir = bench.folder("held");
    let peer = Some("plm.example".parse().unwrap());
    export(&folder, &Selection { peer, ..Selection::default() }, &dir).unwrap();
    let report = bench.run(&["export", dir.to_str().unwrap()]);
    report.is_good();
    assert!(!report.text.contains("not taken again"), "{}", report.text);
    let exported = fs::read_to_string(dir.join("entries.jsonl")).unwrap();
    let kinds = exported.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        a.entries[line["index"].as_u64().unwrap() as usize].event.kind()
    });
    assert_eq!(kinds.filter(|kind| *kind == "APPROVED").count(), 1);
}

#[test]
fn an_export_of_a_channel_that_has_nothing_of_it_is_wrong() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let folder = LogFolder::open(&bench.write(&a, &[])).unwrap();
    let peer = Some("um.example".parse().unwrap());
    let dir = bench.folder("nobody");
    export(&folder, &Selection { peer, ..Selection::default() }, &dir).unwrap();
    let report = bench.run(&["export", dir.to_str().unwrap()]);
    report.finds("channels", "has no link of one");
}

#[test]
fn what_a_log_says_of_itself_and_of_a_message_is_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let folder = LogFolder::open(&bench.write(&a, &["plm"])).unwrap();
    let summary = summary(&folder).unwrap();
    assert_eq!((summary.size, summary.sent["plm.example"]), (a.raw.len() as u64, 23));
    assert_eq!(summary.signed_by, ["sm.example/log", "plm.example/witness"]);
    let kinds = |send: &Send| -> Vec<&str> {
        find(&folder, send.id()).unwrap().iter().map(|told| told.kind).collect()
    };
    let plain = ["DECIDED", "ACCEPTED", "RECEIPT_IN", "RECEIPT_IN"];
    assert_eq!(kinds(&Send::new("sm", "plm", 5)), plain);
    let held = ["DECIDED", "ACCEPTED", "APPROVED", "DECIDED", "RECEIPT_IN", "RECEIPT_IN"];
    assert_eq!(kinds(&Send::held("sm", "plm", 11)), held);
    assert_eq!(kinds(&Send::new("sm", "plm", 3)).last(), Some(&"ERASED"));
}

#[test]
fn evidence_against_somebody_honest_is_not_proved() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let heard = a.entries.iter().position(|e| matches!(e.event, LogEvent::ReceiptIn { .. }));
    let heard = heard.unwrap();
    let LogEvent::ReceiptIn { receipt, .. } = &a.entries[heard].event else { unreachable!() };
    let links = |author: &Author<'_>| -> Vec<u64> {
        let all = author.entries.iter().enumerate();
        all.filter(|(_, e)| !e.channels.is_empty()).map(|(at, _)| at as u64).collect()
    };
    let parts = [
        (&folders[0], [vec![heard as u64], links(&a)].concat()),
        (&folders[1], [vec![receipt.index], links(&b)].concat()),
    ];
    for (kind, home) in [
        (ClaimKind::MissingAtReceiver, &b.home),
        (ClaimKind::UnsignedExtra, &b.home),
        (ClaimKind::ContentDiffers, &a.home),
        (ClaimKind::Duplicate, &b.home),
        (ClaimKind::ChainGap, &b.home),
        (ClaimKind::PolicyDivergence, &b.home),
        (ClaimKind::SplitView, &b.home),
    ] {
        let claim = Claim { kind, against: Some(home.clone()), what: String::new(), growth: None };
        let bundle = evidence_of(claim, None, &parts).unwrap();
        let restated = check_bundle(&bundle, bench.anchors()).claim.unwrap();
        assert!(!restated.proved, "{kind:?} {}", restated.what);
        assert!(!restated.open, "{kind:?} {}", restated.what);

        // Nor by leaving something out.
        for left_out in 0..3 {
            let mut less = bundle.clone();
            for part in &mut less.logs {
                part.entries.retain(|proved| {
                    let event = kuriiri_wire::entry::decode(&proved.entry).unwrap().event;
                    match left_out {
                        0 => !matches!(event, LogEvent::Certificate { .. }),
                        1 => !matches!(event, LogEvent::PolicyChanged(_)),
                        _ => proved.index % 3 > 0,
                    }
                });
            }
            let restated = check_bundle(&less, bench.anchors()).claim.unwrap();
            assert!(!restated.proved, "{kind:?} {left_out} {}", restated.what);
        }
    }
}
