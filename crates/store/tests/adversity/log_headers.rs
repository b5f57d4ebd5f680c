//! Headers beside the log: written and read with the entries that name them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_engine::{Commit, LogAppend, Unproved, View, Write};
use kuriiri_merkle::{leaf, root_from_inclusion};
use kuriiri_store::{CommitError, Named, Options, Store};
use kuriiri_tlog::{Checkpoint, bundles_of};
use kuriiri_types::SignedReceipt;

use crate::{
    beside::{self, Gone, digest, expected, options, second},
    log::{Log, entry, tree, verify_at_rest},
};

fn open(dir: &Path) -> Store {
    Store::open(dir, options().danger_without_barrier()).unwrap()
}

/// Where the headers of a bundle stand in the log.
fn file(dir: &Path, size: u64, bundle: u64) -> PathBuf {
    let bundle = bundles_of(size).find(|found| found.index == bundle).unwrap();
    dir.join("log").join(bundle.headers_path())
}

#[tokio::test]
async fn what_came_with_a_commit_is_read_at_once_and_after_every_start() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut log) = (open(dir.path()), Log::new());
    for count in [2, 1, 250, 3, 1, 511, 700] {
        log.grow(&store, count, 97).await;
        beside::check(&store, log.size(), &Gone::default());
        if count % 2 == 1 {
            store.publish().await.unwrap();
        }
        if count % 3 == 0 {
            store.close().await.unwrap();
            store = open(dir.path());
            beside::check(&store, log.size(), &Gone::default());
        }
    }
    store.publish().await.unwrap();
    verify_at_rest(&dir.path().join("log"), log.key(), &tree(log.size()));
    beside::check(&store, log.size(), &Gone::default());
}

#[tokio::test]
async fn no_file_stands_beside_a_bundle_without_headers() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    log.grow(&store, 2, 1).await;
    store.publish().await.unwrap();
    assert!(!dir.path().join("log/headers").exists());
    log.grow(&store, 1, 1).await;
    store.publish().await.unwrap();
    assert_eq!(
        fs::read(file(dir.path(), 3, 0)).ok(),
        expected(bundles_of(3).next().unwrap(), 3, &Gone::default())
    );
}

/// Makes a commit that may not be.
type Spoil = fn(&mut LogAppend);

