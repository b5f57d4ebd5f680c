//! One log, and what its operator may do to it: each misdeed with what is found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, path::Path};

use kuriiri_tlog::Checkpoint;
use kuriiri_types::{LogEvent, LoggedRuling};
use support::{Author, Bench, Cast, Send, copy, exchange, files, finish, story, write_log};

// === honest logs ===

#[test]
fn an_honest_log_is_good_and_everything_in_it_was_looked_at() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["sm", "plm", "hub"], 2);
    let (a, b) = story(&cast);
    for author in [&a, &b] {
        let dir = bench.write(author, &["sm", "plm", "hub"]);
        let report = bench.log(&dir, &[]);
        report.is_good();
        for check in [
            "checkpoint",
            "root",
            "files",
            "entries",
            "order",
            "channels",
            "headers",
            "originators",
            "approvals",
            "receipts",
            "messages",
            "decisions",
        ] {
            let nothing_to_look_at = check == "receipts" && author.node == "plm";
            assert!(report.done(check) > 0 || nothing_to_look_at, "{check} {}", report.text);
        }
    }
    let dir = bench.write(&a, &["plm", "hub"]);
    let fates = bench.log(&dir, &[]).json["log"]["fates"].clone();
    assert_eq!(fates["delivered"], 22, "{fates}");
    assert_eq!((&fates["held"], &fates["turned_down"]), (&1.into(), &1.into()), "{fates}");
    assert_eq!((&fates["in_flight"], &fates["erased"]), (&1.into(), &1.into()), "{fates}");
}

#[test]
fn a_log_of_several_bundles_and_levels_is_good_with_its_older_partial_files() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let dir = bench.folder("log");
    for n in 0..160 {
        exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        if n % 40 == 0 {
            a.write(&dir, &[]);
        }
    }
    a.write(&dir, &[]);
    assert!(a.raw.len() > 512);
    bench.log(&dir, &[]).is_good();

    // A partial file may go once a wider one is there.
    for file in files(&dir) {
        let name = file.to_string_lossy();
        if name.contains("/0/000.p/") || name.contains("entries/000.p/") {
            fs::remove_file(file).unwrap();
        }
    }
    bench.log(&dir, &[]).is_good();
}

#[test]
fn what_goes_on_beyond_the_checkpoint_is_told_and_no_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 1));
    let old = a.checkpoint();
    exchange(&mut a, &mut b, &Send::new("sm", "plm", 2));
    let dir = bench.folder("log");
    a.write(&dir, &[]);
    fs::write(dir.join("checkpoint"), &old).unwrap();
    let report = bench.log(&dir, &[]);
    report.is_good();
    report.notes("files", "beyond the checkpoint");

    // Not if it does not go on from it.
    let tile = files(&dir).into_iter().find(|f| f.to_string_lossy().contains("tile/0/")).unwrap();
    let mut bytes = fs::read(&tile).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&tile, bytes).unwrap();
    bench.log(&dir, &[]).finds("files", "does not go on");
}

// === damage without the log's key ===

#[test]
fn every_flipped_byte_of_a_small_log_is_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["plm"], 1);
    let mut a = Author::blank(&cast, "sm");
    a.append(vec![], LogEvent::Booted { software: "test".into() });
    cast.stewards.iter().for_each(|steward| a.show(steward.certificate()));
    a.append(vec![], LogEvent::PolicyChanged(cast.in_force.clone()));
    a.submit(&Send::new("sm", "plm", 1), Some(&"plm.example".parse().unwrap()));
    let dir = bench.write(&a, &["plm"]);
    assert_eq!(bench.quick(&dir), 0);
    for file in files(&dir) {
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= if at % 2 == 0 { 1 } else { 0x80 };
            fs::write(&file, bytes).unwrap();
            assert_ne!(bench.quick(&dir), 0, "byte {at} of {}", file.display());
        }
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(bench.quick(&dir), 0);
}

