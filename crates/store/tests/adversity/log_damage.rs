//! A log whose files were torn by a power cut, or changed or taken away by somebody.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use kuriiri_engine::{Commit, View, Write};
use kuriiri_merkle::Nodes;
use kuriiri_store::{OpenError, Store};
use kuriiri_tlog::{Checkpoint, decode_headers, encode_headers};
use kuriiri_types::Code;
use proptest::prelude::*;

use crate::{
    beside::{self, Gone, options},
    log::{Log, entry, tree, verify_at_rest},
    made::{copy, files},
};

fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(dir, options().danger_without_barrier())
}

fn flip(path: &Path, at: u64) {
    let len = fs::metadata(path).unwrap().len();
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (at, mut byte) = (at % len, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[derive(Debug, Clone, Copy)]
enum Tear {
    Delete,
    Cut(u64),
    Flip(u64),
    Empty,
}

impl Tear {
    fn apply(self, path: &Path) {
        let file = || OpenOptions::new().write(true).open(path).unwrap();
        match self {
            Self::Delete => fs::remove_file(path).unwrap(),
            Self::Cut(at) => {
                let len = file().metadata().unwrap().len();
                file().set_len(at % len).unwrap();
            }
            Self::Flip(at) => flip(path, at),
            Self::Empty => file().set_len(0).unwrap(),
        }
    }
}

fn tear() -> impl Strategy<Value = Tear> {
    let at = || any::<u64>();
    prop_oneof![
        Just(Tear::Delete),
        at().prop_map(Tear::Cut),
        at().prop_map(Tear::Flip),
        Just(Tear::Empty),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..Default::default() })]

    /// Nothing here was synced but the checkpoint, so a power cut can leave the rest in any form.
    #[test]
    fn what_a_power_cut_tears_is_written_again(
        sizes in prop::collection::vec((1..400_u64, any::<bool>()), 1..6),
        tears in prop::collection::vec((any::<u64>(), tear()), 1..40),
        takes_all in prop::bool::weighted(0.1),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let (store, mut log) = (open(dir).unwrap(), Log::new());
        for (size, publish) in sizes {
            runtime.block_on(log.grow(&store, size, 97));
            if publish {
                runtime.block_on(store.publish()).unwrap();
            }
        }
        drop(store);
        let torn: Vec<PathBuf> = ["log", "log-waiting"].into_iter().flat_map(|top| {
            let names = files(&dir.join(top)).into_keys();
            let names = names.filter(|name| !name.ends_with('/') && name != "checkpoint");
            names.map(|name| dir.join(top).join(name)).collect::<Vec<_>>()
        }).collect();
        for (index, tear) in tears.iter().filter(|_| !torn.is_empty()) {
            let path = &torn[usize::try_from(*index).unwrap() % torn.len()];
            if fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
                tear.apply(path);
            }
        }
        if takes_all {
            fs::remove_dir_all(dir.join("log")).unwrap();
            fs::remove_dir_all(dir.join("log-waiting")).unwrap();
        }
        let store = open(dir).unwrap();
        let tree = tree(log.size());
        verify_at_rest(&dir.join("log"), log.key(), &tree);
        for index in 0..log.size() {
            prop_assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
        }
        beside::check(&store, log.size(), &Gone::default());
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_changed_is_written_again_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let (store, mut log) = (open(&dir).unwrap(), Log::new());
    log.grow(&store, 300, 100).await;
    store.publish().await.unwrap();
    drop(store);
    let tree = tree(300);
    let note = log.checkpoint();
    for at in 0..note.len() {
        let damaged = folder.path().join("damaged");
        copy(&dir, &damaged);
        let path = damaged.join("log/checkpoint");
        let mut changed = note.to_vec();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        match open(&damaged) {
            Ok(_) => verify_at_rest(&damaged.join("log"), log.key(), &tree),
            Err(error) => {
                // A larger size; whoever has the key will see that nobody signed it.
                let is_behind = matches!(error, OpenError::Behind { ours: 300, .. });
                assert!(is_behind || error.to_string().contains("log/checkpoint"), "{error}");
            }
        }
        fs::remove_dir_all(damaged).unwrap();
    }
    fs::remove_file(dir.join("log/checkpoint")).unwrap();
    open(&dir).unwrap();
    verify_at_rest(&dir.join("log"), log.key(), &tree);
    // One of another history is no damage that could be mended.
    let mut other = Log::new();
    drop(other.append(200));
    let other =
        Checkpoint { size: 100, ..Checkpoint::verify(&other.checkpoint(), other.key()).unwrap() };
    fs::write(dir.join("log/checkpoint"), format!("{other}\n")).unwrap();
    assert_eq!(refused(&dir).0, dir.join("log/checkpoint"));
}

