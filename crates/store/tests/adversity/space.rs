//! Large values and much of them: nothing leaves the synced file, and space is used again.

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_engine::{BodyFile, BodyRef, Commit, PackKey, View, Write};
use kuriiri_store::Store;
use kuriiri_types::{Code, Lane, limits::PACK_BYTES_MAX};

use crate::beside::options;
use crate::made::{ROUTINE, key, message, noise, outbox, pack, writes};

/// Body length of a message that alone makes a value of just the limit, format byte included.
fn full() -> usize {
    const PROBE: usize = 20_000;
    let around = postcard::to_stdvec(&pack([message(1, PROBE)])).unwrap().len() - PROBE;
    PACK_BYTES_MAX - around - 1
}

fn open(dir: &Path) -> Store {
    Store::open(dir, options().danger_without_barrier()).unwrap()
}

fn blobs(dir: &Path) -> usize {
    fs::read_dir(dir.join("blobs")).unwrap().count()
}

#[tokio::test]
async fn a_value_over_the_limit_is_refused_and_nothing_applied() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let put =
        |first, len| Write::PutPack(key(outbox("a"), ROUTINE, first), pack([message(1, len)]));
    store.commit(writes([put(1, full())])).await.unwrap();

    let error = store.commit(writes([put(2, 10), put(3, full() + 1)])).await.unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL);
    assert!(error.to_string().contains("28673 bytes"), "{error}");
    let error = store.commit(writes([put(2, 10)])).await.unwrap_err();
    assert_eq!(error.code(), Code::STORE_IO);
    drop(store);

    let found = open(dir.path()).packs(&outbox("a"), ROUTINE, 0, usize::MAX).unwrap();
    assert_eq!(found, [(1, pack([message(1, full())]), 0)]);
}

/// sled merges a leaf of three records into its left neighbour before it splits that again. Of
/// all lengths of two neighbouring lanes, one makes the neighbour as full as it can be.
#[tokio::test]
async fn the_largest_packs_never_spill() {
    let full = pack([message(7, full())]);
    let put = |key| writes([Write::PutPack(key, full.clone())]);
    for left in 8..18 {
        let dir = tempfile::tempdir().unwrap();
        let right = (0..9).map(|n| key(outbox("b"), ROUTINE, n));
        let puts = right.clone().chain((0..left).map(|n| key(outbox("a"), ROUTINE, n))).map(put);
        let deletes = right.map(|key| writes([Write::DeletePack(key)]));
        for commit in puts.chain(deletes) {
            // sled gets each of them by itself when the store is closed.
            let store = open(dir.path());
            store.commit(commit).await.unwrap();
            store.close().await.unwrap();
            assert_eq!(blobs(dir.path()), 0, "{left} on the left");
        }
    }
}

#[tokio::test]
async fn space_is_used_again() {
    const PACKS: u64 = 400;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut sizes = Vec::new();
    for cycle in 0..10 {
        let keys = (cycle * PACKS..(cycle + 1) * PACKS).map(|n| key(outbox("a"), ROUTINE, n));
        let keys: Vec<_> = keys.collect();
        for some in keys.chunks(8) {
            let put =
                |key: &PackKey| Write::PutPack(key.clone(), pack([message(key.first, 25_000)]));
            store.commit(writes(some.iter().map(put))).await.unwrap();
        }
        for some in keys.chunks(8) {
            store.commit(writes(some.iter().cloned().map(Write::DeletePack))).await.unwrap();
        }
        sizes.push(store.size_on_disk());
    }
    assert!(sizes[9] <= sizes[4] * 2 + (16 << 20), "{sizes:?}");
    assert!(sizes[9] <= 10 * PACKS * 25_000, "{sizes:?}");
}

/// A restart reads two keys of each lane, so it must not grow with what waits there.
#[tokio::test]
async fn many_lanes_are_found_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for ministry in 0..30 {
        let puts = Lane::BY_URGENCY.into_iter().flat_map(|lane| {
            let queue = outbox(&format!("m{ministry}"));
            (5..25)
                .map(move |n| Write::PutPack(key(queue.clone(), lane, n), pack([message(n, 500)])))
        });
        store.commit(writes(puts)).await.unwrap();
    }
    let lanes = store.lanes().unwrap();
    assert_eq!(lanes.len(), 30 * 7);
    assert!(lanes.iter().all(|lane| (lane.first, lane.last) == (5, 24)));
}

/// Others in the same file stay as they are.
#[tokio::test]
async fn an_erased_body_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let bodies = [noise(5000, 1), noise(5000, 2)].map(Bytes::from);
    let file = BodyFile { file: 7, bodies: bodies.to_vec(), references: 2 };
    store.commit(Commit { bodies: Some(file), ..Commit::default() }).await.unwrap();
    let [first, second] = [0, 5000].map(|offset| BodyRef { file: 7, offset, len: 5000 });
    let gone = Commit { released: vec![first], erased: vec![first], ..Commit::default() };
    store.commit(gone).await.unwrap();
    store.close().await.unwrap();
    let store = open(dir.path());
    assert_eq!(store.body(first).unwrap(), vec![0; 5000]);
    assert_eq!(store.body(second).unwrap(), bodies[1]);
}
