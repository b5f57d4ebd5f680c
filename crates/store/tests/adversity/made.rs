//! Things to store, each a function of a number.

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use kuriiri_engine::{
    Body, Commit, Hold, Item, Marked, Pack, PackKey, Parcel, QueueId, SeenLog, SeenMark, SeenRun,
    Write,
};
use kuriiri_types::{BatchProof, Digest, Envelope, Lane, Precedence, SignedPart, Timestamp};

/// Bytes that follow from a number and do not compress (xorshift64).
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| byte()).collect()
}

/// Who signed what: one of two that were signed together.
fn part(seed: u64) -> SignedPart {
    SignedPart {
        signer: Digest([3; 32]),
        size: 2,
        signature: noise(64, seed).into(),
        positions: vec![1],
        proof: vec![Digest([4; 32])],
    }
}

pub(crate) fn parcel(seed: u64, body: Body) -> Item {
    Item::Parcel(Parcel {
        header: noise(100, seed).into(),
        dest: "um.example".parse().unwrap(),
        path: vec!["sm.example".parse().unwrap()],
        expires: time(seed),
        accepted: time(0),
        approvals: Vec::new(),
        body,
        aside: None,
    })
}

pub(crate) fn message(seed: u64, len: usize) -> Item {
    parcel(seed, Body::Inline(Bytes::from(noise(len, seed + 1))))
}

pub(crate) fn receipt(seed: u64) -> Item {
    Item::Receipt(seed << 7)
}

pub(crate) fn pack(items: impl IntoIterator<Item = Item>) -> Pack {
    let items: Vec<Item> = items.into_iter().collect();
    let messages = items.iter().filter(|item| matches!(item, Item::Parcel(_)));
    let parts = (0..).zip(messages).map(|(seed, _)| part(seed)).collect();
    Pack { parts, items, ..Pack::default() }
}

pub(crate) fn outbox(ministry: &str) -> QueueId {
    QueueId::Outbox(ministry.parse().unwrap())
}

pub(crate) const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

pub(crate) fn key(queue: QueueId, lane: Lane, first: u64) -> PackKey {
    PackKey { queue, lane, first }
}

pub(crate) fn time(seed: u64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + i64::try_from(seed % 1_000_000).unwrap())
}

pub(crate) fn run(seed: u64) -> SeenRun {
    let mark = |i: u8| Marked {
        mark: SeenMark(noise(16, seed + u64::from(i)).try_into().unwrap()),
        entry: seed * 300 + u64::from(i),
    };
    SeenRun { at: time(seed), marks: (0..3).map(mark).collect() }
}

pub(crate) fn seen_log(seed: u64) -> SeenLog {
    let root = Digest(noise(32, seed).try_into().unwrap());
    let origin = "relay.um.example/log".into();
    SeenLog { origin, size: seed, root, note: noise(200, seed).into() }
}

pub(crate) fn writes(writes: impl IntoIterator<Item = Write>) -> Commit {
    Commit { writes: writes.into_iter().collect(), ..Commit::default() }
}

/// Every file below a folder with its content.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = files(&path).into_iter();
            found.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
            found.insert(name + "/", Vec::new());
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

/// Makes a folder the same as another one.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}

/// A message that waits.
pub(crate) fn hold(seed: u64, len: usize) -> Hold {
    let Item::Parcel(parcel) = message(seed, len) else { panic!("a message is one") };
    let Parcel { header, dest, path, expires, accepted, approvals, body, aside: _ } = parcel;
    let (SignedPart { signer, size, signature, .. }, path_of_proof) = (part(seed), Vec::new());
    let proof = BatchProof { signer, index: 1, size, path: path_of_proof, signature };
    let envelope = Envelope { header, proof };
    Hold { envelope, dests: vec![dest], path, expires, accepted, approvals, body }
}
