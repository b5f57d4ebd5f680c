//! How the log is shown: while it grows, when that fails, and to whom.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use kuriiri_engine::{Commit, View, Write};
use kuriiri_merkle::{Nodes, consistency, inclusion, root, verify_consistency};
use kuriiri_store::{OpenError, Store};
use kuriiri_tlog::Checkpoint;
use kuriiri_types::Code;

use crate::{
    beside::options,
    log::{Log, entry, tree, verify, verify_at_rest, verify_files},
    made::files,
    power_cut::skipped,
};

fn open(dir: &Path) -> Store {
    Store::open(dir, options().danger_without_barrier()).unwrap()
}

#[tokio::test]
async fn a_state_from_before_the_log_has_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let start = Commit { writes: vec![Write::PutStart(1)], ..Commit::default() };
    store.commit(start).await.unwrap();
    store.close().await.unwrap();
    fs::remove_dir_all(dir.path().join("log")).unwrap();

    let store = open(dir.path());
    assert_eq!(store.log_head(), Ok(kuriiri_engine::LogHead::default()));
    assert_eq!((store.log_size(), store.log_entry(0)), (0, Ok(None)));
    assert!(Nodes::node(&store, 0, 0).is_err());
    assert_eq!(store.publish().await.unwrap(), None);
    assert!(files(&dir.path().join("log")).is_empty());
}

#[tokio::test]
async fn what_is_shown_is_the_last_commit_and_is_news_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    let folder = dir.path().join("log");
    for count in [1, 251, 1, 1, 300, 254 * 256, 700] {
        log.grow(&store, count, 1024).await;
        let news = log.size();
        // Nothing but the witnessing of others is shown with what comes before or after it.
        store.commit(log.idle_commit(1)).await.unwrap();
        let shown = store.publish().await.unwrap().unwrap();
        assert_eq!(shown.size, news + 1);
        store.commit(log.idle_commit(1)).await.unwrap();
        assert_eq!(store.publish().await.unwrap(), None);
        verify_files(&folder, &tree(news + 1));
        log.grow(&store, 1, 1).await;
        let shown = store.publish().await.unwrap().unwrap();
        assert_eq!(shown.note, log.checkpoint());
        assert_eq!(fs::read(folder.join("checkpoint")).unwrap(), shown.note);
        assert_eq!(store.publish().await.unwrap(), None);
        let tree = tree(log.size());
        verify_at_rest(&folder, log.key(), &tree);
        assert_eq!(root(&store, log.size()), Ok(tree.root()));
        for index in [0, log.size() / 2, log.size() - 1] {
            assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
            let proof = inclusion(&store, index, log.size()).unwrap();
            assert_eq!(proof, inclusion(&tree, index, log.size()).unwrap());
        }
        assert_eq!(store.log_entry(log.size()), Ok(None));
    }
    for (level, index) in
        [(0, log.size()), (8, log.size() >> 8), (17, 0), (56, 0), (63, 0), (64, 0)]
    {
        assert!(Nodes::node(&store, level, index).is_err(), "{level} {index}");
    }
}

/// Two publish as fast as they can, one commits, one reads: whatever anybody finds verifies, and
/// each checkpoint grows out of the one before.
#[test]
fn whoever_reads_while_it_grows_can_verify() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        log.grow(&store, 1, 1).await;
        store.publish().await.unwrap();
    });
    let (folder, key) = (dir.path().join("log"), log.key().clone());
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    runtime.block_on(store.publish()).unwrap();
                }
            });
        }
        let reader = scope.spawn(|| {
            let mut seen = Vec::<Checkpoint>::new();
            while !done.load(Ordering::Acquire) {
                seen.push(verify(&folder, &key));
                let index = seen.last().unwrap().size - 1;
                assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
            }
            seen
        });
        runtime.block_on(async {
            for n in 0..150 {
                log.grow(&store, 1 + n * 7 % 60, 60).await;
            }
        });
        done.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    runtime.block_on(store.publish()).unwrap();
    verify_at_rest(&folder, &key, &tree(log.size()));
    for pair in seen.windows(2) {
        let [old, new] = pair else { panic!("windows of two") };
        let proof = consistency(&store, old.size, new.size).unwrap();
        assert!(verify_consistency(old.size, old.root, new.size, new.root, &proof));
    }
}

/// A reader that has the checkpoint from before needs the narrower partial files.
#[tokio::test]
async fn narrower_files_stay_until_there_is_a_full_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    let partials = dir.path().join("log/tile/0/000.p");
    log.grow(&store, 5, 5).await;
    store.publish().await.unwrap();
    log.grow(&store, 5, 5).await;
    store.publish().await.unwrap();
    assert_eq!(files(&partials).into_keys().collect::<Vec<_>>(), ["10", "5"]);
    log.grow(&store, 246, 246).await;
    assert!(partials.exists());
    store.publish().await.unwrap();
    assert!(!partials.exists());
}

