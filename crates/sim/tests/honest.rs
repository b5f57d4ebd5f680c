//! The auditor's program accuses nobody honest.
//!
//! Relays of honest worlds crash, lose links, change rules, erase and prune, by clocks that are wrong and
//! set now and then; in some worlds one loses its state and goes on from an old copy, under a new log, or
//! all ministries change the authorities that issue their certificates.
//! Their logs are written as folders, as they are in the end and as somebody would have got them at an
//! earlier commit, and given to the auditor's program: each alone, with all that is known of it elsewhere,
//! and every two against each other. Parts of them are given away: exports of periods and of channels,
//! bundles of messages, and receipts; and one copy is damaged. Nothing may come of it that is held against anybody, no fault, and no
//! evidence that proves one.
//!
//! A few seeds are always run. More, with what was said how often:
//! `HONEST_SEEDS=1-500 cargo test -p kuriiri-sim --test honest -- --ignored --nocapture`
//!
//! It does not cover certificates that end, and messages that still wait when the authority of their signer is
//! no longer known: the simulation has none of these.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test fails by panicking, and whoever runs many seeds wants numbers"
)]

mod support;

use std::{collections::BTreeSet, fs, ops::RangeInclusive};

use bytes::Bytes;
use kuriiri_types::{FileKind, LogEvent, Receipt, ReceiptKind};
use kuriiri_verify::{Known, Selection};
use kuriiri_wire::entry;
use support::{Folder, Logs, Verdict, choice, extract, messages};

/// Of so many commits the checkpoint of one was kept by somebody.
const KEPT_EVERY: usize = 37;

/// What of all that happened is looked at, in seconds from the first entry of a log on: most of it happens
/// in the first forty.
const WINDOWS: [Option<(u64, u64)>; 3] = [None, Some((5, 20)), Some((15, 3600))];

/// Audits each log alone: with what is known of it elsewhere, and without; and as it was.
fn audit(logs: &mut Logs, verdict: &mut Verdict) {
    let Logs { auditor, logs, whole, older } = logs;
    for (log, (whole_one, older_one)) in logs.iter().zip(whole.iter().zip(older.iter())) {
        let sizes = log.sizes();
        let kept = |until: u64| -> Vec<&[u8]> {
            let sizes = sizes.iter().filter(|size| **size <= until).step_by(KEPT_EVERY);
            sizes.map(|size| &log.checkpoint(*size).unwrap()[..]).collect()
        };
        auditor.audit(whole_one, Known::new(), verdict);
        let known = auditor.known(whole_one, &kept(whole_one.log.size()), whole);
        auditor.audit(whole_one, known, verdict);
        let known = auditor.known(older_one, &kept(older_one.log.size()), older);
        auditor.audit(older_one, known, verdict);
    }
}

/// Holds every two against each other, in both orders; and with one of them as it was, or both.
fn reconcile(logs: &mut Logs, seed: u64, verdict: &mut Verdict) {
    let Logs { auditor, whole, older, .. } = logs;
    for one in 0..whole.len() {
        for two in (0..one).filter(|two| whole[*two].home != whole[one].home) {
            auditor.reconcile(&whole[one], &whole[two], None, verdict);
            auditor.reconcile(&whole[two], &whole[one], None, verdict);
            let pairs = [
                (&older[one], &whole[two]),
                (&whole[one], &older[two]),
                (&older[two], &older[one]),
                (&older[two], &whole[one]),
            ];
            let (first, second) = choice(&pairs, seed, (4 * one + two) as u64);
            let window = choice(&WINDOWS, seed, (4 * two + one) as u64);
            auditor.reconcile(first, second, *window, verdict);
        }
    }
}

/// Gives parts of each log away, as it is in the end or as it was.
fn give_away(logs: &mut Logs, seed: u64, verdict: &mut Verdict) {
    let Logs { auditor, whole, older, .. } = logs;
    for at in 0..whole.len() {
        let number = seed.wrapping_mul(7).wrapping_add(at as u64);
        let all = if *choice(&[true, false], number, 0) { &*whole } else { &*older };
        extract(auditor, &all[at], all, number, verdict);
    }
}

/// Damages a copy of one log, audits it and holds it against the logs of others: that is nobody's fault.
fn damage(logs: &mut Logs, seed: u64, verdict: &mut Verdict) {
    let Logs { auditor, logs, whole, .. } = logs;
    let copy = choice(logs, seed, 5).copy().unwrap();
    let damaged = auditor.get(&copy).damaged(seed);
    let known = auditor.known(&damaged, &[], whole);
    auditor.audit(&damaged, known, verdict);
    for other in whole.iter().filter(|other| other.home != damaged.home) {
        auditor.reconcile(&damaged, other, None, verdict);
    }
}

fn verdict_on(seeds: RangeInclusive<u64>) -> Verdict {
    let mut all = Verdict::default();
    for seed in seeds {
        let (mut verdict, mut logs) = (Verdict::default(), Logs::of(seed));
        audit(&mut logs, &mut verdict);
        reconcile(&mut logs, seed, &mut verdict);
        give_away(&mut logs, seed, &mut verdict);
        damage(&mut logs, seed, &mut verdict);
        verdict.wrong.iter().for_each(|wrong| println!("seed {seed}: {wrong}"));
        all.merge(&format!("seed {seed}"), verdict);
    }
    all
}

// Seeds that are always run, in two halves, one for each core.

