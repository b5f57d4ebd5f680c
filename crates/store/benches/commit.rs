//! What a commit costs beside the least that durability can cost: one append and one `fdatasync`.
//!
//! Each commit adds messages of 1 KiB, packed as the engine packs them, and deletes as many older
//! ones, so that the state stays small and sled has to clean up after itself.
#![allow(clippy::unwrap_used, reason = "a benchmark stops at the first fault")]
#![allow(clippy::print_stdout, reason = "the ratio is what this is for")]

use std::{
    collections::VecDeque,
    fs::File,
    io::Write as _,
    time::{Duration, Instant},
};

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use kuriiri_engine::{
    Body, Commit, Item, LogAppend, LogHead, Pack, PackKey, Parcel, QueueId, Write,
};
use kuriiri_merkle::{Frontier, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_store::{Options, Store};
use kuriiri_tlog::{Checkpoint, NoteSigner};
use kuriiri_types::{Digest, Lane, Precedence, SignedPart, Timestamp};
use tokio::runtime::Runtime;

/// Messages of one commit.
const SIZES: [usize; 4] = [1, 16, 128, 512];
/// Messages of 1 KiB and what belongs to them that fit a pack.
const PACK_MESSAGES: usize = 20;
/// Packs that stay in the store.
const LIVE_PACKS: usize = 500;
/// Commits of so many messages, and the entries of the log that come with them.
const LOGGED: [(usize, usize); 2] = [(1, 1), (512, 1024)];
/// Bytes of an entry.
const ENTRY_BYTES: usize = 800;
/// Between two times that the log is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// Turns in which the commits with and without the log are measured side by side.
const TURNS: usize = 6;
/// How long one of them is measured in one turn.
const TURN: Duration = Duration::from_secs(2);
/// Bytes of the bare append.
const APPEND_BYTES: usize = 64 * 1024;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut group = criterion.benchmark_group("commit");
    let bare = append(&mut group);
    println!("bare append and fdatasync: {:.0} µs", bare * 1e6);
    for size in SIZES {
        let took = commit(&mut group, size);
        let rate = size as f64 / took;
        println!("{size} messages: {rate:.0} messages/s, {:.2} x the bare append", took / bare);
    }
    group.finish();
    if std::env::args().any(|arg| arg == "--bench") {
        LOGGED.into_iter().for_each(|(messages, entries)| beside_log(messages, entries));
    }
}

/// Commits with and without the log in turns, because a disk is not equally fast all the time.
fn beside_log(messages: usize, entries: usize) {
    let (mut bare, mut logged) = (Side::new(messages, 0), Side::new(messages, entries));
    for _ in 0..TURNS {
        bare.turn();
        logged.turn();
    }
    let (bare, logged) = (bare.timer.seconds(), logged.timer.seconds());
    println!(
        "{messages} messages: {:.0} µs, with {entries} entries of the log {:.0} µs, {:.2} x",
        bare * 1e6,
        logged * 1e6,
        logged / bare
    );
}

/// A store, and commits for it.
struct Side {
    runtime: Runtime,
    store: Store,
    _dir: tempfile::TempDir,
    queue: Queue,
    log: Log,
    messages: usize,
    entries: usize,
    timer: Timer,
    shown: Instant,
}

impl Side {
    fn new(messages: usize, entries: usize) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            store: Store::open(dir.path(), Options::default()).unwrap(),
            _dir: dir,
            queue: Queue::default(),
            log: Log::new(),
            messages,
            entries,
            timer: Timer::default(),
            shown: Instant::now(),
        }
    }

    /// What an engine does is not measured, but what showing the log takes is.
    fn turn(&mut self) {
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            let log = (self.entries > 0).then(|| self.log.append(self.entries));
            let mut commit = Some(Commit { log, ..self.queue.turn(self.messages) });
            let is_due = self.entries > 0 && self.shown.elapsed() >= SHOWN_EVERY;
            self.timer.time(1, || {
                let commit = commit.take().unwrap();
                self.runtime.block_on(self.store.commit(commit)).unwrap();
                if is_due {
                    self.runtime.block_on(self.store.publish()).unwrap();
                }
            });
            if is_due {
                self.shown = Instant::now();
            }
        }
    }
}

/// What an engine keeps of its log.
struct Log {
    signer: NoteSigner,
    frontier: Frontier,
}

impl Log {
    fn new() -> Self {
        let key = NoteKey::generate().unwrap().0;
        let signer = NoteSigner::new("relay.sm.example/log".parse().unwrap(), key);
        Self { signer, frontier: Frontier::new() }
    }

