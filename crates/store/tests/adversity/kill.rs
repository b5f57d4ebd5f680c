//! `kill -9` at any moment: what was acknowledged is whole, and nothing is half there.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Write as _, stdout},
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use kuriiri_engine::{Body, BodyFile, BodyRef, Commit, LogHead, View, Write};
use kuriiri_merkle::{consistency, verify_consistency};
use kuriiri_seal::NoteKey;
use kuriiri_store::{Options, Store};
use kuriiri_tlog::Checkpoint;
use kuriiri_types::{Lane, Timestamp};

use crate::{
    beside::{self, Gone, options, second},
    log::{Log, entry, tree, verify_at_rest_without, verify_tree_files, verify_without},
    made::{ROUTINE, key, message, noise, outbox, pack, parcel, receipt, run, time},
};

const DIR: &str = "KURIIRI_STORE_KILL_DIR";
/// The key of the log, which outlives the child.
const KEY: &str = "KURIIRI_STORE_KILL_KEY";
/// Commits whose traces stay; each commit removes those of the one this far before it.
const LIVE: u64 = 20;
const BODY_BYTES: u32 = 50_000;

/// Entries of the log that commit `n` adds.
fn entries(n: u64) -> u64 {
    1 + n * 7 % 40
}

/// Entries of the log after commit `n`.
fn size(n: u64) -> u64 {
    (1..=n).map(entries).sum()
}

/// Commit `n`: a start, packs in two lanes, a note of expiry, a run of marks, at every third a
/// body file that two messages share; and everything of commit `n - LIVE` goes. At some, headers leave.
fn commit(n: u64, log: &mut Log) -> Commit {
    let mut writes = vec![
        Write::PutStart(n),
        Write::PutPack(key(outbox("um.example"), ROUTINE, n), parcels(n)),
        Write::PutPack(key(outbox("vm.example"), Lane::Receipts, n), pack([receipt(n)])),
        Write::PutDue(time(n), key(outbox("um.example"), ROUTINE, n)),
        Write::PutSeen { bucket: n, run: n, marks: run(n) },
    ];
    let mut released = Vec::new();
    if let Some(old) = n.checked_sub(LIVE).filter(|old| *old > 0) {
        writes.push(Write::DeletePack(key(outbox("um.example"), ROUTINE, old)));
        writes.push(Write::DeletePack(key(outbox("vm.example"), Lane::Receipts, old)));
        writes.push(Write::DeleteDue(time(old), key(outbox("um.example"), ROUTINE, old)));
        writes.push(Write::ForgetSeen { before: old + 1 });
        released = body_refs(old);
    }
    let bodies = has_bodies(n).then(|| BodyFile {
        file: n,
        bodies: body_refs(n).iter().map(body).collect(),
        references: 2,
    });
    let (pruned, erased) = leaves(n);
    let erased_headers = erased.map(|index| beside::digest(index, 0)).into_iter().collect();
    let log = Some(log.append(entries(n)));
    Commit { writes, bodies, released, log, pruned, erased_headers, ..Commit::default() }
}

/// Up to which time headers leave with commit `n`, and beside which entry one is erased.
fn leaves(n: u64) -> (Option<Timestamp>, Option<u64>) {
    let pruned = (n % 7 == 3).then(|| second(if n % 35 == 3 { 2 } else { 1 }));
    let old = size(n - 1) / 2 / 5 * 5;
    let erased = old.checked_sub(3).filter(|_| n % 5 == 4);
    (pruned, erased)
}

/// What left by commit `n`.
fn gone(n: u64) -> Gone {
    let mut gone = Gone::default();
    for n in 1..=n {
        let (pruned, erased) = leaves(n);
        pruned.into_iter().for_each(|until| gone.prune(size(n - 1), until));
        erased.into_iter().for_each(|index| gone.erase(index, 0));
    }
    gone
}

fn has_bodies(n: u64) -> bool {
    n.is_multiple_of(3)
}

fn body_refs(n: u64) -> Vec<BodyRef> {
    let at = |offset| BodyRef { file: n, offset, len: BODY_BYTES };
    if has_bodies(n) { vec![at(0), at(BODY_BYTES.into())] } else { Vec::new() }
}

fn body(body: &BodyRef) -> Bytes {
    noise(body.len as usize, body.file + body.offset).into()
}

fn parcels(n: u64) -> kuriiri_engine::Pack {
    let large = body_refs(n).into_iter().map(|body| parcel(n, Body::File(body)));
    pack((0..5).map(|i| message(n + i, 1024)).chain(large))
}

/// So that most of the log soon stands in its files alone.
pub(crate) fn few_twice() -> Options {
    options().unsynced_entries(256)
}

/// The other process: commits until it is killed, and says so after each acknowledgement. It shows
/// the log meanwhile, as a relay does.
#[tokio::test]
async fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    writeln!(stdout(), "\nbegins").unwrap();
    let store = Store::open(Path::new(&dir), few_twice()).unwrap();
    let mut log = Log::on(&store.log_head().unwrap(), &env::var(KEY).unwrap());
    for n in store.starts().unwrap() + 1.. {
        let commit = store.commit(commit(n, &mut log));
        if n.is_multiple_of(3) {
            let (committed, shown) = tokio::join!(commit, store.publish());
            committed.unwrap();
            shown.unwrap();
        } else {
            commit.await.unwrap();
        }
        writeln!(stdout(), "\nacknowledged {n}").unwrap();
        stdout().flush().unwrap();
    }
}

