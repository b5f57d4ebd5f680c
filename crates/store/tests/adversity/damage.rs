//! Damage, strangers and a second process.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use kuriiri_engine::{Body, BodyFile, BodyRef, Commit, View, Write};
use kuriiri_store::{BodyError, OpenError, Store};
use kuriiri_types::Code;

use crate::beside::options;
use crate::made::{ROUTINE, copy, files, key, message, noise, outbox, pack, parcel, writes};

const COMMITS: u64 = 60;
const BODY: BodyRef = BodyRef { file: 7, offset: 0, len: 1000 };

fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(dir, options().lock_wait(Duration::ZERO))
}

/// A folder that a relay closed cleanly, with packs and a body file.
async fn filled() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = folder.path().join("state");
    let store = open(&dir).unwrap();
    for n in 0..COMMITS {
        let put = Write::PutPack(key(outbox("a"), ROUTINE, n), pack([message(n, 3000)]));
        store.commit(writes([put])).await.unwrap();
    }
    let commit = Commit {
        bodies: Some(BodyFile {
            file: BODY.file,
            bodies: vec![noise(1000, 1).into()],
            references: 1,
        }),
        ..writes([Write::PutPack(
            key(outbox("b"), ROUTINE, 1),
            pack([parcel(1, Body::File(BODY))]),
        )])
    };
    store.commit(commit).await.unwrap();
    store.close().await.unwrap();
    (folder, dir)
}

fn check_whole(store: &Store) {
    let packs = store.packs(&outbox("a"), ROUTINE, 0, usize::MAX).unwrap();
    let expected = (0..COMMITS).map(|n| (n, pack([message(n, 3000)]), 0));
    assert_eq!(packs, expected.collect::<Vec<_>>());
    assert_eq!(store.body(BODY).unwrap(), noise(1000, 1));
}

/// The file or folder that a refusal names.
fn refused(dir: &Path) -> PathBuf {
    let error = open(dir).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::STORE_CORRUPT, "{error}");
    match error {
        OpenError::Corrupt { ref path, .. } => path.clone(),
        OpenError::Locked { .. }
        | OpenError::Apart { .. }
        | OpenError::Behind { .. }
        | OpenError::Format { .. }
        | OpenError::Foreign { .. }
        | OpenError::Io { .. } => {
            panic!("{error}")
        }
    }
}

#[tokio::test]
async fn damage_that_shows_is_refused_and_nothing_is_changed() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 8] = [
        ("tip", |tip| fs::remove_file(tip).unwrap()),
        ("tip", |tip| fs::write(tip, [0; 16]).unwrap()),
        ("tip", |tip| fs::write(tip, [1; 5]).unwrap()),
        ("db", |db| fs::remove_file(db).unwrap()),
        ("db", |db| File::create(db).map(drop).unwrap()),
        ("conf", |conf| fs::remove_file(conf).unwrap()),
        ("conf", |conf| fs::write(conf, "segment_size: 524288\n").unwrap()),
        ("blobs", |blobs| fs::write(blobs.join("4096"), "stranger").unwrap()),
    ];
    let (_folder, dir) = filled().await;
    for (name, damage) in damages {
        let damaged = dir.with_file_name("damaged");
        copy(&dir, &damaged);
        damage(&damaged.join(name));
        let before = files(&damaged);
        assert_eq!(refused(&damaged), damaged.join(name));
        assert!(files(&damaged) == before, "refusing a damaged {name} changed the folder");
        fs::remove_dir_all(damaged).unwrap();
    }
    check_whole(&open(&dir).unwrap());
}

/// sled alone would open every one of these without a word, and have cut off what follows the
/// damage.
#[tokio::test]
async fn a_damaged_end_of_the_log_is_refused_and_nothing_is_changed() {
    let (_folder, dir) = filled().await;
    let len = fs::metadata(dir.join("db")).unwrap().len();
    for at in (0..len).step_by(usize::try_from(len).unwrap() / 16) {
        for damage in [cut, flip] {
            let damaged = dir.with_file_name("damaged");
            copy(&dir, &damaged);
            damage(&damaged.join("db"), at);
            let before = files(&damaged);
            assert_eq!(refused(&damaged), damaged.join("db"), "at {at}");
            assert!(files(&damaged) == before, "at {at}: refusing changed the folder");
            fs::remove_dir_all(damaged).unwrap();
        }
    }
}

