//! Entries leave the log: told first, and all at once or when the relay starts again.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use kuriiri_engine::{Commit, Late, Pruning, View};
use kuriiri_merkle::{inclusion, root_from_inclusion};
use kuriiri_store::{CommitError, LogStart, Options, Store};
use kuriiri_tlog::{Bundle, bundles_of, tiles_of};
use tempfile::TempDir;

use crate::{
    log::{Log, entry, expected, tree},
    made::time,
};

const BEFORE: u64 = 512;

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default().danger_without_barrier()).unwrap()
}

fn late() -> Vec<Late> {
    vec![Late { days: 400, last: time(7) }]
}

fn pruning(before: u64, kept: &[u64]) -> Pruning {
    Pruning { before, kept: kept.to_vec(), late: late() }
}

fn commit(log: &mut Log, before: u64, kept: &[u64]) -> Commit {
    Commit { pruned: Some(pruning(before, kept)), ..log.commit(1) }
}

/// A store whose log has a thousand entries, 768 of them in durable files, by commits of so many.
async fn settled(by: u64) -> (TempDir, Store, Log) {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    log.grow(&store, 1000, by).await;
    store.publish().await.unwrap().unwrap();
    assert_eq!(store.settle_log().await.unwrap(), 768);
    (dir, store, log)
}

fn bundle(dir: &TempDir, index: u64) -> PathBuf {
    dir.path().join("log").join(Bundle { index, width: 256 }.path())
}

/// The entries in a file of those that stay, with their positions.
fn kept(dir: &TempDir, name: &str) -> Vec<(u8, Vec<u8>)> {
    let bytes = fs::read(dir.path().join("log/kept").join(name)).unwrap();
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    while let [position, high, low, after @ ..] = rest {
        let (entry, after) = after.split_at(u16::from_be_bytes([*high, *low]).into());
        found.push((*position, entry.to_vec()));
        rest = after;
    }
    assert!(rest.is_empty());
    found
}

/// All files that the log still is to have are there, to the byte, and no bundle that left.
fn verify_rest(dir: &TempDir, size: u64) {
    let (folder, tree) = (dir.path().join("log"), tree(size));
    let gone = |path: &str| Bundle::parse(path).is_some_and(|b| b.index < BEFORE / 256);
    let paths = tiles_of(size).map(|t| t.path()).chain(bundles_of(size).map(|b| b.path()));
    for path in paths {
        let found = fs::read(folder.join(&path)).ok();
        assert_eq!(found, expected(&path, &tree).filter(|_| !gone(&path)), "{path}");
    }
}

#[tokio::test]
async fn what_leaves_is_told_before_and_its_proofs_stand() {
    let (dir, store, mut log) = settled(100).await;
    assert_eq!(store.log_start(), LogStart::default());
    store.commit(commit(&mut log, BEFORE, &[0, 3, 300])).await.unwrap();
    // Nobody was told yet.
    assert!(bundle(&dir, 0).exists() && bundle(&dir, 1).exists());
    assert_eq!(store.log_start(), LogStart { first: BEFORE, late: late() });
    store.publish().await.unwrap().unwrap();
    verify_rest(&dir, 1001);
    assert_eq!(kept(&dir, "000"), [(0, entry(0).to_vec()), (3, entry(3).to_vec())]);
    assert_eq!(kept(&dir, "001"), [(44, entry(300).to_vec())]);

    assert!(store.log_entry(BEFORE - 1).unwrap_err().0.contains("left the log"));
    assert_eq!(store.log_entry(BEFORE), Ok(Some(entry(BEFORE))));
    let path = inclusion(&store, 5, 1001).unwrap();
    let root = root_from_inclusion(kuriiri_merkle::leaf(&entry(5)), 5, 1001, &path);
    assert_eq!(root, Some(tree(1001).root()));
    // It goes on, and so it does after a start; what left the first time has left.
    log.grow(&store, 100, 7).await;
    store.close().await.unwrap();
    let store = open(dir.path());
    assert_eq!(store.log_start(), LogStart { first: BEFORE, late: late() });
    assert!(store.log_entry(0).is_err());
    verify_rest(&dir, 1101);
    assert_eq!(store.settle_log().await.unwrap(), 1024);
    store.commit(commit(&mut log, 768, &[0, 600])).await.unwrap();
    store.publish().await.unwrap().unwrap();
    assert!(!bundle(&dir, 2).exists() && bundle(&dir, 3).exists());
    assert_eq!(kept(&dir, "002"), [(88, entry(600).to_vec())]);
    assert_eq!(kept(&dir, "000").len(), 2);
}

/// The relay dies after the commit: the next start tells of it, and then removes the entries, also
/// those that it finds among the records and writes out again.
#[tokio::test]
async fn a_start_finishes_what_was_begun() {
    for (by, was_shown) in [(1000, false), (1, false), (100, true)] {
        let (dir, store, mut log) = settled(by).await;
        let left = fs::read(bundle(&dir, 1)).unwrap();
        store.commit(commit(&mut log, BEFORE, &[1])).await.unwrap();
        if was_shown {
            store.publish().await.unwrap().unwrap();
            // As if only the first had been removed.
            fs::write(bundle(&dir, 1), left).unwrap();
        }
        store.close().await.unwrap();
        let store = open(dir.path());
        verify_rest(&dir, 1001);
        assert_eq!(store.log_start().first, BEFORE);
        assert_eq!(kept(&dir, "000"), [(1, entry(1).to_vec())]);
        let folder = dir.path().join("log/kept");
        let names: BTreeSet<_> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names.len(), 1);
    }
}

/// Makes a commit that may not be.
type Make<'a> = &'a dyn Fn(&mut Log) -> Commit;

#[tokio::test]
async fn entries_leave_in_whole_durable_bundles_and_never_untold() {
    let untold = |_: &mut Log| Commit { pruned: Some(pruning(512, &[])), ..Commit::default() };
    let cases: [(&str, Make<'_>); 6] = [
        ("half a bundle", &|log| commit(log, 300, &[])),
        ("what has no durable file", &|log| commit(log, 1024, &[])),
        ("nothing", &|log| commit(log, 0, &[])),
        ("staying where it does not leave", &|log| commit(log, 512, &[512])),
        ("staying in disorder", &|log| commit(log, 512, &[3, 2])),
        ("untold", &untold),
    ];
    for (what, commit) in cases {
        let (dir, store, mut log) = settled(100).await;
        let error = store.commit(commit(&mut log)).await.unwrap_err();
        assert!(matches!(error, CommitError::Inconsistent(_)), "{what}: {error:?}");
        drop(store);
        let store = open(dir.path());
        assert_eq!((store.log_start(), store.log_size()), (LogStart::default(), 1000), "{what}");
        assert!(bundle(&dir, 0).exists());
    }
}
