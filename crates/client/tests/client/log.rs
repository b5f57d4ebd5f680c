//! The logs of the tests' relays, and what a liar makes of them.

use std::sync::Mutex;

use bytes::Bytes;
use kuriiri_merkle::{Growth, inclusion, leaf};
use kuriiri_seal::{NoteKey, salted};
use kuriiri_tlog::{Checkpoint, NoteSigner, VerifierKey, log_origin};
use kuriiri_types::{Digest, Entry, LogEvent, Ministry, Receipt, SignedReceipt, Timestamp};
use kuriiri_wire::{Place, Proofs, entry};

use crate::world::now;

/// A relay's log, small enough to be kept whole.
pub(crate) struct Log {
    signer: NoteSigner,
    tree: Mutex<Growth>,
}

impl Log {
    /// The first log of a ministry's relay.
    pub(crate) fn of(ministry: &Ministry) -> Self {
        Self::named(&log_origin(ministry))
    }

    /// A log with a key that nobody has seen before.
    pub(crate) fn named(origin: &str) -> Self {
        Self::with(origin, NoteKey::generate().unwrap().0)
    }

    pub(crate) fn with(origin: &str, key: NoteKey) -> Self {
        let signer = NoteSigner::new(origin.parse().unwrap(), key);
        Self { signer, tree: Mutex::new(Growth::default()) }
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// Writes receipts, whoever they speak for, and hands them out under one checkpoint.
    pub(crate) fn write(&self, receipts: &[Receipt]) -> Vec<SignedReceipt> {
        self.write_events(receipts.iter().cloned().map(LogEvent::Receipt))
    }

    pub(crate) fn write_one(&self, receipt: Receipt) -> SignedReceipt {
        self.write(&[receipt]).remove(0)
    }

    /// Proofs of places under the checkpoint of now; none where the log has not that many entries.
    pub(crate) fn prove(&self, places: &[Place]) -> Proofs {
        let tree = self.tree.lock().unwrap();
        let (origin, size) = (self.signer.name().to_string(), tree.size());
        let checkpoint = Checkpoint { origin, size, root: tree.root() }.sign(&self.signer).unwrap();
        let path = |place: &Place| inclusion(&*tree, place.index, size).ok();
        Proofs { checkpoint, paths: places.iter().map(path).collect() }
    }

    /// Writes anything as if it were a receipt.
    pub(crate) fn write_events(
        &self,
        events: impl IntoIterator<Item = LogEvent>,
    ) -> Vec<SignedReceipt> {
        let entries: Vec<Bytes> = events.into_iter().map(encoded).collect();
        if entries.is_empty() {
            return Vec::new();
        }
        let mut tree = self.tree.lock().unwrap();
        let indexes: Vec<u64> = entries.iter().map(|entry| tree.push(leaf(entry))).collect();
        let origin = self.signer.name().to_string();
        let (size, root) = (tree.size(), tree.root());
        let checkpoint = Checkpoint { origin, size, root }.sign(&self.signer).unwrap();
        let handed_out = |(entry, index)| {
            let path = inclusion(&*tree, index, size).unwrap();
            SignedReceipt { entry, index, path, checkpoint: checkpoint.clone() }
        };
        entries.into_iter().zip(indexes).map(handed_out).collect()
    }
}

fn encoded(event: LogEvent) -> Bytes {
    let salt = *salted(b"").unwrap().first_chunk().unwrap();
    entry::encode(&Entry { salt, at: now(), boot: 1, channels: Vec::new(), event })
}

// === lies ===

/// What a liar makes of a receipt, by name, with what is said of it.
pub(crate) type Lie = (&'static str, fn(&Log, Receipt) -> SignedReceipt, &'static str);

/// Receipts that do not stand in the log of `sm`'s relay as they are handed out, although this log
/// was written to or even signed by its key.
pub(crate) const LIES: [Lie; 11] = [
    (
        "signed with another key",
        |log, r| Log::named(log.key().name().as_str()).write_one(r),
        "sm.example/log did not sign the note",
    ),
    (
        "with the signature of another checkpoint",
        |log, r| {
            let other = another(log, &r).checkpoint;
            let good = log.write_one(r);
            let checkpoint = format!("{}\n\n{}", halves(&good.checkpoint).0, halves(&other).1);
            SignedReceipt { checkpoint: checkpoint.into(), ..good }
        },
        "in the name of sm.example/log is not genuine",
    ),
    (
        "in a log that nobody knows",
        |_, r| Log::named("vm.example/log").write_one(r),
        "`vm.example/log` is not that of a member",
    ),
    (
        "in no ministry's log",
        |_, r| Log::named("sm.example/log/x").write_one(r),
        "`sm.example/log/x` is not that of a member",
    ),
    (
        "at another place",
        |log, r| {
            another(log, &r);
            let good = log.write_one(r);
            SignedReceipt { index: good.index - 1, ..good }
        },
        "not in the log of sm.example",
    ),
    (
        "beyond the end",
        |log, r| SignedReceipt { index: u64::MAX, ..log.write_one(r) },
        "not in the log of sm.example",
    ),
    (
        "with another way to the root",
        |log, r| {
            another(log, &r);
            let mut lie = log.write_one(r);
            lie.path[0] = Digest([7; 32]);
            lie
        },
        "not in the log of sm.example",
    ),
    (
        "with a way that is too long",
        |log, r| {
            let mut lie = log.write_one(r);
            lie.path.push(Digest([7; 32]));
            lie
        },
        "not in the log of sm.example",
    ),
    (
        "never written",
        |log, r| {
            let entry = encoded(LogEvent::Receipt(r.clone()));
            SignedReceipt { entry, ..log.write_one(r) }
        },
        "not in the log of sm.example",
    ),
    (
        "not a receipt",
        |log, _| log.write_events([LogEvent::Booted { software: "r1".into() }]).remove(0),
        "`receipt` is missing",
    ),
    (
        "in another ministry's name",
        |log, r| log.write_one(Receipt { issuer: "um.example".parse().unwrap(), ..r }),
        "the log of sm.example cannot speak for um.example",
    ),
];

/// Writes a receipt that says the same of another moment.
fn another(log: &Log, receipt: &Receipt) -> SignedReceipt {
    log.write_one(Receipt { at: Timestamp::from_millis(1), ..receipt.clone() })
}

/// The text of a note and its signatures.
fn halves(note: &Bytes) -> (&str, &str) {
    str::from_utf8(note).unwrap().rsplit_once("\n\n").unwrap()
}
