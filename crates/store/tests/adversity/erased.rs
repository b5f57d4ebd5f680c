//! What was erased is not found in the journal, which is used again and again.

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

/// The files of the journal that have a part of what `message(seed, LEN)` has for a body.
fn found(dir: &Path, seed: u64) -> Vec<String> {
    let body = noise(LEN, seed + 1);
    let needle = &body[LEN / 2..LEN / 2 + 64];
    loop {
        if let Some(found) = look(&dir.join("journal"), needle) {
            return found;
        }
    }
}

/// Nothing when a file got another name meanwhile.
fn look(journal: &Path, needle: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for file in fs::read_dir(journal).unwrap() {
        let path = file.unwrap().path();
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
async fn an_erased_body_is_soon_in_no_file_of_the_journal() {
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