/// The child, to be started on a folder.
pub(crate) fn on(dir: &Path, pem: &str) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "kill::child", "--nocapture", "--test-threads=1"]);
    child.env(DIR, dir).env(KEY, pem).stdout(Stdio::piped());
    child
}

/// Runs the child until it has acknowledged so many commits, and kills it. Returns the last one.
fn killed_after(dir: &Path, pem: &str, acknowledged: usize) -> u64 {
    let mut child = on(dir, pem).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = lines.filter_map(|line| {
        line.unwrap().strip_prefix("acknowledged ").map(|n| n.parse::<u64>().unwrap())
    });
    let mut last = numbers.by_ref().take(acknowledged).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said between the line that was counted and its death counts too.
    last = numbers.last().unwrap_or(last);
    last
}

/// The state is exactly that after commit `n`, for one `n` that `allowed` contains.
pub(crate) fn check(dir: &Path, store: &Store, last: u64) {
    let n = store.starts().unwrap();
    assert!(n == last || n == last + 1, "{last} acknowledged, {n} found");
    if n == 0 {
        return assert_eq!(store.lanes(), Ok(Vec::new()));
    }
    let live = (n.saturating_sub(LIVE) + 1).max(1)..=n;

    let lanes = store.lanes().unwrap();
    let spans: Vec<_> = lanes.iter().map(|lane| (lane.first, lane.last)).collect();
    assert_eq!(spans, [(*live.start(), n); 2]);
    let found = store.packs(&outbox("um.example"), ROUTINE, 0, usize::MAX).unwrap();
    let expected: Vec<_> = live.clone().map(|n| (n, parcels(n), 0)).collect();
    assert!(found == expected, "packs of {n}");
    let found = store.packs(&outbox("vm.example"), Lane::Receipts, 0, usize::MAX).unwrap();
    let expected: Vec<_> = live.clone().map(|n| (n, pack([receipt(n)]), 0)).collect();
    assert!(found == expected, "receipts of {n}");

    let due: Vec<_> = store.due(time(999_999), 1000).unwrap();
    let due: Vec<_> = due.into_iter().map(|(at, key)| (at, key.first)).collect();
    assert_eq!(due, live.clone().map(|n| (time(n), n)).collect::<Vec<_>>());
    for bucket in 0..=n + 1 {
        let expected: Vec<_> = live.contains(&bucket).then(|| run(bucket)).into_iter().collect();
        assert_eq!(store.seen(bucket).unwrap(), expected, "bucket {bucket} of {n}");
    }

    let refs: Vec<_> = live.flat_map(body_refs).collect();
    for reference in &refs {
        assert_eq!(store.body(*reference).unwrap(), body(reference));
    }
    let names = fs::read_dir(dir.join("bodies")).unwrap();
    let names: BTreeSet<_> = names.map(|file| file.unwrap().file_name()).collect();
    let expected = refs.iter().map(|body| body.file.to_string().into());
    assert_eq!(names, expected.collect(), "body files of {n}");
}

/// What lies there when nobody has cleaned up is what anybody can verify; nothing that was ever
/// shown is taken back; and after the start everything that was acknowledged is shown.
pub(crate) struct Witness {
    log: Log,
    seen: Option<Checkpoint>,
}

impl Witness {
    /// Of a log that begins.
    pub(crate) fn new(pem: &str) -> Self {
        Self { log: Log::on(&LogHead::default(), pem), seen: None }
    }

    fn look(&mut self, dir: &Path, gone: &Gone) {
        let folder = dir.join("log");
        if !folder.join("checkpoint").exists() {
            return assert_eq!(self.seen, None);
        }
        let now = verify_without(&folder, self.log.key(), gone);
        let tree = tree(now.size);
        if let Some(seen) = self.seen.replace(now.clone()) {
            let proof = consistency(&tree, seen.size, now.size).unwrap();
            assert!(verify_consistency(seen.size, seen.root, now.size, now.root, &proof));
        }
    }

    pub(crate) async fn look_after_start(&mut self, dir: &Path, store: &Store) {
        let n = store.starts().unwrap();
        let (size, gone) = (size(n), gone(n));
        assert_eq!(store.log_size(), size);
        for index in 0..size {
            assert_eq!(store.log_entry(index), Ok(Some(entry(index))));
        }
        beside::check(store, size, &gone);
        self.look(dir, &gone);
        store.emptied().await.unwrap();
        verify_at_rest_without(&dir.join("log"), self.log.key(), &tree(size), &gone);
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_kill() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = folder.path().join("state");
    let pem = NoteKey::generate().unwrap().1;
    let mut witness = Witness::new(&pem);
    for round in 0..24 {
        let last = killed_after(&dir, &pem, 1 + round * 7 % 31);
        witness.look(&dir, &gone(last + 1));
        verify_tree_files(&dir.join("log"), &tree(size(last + 1)));
        let store = Store::open(&dir, few_twice()).unwrap();
        check(&dir, &store, last);
        witness.look_after_start(&dir, &store).await;
    }
    assert!(witness.seen.is_some_and(|seen| seen.size > 4 * 256));
}
