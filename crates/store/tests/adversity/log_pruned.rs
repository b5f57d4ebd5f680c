//! Headers leave, when their time is over or one by one, wherever they stand; entries and proofs do not.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use kuriiri_engine::{Commit, View};
use kuriiri_store::Store;
use tempfile::TempDir;

use crate::{
    beside::{Gone, digest, headers, is_headed, options, second},
    log::{Log, entry, tree, verify_at_rest_without, verify_without},
    made::{copy, files},
};

fn open(dir: &Path) -> Store {
    Store::open(dir, options().unsynced_entries(2048).danger_without_barrier()).unwrap()
}

/// A log most of whose headers are in durable files alone; some are among the records as well, beside
/// full bundles that are shown or wait, and some beside the one that is not full.
struct State {
    _folder: TempDir,
    dir: PathBuf,
    log: Log,
    gone: Gone,
}

impl State {
    async fn new() -> (Self, Store) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = folder.path().join("state");
        let (store, mut log) = (open(&dir), Log::new());
        log.grow(&store, 2200, 97).await;
        store.publish().await.unwrap();
        // Of those, whole bundles leave the records with what comes next.
        log.grow(&store, 900, 97).await;
        store.publish().await.unwrap();
        log.grow(&store, 700, 97).await;
        (Self { _folder: folder, dir, log, gone: Gone::default() }, store)
    }

    /// One of an old bundle, one that is shown and among the records, one that waits, and one of the edge.
    fn places(&self) -> [u64; 4] {
        let size = self.log.size();
        [5 * 256 + 2, size - 900, size - 300, size - 6].map(|index| index - index % 5 + 2)
    }

    fn prune(&mut self, seconds: i64) -> Commit {
        self.gone.prune(self.log.size(), second(seconds));
        Commit { pruned: Some(second(seconds)), ..self.log.commit(8) }
    }

    fn erase(&mut self, places: &[(u64, usize)]) -> Commit {
        places.iter().for_each(|(index, nth)| self.gone.erase(*index, *nth));
        let erased_headers = places.iter().map(|(index, nth)| digest(*index, *nth)).collect();
        Commit { erased_headers, ..self.log.commit(8) }
    }

    /// Beside entries of many bundles, and all of the last: what leaves is not given, and the rest is.
    fn check(&self, store: &Store) {
        let size = self.log.size();
        let last = size - 1500..size;
        for index in (0..size).step_by(97).chain(self.places()).chain(last) {
            let expected = self.gone.left(index);
            assert_eq!(store.headers(index), Ok(expected), "beside entry {index}");
            assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
        }
        for seconds in 0..4 {
            let until = second(seconds);
            assert_eq!(store.prunable(until), Ok(self.gone.count(0..size, until)), "{seconds}");
        }
    }

    /// All that, and nothing of it is in any file.
    async fn check_files(&self, store: &Store) {
        self.check_files_in(&self.dir, store).await;
    }

    async fn check_files_in(&self, dir: &Path, store: &Store) {
        store.emptied().await.unwrap();
        self.check(store);
        store.publish().await.unwrap();
        let (folder, size) = (dir.join("log"), self.log.size());
        verify_at_rest_without(&folder, self.log.key(), &tree(size), &self.gone);
        let waiting = files(&dir.join("log-waiting"));
        assert!(waiting.keys().all(|name| name.ends_with('/')), "{:?}", waiting.keys());
    }
}

#[tokio::test]
async fn headers_leave_by_their_time_wherever_they_stand() {
    let (mut state, store) = State::new().await;
    state.check(&store);
    for seconds in [1, 0, 2] {
        store.commit(state.prune(seconds)).await.unwrap();
        state.check(&store);
        state.check_files(&store).await;
    }
    store.close().await.unwrap();
    let store = open(&state.dir);
    state.check_files(&store).await;
    // What comes after is not of that pruning, whatever its time.
    state.log.grow(&store, 300, 100).await;
    state.check_files(&store).await;
    assert_ne!(store.prunable(second(1)), Ok(0));

    // Nothing is left but what comes with the entry that says so and after it.
    store.commit(state.prune(3)).await.unwrap();
    state.check_files(&store).await;
    let left = files(&state.dir.join("log/headers"));
    assert!(left.keys().filter(|name| !name.ends_with('/')).count() == 1, "{:?}", left.keys());
}