// === when it fails ===

#[tokio::test]
async fn what_could_not_be_shown_is_shown_when_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    let folder = dir.path().join("log");
    log.grow(&store, 10, 10).await;
    store.publish().await.unwrap();
    // A file in the place of the folder of bundles: some files move before it fails, some do not.
    fs::rename(folder.join("tile/entries"), folder.join("away")).unwrap();
    fs::write(folder.join("tile/entries"), "").unwrap();
    log.grow(&store, 600, 100).await;
    for _ in 0..2 {
        let error = store.publish().await.unwrap_err();
        assert_eq!(error.code(), Code::STORE_IO);
    }
    let note = fs::read(folder.join("checkpoint")).unwrap();
    assert_eq!(Checkpoint::verify(&note, log.key()).unwrap().size, 10);
    fs::remove_file(folder.join("tile/entries")).unwrap();
    fs::rename(folder.join("away"), folder.join("tile/entries")).unwrap();
    log.grow(&store, 600, 100).await;
    assert_eq!(store.publish().await.unwrap().unwrap().size, log.size());
    verify_at_rest(&folder, log.key(), &tree(log.size()));
}

#[tokio::test]
async fn a_log_that_somebody_takes_away_is_missed_and_made_again_at_the_next_start() {
    for (what, is_made_anew) in [("log", false), ("log", true), ("log-waiting", false)] {
        let dir = tempfile::tempdir().unwrap();
        let (store, mut log) = (open(dir.path()), Log::new());
        log.grow(&store, 300, 100).await;
        store.publish().await.unwrap();
        log.grow(&store, 250, 250).await;
        fs::remove_dir_all(dir.path().join(what)).unwrap();
        if is_made_anew {
            fs::create_dir(dir.path().join(what)).unwrap();
        }
        let error = store.publish().await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(what) && source.contains("start the relay again"), "{source}");
        drop(store);
        let store = open(dir.path());
        verify_at_rest(&dir.path().join("log"), log.key(), &tree(550));
        log.grow(&store, 1, 1).await;
        store.publish().await.unwrap();
        verify_at_rest(&dir.path().join("log"), log.key(), &tree(551));
    }
}

/// Files come before the record that makes a commit durable.
#[tokio::test]
async fn files_that_cannot_be_staged_fail_the_commit_and_show_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    log.grow(&store, 200, 100).await;
    fs::write(dir.path().join("log-waiting/tile"), "").unwrap();
    let before = log.checkpoint();
    let error = store.commit(log.commit(100)).await.unwrap_err();
    assert_eq!(error.code(), Code::STORE_IO);
    let shown = store.publish().await.unwrap().unwrap();
    assert_eq!((shown.size, shown.note), (200, before));
    verify_at_rest(&dir.path().join("log"), log.key(), &tree(200));
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.log_size(), 200);
    verify_at_rest(&dir.path().join("log"), log.key(), &tree(200));
}

#[tokio::test]
async fn an_append_that_does_not_fit_is_refused_and_nothing_applied() {
    let spoil: [fn(&mut kuriiri_engine::LogAppend); 6] = [
        |append| append.first += 1,
        |append| append.leaves.truncate(2),
        |append| append.head.size += 1,
        |append| append.head.frontier[0].0[0] ^= 1,
        |append| append.head.frontier.truncate(1),
        |append| append.checkpoint.clear(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    log.grow(&open(dir.path()), 255, 85).await;
    let head = open(dir.path()).log_head().unwrap();
    for spoil in spoil {
        let store = open(dir.path());
        let mut append = Log::on(&head, &kuriiri_seal::NoteKey::generate().unwrap().1).append(3);
        spoil(&mut append);
        let commit =
            Commit { writes: vec![Write::PutStart(9)], log: Some(append), ..Commit::default() };
        let error = store.commit(commit).await.unwrap_err();
        assert_eq!(error.code(), Code::INTERNAL, "{error}");
        drop(store);
        let store = open(dir.path());
        assert_eq!((store.starts(), store.log_size()), (Ok(0), 255));
    }
}

// === checkpoints of witnesses ===

#[tokio::test]
async fn a_checkpoint_with_more_signatures_is_shown_only_in_place_of_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log/checkpoint");
    let (store, mut log) = (open(dir.path()), Log::new());
    let with_more = |note: &[u8]| [note, b"\xE2\x80\x94 w AAAA\n"].concat();
    log.grow(&store, 5, 5).await;
    let early = with_more(&log.checkpoint());
    store.put_checkpoint(early.into()).await.unwrap();
    assert!(!path.exists());
    store.publish().await.unwrap();
    let old = with_more(&log.checkpoint());
    store.put_checkpoint(old.clone().into()).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), old);
    drop(store);
    // They are still there after a start,
    let store = open(dir.path());
    assert_eq!(fs::read(&path).unwrap(), old);
    log.grow(&store, 5, 5).await;
    let now = store.publish().await.unwrap().unwrap().note;
    // and those that come late do not bring back what was shown before.
    store.put_checkpoint(old.into()).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), now);
}

