//! Bundles, evidence and exports with any damage: each is read and judged, or refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod support;

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_damage::{Damage, any_damage};
use kuriiri_verify::{
    Claim, ClaimKind, LogFolder, MessageBundle, Selection, bundle_of, check_bundle, check_export,
    evidence_of, export,
};
use proptest::prelude::*;
use support::{Bench, Cast, Send, story};

/// Which of several things is damaged, and how.
fn any_case() -> impl Strategy<Value = (prop::sample::Index, Damage)> {
    (any::<prop::sample::Index>(), any_damage())
}

/// What proofs are of: places, entries and paths.
fn proved(bundle: &MessageBundle) -> Vec<(&str, u64, &Bytes)> {
    let of = |part| {
        let part: &kuriiri_verify::LogPart = part;
        part.entries.iter().map(|entry| (part.origin.as_str(), entry.index, &entry.entry))
    };
    bundle.logs.iter().flat_map(of).collect()
}

#[test]
fn a_mangled_file_is_refused_or_says_nothing_new() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let send = Send::new("sm", "plm", 5);
    let whole = bundle_of(send.id(), &[&folders[0], &folders[1]], None).unwrap();
    let bytes = whole.to_bytes();
    let known = proved(&whole);
    assert_eq!(check_bundle(&whole, bench.anchors()).findings.exit(), 0);
    proptest!(ProptestConfig::with_cases(512), |(damage in any_damage())| {
        let Ok(read) = MessageBundle::parse(&damage.applied_to(&bytes)) else { return Ok(()) };
        prop_assert!(MessageBundle::parse(&read.to_bytes()).unwrap() == read);
        if check_bundle(&read, bench.anchors()).findings.exit() == 0 {
            prop_assert!(proved(&read).iter().all(|entry| known.contains(entry)));
        }
    });
}

#[test]
fn a_mangled_entry_or_path_is_a_fault() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let send = Send::new("sm", "plm", 5);
    let whole = bundle_of(send.id(), &[&folders[0], &folders[1]], None).unwrap();
    proptest!(ProptestConfig::with_cases(512), |((which, damage) in any_case(), is_path: bool)| {
        let mut bundle = whole.clone();
        let mut entries: Vec<_> = bundle.logs.iter_mut().flat_map(|part| &mut part.entries).collect();
        let at = which.index(entries.len());
        let entry = &mut *entries[at];
        if is_path {
            let path: Vec<u8> = entry.path.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let damaged = damage.applied_to(&path);
            entry.path = damaged.as_chunks().0.iter().map(|hash| kuriiri_types::Digest(*hash)).collect();
        } else {
            entry.entry = damage.applied_to(&entry.entry).into();
        }
        let is_same = bundle == whole;
        prop_assert_eq!(check_bundle(&bundle, bench.anchors()).findings.exit() == 0, is_same);
    });
}

#[test]
fn no_mangling_makes_evidence_against_somebody_honest() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let folders = [&a, &b].map(|author| LogFolder::open(&bench.write(author, &[])).unwrap());
    let links: Vec<u64> = (0..b.entries.len() as u64)
        .filter(|at| !b.entries[*at as usize].channels.is_empty())
        .collect();
    let parts = [(&folders[0], vec![]), (&folders[1], links)];
    let files = [ClaimKind::ChainGap, ClaimKind::Duplicate, ClaimKind::UnsignedExtra].map(|kind| {
        let against = Some(b.home.clone());
        let claim = Claim { kind, against, what: String::new(), growth: None };
        evidence_of(claim, None, &parts).unwrap().to_bytes()
    });
    proptest!(ProptestConfig::with_cases(256), |((which, damage) in any_case())| {
        let file = damage.applied_to(&files[which.index(files.len())]);
        let Ok(read) = MessageBundle::parse(&file) else { return Ok(()) };
        let claim = check_bundle(&read, bench.anchors()).claim;
        prop_assert!(claim.as_ref().is_some_and(|claim| !claim.proved), "{:?}", claim);
    });
}

/// The entries of an export, as they were read.
fn entries(folder: &Path) -> Vec<(u64, String)> {
    let text = String::from_utf8(fs::read(folder.join("entries.jsonl")).unwrap()).unwrap();
    let entry = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (line["index"].as_u64().unwrap(), line["entry"].as_str().unwrap().to_owned())
    };
    text.lines().map(entry).collect()
}

#[test]
fn a_mangled_export_is_refused_or_says_the_same() {
    const FILES: [&str; 3] = ["checkpoint", "export.json", "entries.jsonl"];
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, _) = story(&cast);
    let folder = LogFolder::open(&bench.write(&a, &[])).unwrap();
    let dir = bench.folder("export");
    export(&folder, &Selection::default(), &dir).unwrap();
    let whole = FILES.map(|name| fs::read(dir.join(name)).unwrap());
    let known = entries(&dir);
    assert_eq!(check_export(&dir, bench.anchors()).unwrap().findings.exit(), 0);
    proptest!(ProptestConfig::with_cases(256), |((which, damage) in any_case())| {
        let which = which.index(FILES.len());
        fs::write(dir.join(FILES[which]), damage.applied_to(&whole[which])).unwrap();
        let report = check_export(&dir, bench.anchors());
        if report.is_ok_and(|report| report.findings.exit() == 0) {
            prop_assert!(entries(&dir) == known);
        }
        fs::write(dir.join(FILES[which]), &whole[which]).unwrap();
    });
}