/// Of several segments, and with a snapshot: what was open before left one at its next start.
#[tokio::test]
async fn a_log_without_its_last_segments_is_refused_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    for start in 0..2 {
        let options = options().danger_without_barrier();
        let store = Store::open(&dir, options).unwrap();
        for n in start * 200..(start + 1) * 200 {
            let put = Write::PutPack(key(outbox("a"), ROUTINE, n), pack([message(n, 20_000)]));
            store.commit(writes([put])).await.unwrap();
        }
        store.close().await.unwrap();
    }
    let len = fs::metadata(dir.join("db")).unwrap().len();
    assert!(len > 8 << 20, "{len}");
    for eighth in 1..8 {
        let damaged = dir.with_file_name("damaged");
        copy(&dir, &damaged);
        cut(&damaged.join("db"), len * eighth / 8);
        let before = files(&damaged);
        assert_eq!(refused(&damaged), damaged.join("db"), "{eighth}/8");
        assert!(files(&damaged) == before, "{eighth}/8: refusing changed the folder");
        fs::remove_dir_all(damaged).unwrap();
    }
}

/// A start that was killed leaves an unfinished snapshot, at which sled alone would stop for good.
#[tokio::test]
async fn an_unfinished_snapshot_is_no_damage() {
    let (_folder, dir) = filled().await;
    let unfinished = dir.join("snap.7FFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, "half a snapsh").unwrap();
    check_whole(&open(&dir).unwrap());
    assert!(!unfinished.exists());
}

/// Where the damage does not show in the log, the database is refused once it is open.
#[tokio::test]
async fn an_older_database_is_refused() {
    let (_folder, dir) = filled().await;
    let tip = fs::read(dir.join("tip")).unwrap();
    let older = dir.with_file_name("older");
    copy(&dir, &older);
    let store = open(&dir).unwrap();
    store.commit(writes([Write::PutStart(1)])).await.unwrap();
    store.close().await.unwrap();
    fs::copy(dir.join("tip"), older.join("tip")).unwrap();
    assert_eq!(refused(&older), older.join("db"));
    fs::write(older.join("tip"), tip).unwrap();
    check_whole(&open(&older).unwrap());
}

fn cut(db: &Path, at: u64) {
    OpenOptions::new().write(true).open(db).unwrap().set_len(at).unwrap();
}

fn flip(db: &Path, at: u64) {
    let db = OpenOptions::new().read(true).write(true).open(db).unwrap();
    let mut byte = [0];
    db.read_exact_at(&mut byte, at).unwrap();
    db.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let (_folder, dir) = filled().await;
    let store = open(&dir).unwrap();
    let before = files(&dir);
    let error = open(&dir).unwrap_err();
    assert_eq!(error.code(), Code::STORE_LOCKED);
    assert!(files(&dir) == before);
    drop(store);
    check_whole(&open(&dir).unwrap());
}

#[tokio::test]
async fn who_waits_gets_the_folder_when_the_other_leaves() {
    let (_folder, dir) = filled().await;
    let store = open(&dir).unwrap();
    let waiting = {
        let dir = dir.clone();
        std::thread::spawn(move || Store::open(&dir, options()))
    };
    store.close().await.unwrap();
    check_whole(&waiting.join().unwrap().unwrap());
}

#[tokio::test]
async fn a_body_file_of_a_commit_that_never_happened_goes_and_others_stay() {
    let (_folder, dir) = filled().await;
    let bodies = dir.join("bodies");
    fs::write(bodies.join("8"), "orphan").unwrap();
    fs::write(bodies.join("08"), "not ours").unwrap();
    let store = open(&dir).unwrap();
    check_whole(&store);
    assert_eq!(files(&bodies).into_keys().collect::<Vec<_>>(), ["08", "7"]);
}

#[tokio::test]
async fn a_missing_body_file_is_damage_and_no_orphan_goes() {
    let (_folder, dir) = filled().await;
    let bodies = dir.join("bodies");
    fs::rename(bodies.join("7"), bodies.join("8")).unwrap();
    assert_eq!(refused(&dir), bodies.join("7"));
    fs::rename(bodies.join("8"), bodies.join("7")).unwrap();
    check_whole(&open(&dir).unwrap());
}

#[tokio::test]
async fn a_missing_file_of_keys_is_damage_and_none_is_made_in_its_place() {
    let (_folder, dir) = filled().await;
    let (covers, away) = (dir.join("covers"), dir.join("away"));
    fs::rename(&covers, &away).unwrap();
    for _ in 0..2 {
        assert_eq!(refused(&dir), covers);
        assert!(!covers.exists());
    }
    fs::rename(away, covers).unwrap();
    check_whole(&open(&dir).unwrap());
}

#[tokio::test]
async fn a_key_that_was_changed_is_damage_and_gives_no_other_record() {
    let (_folder, dir) = filled().await;
    let covers = dir.join("covers");
    let whole = fs::read(&covers).unwrap();
    let changed: Vec<u8> = whole.iter().map(|byte| byte ^ 1).collect();
    for damaged in [changed, vec![0; whole.len()], Vec::new()] {
        fs::write(&covers, &damaged).unwrap();
        let store = open(&dir).unwrap();
        let lanes = store.lanes().unwrap();
        assert!(!lanes.is_empty());
        for lane in lanes {
            let read = store.packs(&lane.queue, lane.lane, 0, usize::MAX);
            assert!(read.unwrap_err().0.contains("in `covers`"));
        }
        store.close().await.unwrap();
    }
    fs::write(&covers, whole).unwrap();
    check_whole(&open(&dir).unwrap());
}

#[tokio::test]
async fn a_short_body_file_is_damage() {
    let (_folder, dir) = filled().await;
    let store = open(&dir).unwrap();
    let file = OpenOptions::new().write(true).open(dir.join("bodies/7")).unwrap();
    assert_eq!(store.read_body(BODY).await.unwrap(), noise(1000, 1));
    file.set_len(999).unwrap();
    let huge = BodyRef { len: u32::MAX, ..BODY };
    let far = BodyRef { offset: u64::MAX, ..BODY };
    let none = BodyRef { file: 9, ..BODY };
    for damaged in [BODY, huge, far, none] {
        let error = store.read_body(damaged).await.unwrap_err();
        assert!(matches!(error, BodyError::Damaged { .. }), "{error}");
        assert_eq!(error.code(), Code::STORE_CORRUPT);
    }
}

#[tokio::test]
async fn a_reference_too_many_is_refused_and_nothing_applied() {
    let (_folder, dir) = filled().await;
    let store = open(&dir).unwrap();
    let commit = Commit { released: vec![BODY, BODY], ..writes([Write::PutStart(9)]) };
    let error = store.commit(commit).await.unwrap_err();
    assert_eq!(error.code(), Code::INTERNAL);
    drop(store);
    let store = open(&dir).unwrap();
    assert_eq!(store.starts(), Ok(0));
    check_whole(&store);
}

/// The disk refuses the body file: the commit that needs it must not happen.
#[tokio::test]
async fn a_body_file_that_cannot_be_written_fails_the_commit() {
    let (_folder, dir) = filled().await;
    let store = open(&dir).unwrap();
    let bodies = Some(BodyFile { file: BODY.file, bodies: Vec::new(), references: 1 });
    let commit = Commit { bodies, ..writes([Write::PutStart(9)]) };
    let error = store.commit(commit).await.unwrap_err();
    assert_eq!(error.code(), Code::STORE_IO);
    assert_eq!(store.starts(), Ok(0));
    check_whole(&store);
}

#[tokio::test]
async fn a_new_folder_is_for_its_owner_alone() {
    let (_folder, dir) = filled().await;
    for path in [dir.clone(), dir.join("bodies")] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let error = open(&dir.join("tip")).unwrap_err();
    assert_eq!(error.code(), Code::STORE_IO, "{error}");
}