#[tokio::test]
async fn headers_that_no_entry_names_are_refused_and_nothing_is_applied() {
    let spoil: [Spoil; 7] = [
        |append| append.headers[0].0 += 1,
        |append| append.headers.swap(0, 1),
        |append| append.headers[1].0 = append.headers[0].0,
        |append| append.headers[0].0 += 1000,
        |append| drop(append.headers[0].1.pop()),
        |append| append.headers[0].1.push(Bytes::from_static(b"one more")),
        |append| append.headers[0].1[0] = Bytes::new(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    log.grow(&open(dir.path()), 10, 10).await;
    let head = open(dir.path()).log_head().unwrap();
    for (nth, spoil) in spoil.into_iter().enumerate() {
        let store = open(dir.path());
        let mut append = Log::on(&head, &kuriiri_seal::NoteKey::generate().unwrap().1).append(10);
        spoil(&mut append);
        let commit =
            Commit { writes: vec![Write::PutStart(9)], log: Some(append), ..Commit::default() };
        let error = store.commit(commit).await.unwrap_err();
        assert!(matches!(error, CommitError::Inconsistent(_)), "{nth}: {error:?}");
        drop(store);
        let store = open(dir.path());
        assert_eq!((store.starts(), store.log_size()), (Ok(0), 10));
        beside::check(&store, 10, &Gone::default());
    }
    // Who does not say how to read entries cannot have headers.
    let new = tempfile::tempdir().unwrap();
    let store = Store::open(new.path(), Options::default().danger_without_barrier()).unwrap();
    let error = store.commit(Log::new().commit(3)).await.unwrap_err();
    assert!(matches!(error, CommitError::Inconsistent(_)), "{error:?}");
}

#[tokio::test]
async fn more_than_one_stored_value_has_room_for_is_refused() {
    const LARGE: Bytes = Bytes::from_static(&[7; 10_000]);
    let named = |_: &Bytes| Some(Named { keep_until: second(1), headers: vec![leaf(&LARGE); 3] });
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().entries(named).danger_without_barrier();
    let store = Store::open(dir.path(), options).unwrap();
    let headers = vec![(0, vec![LARGE; 3])];
    let log = Some(LogAppend { headers, ..Log::new().append(1) });
    let error = store.commit(Commit { log, ..Commit::default() }).await.unwrap_err();
    assert!(matches!(error, CommitError::TooLarge { bytes: 30_000.., .. }), "{error:?}");
}

#[tokio::test]
async fn what_leaves_untold_is_refused() {
    let cases: [fn(&mut Commit); 2] = [
        |commit| commit.pruned = Some(second(1)),
        |commit| commit.erased_headers = vec![digest(2, 0)],
    ];
    for leave in cases {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut log) = (open(dir.path()), Log::new());
        log.grow(&store, 10, 10).await;
        let mut commit = Commit { writes: vec![Write::PutStart(9)], ..Commit::default() };
        leave(&mut commit);
        let error = store.commit(commit).await.unwrap_err();
        assert!(matches!(error, CommitError::Inconsistent(_)), "{error:?}");
        drop(store);
        beside::check(&open(dir.path()), 10, &Gone::default());
    }
}

// === proofs ===

fn unproved(index: u64) -> Unproved {
    Unproved { entry: entry(index), index }
}

fn is_proved(receipt: &SignedReceipt, log: &Log, size: u64) -> bool {
    let checkpoint = Checkpoint::verify(&receipt.checkpoint, log.key()).unwrap();
    let hash = leaf(&receipt.entry);
    let root = root_from_inclusion(hash, receipt.index, size, &receipt.path);
    checkpoint.size == size && root == Some(checkpoint.root)
}

#[tokio::test]
async fn receipts_are_proved_by_the_checkpoint_of_the_last_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    assert!(store.prove(vec![unproved(0)]).is_err());
    assert_eq!(store.prove(Vec::new()), Ok(Vec::new()));
    for count in [1, 255, 1, 300, 65_536] {
        log.grow(&store, count, 1024).await;
        let size = log.size();
        let places = [0, size / 2, size - size % 256, size - 1].map(|index| index.min(size - 1));
        let receipts = store.prove(places.map(unproved).to_vec()).unwrap();
        assert_eq!(receipts.len(), 4);
        for (receipt, index) in receipts.iter().zip(places) {
            assert_eq!((receipt.index, &receipt.entry), (index, &entry(index)));
            assert!(is_proved(receipt, &log, size), "{index} of {size}");
        }
        assert!(store.prove(vec![unproved(0), unproved(size)]).is_err());
    }
}

/// All proofs of one call are by the same checkpoint, whatever is committed meanwhile.
#[test]
fn receipts_are_proved_while_the_log_grows() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(log.grow(&store, 300, 100));
    let key = log.key().clone();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for round in 0..200 {
                let places = (0..30).map(|nth| (round * 7 + nth * 10) % 300);
                let receipts = store.prove(places.map(unproved).collect()).unwrap();
                let checkpoint = Checkpoint::verify(&receipts[0].checkpoint, &key).unwrap();
                for receipt in &receipts {
                    assert_eq!(receipt.checkpoint, receipts[0].checkpoint);
                    let (hash, size) = (leaf(&receipt.entry), checkpoint.size);
                    let root = root_from_inclusion(hash, receipt.index, size, &receipt.path);
                    assert_eq!(root, Some(checkpoint.root));
                }
            }
        });
        runtime.block_on(async {
            for n in 0..100 {
                log.grow(&store, 1 + n % 50, 50).await;
            }
        });
        reader.join().unwrap();
    });
}