// === who may read, and where it lies ===

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Run by the test below with a umask of its own, which the whole process would share.
#[tokio::test]
async fn child_with_a_umask() {
    let Some(dir) = std::env::var_os("KURIIRI_STORE_UMASK_DIR").map(PathBuf::from) else { return };
    let options = options().log_dir(dir.join("public/log"));
    let (store, mut log) = (Store::open(&dir.join("state"), options).unwrap(), Log::new());
    log.grow(&store, 600, 100).await;
    store.publish().await.unwrap();
    log.grow(&store, 300, 100).await;
    verify_files(&dir.join("public/log"), &tree(600));
}

#[test]
fn everybody_may_read_the_hashes_the_group_the_rest_and_nobody_the_state_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let child = "umask 077; exec \"$0\" --exact log_shown::child_with_a_umask";
    let mut child_ = std::process::Command::new("sh");
    child_.arg("-c").arg(child).arg(std::env::current_exe().unwrap());
    let output = child_.env("KURIIRI_STORE_UMASK_DIR", dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = dir.join("public/log");
    let found = files(&log);
    for path in found.keys() {
        let is_closed = path.starts_with("tile/entries/") || path.starts_with("headers/");
        let expected = match (path.ends_with('/'), is_closed) {
            (true, true) => 0o750,
            (true, false) => 0o755,
            (false, true) => 0o640,
            (false, false) => 0o644,
        };
        assert_eq!(mode(&log.join(path)), expected, "{path}");
    }
    for path in ["checkpoint", "tile/0/000", "tile/entries/000", "headers/000"] {
        assert!(found.contains_key(path), "{path}");
    }
    for path in [dir.join("public"), log] {
        assert_eq!(mode(&path), 0o755);
    }
    for path in ["state", "state/log-waiting", "state/bodies"] {
        assert_eq!(mode(&dir.join(path)), 0o700, "{path}");
    }
    // What the operator made is left as it is.
    let own = dir.join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o750)).unwrap();
    drop(Store::open(&dir.join("other"), options().log_dir(&own)).unwrap());
    assert_eq!(mode(&own), 0o750);
}

#[tokio::test]
async fn entries_that_were_open_to_all_are_so_no_longer_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut log) = (open(dir.path()), Log::new());
    log.grow(&store, 300, 100).await;
    store.publish().await.unwrap();
    drop(store);
    let closed = ["tile/entries", "headers"].map(|below| dir.path().join("log").join(below));
    for (options, expected) in [(options(), 0o750), (options().log_for_owner_only(), 0o700)] {
        closed.iter().for_each(|dir| {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        });
        let store = Store::open(dir.path(), options).unwrap();
        log.grow(&store, 300, 100).await;
        store.publish().await.unwrap();
        assert_eq!(closed.each_ref().map(|dir| mode(dir)), [expected; 2]);
        let file = closed[0].join(if expected == 0o750 { "001" } else { "002" });
        assert_eq!(mode(&file), expected & 0o666, "{file:?}");
    }
}

#[test]
fn a_state_folder_that_is_open_to_others_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    for before in [0o755, 0o777, 0o750, 0o700] {
        fs::set_permissions(&state, fs::Permissions::from_mode(before)).unwrap();
        drop(open(&state));
        assert_eq!(mode(&state), 0o700, "{before:o}");
    }
}

/// Only root can give a folder away and act as somebody else.
#[test]
fn a_state_folder_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let dir = folder.path().join("state");
    fs::create_dir(&dir).unwrap();
    for (dir, mode) in [(folder.path(), 0o755), (&dir, 0o777)] {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = folder.path().join("program");
    let nobody = 65_534;
    let mut child = std::process::Command::new(&program);
    child.args(["--exact", "log_shown::child_on_a_foreign_folder"]).env(FOREIGN, &dir);
    if std::os::unix::fs::chown(&dir, Some(1), Some(1)).is_err() {
        return skipped("only root can give a folder away");
    }
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = child.uid(nobody).gid(nobody).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert!(files(&dir).is_empty());
}

const FOREIGN: &str = "KURIIRI_STORE_FOREIGN_DIR";

/// Run by the test above as another user.
#[test]
fn child_on_a_foreign_folder() {
    let Some(dir) = std::env::var_os(FOREIGN).map(PathBuf::from) else { return };
    let error = Store::open(&dir, options()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(error.code(), Code::STORE_OWNER);
}

#[test]
fn a_log_on_another_file_system_is_refused_with_words() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if device(dir.path()) == device(other.path()) {
        return;
    }
    let error = Store::open(dir.path(), options().log_dir(other.path())).unwrap_err();
    assert!(matches!(error, OpenError::Apart { .. }), "{error}");
    assert_eq!(error.code(), Code::STORE_IO);
    assert!(files(other.path()).is_empty());
    open(dir.path());
}
