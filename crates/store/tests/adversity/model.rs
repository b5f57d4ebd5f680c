//! Any sequence of commits, with restarts between, against maps in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bytes::Bytes;
use kuriiri_engine::{
    BodyFile, BodyRef, Certificate, Commit, Done, Hold, HoldNumber, LaneSpan, Pack, PackKey,
    QueueId, SeenLog, SeenRun, View, Write,
};
use kuriiri_merkle::{Nodes, root};
use kuriiri_store::Store;
use kuriiri_types::{Digest, Fingerprint, Lane, Ministry, Timestamp};
use proptest::{prelude::*, sample::Index};

use crate::{
    beside::{self, Gone, keep_until, options, second},
    log::{Log, entry, tree, verify_at_rest_without},
    made::{hold, message, noise, outbox, pack, receipt, run, seen_log},
};

#[derive(Debug, Clone)]
struct Step {
    writes: Vec<Write>,
    /// Lengths of the bodies of a new file.
    bodies: Vec<u16>,
    /// Which of the references there are to make once more.
    retained: Vec<Index>,
    /// Which to release.
    released: Vec<Index>,
    /// How many entries the log gets.
    entries: Option<u64>,
    /// Up to which time headers leave, if entries come.
    pruned: Option<i64>,
    /// Beside which entries one header is erased, if entries come.
    erased: Vec<Index>,
    publish: bool,
    reopen: bool,
}

struct Model {
    starts: u64,
    packs: BTreeMap<PackKey, Pack>,
    done: BTreeMap<PackKey, Done>,
    due: BTreeSet<(Timestamp, PackKey)>,
    holds: BTreeMap<HoldNumber, Hold>,
    seen: BTreeMap<(u64, u64), SeenRun>,
    certificates: BTreeMap<Fingerprint, Bytes>,
    bodies: Vec<BodyRef>,
    files: u64,
    log: Log,
    gone: Gone,
    seen_logs: BTreeMap<Ministry, SeenLog>,
}

impl Model {
    fn new() -> Self {
        Self {
            starts: 0,
            packs: BTreeMap::new(),
            done: BTreeMap::new(),
            due: BTreeSet::new(),
            holds: BTreeMap::new(),
            seen: BTreeMap::new(),
            certificates: BTreeMap::new(),
            bodies: Vec::new(),
            files: 0,
            log: Log::new(),
            gone: Gone::default(),
            seen_logs: BTreeMap::new(),
        }
    }

    /// Does the step here, and returns the commit that asks the store for the same.
    fn step(&mut self, step: &Step) -> Commit {
        for write in &step.writes {
            self.write(write.clone());
        }
        let retained: Vec<BodyRef> = match self.bodies.len() {
            0 => Vec::new(),
            count => step.retained.iter().map(|index| self.bodies[index.index(count)]).collect(),
        };
        self.bodies.extend(&retained);
        let mut released = Vec::new();
        for index in &step.released {
            if !self.bodies.is_empty() {
                released.push(self.bodies.remove(index.index(self.bodies.len())));
            }
        }
        let bodies = (!step.bodies.is_empty()).then(|| self.add_bodies(&step.bodies));
        let before = self.log.size();
        let log = step.entries.map(|count| self.log.append(count));
        let (writes, erased) = (step.writes.clone(), Vec::new());
        let (pruned, erased_headers) = match log {
            Some(_) => self.leave(step, before),
            None => (None, Vec::new()),
        };
        Commit { writes, bodies, retained, released, erased, log, pruned, erased_headers }
    }