#[test]
fn files_that_are_missing_cut_or_foreign_are_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let dir = bench.write(&a, &[]);
    for file in files(&dir) {
        let whole = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let missing = bench.log(&dir, &[]);
        assert_ne!(missing.exit, 0, "{} is missing", file.display());
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert_ne!(bench.log(&dir, &[]).exit, 0, "{} is cut", file.display());
        let longer = [whole.as_slice(), b"\n"].concat();
        fs::write(&file, longer).unwrap();
        assert_ne!(bench.log(&dir, &[]).exit, 0, "{} is longer", file.display());
        fs::write(&file, &whole).unwrap();
    }
    for name in [
        "note.txt",
        "tile/0/0000",
        "tile/00/000",
        "tile/entries/junk",
        "tile/8/data/000",
        "headers/0",
        "headers/x000/000",
        "kept/000",
    ] {
        let foreign = dir.join(name);
        fs::create_dir_all(foreign.parent().unwrap()).unwrap();
        fs::write(&foreign, b"x").unwrap();
        bench.log(&dir, &[]).finds("files", "no file of a log");
        fs::remove_file(foreign).unwrap();
    }
    for name in ["tile/entries/x018/x446/x744/x073/x709/x551/615", "tile/entries/x001/000.p/9"] {
        let far = dir.join(name);
        fs::create_dir_all(far.parent().unwrap()).unwrap();
        fs::write(&far, b"x").unwrap();
        bench.log(&dir, &[]).finds("files", "does not go on from it");
        fs::remove_file(far).unwrap();
    }
    // A tile of a larger tree, whose entries are not there.
    let beyond = dir.join("tile/3/000");
    fs::create_dir_all(beyond.parent().unwrap()).unwrap();
    fs::write(&beyond, vec![7; 8192]).unwrap();
    bench.log(&dir, &[]).finds("files", "larger tree");
    // An older partial file that says otherwise.
    fs::remove_file(beyond).unwrap();
    let old = dir.join("tile/0/000.p/3");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(&old, vec![7; 96]).unwrap();
    bench.log(&dir, &[]).finds("files", "not the beginning");
}

#[test]
fn entries_that_are_dropped_altered_or_reordered_without_the_key_are_found() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let checkpoint = a.checkpoint();
    let put = |raw: &[bytes::Bytes], size_kept: bool| {
        let dir = bench.folder("tampered");
        let mut tree = kuriiri_merkle::Growth::default();
        raw.iter().for_each(|entry| {
            tree.push(kuriiri_merkle::leaf(entry));
        });
        write_log(&dir, raw, &tree, &checkpoint);
        let report = bench.log(&dir, &[]);
        assert_eq!(report.exit, 1, "{}", report.text);
        if size_kept {
            report.finds("root", "the entries have the root");
        }
    };
    let mut raw = a.raw.clone();
    raw.remove(20);
    put(&raw, false);
    let mut raw = a.raw.clone();
    raw.swap(20, 21);
    put(&raw, true);
    let mut raw = a.raw.clone();
    raw[20] = raw[21].clone();
    put(&raw, true);
}

#[test]
fn witnesses_count_only_with_their_own_genuine_cosignatures() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &["plm", "um", "hub"], 3);
    let (a, _) = story(&cast);
    bench.log(&bench.write(&a, &["plm", "um", "hub"]), &[]).is_good();
    // Removed.
    let too_few = |dir: &Path| {
        let report = bench.log(dir, &[]);
        assert_eq!(report.exit, 2, "{}", report.text);
        report.tells("not-yet", "checkpoint", "too few");
    };
    too_few(&bench.write(&a, &["plm", "um"]));
    // The one that is there twice counts once: one that colludes is not enough.
    too_few(&bench.write(&a, &["plm", "um", "um"]));
    // The log's own is in the hands of its operator.
    let own = Bench::new(&cast, &["sm", "plm", "um", "hub"], 2);
    let report = own.log(&own.write(&a, &["sm", "um"]), &[]);
    report.tells("not-yet", "checkpoint", "besides the log's own");
    // Two of four is what the policy asks for, and not what excludes another view; um has no link with sm.
    own.log(&own.write(&a, &["plm", "hub"]), &[]).is_good();
    let report = own.log(&own.write(&a, &["um", "hub"]), &[]);
    assert_eq!(report.exit, 2, "{}", report.text);
    report.tells(
        "not-yet",
        "checkpoint",
        "2 of the 3 witnesses of the policy that can see this log",
    );
    // From a key that the policy does not know.
    let stranger = Cast::new();
    let dir = bench.write(&a, &["plm", "um"]);
    let note = fs::read(dir.join("checkpoint")).unwrap();
    let text = kuriiri_tlog::Note::parse(&note).unwrap().text().to_owned();
    let forged = stranger.member("hub").witness.cosign(&text, 7).unwrap();
    fs::write(dir.join("checkpoint"), kuriiri_tlog::add_signature(&note, forged).unwrap()).unwrap();
    too_few(&dir);
    // Over another tree.
    let other = text.replace(&a.raw.len().to_string(), "1");
    let forged = cast.member("hub").witness.cosign(&other, 7).unwrap();
    fs::write(dir.join("checkpoint"), kuriiri_tlog::add_signature(&note, forged).unwrap()).unwrap();
    bench.log(&dir, &[]).finds("checkpoint", "not genuine");
    // Signed as the log by somebody else.
    let (size, root) = (a.tree.size(), a.tree.root());
    let log = &stranger.member("sm").log;
    let forged = Checkpoint { origin: log.name().to_string(), size, root }.sign(log).unwrap();
    fs::write(dir.join("checkpoint"), forged).unwrap();
    bench.log(&dir, &[]).finds("checkpoint", "no log that the policy lists signed");
}

