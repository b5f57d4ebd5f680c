//! A disk without room: what comes in waits, what goes out goes on, and nothing is lost.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use kuriiri_engine::{BodyFile, BodyRef, Commit, View, Write};
use kuriiri_store::{CommitError, Options, Room, Store};
use kuriiri_types::Code;

use crate::{
    beside::options,
    log::{Log, tree, verify_at_rest},
    made::{ROUTINE, key, message, noise, outbox, pack, writes},
    power_cut::Loop,
};

const BYTES: u64 = 256 << 20;
const RESERVE: u64 = 16 << 20;
const BODY: usize = 300_000;

fn with_reserve() -> Options {
    options().reserve_bytes(RESERVE)
}

/// All that is left of a disk.
struct Filled(PathBuf);

impl Filled {
    fn up(disk: &Path) -> Self {
        let path = disk.join("filling");
        Self(path).again()
    }

    /// Takes what has become free since. What was removed is free once the disk knows it, and what a write
    /// was promised becomes more or less when it is there, so all is full when nothing more gets there.
    fn again(self) -> Self {
        let mut file = File::options().append(true).create(true).open(&self.0).unwrap();
        loop {
            rustix::fs::syncfs(&file).unwrap();
            let before = file.metadata().unwrap().len();
            for len in [1 << 20, 4096, 1] {
                let bytes = vec![7; len];
                while let Ok(()) = file.write_all(&bytes) {}
            }
            if let Err(error) = file.sync_all() {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            }
            if file.metadata().unwrap().len() == before {
                return self;
            }
        }
    }

    fn away(self) {
        fs::remove_file(&self.0).unwrap();
        rustix::fs::syncfs(File::open(self.0.parent().unwrap()).unwrap()).unwrap();
    }
}

/// The arrival of a message with a large body.
fn arrival(n: u64) -> Commit {
    let body = Bytes::from(noise(BODY, n));
    Commit {
        bodies: Some(BodyFile { file: n, bodies: vec![body], references: 1 }),
        ..writes([Write::PutPack(key(outbox("a"), ROUTINE, n), pack([message(n, 500)]))])
    }
}

/// It was delivered.
fn delivery(n: u64) -> Commit {
    let body = BodyRef { file: n, offset: 0, len: BODY.try_into().unwrap() };
    let delete = Write::DeletePack(key(outbox("a"), ROUTINE, n));
    Commit { released: vec![body], ..writes([delete]) }
}

fn check(store: &Store, there: impl IntoIterator<Item = u64>) {
    let expected: Vec<_> = there.into_iter().map(|n| (n, pack([message(n, 500)]), 0)).collect();
    assert_eq!(store.packs(&outbox("a"), ROUTINE, 0, usize::MAX).unwrap(), expected);
    for (n, ..) in expected {
        let body = BodyRef { file: n, offset: 0, len: BODY.try_into().unwrap() };
        assert_eq!(store.body(body).unwrap(), noise(BODY, n));
    }
}

/// A commit for which there is no room, given back.
async fn refused(store: &Store, commit: Commit) -> Commit {
    let error = store.commit(commit).await.unwrap_err();
    assert!(matches!(error, CommitError::NotNow { .. }), "{error:?}");
    assert!(error.code() == Code::STORE_FULL && error.code().retry(), "{error}");
    error.into_commit().unwrap()
}

#[tokio::test]
async fn on_a_full_disk_arrivals_wait_and_deliveries_go_on() {
    let Some(disk) = Loop::new(BYTES) else { return };
    let dir = disk.path().join("state");
    let open = || Store::open(&dir, with_reserve()).unwrap();
    let store = open();
    let reserve = dir.join("reserve");
    assert!(store.room().unwrap() >= Room::Tight && reserve.exists());
    for n in 1..=40 {
        store.commit(arrival(n)).await.unwrap();
    }
    let mut filled = Filled::up(disk.path());
    assert_eq!(store.room().unwrap(), Room::Critical);
    let mut waiting = refused(&store, arrival(41)).await;
    check(&store, 1..=40);
    // Each delivery gives room back, which others take.
    for n in 1..=20 {
        store.commit(delivery(n)).await.unwrap();
        filled = filled.again();
        if n.is_multiple_of(5) {
            waiting = refused(&store, waiting).await;
        }
    }
    check(&store, 21..=40);
    assert!(reserve.exists(), "it is for the start");
    drop(store);

    // A start has the reserve, and those after it what was kept for the files themselves.
    for first in 21..=23 {
        filled = filled.again();
        let store = open();
        assert!(!reserve.exists() && store.room().unwrap() < Room::Tight);
        check(&store, first..=40);
        filled = filled.again();
        assert_eq!(store.room().unwrap(), Room::Critical);
        waiting = refused(&store, waiting).await;
        store.commit(delivery(first)).await.unwrap();
    }
    filled.away();
    let store = open();
    store.commit(waiting).await.unwrap();
    assert!(store.room().unwrap() >= Room::Tight && reserve.exists(), "it is made again");
    check(&store, 24..=41);
    store.close().await.unwrap();
    check(&open(), 24..=41);
}

/// A commit on its way when the disk became full holds up those behind it.
#[tokio::test]
async fn the_reserve_lets_a_commit_through_that_waits() {
    let Some(disk) = Loop::new(BYTES) else { return };
    let store = Store::open(&disk.path().join("state"), with_reserve()).unwrap();
    store.commit(arrival(1)).await.unwrap();
    let _filled = Filled::up(disk.path());
    let waiting = refused(&store, arrival(2)).await;
    assert!(store.use_reserve() && !store.use_reserve());
    store.commit(waiting).await.unwrap();
    check(&store, 1..=2);
}

/// The files of the log and sled's growth are what is missing here: what has a place in the journal alone
/// has room until a file of it is over.
#[tokio::test]
async fn commits_wait_for_room_for_the_log_and_for_sled_and_are_whole_after() {
    let Some(disk) = Loop::new(BYTES) else { return };
    let dir = disk.path().join("state");
    let store = Store::open(&dir, with_reserve()).unwrap();
    let mut log = Log::new();
    log.grow(&store, 600, 100).await;
    let mut filled = Filled::up(disk.path());
    let (mut refusals, mut done) = (0, 0);
    while done < 60 {
        let much = (0..20).map(|n| {
            let n = done * 20 + n;
            Write::PutPack(key(outbox("b"), ROUTINE, n), pack([message(n, 25_000)]))
        });
        let mut commit = Commit { log: Some(log.append(300)), ..writes(much) };
        while let Err(error) = store.commit(commit).await {
            refusals += 1;
            commit = error.into_commit().unwrap();
            if refusals % 4 == 0 {
                filled.away();
                store.commit(commit).await.unwrap();
                filled = Filled::up(disk.path());
                break;
            }
            filled = filled.again();
        }
        done += 1;
    }
    assert!(refusals > 4, "{refusals}");
    filled.away();
    store.publish().await.unwrap();
    verify_at_rest(&dir.join("log"), log.key(), &tree(log.size()));
    drop(store);
    let store = Store::open(&dir, with_reserve()).unwrap();
    assert_eq!(store.log_size(), 600 + 60 * 300);
    let found = store.packs(&outbox("b"), ROUTINE, 0, usize::MAX).unwrap();
    assert_eq!(found.len(), 1200);
    assert!(found.iter().all(|(n, found, _)| *found == pack([message(*n, 25_000)])));
}