fn refused(dir: &Path) -> (PathBuf, String) {
    match open(dir).map(drop).unwrap_err() {
        OpenError::Corrupt { path, what } => (path, what),
        error @ (OpenError::Locked { .. }
        | OpenError::Io { .. }
        | OpenError::Behind { .. }
        | OpenError::Format { .. }
        | OpenError::Foreign { .. }
        | OpenError::Apart { .. }) => panic!("{error}"),
    }
}

/// Somebody put an old copy of the state beside the log: to go on would give the log two histories.
#[tokio::test]
async fn a_state_that_is_older_than_its_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, public) = (folder.path().join("state"), folder.path().join("log"));
    let open = |dir: &Path| Store::open(dir, options().danger_without_barrier().log_dir(&public));
    let (store, mut log) = (open(&dir).unwrap(), Log::new());
    log.grow(&store, 300, 100).await;
    store.publish().await.unwrap();
    drop(store);
    let old = folder.path().join("old");
    copy(&dir, &old);
    let store = open(&dir).unwrap();
    log.grow(&store, 1, 1).await;
    store.publish().await.unwrap();
    drop(store);

    let before = files(&public);
    let error = open(&old).unwrap_err();
    assert!(matches!(error, OpenError::Behind { shown: 301, ours: 300, .. }), "{error}");
    assert_eq!(error.code(), Code::LOG_BEHIND);
    assert!(files(&public) == before);
    // A new state has no log at all; another one has another.
    let new = folder.path().join("new");
    assert_eq!(open(&new).unwrap_err().code(), Code::LOG_BEHIND);
    assert!(files(&public) == before);
    open(&dir).unwrap();
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_is_refused_before_anything_is_changed() {
    for name in ["log", "log-waiting"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        let (store, mut log) = (open(&dir).unwrap(), Log::new());
        log.grow(&store, 3, 3).await;
        drop(store);
        fs::remove_dir_all(dir.join(name)).unwrap();
        fs::write(dir.join(name), "stranger").unwrap();
        let before = files(&dir);
        assert_eq!(refused(&dir).0, dir.join(name));
        assert!(files(&dir) == before);
    }
}

/// More entries than are kept twice: what is older stands in its files alone.
async fn durable() -> (tempfile::TempDir, PathBuf, Log) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = folder.path().join("state");
    let (store, mut log) = (open(&dir).unwrap(), Log::new());
    // Even if nothing of it is news it is shown, because it is much.
    while log.size() < 300 * 256 + 10 {
        store.commit(log.idle_commit(1000.min(300 * 256 + 10 - log.size()))).await.unwrap();
    }
    assert_eq!(store.publish().await.unwrap().unwrap().size, log.size());
    // Packs leave with the commits that follow, some with each.
    for n in 0..60 {
        let start = Commit { writes: vec![Write::PutStart(n)], ..Commit::default() };
        store.commit(start).await.unwrap();
    }
    log.grow(&store, 300, 100).await;
    store.publish().await.unwrap();
    drop(store);
    (folder, dir, log)
}