#[test]
fn rules_that_the_log_lacks_can_be_brought() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let mut a = Author::blank(&cast, "sm");
    a.append(vec![], LogEvent::Booted { software: "test".into() });
    cast.stewards.iter().for_each(|steward| a.show(steward.certificate()));
    a.append(vec![], LogEvent::PolicyChanged(cast.in_force.clone()));
    a.submit(&Send::new("sm", "plm", 1), Some(&"plm.example".parse().unwrap()));
    let dir = bench.write(&a, &[]);
    let report = bench.log(&dir, &[]);
    report.finds("signed-files", "its bytes are not in the log");
    report.tells("unchecked", "decisions", "is not in the log");
    let replay = bench.folder("replay");
    fs::create_dir_all(&replay).unwrap();
    for (n, content) in cast.contents.iter().chain(&cast.signatures).enumerate() {
        fs::write(replay.join(n.to_string()), content).unwrap();
    }
    bench.log(&dir, &["--replay", replay.to_str().unwrap()]).is_good();
}

#[test]
fn other_rules_in_the_log_are_what_decisions_after_them_follow_from() {
    let cast = Cast::new();
    let strict = cast.with_other_rules(|rules| {
        rules.replacen("level = \"JULK\"", "level = \"JULK\"\napprovals = 1", 1)
    });
    let bench = Bench::new(&cast, &[], 0);
    let mut a = Author::start(&cast, "sm");
    let next = "plm.example".parse().unwrap();
    assert_eq!(a.submit(&Send::new("sm", "plm", 1), Some(&next)).ruling, LoggedRuling::Permit);
    a.cast = &strict;
    a.put_in_force();
    assert_eq!(a.submit(&Send::new("sm", "plm", 2), Some(&next)).ruling, LoggedRuling::Hold);
    bench.log(&bench.write(&a, &[]), &[]).is_good();
}

#[test]
fn a_log_that_goes_on_from_another_says_from_which() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (old, _) = story(&cast);
    let a = Author::renewed(&old);
    let report = bench.log(&bench.write(&a, &[]), &[]);
    report.is_good();
    report.notes("growth", "goes on from sm.example/log");
}

#[test]
fn usage_errors_exit_with_64_and_what_cannot_be_read_with_2() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    assert_eq!(support::run(&["log"]).0, 64);
    assert_eq!(support::run(&["nonsense"]).0, 64);
    let nothing = bench.folder("nothing");
    assert_eq!(bench.log(&nothing, &[]).exit, 2);
    assert_eq!(support::run(&["--help"]).0, 0);
    let copied = bench.folder("copied");
    let (a, _) = story(&cast);
    copy(&bench.write(&a, &[]), &copied);
    bench.log(&copied, &[]).is_good();
    // The folder of a relay is not that of its log.
    let relay = bench.folder("relay");
    copy(&copied, &relay.join("log"));
    let report = bench.log(&relay, &[]);
    assert_eq!(report.exit, 2);
    assert!(report.text.contains("the log seems to be in"), "{}", report.text);
    let html = bench.folder("page.html");
    bench.log(&copied, &["--html", html.to_str().unwrap()]).is_good();
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("GOOD") && !page.contains("<script"));
}

#[test]
fn a_message_released_by_an_officer_travels_with_the_release() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let send = Send::held("sm", "plm", 1);
    let next = b.home.clone();
    a.submit(&send, Some(&next));
    let signed = a.release(&send, &send.envelope(&cast, &cast.member("sm").system), &next);
    b.show(cast.member("sm").officer.certificate());
    finish(&mut a, &mut b, &send, &[signed]);
    bench.log(&bench.write(&a, &[]), &[]).is_good();
    bench.log(&bench.write(&b, &[]), &[]).is_good();
}