    /// Headers beside entries before a place leave.
    fn leave(&mut self, step: &Step, before: u64) -> (Option<Timestamp>, Vec<Digest>) {
        let pruned = step.pruned.map(second);
        if let Some(until) = pruned {
            self.gone.prune(before, until);
        }
        let headed: Vec<u64> = (0..before).filter(|index| beside::is_headed(*index)).collect();
        let mut erased = Vec::new();
        for chosen in step.erased.iter().filter(|_| !headed.is_empty()) {
            let index = *chosen.get(&headed);
            let nth = chosen.index(beside::headers(index).len());
            self.gone.erase(index, nth);
            erased.push(beside::digest(index, nth));
        }
        (pruned, erased)
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::PutPack(key, pack) => drop(self.packs.insert(key, pack)),
            Write::DeletePack(key) => {
                self.packs.remove(&key);
                self.done.remove(&key);
            }
            Write::PutDone(key, done) => drop(self.done.insert(key, done)),
            Write::PutDue(at, key) => drop(self.due.insert((at, key))),
            Write::DeleteDue(at, key) => drop(self.due.remove(&(at, key))),
            Write::PutHold(number, hold) => drop(self.holds.insert(number, hold)),
            Write::DeleteHold(number) => drop(self.holds.remove(&number)),
            Write::PutSeen { bucket, run, marks } => {
                self.seen.insert((bucket, run), marks);
            }
            Write::ForgetSeen { before } => self.seen.retain(|(bucket, _), _| *bucket >= before),
            Write::PutCertificate(Certificate { fingerprint, der }) => {
                self.certificates.insert(fingerprint, der);
            }
            Write::PutSeenLog(peer, seen) => drop(self.seen_logs.insert(peer, seen)),
            Write::PutStart(starts) => self.starts = starts,
        }
    }

    fn add_bodies(&mut self, lens: &[u16]) -> BodyFile {
        self.files += 1;
        let file = self.files;
        let mut offset = 0;
        let mut bodies = Vec::new();
        for len in lens {
            let reference = BodyRef { file, offset, len: (*len).into() };
            offset += u64::from(*len);
            bodies.push(body(&reference));
            self.bodies.push(reference);
        }
        let references = u32::try_from(lens.len()).unwrap();
        BodyFile { file, bodies, references }
    }

    fn lanes(&self) -> Vec<LaneSpan> {
        let mut lanes = BTreeMap::<(QueueId, Lane), (u64, u64)>::new();
        for key in self.packs.keys() {
            let span = lanes.entry((key.queue.clone(), key.lane)).or_insert((key.first, key.first));
            span.1 = key.first;
        }
        let span = |((queue, lane), (first, last))| LaneSpan { queue, lane, first, last };
        lanes.into_iter().map(span).collect()
    }

    fn check(&self, dir: &Path, store: &Store) {
        assert_eq!(store.starts(), Ok(self.starts));
        assert_eq!(store.lanes(), Ok(self.lanes()));
        for LaneSpan { queue, lane, .. } in self.lanes() {
            self.check_lane(store, &queue, lane);
        }
        for key in keys() {
            let expected = self.packs.get(&key).map(|pack| (pack.clone(), self.done(&key)));
            assert_eq!(store.pack(&key), Ok(expected));
        }
        assert_eq!(store.next_due(), Ok(self.due.first().map(|(at, _)| *at)));
        for (through, limit) in [(i64::MIN, 9), (0, 9), (1, 2), (i64::MAX, 3), (i64::MAX, 99)] {
            let through = Timestamp::from_millis(through);
            let due = self.due.iter().filter(|(at, _)| *at <= through).take(limit).cloned();
            assert_eq!(store.due(through, limit), Ok(due.collect()));
        }
        for from in NUMBERS {
            let next = self.holds.range(from..).next();
            let next = next.map(|(number, hold)| (*number, hold.clone()));
            assert_eq!(store.next_hold(from), Ok(next));
        }
        for bucket in BUCKETS {
            let runs = self.seen.range((bucket, 0)..=(bucket, u64::MAX));
            assert_eq!(store.seen(bucket), Ok(runs.map(|(_, run)| run.clone()).collect()));
        }
        for fingerprint in (0..3).map(|i| Digest([i; 32])) {
            let expected = self.certificates.get(&fingerprint).cloned();
            assert_eq!(store.certificate(&fingerprint), Ok(expected));
        }
        for peer in PEERS {
            let expected = self.seen_logs.get(&peer.parse().unwrap()).cloned();
            assert_eq!(store.seen_log(&peer.parse().unwrap()), Ok(expected));
        }
        assert_eq!(store.seen_logs(), Ok(self.seen_logs.clone().into_iter().collect()));
        self.check_bodies(dir, store);
        self.check_log(store);
    }

    fn check_log(&self, store: &Store) {
        let size = self.log.size();
        assert_eq!(store.log_head(), Ok(self.log.head()));
        assert_eq!(store.channel_ends(), Ok(self.log.ends()));
        assert_eq!(store.log_size(), size);
        for index in (0..size).rev().step_by(31) {
            let headed = index - index % 5 + 2;
            let expected = if headed < size { self.gone.left(headed) } else { Vec::new() };
            assert_eq!(store.headers(headed), Ok(expected), "{headed} {:?}", keep_until(headed));
        }
        for seconds in 0..4 {
            let until = second(seconds);
            assert_eq!(store.prunable(until), Ok(self.gone.count(0..size, until)));
        }
        let tree = tree(size);
        for index in (0..size).rev().step_by(31).chain([size, size + 255, u64::MAX]) {
            let expected = (index < size).then(|| entry(index));
            assert_eq!(store.log_entry(index), Ok(expected));
        }
        for level in 0..=64 {
            let count = size.checked_shr(level.into()).unwrap_or(0);
            for index in [0, count / 2, count.saturating_sub(1), count, u64::MAX] {
                assert_eq!(Nodes::node(store, level, index).ok(), tree.node(level, index));
            }
        }
        assert_eq!(root(store, size), Ok(tree.root()));
    }

    fn done(&self, key: &PackKey) -> Done {
        self.done.get(key).copied().unwrap_or(0)
    }

    fn check_lane(&self, store: &Store, queue: &QueueId, lane: Lane) {
        let packs = self.packs.iter().filter(|(key, _)| key.queue == *queue && key.lane == lane);
        let packs: Vec<_> =
            packs.map(|(key, pack)| (key.first, pack.clone(), self.done(key))).collect();
        assert_eq!(store.packs(queue, lane, 0, usize::MAX), Ok(packs.clone()));
        assert_eq!(store.packs(queue, lane, 0, 0), Ok(packs[..1].to_vec()));
        let later: Vec<_> = packs.into_iter().filter(|(first, ..)| *first >= 2).collect();
        assert_eq!(store.packs(queue, lane, 2, usize::MAX), Ok(later));
    }

    fn check_bodies(&self, dir: &Path, store: &Store) {
        for reference in &self.bodies {
            assert_eq!(store.body(*reference).unwrap(), body(reference));
        }
        let files: BTreeSet<_> = self.bodies.iter().map(|body| body.file.to_string()).collect();
        for file in &files {
            assert!(dir.join("bodies").join(file).exists(), "body file {file}");
        }
    }
}