#[tokio::test]
async fn what_is_durable_alone_is_refused_by_name_or_never_read_as_something_else() {
    let (_folder, dir, log) = durable().await;
    let store = open(&dir).unwrap();
    let tree = tree(log.size());
    verify_at_rest(&dir.join("log"), log.key(), &tree);
    for index in (0..log.size()).step_by(97) {
        assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
        assert_eq!(Ok(tree.node(8, index / 256).unwrap()), Nodes::node(&store, 8, index / 256));
    }
    drop(store);
    let tile = |path: &str| dir.join("log/tile").join(path);
    let damages: [(&str, Tear, bool); 9] = [
        // Found at the start: roots of these stand in tiles that are not full.
        ("0/256", Tear::Flip(100), true),
        ("0/299", Tear::Delete, true),
        ("1/000", Tear::Flip(9), true),
        ("1/000", Tear::Empty, true),
        // Found when they are read.
        ("0/003", Tear::Flip(100), false),
        ("0/003", Tear::Delete, false),
        ("entries/003", Tear::Flip(100), false),
        ("entries/003", Tear::Delete, false),
        ("entries/003", Tear::Cut(1000), false),
    ];
    for (name, tear, at_start) in damages {
        let kept = fs::read(tile(name)).unwrap();
        tear.apply(&tile(name));
        if at_start {
            assert_eq!(refused(&dir).0, tile(name), "{name} {tear:?}");
        } else {
            let store = open(&dir).unwrap();
            let mut found = vec![store.log_entry(3 * 256 + 7).map(drop)];
            if name.starts_with('0') {
                found.push(Nodes::node(&store, 0, 3 * 256 + 7).map(drop));
            }
            for error in found {
                let error = error.unwrap_err().to_string();
                assert!(error.contains(name) && error.contains("restore"), "{error}");
            }
            assert_eq!(store.log_entry(7), Ok(Some(entry(7))));
        }
        fs::write(tile(name), kept).unwrap();
    }
    fs::remove_dir_all(dir.join("log")).unwrap();
    assert!(refused(&dir).0.starts_with(dir.join("log/tile")));
}

/// Every bit of a header counts, and so does each that is missing.
#[tokio::test]
async fn headers_that_are_durable_alone_are_refused_by_name_when_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let few = options().unsynced_entries(1024).danger_without_barrier();
    let (store, mut log) = (Store::open(&dir, few).unwrap(), Log::new());
    for count in [2000, 300] {
        log.grow(&store, count, 100).await;
        store.publish().await.unwrap();
    }
    let places = [3 * 256 + 4, 3 * 256 + 249];
    let file = dir.join("log/headers/003");
    let kept = fs::read(&file).unwrap();
    for tear in [Tear::Flip(20), Tear::Delete, Tear::Cut(1000), Tear::Empty] {
        tear.apply(&file);
        let found: Vec<_> = places.map(|index| store.headers(index)).into_iter().collect();
        let error = found.into_iter().find_map(Result::err).unwrap().to_string();
        assert!(error.contains("headers/003") && error.contains("restore"), "{tear:?}: {error}");
        fs::write(&file, &kept).unwrap();
    }
    // Whole, but with less in it than did not leave, or of other entries.
    let parts = decode_headers(&kept.clone().into()).unwrap();
    let mut emptied = parts.clone();
    emptied[0].headers[0] = None;
    let mut fewer = parts.clone();
    fewer[0].headers.pop();
    let mut moved = parts.clone();
    moved[0].place += 1;
    let others = fs::read(dir.join("log/headers/004")).unwrap();
    for wrong in [emptied, fewer, moved, decode_headers(&others.into()).unwrap()] {
        fs::write(&file, encode_headers(&wrong).unwrap()).unwrap();
        let error = store.headers(places[0]).unwrap_err().to_string();
        assert!(error.contains("headers/003"), "{error}");
    }
    fs::write(&file, &kept).unwrap();
    beside::check(&store, 2000, &Gone::default());
    verify_at_rest(&dir.join("log"), log.key(), &tree(log.size()));
}

/// What left the records is not written again at a start, and what is there after it is.
#[tokio::test]
async fn a_start_writes_again_only_what_may_not_be_durable() {
    let (_folder, dir, log) = durable().await;
    let changed = |path: &str| fs::metadata(dir.join("log/tile").join(path)).unwrap().modified();
    let before = ["0/000", "0/299", "0/300"].map(|path| changed(path).unwrap());
    drop(open(&dir).unwrap());
    let after = ["0/000", "0/299", "0/300"].map(|path| changed(path).unwrap());
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
    verify_at_rest(&dir.join("log"), log.key(), &tree(log.size()));
}