    fn append(&mut self, count: usize) -> LogAppend {
        let first = self.frontier.size();
        let entry = |index| noise(ENTRY_BYTES, index).into();
        let entries: Vec<bytes::Bytes> = (first..first + count as u64).map(entry).collect();
        let leaves: Vec<Digest> = entries.iter().map(|entry| leaf(entry)).collect();
        leaves.iter().for_each(|leaf| self.frontier.push(*leaf));
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let checkpoint = Checkpoint { origin: self.signer.name().to_string(), size, root };
        let checkpoint = checkpoint.sign(&self.signer).unwrap();
        let frontier = self.frontier.nodes().to_vec();
        let head = LogHead { size, frontier, ..LogHead::default() };
        LogAppend {
            first,
            entries,
            headers: Vec::new(),
            leaves,
            channels: Vec::new(),
            head,
            checkpoint,
            news: true,
        }
    }
}

/// Seconds of one append and sync.
fn append(group: &mut BenchmarkGroup<'_, WallTime>) -> f64 {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut file = File::create(dir.path().join("log")).unwrap();
    let block = noise(APPEND_BYTES, 1);
    let mut timer = Timer::default();
    group.throughput(Throughput::Bytes(APPEND_BYTES as u64));
    group.bench_function("append 64 KiB", |bench| {
        bench.iter_custom(|rounds| {
            timer.time(rounds, || {
                file.write_all(&block).unwrap();
                file.sync_data().unwrap();
            })
        });
    });
    timer.seconds()
}

/// Seconds of one commit of that many messages.
fn commit(group: &mut BenchmarkGroup<'_, WallTime>, size: usize) -> f64 {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let mut queue = Queue::default();
    let mut timer = Timer::default();
    group.throughput(Throughput::Elements(size as u64));
    group.bench_function(BenchmarkId::new("messages", size), |bench| {
        bench.iter_custom(|rounds| {
            let commits: Vec<_> = (0..rounds).map(|_| queue.turn(size)).collect();
            let mut commits = commits.into_iter();
            timer.time(rounds, || {
                let commit = commits.next().unwrap();
                runtime.block_on(store.commit(commit)).unwrap();
            })
        });
    });
    runtime.block_on(store.close()).unwrap();
    timer.seconds()
}

/// The last measurement, which comes after the warm-up ones.
#[derive(Default)]
struct Timer {
    rounds: u64,
    spent: Duration,
}

impl Timer {
    fn time(&mut self, rounds: u64, mut once: impl FnMut()) -> Duration {
        let start = Instant::now();
        for _ in 0..rounds {
            once();
        }
        let spent = start.elapsed();
        self.rounds += rounds;
        self.spent += spent;
        spent
    }

    fn seconds(&self) -> f64 {
        self.spent.as_secs_f64() / self.rounds as f64
    }
}

/// A queue that is filled and drained at the same pace.
#[derive(Default)]
struct Queue {
    next: u64,
    live: VecDeque<PackKey>,
}

impl Queue {
    fn turn(&mut self, size: usize) -> Commit {
        let mut writes = Vec::new();
        let mut left = size;
        while left > 0 {
            let count = left.min(PACK_MESSAGES);
            let key = PackKey {
                queue: QueueId::Outbox("um.example".parse().unwrap()),
                lane: Lane::Messages(Precedence::Routine),
                first: self.next,
            };
            let items = (0..count as u64).map(|i| message(self.next + i)).collect();
            let pack = Pack { parts: vec![part(self.next, count)], items, ..Pack::default() };
            self.next += count as u64;
            left -= count;
            self.live.push_back(key.clone());
            writes.push(Write::PutPack(key, pack));
            if self.live.len() > LIVE_PACKS {
                writes.extend(self.live.pop_front().map(Write::DeletePack));
            }
        }
        Commit { writes, ..Commit::default() }
    }
}

/// Messages that were signed together.
fn part(seed: u64, count: usize) -> SignedPart {
    let size = u32::try_from(count).unwrap();
    SignedPart {
        signer: Digest([1; 32]),
        size,
        signature: noise(64, seed + 1).into(),
        positions: (0..size).collect(),
        proof: Vec::new(),
    }
}

fn message(seed: u64) -> Item {
    Item::Parcel(Parcel {
        header: noise(200, seed).into(),
        dest: "um.example".parse().unwrap(),
        path: Vec::new(),
        expires: Timestamp::from_millis(1),
        accepted: Timestamp::from_millis(0),
        approvals: Vec::new(),
        body: Body::Inline(noise(1024, seed + 2).into()),
        aside: None,
    })
}

/// Bytes that no file system can compress (xorshift64).
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| byte()).collect()
}