fn body(reference: &BodyRef) -> Bytes {
    noise(reference.len as usize, reference.file + reference.offset).into()
}

const BUCKETS: [u64; 5] = [0, 1, 255, 256, u64::MAX];
const PEERS: [&str; 3] = ["a", "a.b", "b"];
const NUMBERS: [u64; 4] = [0, 1, 256, u64::MAX];

fn keys() -> Vec<PackKey> {
    let queues = [
        outbox("a"),
        outbox("a.b"),
        QueueId::Mailbox("a@a.b".parse().unwrap()),
        QueueId::Receipts("a@a.b".parse().unwrap()),
    ];
    let mut keys = Vec::new();
    for queue in queues {
        for lane in [Lane::BY_URGENCY[0], Lane::BY_URGENCY[6]] {
            for first in [0, 1, 255, 1 << 40, u64::MAX] {
                keys.push(PackKey { queue: queue.clone(), lane, first });
            }
        }
    }
    keys
}

fn write() -> impl Strategy<Value = Write> {
    let key = || prop::sample::select(keys());
    let at = || {
        prop::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]).prop_map(Timestamp::from_millis)
    };
    let bucket = || prop::sample::select(BUCKETS.to_vec());
    prop_oneof![
        4 => (key(), 0..6_000_usize, 0..9_u64).prop_map(|(key, len, seed)| {
            Write::PutPack(key, pack([message(seed, len), receipt(seed)]))
        }),
        3 => key().prop_map(Write::DeletePack),
        2 => (key(), any::<u64>()).prop_map(|(key, done)| Write::PutDone(key, done)),
        2 => (at(), key()).prop_map(|(at, key)| Write::PutDue(at, key)),
        1 => (at(), key()).prop_map(|(at, key)| Write::DeleteDue(at, key)),
        2 => (bucket(), 0..3_u64, 0..9_u64)
            .prop_map(|(bucket, run_, seed)| Write::PutSeen { bucket, run: run_, marks: run(seed) }),
        1 => bucket().prop_map(|before| Write::ForgetSeen { before }),
        1 => (0..3_u8, 0..9_u64).prop_map(|(i, seed)| {
            let der = noise(500, seed).into();
            Write::PutCertificate(Certificate { fingerprint: Digest([i; 32]), der })
        }),
        2 => (prop::sample::select(NUMBERS.to_vec()), 0..6_000_usize, 0..9_u64)
            .prop_map(|(number, len, seed)| Write::PutHold(number, hold(seed, len))),
        1 => prop::sample::select(NUMBERS.to_vec()).prop_map(Write::DeleteHold),
        1 => (prop::sample::select(PEERS.to_vec()), 0..9_u64)
            .prop_map(|(peer, seed)| Write::PutSeenLog(peer.parse().unwrap(), seen_log(seed))),
        1 => any::<u64>().prop_map(Write::PutStart),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::vec(write(), 0..12),
        prop::collection::vec(any::<u16>(), 0..3),
        prop::collection::vec(any::<Index>(), 0..3),
        prop::collection::vec(any::<Index>(), 0..3),
        (
            prop::option::of(1..200_u64),
            prop::option::weighted(0.2, 0..4_i64),
            prop::collection::vec(any::<Index>(), 0..2),
        ),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(writes, bodies, retained, released, log, publish, reopen)| Step {
            writes,
            bodies,
            retained,
            released,
            entries: log.0,
            pruned: log.1,
            erased: log.2,
            publish,
            reopen,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..Default::default() })]

    #[test]
    fn every_sequence_of_commits_reads_as_the_model(
        steps in prop::collection::vec(step(), 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let open = || Store::open(dir, options().danger_without_barrier()).unwrap();
        let mut store = open();
        let mut model = Model::new();
        let mut shown = 0;
        for step in steps {
            runtime.block_on(store.commit(model.step(&step))).unwrap();
            if step.publish {
                let published = runtime.block_on(store.publish()).unwrap();
                let size = model.log.size();
                let expected = (size != shown).then(|| (size, model.log.checkpoint()));
                prop_assert_eq!(published.map(|it| (it.size, it.note)), expected);
                shown = size;
            }
            if step.reopen {
                runtime.block_on(store.close()).unwrap();
                store = open();
                // A start shows what was committed.
                shown = model.log.size();
            }
            model.check(dir, &store);
        }
        runtime.block_on(store.close()).unwrap();
        model.check(dir, &open());
        if model.log.size() > 0 {
            let (log, size) = (dir.join("log"), model.log.size());
            verify_at_rest_without(&log, model.log.key(), &tree(size), &model.gone);
        }
        let referred: BTreeSet<_> = model.bodies.iter().map(|body| body.file.to_string()).collect();
        let names = fs::read_dir(dir.join("bodies")).unwrap();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        prop_assert_eq!(names.collect::<BTreeSet<_>>(), referred);
    }
}
