//! What was erased is found in no file of the state: not in the journal, which is used again and again, nor in sled,
//! which keeps what it replaces.

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_engine::{Body, Commit, Item, Pack, Write};
use kuriiri_store::Store;

use crate::{
    beside::options,
    made::{ROUTINE, key, message, noise, outbox, pack, parcel, writes},
};

/// Bytes of the body that is erased.
const LEN: usize = 3000;

fn open(dir: &Path) -> Store {
    Store::open(dir, options().danger_without_barrier()).unwrap()
}

/// The files of the state that have a part of what `message(seed, LEN)` has for a body.
fn found(dir: &Path, seed: u64) -> Vec<String> {
    let body = noise(LEN, seed + 1);
    let needle = &body[LEN / 2..LEN / 2 + 64];
    loop {
        let found = [dir.to_owned(), dir.join("journal")].map(|dir| look(&dir, needle));
        if let [Some(beside), Some(journal)] = found {
            return [beside, journal].concat();
        }
    }
}

/// Nothing when a file got another name meanwhile.
fn look(dir: &Path, needle: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = fs::read(&path).ok()?;
        if bytes.windows(needle.len()).any(|window| window == needle) {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    Some(found)
}

fn put(first: u64, what: Pack) -> Commit {
    writes([Write::PutPack(key(outbox("a"), ROUTINE, first), what)])
}

/// The pack of a message whose body was erased.
fn without_body(seed: u64) -> Pack {
    let Item::Parcel(parcel) = parcel(seed, Body::Inline(Bytes::new())) else {
        panic!("it is one")
    };
    pack([Item::Parcel(parcel)])
}

/// So much that a file of the journal is over.
fn much(round: u64) -> Commit {
    let first = 1000 * (round + 1);
    let put = |n| Write::PutPack(key(outbox("b"), ROUTINE, n), pack([message(n, 25_000)]));
    writes((first..first + 700).map(put))
}

#[tokio::test]
async fn an_erased_body_is_soon_in_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // One in a file that is over and used again, one in the file that is filled.
    store.commit(put(1, pack([message(1, LEN)]))).await.unwrap();
    store.commit(much(0)).await.unwrap();
    store.commit(much(1)).await.unwrap();
    assert_eq!(found(dir.path(), 1).len(), 1);
    store.commit(put(2, pack([message(2, LEN)]))).await.unwrap();
    assert_eq!(found(dir.path(), 2).len(), 1);
    // Each erasure waits until sled has what was before.
    for seed in [1, 2, 1, 2] {
        store.commit(put(seed, without_body(seed))).await.unwrap();
    }
    store.commit(put(3, without_body(3))).await.unwrap();
    for seed in [1, 2] {
        assert_eq!(found(dir.path(), seed), [] as [String; 0], "{seed}");
    }
    drop(store);
    open(dir.path());
}

/// What each file of the state has.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let names = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let files = names.filter(|path| path.is_file());
    files
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn what_went_through_sled_leaves_no_key_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(put(1, pack([message(1, LEN)]))).await.unwrap();
    store.close().await.unwrap();
    let key = |dir: &Path| {
        let covers = files(dir).into_iter().find(|(name, _)| name == "covers").unwrap().1;
        let slots = covers.chunks_exact(48).filter(|slot| slot.iter().any(|byte| *byte != 0));
        slots.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let before = key(dir.path());
    assert_eq!(before.len(), 1, "the pack is in sled, under a key");
    let store = open(dir.path());
    store.commit(put(1, without_body(1))).await.unwrap();
    store.close().await.unwrap();
    let after = key(dir.path());
    assert_eq!(after.len(), 1);
    assert_ne!(after, before);
    let store = open(dir.path());
    store.commit(writes([Write::DeletePack(self::key(outbox("a"), ROUTINE, 1))])).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(key(dir.path()), [] as [Vec<u8>; 0]);
    for (name, bytes) in files(dir.path()) {
        let is_there = bytes.windows(32).any(|window| *window == before[0][..32]);
        assert!(!is_there, "the key that was over is in {name}");
    }
}
