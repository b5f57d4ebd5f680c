//! A new log on an old state: messages stay, what was of the old log goes with it.

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_engine::{Commit, PackKey, QueueId, View, Write};
use kuriiri_store::{LogBegun, OpenError, Options, Store};
use kuriiri_types::Lane;

use crate::{
    beside::{self, Gone, digest, second},
    log::{Log, tree, verify_at_rest},
    made::{ROUTINE, copy, key, message, outbox, pack, receipt, time},
};

const LAST: Bytes = Bytes::from_static(b"the last checkpoint\n");

fn options() -> Options {
    beside::options().danger_without_barrier()
}

fn open(dir: &Path) -> Store {
    Store::open(dir, options()).unwrap()
}

fn renew(dir: &Path, number: u32) {
    let begun = LogBegun { number, last: Some(LAST) };
    Store::renew_log(dir, &options(), &begun).unwrap();
}

/// A message and a receipt on their way, and a receipt for a system.
fn waiting() -> [PackKey; 3] {
    let own = QueueId::Receipts("kirjaamo@sm.example".parse().unwrap());
    [
        key(outbox("um.example"), ROUTINE, 7),
        key(outbox("um.example"), Lane::Receipts, 8),
        key(own, Lane::Receipts, 9),
    ]
}

/// A state with a log, and things that wait.
async fn state(dir: &Path) {
    let (store, mut log) = (open(dir), Log::new());
    log.grow(&store, 700, 100).await;
    assert_eq!(store.channel_ends(), Ok(log.ends()));
    let mut writes = vec![Write::PutStart(3)];
    for (number, key) in (0..).zip(waiting()) {
        let item = if number == 0 { message(number, 100) } else { receipt(number) };
        writes.push(Write::PutPack(key.clone(), pack([item])));
        writes.push(Write::PutDone(key.clone(), 0));
        writes.push(Write::PutDue(time(number), key));
    }
    store.commit(Commit { writes, ..log.commit(1) }).await.unwrap();
    let erased_headers = vec![digest(242, 0)];
    let leaves = Commit { pruned: Some(second(1)), erased_headers, ..log.commit(1) };
    store.commit(leaves).await.unwrap();
    assert_ne!(store.prunable(second(9)), Ok(0));
    store.publish().await.unwrap().unwrap();
    store.close().await.unwrap();
}

/// What is to be there after a renewal.
fn check(store: &Store, number: u32) {
    let begun = LogBegun { number, last: Some(LAST) };
    assert_eq!(store.log_begun(), Ok(begun));
    assert_eq!((store.log_size(), store.prunable(second(9))), (0, Ok(0)));
    assert_eq!(store.log_head(), Ok(kuriiri_engine::LogHead::default()));
    assert_eq!(store.channel_ends(), Ok(Vec::new()), "its chains begin with it");
    let [message, relayed, own] = waiting();
    assert!(store.pack(&message).unwrap().is_some());
    assert_eq!((store.pack(&relayed), store.pack(&own)), (Ok(None), Ok(None)));
    assert_eq!(store.due(time(9), 9).unwrap(), [(time(0), message)]);
    assert_eq!(store.starts(), Ok(3));
}

#[tokio::test]
async fn messages_stay_and_the_log_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    state(dir.path()).await;
    let before = crate::made::files(&folder);
    renew(dir.path(), 2);
    assert_eq!(crate::made::files(&dir.path().join("log.1")), before);

    let store = open(dir.path());
    check(&store, 2);
    let mut log = Log::second();
    log.grow(&store, 300, 100).await;
    store.publish().await.unwrap().unwrap();
    store.close().await.unwrap();
    // It is the log of this state from now on, and what left the other one is in this one.
    let store = open(dir.path());
    beside::check(&store, 300, &Gone::default());
    assert_eq!(store.log_size(), 300);
    assert_eq!(store.channel_ends(), Ok(log.ends()));
    verify_at_rest(&folder, log.key(), &tree(300));
}

/// The program dies before the folder got out of the way: the next start sees to it.
#[tokio::test]
async fn a_start_moves_the_folder_of_the_log_that_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, ended) = (dir.path().join("log"), dir.path().join("log.1"));
    state(dir.path()).await;
    renew(dir.path(), 2);
    fs::remove_dir_all(&folder).unwrap();
    copy(&ended, &folder);
    // Nobody's log is written over.
    check(&open(dir.path()), 2);
    let other = dir.path().join("log.1.1");
    assert_eq!(crate::made::files(&other), crate::made::files(&ended));
    assert!(!folder.join("checkpoint").exists());
}

#[tokio::test]
async fn an_empty_state_can_have_a_later_log_too() {
    let dir = tempfile::tempdir().unwrap();
    for number in [2, 3] {
        renew(dir.path(), number);
    }
    assert_eq!(open(dir.path()).log_begun().unwrap().number, 3);
}

/// A copy of the state alone, beside the log's folder as it was at the end, or beside none.
#[tokio::test]
async fn a_state_whose_log_folder_is_of_another_time_can_be_renewed() {
    for keeps_folder in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (state_dir, folder) = (dir.path().join("state"), dir.path().join("log"));
        let kept = dir.path().join("kept");
        let beside = options().unsynced_entries(256).log_dir(&folder);
        let (store, mut log) = (Store::open(&state_dir, beside.clone()).unwrap(), Log::new());
        log.grow(&store, 700, 100).await;
        store.publish().await.unwrap().unwrap();
        log.grow(&store, 1, 1).await;
        store.close().await.unwrap();
        copy(&state_dir, &kept);
        let store = Store::open(&state_dir, beside.clone()).unwrap();
        log.grow(&store, 300, 100).await;
        store.publish().await.unwrap().unwrap();
        store.close().await.unwrap();
        fs::remove_dir_all(&state_dir).unwrap();
        copy(&kept, &state_dir);
        if keeps_folder {
            let error = Store::open(&state_dir, beside.clone()).unwrap_err();
            assert!(matches!(error, OpenError::Behind { shown: 1001, ours: 701, .. }), "{error}");
        } else {
            fs::remove_dir_all(&folder).unwrap();
            Store::open(&state_dir, beside.clone()).unwrap_err();
        }
        let (begun, head) = Store::log_stands(&state_dir, &beside).unwrap();
        assert_eq!((begun, head.size), (LogBegun::default(), 701));
        let next = LogBegun { number: 2, last: Some(LAST) };
        Store::renew_log(&state_dir, &beside, &next).unwrap();
        assert_eq!(Store::open(&state_dir, beside).unwrap().log_begun(), Ok(next));
        assert_eq!(dir.path().join("log.1").exists(), keeps_folder);
    }
}