#[tokio::test]
async fn one_header_leaves_wherever_it_stands() {
    let (mut state, store) = State::new().await;
    let places = state.places();
    assert!(places.iter().all(|index| is_headed(*index)));
    let find = |index| store.find_headers(|found| *found == headers(index)[0]).unwrap();
    assert!(places.iter().all(|index| find(*index) == [digest(*index, 0)]));
    store.commit(state.erase(&[(places[0], 0)])).await.unwrap();
    assert_eq!(find(places[0]), []);
    state.check(&store);
    state.check_files(&store).await;
    assert_eq!((find(places[0]), find(places[1])), (vec![], vec![digest(places[1], 0)]));
    store
        .commit(state.erase(&places.map(|index| (index, headers(index).len() - 1))))
        .await
        .unwrap();
    state.check(&store);
    state.check_files(&store).await;
    store.close().await.unwrap();
    let store = open(&state.dir);
    state.check_files(&store).await;
    // One that is not there is no fault, nor one that left before.
    let commit =
        Commit { erased_headers: vec![kuriiri_types::Digest([9; 32])], ..state.log.commit(8) };
    store.commit(commit).await.unwrap();
    store.commit(state.erase(&[(places[0], 0)])).await.unwrap();
    state.check_files(&store).await;
}

/// Headers of all four kinds of places leave, and the process dies at once: nothing was written to any file
/// that was there before.
#[tokio::test]
async fn a_start_finishes_what_was_begun() {
    for seconds in [1, 3] {
        let (mut state, store) = State::new().await;
        let (log, waiting) = (state.dir.join("log"), state.dir.join("log-waiting"));
        let before = [files(&log.join("headers")), files(&waiting.join("headers"))];
        let erased: Vec<(u64, usize)> = state.places().map(|index| (index, 0)).to_vec();
        // In one commit: the next would note of a pruning that is done already that it is.
        state.gone.prune(state.log.size(), second(seconds));
        let commit = Commit { pruned: Some(second(seconds)), ..state.erase(&erased) };
        store.commit(commit).await.unwrap();
        store.close().await.unwrap();
        for [in_log, in_waiting] in [before.clone(), [before[0].clone(), BTreeMap::new()]] {
            put_back(&log.join("headers"), &in_log);
            put_back(&waiting.join("headers"), &in_waiting);
            let again = state.dir.with_file_name("again");
            copy(&state.dir, &again);
            let store = open(&again);
            state.check(&store);
            verify_without(&again.join("log"), state.log.key(), &state.gone);
            state.check_files_in(&again, &store).await;
            drop(store);
            fs::remove_dir_all(again).unwrap();
        }
    }
}

fn put_back(folder: &Path, before: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in before.iter().filter(|(name, _)| !name.ends_with('/')) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Once that is noted, no start reads all of it again.
#[tokio::test]
async fn what_is_done_is_not_done_again() {
    let (mut state, store) = State::new().await;
    let file = state.dir.join("log/headers/003");
    let before = fs::read(&file).unwrap();
    store.commit(state.prune(1)).await.unwrap();
    store.emptied().await.unwrap();
    assert_ne!(fs::read(&file).unwrap(), before);
    state.log.grow(&store, 10, 10).await;
    store.close().await.unwrap();
    fs::write(&file, &before).unwrap();
    let store = open(&state.dir);
    store.emptied().await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), before);
    // But nobody gets of the store what left.
    state.check(&store);
    // The next pruning looks at it, as one of its headers leaves.
    store.commit(state.prune(2)).await.unwrap();
    state.check_files(&store).await;
}

/// Headers that cannot leave their file are told of, and the next start tries again.
#[tokio::test]
async fn a_file_that_cannot_be_emptied_is_told_of_and_tried_again() {
    let (mut state, store) = State::new().await;
    let file = state.dir.join("log/headers/003");
    let before = fs::read(&file).unwrap();
    fs::write(&file, &before[..before.len() - 1]).unwrap();
    store.commit(state.prune(1)).await.unwrap();
    let error = store.emptied().await.unwrap_err();
    assert!(error.0.contains("headers/003"), "{error}");
    // All others did leave, and the relay goes on.
    assert!(store.prunable(second(0)).is_ok());
    state.log.grow(&store, 10, 10).await;
    store.close().await.unwrap();
    fs::write(&file, &before).unwrap();
    let store = open(&state.dir);
    state.check_files(&store).await;
}

/// Commits, witnesses and readers do not wait for a log to be pruned.
#[tokio::test]
async fn the_log_grows_and_is_shown_while_headers_leave() {
    let (mut state, store) = State::new().await;
    store.commit(state.prune(2)).await.unwrap();
    for _ in 0..20 {
        state.log.grow(&store, 30, 30).await;
        store.publish().await.unwrap();
        let size = state.log.size();
        assert_eq!(store.headers(size - size % 5 - 3), Ok(state.gone.left(size - size % 5 - 3)));
    }
    verify_without(&state.dir.join("log"), state.log.key(), &state.gone);
    state.check_files(&store).await;
}
