//! Makes the log of a ministry that sent 250,000 messages, a million entries in their real form, 64
//! messages under one signature, and measures how fast it is checked, beside pure hashing of the same
//! bytes and pure verifying of signatures in the same run.
//!
//! `cargo run --release -p kuriiri-verify --example million -- FOLDER [ENTRIES]`

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "it is for measuring, and stops at what it does not expect"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs, hint,
    path::{Path, PathBuf},
    time::Instant,
};

use bytes::Bytes;
use kuriiri_merkle::{digest, inclusion, leaf};
use kuriiri_seal::{NoteKey, Purpose, verify_ed25519};
use kuriiri_types::{Envelope, Precedence, ReceiptKind, SignedReceipt};
use kuriiri_verify::{Anchors, AuditOptions, LogFolder, ReconcileOptions, audit, reconcile};
use kuriiri_wire::header;
use support::{Author, Cast, Send};

const BATCH: u64 = 64;

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| "/tmp/million".into()));
    let entries: u64 = args.next().map_or(1_000_000, |text| text.parse().unwrap());
    let (a, b, policy) = (root.join("a"), root.join("b"), root.join("policy"));
    if !policy.exists() {
        make(&[&a, &b], &policy, entries);
    }
    let anchors = Anchors::read(&policy, None).unwrap();
    let folder = LogFolder::open(&a).unwrap();
    let before = memory();
    let report = audit(&folder, &anchors, AuditOptions::default(), |_| {});
    assert_eq!(report.findings.exit(), 0, "{:?}", report.findings.listed().first());
    println!(
        "log        {:>10} entries, {:>9.0} entries/s, {:.2} s",
        report.read,
        report.rate(),
        report.took.as_secs_f64()
    );
    println!("memory     {:>10} kB at most, {before} kB before", memory());

    let (bytes, hashing) = hash(&folder);
    let (mb, per_second) = (bytes as f64 / 1e6, report.read as f64 / hashing);
    println!(
        "SHA-256    {mb:>10.1} MB, {per_second:>9.0} entries/s, {:.1} MB/s, one thread",
        mb / hashing
    );
    println!("           the log is checked at {:.2} of it", report.rate() / per_second);
    let verified = signatures();
    println!("Ed25519    {verified:>10.0} verified/s, one thread");
    println!("           the log is checked at {:.1} entries for each", report.rate() / verified);

    let other = LogFolder::open(&b).unwrap();
    let begun = Instant::now();
    let compared = reconcile([&folder, &other], &anchors, &ReconcileOptions::default(), |_| {});
    let took = begun.elapsed().as_secs_f64();
    let all = folder.size() + other.size();
    println!("reconcile  {all:>10} entries, {:>9.0} entries/s, {took:.2} s", all as f64 / took);
    println!("           {:?} {:?}", compared.rows, compared.minutes);
}

/// Writes both logs.
fn make(folders: &[&Path; 2], policy: &Path, entries: u64) {
    let cast = Cast::new();
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let signer = &cast.member("sm").system;
    let by = cast.member("plm").system.id().clone();
    let mut number = 0;
    while a.tree.size() + 4 * BATCH <= entries {
        let sends: Vec<Send> = (0..BATCH)
            .map(|n| Send { at: a.at, number: number + n, ..Send::new("sm", "plm", 0) })
            .collect();
        number += BATCH;
        let headers: Vec<Bytes> =
            sends.iter().map(|send| header::encode(&send.header(&cast))).collect();
        let leaves: Vec<_> = headers.iter().map(|header| leaf(header)).collect();
        let proofs = signer.sign(Purpose::Messages, &leaves);
        let envelopes: Vec<Envelope> = headers
            .into_iter()
            .zip(proofs)
            .map(|(header, proof)| Envelope { header, proof })
            .collect();
        for (send, envelope) in sends.iter().zip(&envelopes) {
            a.submit_signed(send, envelope.clone(), Some(&b.home.clone()));
        }
        let path = [a.home.clone()];
        let received: Vec<u64> = sends
            .iter()
            .zip(&envelopes)
            .map(|(send, envelope)| b.arrive(send, envelope, (signer, &path, None)))
            .collect();
        hear(&mut a, &b, &received);
        let delivered: Vec<u64> = sends
            .iter()
            .map(|send| b.state(&send.header(&cast), ReceiptKind::Delivered, Some(&by)))
            .collect();
        hear(&mut a, &b, &delivered);
        a.entries.clear();
        b.entries.clear();
    }
    a.write(folders[0], &["plm", "um"]);
    b.write(folders[1], &["sm", "um"]);
    cast.write_policy(policy, &["um"], 1);
    let _ = Precedence::Routine;
}

/// All receipts of a batch come with one checkpoint.
fn hear(a: &mut Author<'_>, b: &Author<'_>, indexes: &[u64]) {
    let checkpoint = b.checkpoint();
    for index in indexes {
        let receipt = SignedReceipt {
            entry: b.raw[usize::try_from(*index).unwrap()].clone(),
            index: *index,
            path: inclusion(&b.tree, *index, b.tree.size()).unwrap(),
            checkpoint: checkpoint.clone(),
        };
        a.hear(&b.home, receipt);
    }
}

/// Hashes the same bytes, and nothing else; gives how many and the seconds that it took.
fn hash(folder: &LogFolder) -> (usize, f64) {
    let bundles = support::files(&folder.path().join("tile/entries"));
    let bundles: Vec<Vec<u8>> = bundles.iter().map(|file| fs::read(file).unwrap()).collect();
    let begun = Instant::now();
    let mut bytes = 0;
    for bundle in &bundles {
        let mut rest = bundle.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            hint::black_box(digest(entry));
            bytes += entry.len();
            rest = next;
        }
    }
    (bytes, begun.elapsed().as_secs_f64())
}

/// Signatures that one thread verifies in a second.
fn signatures() -> f64 {
    let key = NoteKey::generate().unwrap().0;
    let (public, text) = (key.public_key(), [7; 100]);
    let signature = key.sign(&text);
    let begun = Instant::now();
    let count = 20_000;
    for _ in 0..count {
        assert!(hint::black_box(verify_ed25519(&public, &text, &signature)));
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// The most memory that this process has had, in kilobytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
