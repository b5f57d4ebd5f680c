//! Makes the log of a ministry that sent a million messages, 64 of them under one signature and in one
//! entry, in their real form, and measures how fast it is checked, beside pure hashing of the same bytes
//! and pure verifying of signatures in the same run.
//!
//! `cargo run --release -p kuriiri-verify --example million -- FOLDER [MESSAGES]`

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
use kuriiri_merkle::digest;
use kuriiri_seal::{NoteKey, verify_ed25519};
use kuriiri_tlog::decode_headers;
use kuriiri_types::{Giver, Header, ReceiptKind};
use kuriiri_verify::{Anchors, AuditOptions, LogFolder, ReconcileOptions, audit, reconcile};
use support::{Author, Cast, Send, sign_all};

const BATCH: u64 = 64;

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
fn main() {
    let mut args = std::env::args().skip(1);
    let root = PathBuf::from(args.next().unwrap_or_else(|| "/tmp/million".into()));
    let messages: u64 = args.next().map_or(1_000_000, |text| text.parse().unwrap());
    let (a, b, policy) = (root.join("a"), root.join("b"), root.join("policy"));
    if !policy.exists() {
        make(&[&a, &b], &policy, messages);
    }
    let anchors = Anchors::read(&policy).unwrap();
    let folder = LogFolder::open(&a).unwrap();
    let before = memory();
    let report = audit(&folder, &anchors, AuditOptions::default(), |_| {});
    assert_eq!(report.findings.exit(), 0, "{:?}", report.findings.listed().first());
    let (seconds, messages) = (report.took.as_secs_f64(), report.messages as f64);
    let rate = messages / seconds;
    println!("log        {messages:>10} messages, {rate:>9.0} messages/s, {seconds:.2} s");
    println!("           {:>10} entries", report.read);
    println!("memory     {:>10} kB at most, {before} kB before", memory());

    let (bytes, hashing) = hash(&folder);
    let (mb, per_second) = (bytes as f64 / 1e6, messages / hashing);
    println!(
        "SHA-256    {mb:>10.1} MB, {per_second:>9.0} messages/s, {:.1} MB/s, one thread",
        mb / hashing
    );
    println!("           the log is checked at {:.2} of it", rate / per_second);
    let verified = signatures();
    println!("Ed25519    {verified:>10.0} verified/s, one thread");
    println!("           the log is checked at {:.1} messages for each", rate / verified);

    let other = LogFolder::open(&b).unwrap();
    let begun = Instant::now();
    let compared = reconcile([&folder, &other], &anchors, &ReconcileOptions::default(), |_| {});
    let took = begun.elapsed().as_secs_f64();
    println!(
        "reconcile  {messages:>10} messages, {:>9.0} messages/s, {took:.2} s",
        messages / took
    );
    println!("           {:?} {:?}", compared.rows, compared.minutes);
}

/// Writes both logs.
fn make(folders: &[&Path; 2], policy: &Path, messages: u64) {
    let cast = Cast::new();
    let (mut a, mut b) = (Author::start(&cast, "sm"), Author::start(&cast, "plm"));
    let signer = &cast.member("sm").system;
    let by = Giver::System(cast.member("plm").system.id().clone());
    let path = [a.home.clone()];
    for first in (0..messages).step_by(BATCH as usize) {
        let numbers = first..(first + BATCH).min(messages);
        let send = |number| Send { at: a.at, number, ..Send::new("sm", "plm", 0) };
        let sends: Vec<Send> = numbers.map(send).collect();
        let class = sign_all(&cast, signer, &sends);
        a.submit_class(&class, Some(&b.home.clone()));
        let relayed = b.arrive_class(&class, (signer, &path, None), &[]);
        a.hear(&b.home, b.proven(relayed));
        let headers: Vec<Header> = sends.iter().map(|send| send.header(&cast)).collect();
        let delivered = b.state_by(&headers, ReceiptKind::Delivered, Some(by.clone()));
        a.hear(&b.home, b.proven(delivered));
        a.entries.clear();
        b.entries.clear();
    }
    a.write(folders[0], &["plm", "um"]);
    b.write(folders[1], &["sm", "um"]);
    cast.write_policy(policy, &["um"], 1);
}

/// Hashes the same entries and headers, and nothing else; gives how many bytes and the seconds that it
/// took.
fn hash(folder: &LogFolder) -> (usize, f64) {
    let read = |below: &str| -> Vec<Bytes> {
        let files = support::files(&folder.path().join(below));
        files.iter().map(|file| fs::read(file).unwrap().into()).collect()
    };
    let (bundles, headers) = (read("tile/entries"), read("headers"));
    let mut all: Vec<Bytes> = Vec::new();
    for bundle in &bundles {
        let mut rest = &bundle[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            all.push(bundle.slice_ref(entry));
            rest = next;
        }
    }
    for file in &headers {
        let parts = decode_headers(file).unwrap();
        all.extend(parts.into_iter().flat_map(|part| part.headers).flatten());
    }
    let begun = Instant::now();
    for bytes in &all {
        hint::black_box(digest(bytes));
    }
    (all.iter().map(Bytes::len).sum(), begun.elapsed().as_secs_f64())
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
