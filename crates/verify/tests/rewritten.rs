//! A log that its operator rewrote, forked or rolled back, and signed: it is whole in itself, and fails
//! against what anybody else kept.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;

use kuriiri_tlog::Checkpoint;
use kuriiri_types::{Digest, Entry, LogEvent, Timestamp};
use support::{Author, Bench, Cast, story};

/// What is rewritten passes alone, and fails against what anybody else kept.
fn rewritten(change: impl FnOnce(&mut Vec<Entry>)) {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let kept = bench.folder("kept");
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("a"), a.checkpoint()).unwrap();
    let new = a.rewritten(change);
    let dir = bench.write(&new, &[]);
    let alone = bench.log(&dir, &[]);
    assert_eq!(alone.exit, 0, "{}", alone.text);
    let kept = kept.to_str().unwrap();
    let words = if new.raw.len() < a.raw.len() { "rolled back" } else { "rewritten" };
    bench.log(&dir, &["--since", kept]).finds("growth", words);
    // The other ministry's log holds a checkpoint that it witnessed.
    let other = bench.folder("witness");
    b.write(&other, &[]);
    let report = bench.log(&dir, &["--witness-log", other.to_str().unwrap()]);
    if words == "rewritten" {
        report.finds("growth", words);
    } else {
        // It may be newer than this copy.
        assert_eq!(report.exit, 2, "{}", report.text);
        report.tells("unchecked", "growth", "unless this is an older copy");
    }
    // And the honest log passes against all of it.
    let honest = bench.write(&a, &[]);
    let args = ["--since", kept, "--witness-log", other.to_str().unwrap()];
    let report = bench.log(&honest, &args);
    report.is_good();
    assert!(report.done("growth") >= 1, "{}", report.text);
}

/// The entries about the third message, from its decision to its delivery.
fn block(entries: &[Entry]) -> std::ops::Range<usize> {
    let is_decision = |entry: &Entry| matches!(entry.event, LogEvent::Decided(_));
    let starts: Vec<usize> = (0..entries.len()).filter(|at| is_decision(&entries[*at])).collect();
    starts[2]..starts[3]
}

#[test]
fn a_log_rewritten_without_a_message_fails_only_against_what_others_kept() {
    rewritten(|entries| {
        let block = block(entries);
        entries.drain(block);
    });
}

#[test]
fn a_log_rewritten_with_a_message_altered_fails_only_against_what_others_kept() {
    rewritten(|entries| {
        if let LogEvent::Booted { software } = &mut entries[0].event {
            *software = "another program".into();
        }
    });
}

#[test]
fn a_log_rewritten_in_another_order_fails_only_against_what_others_kept() {
    rewritten(|entries| {
        let block = block(entries);
        let length = block.len();
        let at = entries[block.start].at;
        // The next message takes its place and its time.
        let next = block.end..block.end + length;
        for entry in &mut entries[next.clone()] {
            set_time(entry, at);
        }
        let later = entries[block.start + length - 1].at;
        entries[block.start..next.end].rotate_left(length);
        for entry in &mut entries[block.start + length..next.end] {
            set_time(entry, later);
        }
    });
}

#[test]
fn a_log_rewritten_with_other_times_fails_only_against_what_others_kept() {
    rewritten(|entries| {
        let block = block(entries);
        let at = entries[block.start - 1].at;
        for entry in &mut entries[block.start..block.start + 2] {
            set_time(entry, at);
        }
    });
}

fn set_time(entry: &mut Entry, at: Timestamp) {
    entry.at = at;
    if let LogEvent::Receipt(receipt) = &mut entry.event {
        receipt.at = at;
    }
}

#[test]
fn a_log_forked_for_one_peer_fails_against_the_other() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let forked = a.rewritten(|entries| {
        entries.truncate(30);
    });
    let mut forked = forked;
    for n in 0..50 {
        let by = cast.member("sm").officer.id().clone();
        forked.append(vec![], LogEvent::Acted { by, what: format!("fork {n}") });
    }
    let mut um = Author::start(&cast, "um");
    um.witness_checkpoint(&forked);
    let um_dir = bench.folder("um");
    um.write(&um_dir, &[]);
    let dir = bench.write(&a, &[]);
    bench.log(&dir, &["--witness-log", um_dir.to_str().unwrap()]).finds("growth", "");
    // One colluding witness that signs both histories does not make it good for the other.
    let both = Bench::new(&cast, &["plm", "um"], 1);
    let dir = both.write(&a, &["um"]);
    let report = both.log(&dir, &["--witness-log", um_dir.to_str().unwrap()]);
    report.finds("growth", "");
    assert_eq!(report.faults("checkpoint"), 0);
}

#[test]
fn a_log_that_was_rolled_back_fails_against_a_later_checkpoint() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let kept = bench.folder("kept");
    fs::write(&kept, a.checkpoint()).unwrap();
    let old = a.rewritten(|entries| entries.truncate(60));
    let dir = bench.write(&old, &[]);
    bench.log(&dir, &["--since", kept.to_str().unwrap()]).finds("growth", "rolled back");
}

#[test]
fn what_comes_after_the_last_checkpoint_that_was_kept_is_said_to_be_unprotected() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (mut a, b) = story(&cast);
    let (kept, other) = (bench.folder("kept"), bench.folder("witness"));
    b.write(&other, &[]);
    let size = a.raw.len();
    a.append(vec![], LogEvent::Booted { software: "later".into() });
    fs::write(&kept, a.checkpoint()).unwrap();
    let dir = bench.write(&a, &[]);
    bench.log(&dir, &[]).notes("growth", "may have rewritten it");
    let report = bench.log(&dir, &["--witness-log", other.to_str().unwrap()]);
    report.is_good();
    let words = format!("the latest at {size} of {} entries", size + 1);
    report.notes("growth", &words);
    report.notes("growth", "may have rewritten it");
    let report = bench.log(&dir, &["--since", kept.to_str().unwrap()]);
    assert!(!report.text.contains("may have rewritten"), "{}", report.text);
}

#[test]
fn a_checkpoint_that_the_log_did_not_sign_does_not_count_against_it() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let (origin, root) = ("sm.example/log".to_owned(), Digest([7; 32]));
    let text = Checkpoint { origin, size: 5, root }.to_string();
    let mut note = kuriiri_tlog::Note::new(text.clone()).unwrap();
    note.add(cast.member("um").log.sign(&text).unwrap()).unwrap();
    let mut um = Author::start(&cast, "um");
    um.append(vec![], LogEvent::PeerCheckpoint { checkpoint: note.to_bytes() });
    let um_dir = bench.folder("um");
    um.write(&um_dir, &[]);
    let dir = bench.write(&a, &[]);
    let report = bench.log(&dir, &["--witness-log", um_dir.to_str().unwrap()]);
    report.is_good();
    report.notes("growth", "does not count");
    bench.log(&um_dir, &[]).finds("witnessing", "did not sign what was cosigned");
    // As an earlier checkpoint to go by it is no answer at all.
    let kept = bench.folder("kept");
    fs::write(&kept, note.to_bytes()).unwrap();
    assert_eq!(bench.log(&dir, &["--since", kept.to_str().unwrap()]).exit, 2);
}
