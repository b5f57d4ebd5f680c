//! Copies of honest logs that were damaged: the entry is named, nobody is accused, and the rest is checked.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use kuriiri_verify::{AuditOptions, Check, LogFolder, Weight, audit};
use support::{Author, Bench, Cast, Report, Send, copy, exchange, files, story};

/// An honest log of more than three bundles, and one that has its checkpoint of 300 entries.
struct Scene {
    bench: Bench,
    good: PathBuf,
    kept: PathBuf,
    entries: u64,
}

impl Scene {
    fn new(cast: &Cast) -> Self {
        let bench = Bench::new(cast, &[], 0);
        let (mut a, mut b) = (Author::start(cast, "sm"), Author::start(cast, "plm"));
        let kept = bench.folder("kept");
        for n in 0..200 {
            if a.raw.len() > 300 && !kept.exists() {
                fs::write(&kept, a.checkpoint()).unwrap();
            }
            exchange(&mut a, &mut b, &Send::new("sm", "plm", n));
        }
        let good = bench.write(&a, &[]);
        let entries = u64::try_from(a.raw.len()).unwrap();
        assert!((769..1024).contains(&entries), "{entries}");
        Self { bench, good, kept, entries }
    }

    /// What is said of a copy that was damaged, held against a checkpoint of before.
    fn damaged(&self, damage: impl FnOnce(&Path)) -> Report {
        let dir = self.bench.folder("copy");
        copy(&self.good, &dir);
        damage(&dir);
        let report = self.bench.log(&dir, &["--since", self.kept.to_str().unwrap()]);
        let found = report.json["found"]["findings"].as_array().unwrap();
        let accused: Vec<_> = found.iter().filter(|one| !one["against"].is_null()).collect();
        assert!(accused.is_empty(), "{accused:?}");
        assert_eq!(report.exit, 1, "{}", report.text);
        report
    }

    /// The faults of a damaged copy are of its files, so many; all else is good or not checked.
    fn only_files(&self, faults: u64, damage: impl FnOnce(&Path)) -> Report {
        let report = self.damaged(damage);
        let all = report.json["found"]["checks"].as_array().unwrap();
        let all = all.iter().map(|tally| tally["faults"].as_u64().unwrap()).sum::<u64>();
        assert_eq!((report.faults("files"), all), (faults, faults), "{}", report.text);
        report
    }
}

/// Changes the byte of a file of which this is the last part.
fn flip(file: &Path, from_end: usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_changed_entry_is_named_and_all_others_are_read() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    let report = scene.only_files(1, |dir| flip(&dir.join("tile/entries/001"), 1));
    let found = report.tells("fault", "files", "this is not the entry that the log signed");
    assert_eq!(found["entry"], 511, "{}", report.text);
    assert_eq!(report.done("entries"), scene.entries - 1);
    // What was kept before is held against the tree as it was signed.
    assert_eq!((report.done("growth"), report.faults("growth")), (1, 0));
    // What follows from the entry cannot be known.
    assert_eq!(report.json["log"]["read"], scene.entries - 1);
}

#[test]
fn a_bundle_that_is_missing_is_named_and_all_others_are_read() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    let report = scene.only_files(1, |dir| fs::remove_file(dir.join("tile/entries/001")).unwrap());
    report.tells("fault", "files", "entries 256 to 511 cannot be read in this copy");
    assert_eq!(report.done("entries"), scene.entries - 256);
    assert_eq!((report.done("growth"), report.faults("growth")), (1, 0));
    report.tells("unchecked", "channels", "entries that this copy lacks may explain it");
}

#[test]
fn a_length_that_was_changed_costs_one_bundle() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    let report = scene.only_files(1, |dir| {
        let file = dir.join("tile/entries/000");
        let mut bytes = fs::read(&file).unwrap();
        bytes[0] ^= 0x40;
        fs::write(&file, bytes).unwrap();
    });
    report.tells("fault", "files", "entries 0 to 255 cannot be read in this copy");
    assert_eq!(report.done("entries"), scene.entries - 256);
}

#[test]
fn where_entries_and_their_tile_are_missing_the_tile_above_tells_what_was_signed() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    let report = scene.only_files(1, |dir| {
        fs::remove_file(dir.join("tile/entries/001")).unwrap();
        fs::remove_file(dir.join("tile/0/001")).unwrap();
    });
    report.tells("fault", "files", "entries 256 to 511 cannot be read in this copy");
    assert_eq!(report.done("entries"), scene.entries - 256);
    // The checkpoint that was kept is of a size in between.
    report.tells("unchecked", "growth", "so a checkpoint of that size was not held against it");
    // The same when both were changed.
    let report = scene.only_files(1, |dir| {
        flip(&dir.join("tile/entries/001"), 1);
        flip(&dir.join("tile/0/001"), 1);
    });
    report.tells("fault", "files", "they are not all those that the log signed");
}

#[test]
fn a_tile_that_was_changed_is_told_and_no_entry_is_blamed_for_it() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    for tile in ["tile/0/001", "tile/0/003.p"] {
        let report = scene.only_files(1, |dir| {
            let file = dir.join(tile);
            let inner = file.is_dir().then(|| fs::read_dir(&file).unwrap().next().unwrap());
            flip(&inner.map_or(file, |entry| entry.unwrap().path()), 1);
        });
        report.tells("fault", "files", "does not have the hashes of the entries");
        assert_eq!(report.done("entries"), scene.entries, "{tile}");
    }
}

#[test]
fn where_nothing_leads_to_the_root_it_is_said_what_was_not_looked_at() {
    let cast = Cast::new();
    let scene = Scene::new(&cast);
    let report = scene.damaged(|dir| {
        fs::remove_dir_all(dir.join("tile/1")).unwrap();
        fs::remove_file(dir.join("tile/entries/001")).unwrap();
    });
    let words = format!("so entries 256 to {} were not looked at", scene.entries - 1);
    report.tells("fault", "files", &words);
    report.tells("fault", "root", "256 entries can be read of");
}

/// A day with everything in it: whichever entry is changed, that one is named, and what rested on it is held
/// against nobody.
#[test]
fn whichever_entry_was_changed_it_is_named_and_nobody_is_accused() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    for author in <[Author<'_>; 2]>::from(story(&cast)) {
        let dir = bench.write(&author, &[]);
        let [bundle] = &files(&dir.join("tile/entries"))[..] else { panic!("one bundle") };
        let whole = fs::read(bundle).unwrap();
        let mut end = 0;
        for (index, entry) in (0_u64..).zip(&author.raw) {
            end += 2 + entry.len();
            let mut bytes = whole.clone();
            bytes[end - 1] ^= 1;
            fs::write(bundle, bytes).unwrap();
            let folder = LogFolder::open(&dir).unwrap();
            let report = audit(&folder, bench.anchors(), AuditOptions::default(), |_| {});
            let listed = report.findings.listed();
            let faults = listed.iter().filter(|one| one.weight == Weight::Fault);
            let named: Vec<_> = faults.map(|one| (one.check, one.entry)).collect();
            assert_eq!(named, [(Check::Files, Some(index))], "{listed:#?}");
            assert!(listed.iter().all(|one| one.against.is_none()), "{index}: {listed:#?}");
        }
        fs::write(bundle, whole).unwrap();
    }
}