#[test]
fn nobody_honest_is_accused() {
    verdict_on(3..=5).is_acquittal();
}

#[test]
fn nobody_else_honest_is_accused() {
    verdict_on(12..=14).is_acquittal();
}

#[test]
#[ignore = "for as many seeds as somebody has time for"]
fn nobody_honest_of_many_is_accused() {
    let range = std::env::var("HONEST_SEEDS").unwrap_or_else(|_| "1-100".to_owned());
    let (first, last) = range.split_once('-').unwrap();
    let verdict = verdict_on(first.parse().unwrap()..=last.parse().unwrap());
    println!("{verdict:#?}");
    verdict.is_acquittal();
}

// === what the same tests find ===

/// Changes the first own receipt of a kind.
fn falsify(entries: &mut [Bytes], kind: ReceiptKind, change: impl FnOnce(&mut Receipt)) {
    let read = |bytes: &Bytes| entry::decode(bytes).unwrap();
    let is_it = |bytes: &Bytes| matches!(read(bytes).event, LogEvent::Receipt(r) if r.kind == kind);
    let place = entries.iter().position(is_it).unwrap();
    let mut entry = read(&entries[place]);
    if let LogEvent::Receipt(receipt) = &mut entry.event {
        change(receipt);
    }
    entries[place] = entry::encode(&entry);
}

#[test]
fn a_receipt_for_another_recipient_is_found() {
    let mut logs = Logs::of(2);
    let forged = logs.logs[0].copy().unwrap().forged(|entries| {
        falsify(entries, ReceiptKind::Accepted, |receipt| {
            receipt.subjects[0].recipient = "nobody@sm.example".parse().unwrap();
        });
    });
    let (forged, mut verdict) = (logs.auditor.get(&forged.unwrap()), Verdict::default());
    logs.auditor.audit(&forged, Known::new(), &mut verdict);
    let against = |wrong: &String| wrong.contains("[against plm.example]");
    assert!(verdict.wrong.iter().any(against), "{:?}", verdict.wrong);
    assert!(std::panic::catch_unwind(|| verdict.is_acquittal()).is_err());
}

#[test]
fn a_log_that_takes_a_receipt_back_is_found() {
    let mut logs = Logs::of(1);
    let forged = logs.logs[0].copy().unwrap().forged(|entries| {
        falsify(entries, ReceiptKind::Relayed, |receipt| receipt.kind = ReceiptKind::Refused);
    });
    let forged = logs.auditor.get(&forged.unwrap());
    let mut verdict = Verdict::default();
    for other in &logs.whole[1..] {
        logs.auditor.reconcile(&forged, other, None, &mut verdict);
    }
    assert!(verdict.wrong.iter().any(|wrong| wrong.contains("proved: true")), "{verdict:?}");
    assert!(std::panic::catch_unwind(|| verdict.is_acquittal()).is_err());
}

/// The certificates of all systems, all officers and both stewards, if each has one.
const CERTIFICATES: usize = 4 * (2 + 4) + 2;

#[test]
fn new_authorities_are_announced_and_used() {
    let (mut serials, mut certificates) = (BTreeSet::new(), BTreeSet::new());
    for entry in Logs::of(4).whole.iter().flat_map(Folder::entries) {
        if let LogEvent::PolicyChanged(policy) = &entry.event {
            let federations = policy.files.iter().filter(|file| file.kind == FileKind::Federation);
            serials.extend(federations.map(|file| file.serial));
        } else if let LogEvent::Certificate { der } = entry.event {
            certificates.insert(der);
        }
    }
    assert_eq!(serials.len(), 3, "{serials:?}");
    assert!(certificates.len() > CERTIFICATES, "{} certificates", certificates.len());
}

/// A log whose clock was right, so that nothing that is known excuses what is found.
fn right_log() -> Logs {
    Logs::of(6)
}

#[test]
fn an_export_that_lacks_an_entry_is_found() {
    let mut logs = right_log();
    let Logs { auditor, whole, .. } = &mut logs;
    let place = auditor.export(&whole[0], &Selection::default());
    let file = place.join("entries.jsonl");
    let lines = fs::read_to_string(&file).unwrap();
    let kept = lines.lines().enumerate().filter(|(number, _)| *number != 300);
    fs::write(&file, kept.map(|(_, line)| format!("{line}\n")).collect::<String>()).unwrap();
    let mut verdict = Verdict::default();
    auditor.check_export(&whole[0], &place, &mut verdict);
    assert!(verdict.wrong.iter().any(|wrong| wrong.contains("left out")), "{verdict:?}");
}

#[test]
fn a_bundle_of_another_message_is_found() {
    let Logs { auditor, whole, .. } = right_log();
    let some = messages(&whole[0].entries(), 6);
    let mut bundle = auditor.bundle(some[0], &whole);
    bundle.message = Some(some[1].to_string());
    let mut verdict = Verdict::default();
    auditor.check_bundle(&bundle, &whole, &mut verdict);
    assert!(verdict.wrong.iter().any(|wrong| wrong.contains("other messages")), "{verdict:?}");
}

#[test]
fn a_damaged_copy_is_found() {
    let mut logs = right_log();
    let damaged = logs.auditor.get(&logs.logs[0].copy().unwrap()).damaged(6);
    let mut verdict = Verdict::default();
    logs.auditor.audit(&damaged, Known::new(), &mut verdict);
    assert!(verdict.said.keys().any(|word| word.starts_with("damaged: Fault")), "{verdict:?}");
}
