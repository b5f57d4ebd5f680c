//! One thing in one entry changed before it is hashed, and everything signed again: the operator's own log, with
//! its own keys. What is good after that is a lie that nobody finds in this log alone; each such is listed
//! here, with why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use kuriiri_types::{
    Addressed, Code, Decided, Digest, Entry, FilePart, Giver, LogEvent, LoggedRuling, MessageId,
    Ministry, PolicyInForce, Receipt, ReceiptKind, SignedReceipt, SpiffeId, Timestamp,
};
use kuriiri_verify::{AuditOptions, LogFolder, audit};
use support::{Author, Bench, Cast, story};

/// Entries of each kind that are changed, spread over the log.
const OF_EACH_KIND: usize = 4;

/// A change, by name. False when it changes nothing here.
type Change = (&'static str, fn(&mut Entry) -> bool);

fn flip(bytes: &mut Bytes) {
    let mut changed = bytes.to_vec();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    *bytes = changed.into();
}

fn other_id() -> MessageId {
    MessageId::new(Timestamp::from_millis(1_795_000_000_000), [77; 10])
}

fn ministry(name: &str) -> Ministry {
    name.parse().unwrap()
}

fn system(of: &str) -> Giver {
    Giver::System(format!("spiffe://{of}/system/muu").parse::<SpiffeId>().unwrap())
}

macro_rules! changes {
    ($event:ident, $kind:ty, [$($name:literal => $change:expr),* $(,)?]) => {
        &[$(($name, |entry: &mut Entry| {
            let LogEvent::$event(it) = &mut entry.event else { return false };
            let change: fn(&mut $kind) = $change;
            let before = (*it).clone();
            change(&mut *it);
            before != *it
        })),*]
    };
}

const EVERY: &[Change] = &[
    ("time a little later", |entry| {
        entry.at = entry.at.after(Duration::from_millis(3));
        true
    }),
    ("time much later", |entry| {
        entry.at = entry.at.after(Duration::from_secs(7200));
        true
    }),
    ("time much earlier", |entry| {
        entry.at = entry.at.before(Duration::from_secs(7200));
        true
    }),
    ("start", |entry| {
        entry.boot += 1;
        true
    }),
];

const STATED: &[Change] = changes!(Receipt, Receipt, [
    "accepted" => |it| it.kind = ReceiptKind::Accepted,
    "relayed" => |it| it.kind = ReceiptKind::Relayed,
    "delivered" => |it| it.kind = ReceiptKind::Delivered,
    "refused" => |it| (it.kind, it.code) = (ReceiptKind::Refused, Some(Code::POLICY)),
    "refused by the recipient" => |it| (it.kind, it.code) = (ReceiptKind::Refused, Some(Code::REJECTED)),
    "expired" => |it| (it.kind, it.code) = (ReceiptKind::Expired, Some(Code::EXPIRED)),
    "issuer" => |it| it.issuer = ministry("um.example"),
    "its time" => |it| it.at = it.at.after(Duration::from_secs(1)),
    "sender" => |it| it.sender = "muu@sm.example".parse().unwrap(),
    "by nobody" => |it| it.by = None,
    "by another system" => |it| it.by = Some(system(it.issuer.as_str())),
    "by a foreign system" => |it| it.by = Some(system("um.example")),
    "by a peer" => |it| it.by = Some(Giver::Peer(ministry("verkko.example"))),
    "code" => |it| it.code = it.code.map(|_| Code::NO_ROUTE),
    "reasons" => |it| it.reasons.push("because".into()),
    "id" => |it| it.subjects[0].subject.message = other_id(),
    "header" => |it| it.subjects[0].subject.header = Digest([7; 32]),
    "recipient" => |it| it.subjects[0].recipient = "muu@plm.example".parse().unwrap(),
    "recipient elsewhere" => |it| it.subjects[0].recipient = "kirjaamo@um.example".parse().unwrap(),
    "one more" => |it| {
        let more = Addressed { recipient: "muu@plm.example".parse().unwrap(), ..it.subjects[0].clone() };
        it.subjects.push(more);
    },
]);

const DECIDED: &[Change] = changes!(Decided, Box<Decided>, [
    "nobody gave it" => |it| it.giver = None,
    "another system gave it" => |it| it.giver = Some(system("sm.example")),
    "a peer gave it" => |it| it.giver = Some(Giver::Peer(ministry("verkko.example"))),
    "path" => |it| it.path.push(ministry("verkko.example")),
    "no path" => |it| it.path.clear(),
    "destination" => |it| it.dest = ministry("um.example"),
    "next" => |it| it.next = Some("hub".into()),
    "no next" => |it| it.next = None,
    "clearances" => |it| it.clearances = Some(Vec::new()),
    "no approvals" => |it| it.approvals.clear(),
    "files" => |it| it.policy = Digest([1; 32]),
    "permit" => |it| it.ruling = LoggedRuling::Permit,
    "hold" => |it| it.ruling = LoggedRuling::Hold,
    "deny" => |it| it.ruling = LoggedRuling::Deny,
    "reasons" => |it| it.reasons.push("NO_ROUTE".into()),
    "no reasons" => |it| it.reasons.clear(),
    "signature" => |it| it.batch.iter_mut().for_each(|batch| flip(&mut batch.signature)),
    "signer" => |it| it.batch.iter_mut().for_each(|batch| batch.signer = Digest([2; 32])),
    "no batch" => |it| (it.batch, it.keep_until) = (None, None),
    "kept shorter" => |it| it.keep_until = it.keep_until.map(|at| at.before(Duration::from_secs(200_000))),
    "kept longer" => |it| it.keep_until = it.keep_until.map(|at| at.after(Duration::from_secs(200_000))),
    "id" => |it| it.subjects[0].message = other_id(),
    "header" => |it| it.subjects[0].header = Digest([7; 32]),
]);

const OTHERS: &[Change] = &[
    ("handed over by another peer", |entry| {
        let LogEvent::ReceiptIn { from, .. } = &mut entry.event else { return false };
        *from = ministry("verkko.example");
        true
    }),
    ("handed over by a stranger", |entry| {
        let LogEvent::ReceiptIn { from, .. } = &mut entry.event else { return false };
        *from = ministry("um.example");
        true
    }),
    ("place of the receipt", |entry| heard(entry, |it| it.index += 1)),
    ("entry of the receipt", |entry| heard(entry, |it| flip(&mut it.entry))),
    ("checkpoint of the receipt", |entry| heard(entry, |it| flip(&mut it.checkpoint))),
    ("path of the receipt", |entry| {
        heard(entry, |it| {
            let _ = it.path.pop();
        })
    }),
    ("subject of the approval", |entry| {
        let LogEvent::Approved { subject, .. } = &mut entry.event else { return false };
        *subject = Digest([7; 32]);
        true
    }),
    ("approval", |entry| {
        let LogEvent::Approved { approval, .. } = &mut entry.event else { return false };
        flip(&mut approval.approval);
        true
    }),
    ("certificate", |entry| {
        let LogEvent::Certificate { der } = &mut entry.event else { return false };
        flip(der);
        true
    }),
    ("checkpoint of a peer", |entry| {
        let LogEvent::PeerCheckpoint { checkpoint } = &mut entry.event else { return false };
        flip(checkpoint);
        true
    }),
    ("software", |entry| {
        let LogEvent::Booted { software } = &mut entry.event else { return false };
        software.push('x');
        true
    }),
    ("what is erased", |entry| {
        let LogEvent::Erased { subject, .. } = &mut entry.event else { return false };
        *subject = Digest([7; 32]);
        true
    }),
    ("that the header is erased", |entry| {
        let LogEvent::Erased { header, .. } = &mut entry.event else { return false };
        *header = !*header;
        true
    }),
    ("who erased it and why", |entry| {
        let LogEvent::Erased { by, basis, .. } = &mut entry.event else { return false };
        (*by, *basis) = ("spiffe://sm.example/operator/muu".parse().unwrap(), "another".into());
        true
    }),
    ("what the clock showed", |entry| {
        let LogEvent::ClockStepped { from } = &mut entry.event else { return false };
        *from = from.after(Duration::from_secs(1));
        true
    }),
];

const IN_FORCE: &[Change] = changes!(PolicyChanged, PolicyInForce, [
    "a file less" => |it| drop(it.files.pop()),
    "serial" => |it| it.files[0].serial += 1,
    "name" => |it| it.files[0].name.push('x'),
    "digest" => |it| it.files[0].digest = Digest([3; 32]),
    "signatures" => |it| it.files[0].signatures = Digest([3; 32]),
    "own" => |it| it.files.last_mut().unwrap().is_own = true,
    "who handed them in" => |it| it.by = Some("spiffe://sm.example/operator/otto".parse().unwrap()),
]);

const PARTS: &[Change] = changes!(FilePart, FilePart, [
    "file" => |it| it.digest = Digest([3; 32]),
    "part" => |it| it.part += 1,
    "parts" => |it| it.parts += 1,
    "bytes" => |it| flip(&mut it.bytes),
]);

fn heard(entry: &mut Entry, change: fn(&mut SignedReceipt)) -> bool {
    let LogEvent::ReceiptIn { receipt, .. } = &mut entry.event else { return false };
    change(receipt);
    true
}

/// What nobody finds in one log, and why.
const SURVIVORS: &[(&str, &str, &str)] = &[
    // Between the times of the entries around it an entry may have any; before the first there is none.
    ("BOOT", "time much earlier", "nothing stands before it"),
    ("CERTIFICATE", "time a little later", "between those around it"),
    ("CLOCK_STEP", "time a little later", "between those around it"),
    ("ERASED", "time a little later", "between those around it"),
    ("ERASED", "time much later", "the last in the log"),
    ("PEER_CHECKPOINT", "time a little later", "between those around it"),
    ("POLICY_CHANGE", "time a little later", "between those around it"),
    ("RECEIPT_IN", "time a little later", "between those around it"),
    // Words for people.
    ("ACCEPTED", "reasons", "words for people"),
    ("DELIVERED", "reasons", "words for people"),
    ("RECEIVED", "reasons", "words for people"),
    ("REFUSED", "reasons", "words for people"),
    ("REFUSED", "code", "what the rules said is in the decision, which is taken again"),
    ("REFUSED", "refused by the recipient", "the same"),
    ("REFUSED", "by nobody", "who hands over what is refused need not be said"),
    ("BOOT", "software", "what the relay says of itself"),
    ("ERASED", "who erased it and why", "an operator's word, which nobody signs"),
    ("POLICY_CHANGE", "who handed them in", "an operator's word; the files are signed"),
    (
        "POLICY_CHANGE",
        "name",
        "the first files of a log have the names that the operator gives them",
    ),
    // What only the ministry knows of itself.
    ("DELIVERED", "by another system", "which systems read a mailbox is in no signed file"),
    ("DECIDED", "kept longer", "retention by label is the ministry's own, from a hundred days on"),
    ("DECIDED", "next", "where it would go if it went"),
    ("RECEIPT_IN", "handed over by another peer", "any peer may hand receipts on"),
    ("ERASED", "that the header is erased", "a copy may have been made before it was"),
    ("CERTIFICATE", "certificate", "of one steward, where another has signed too"),
];

fn exit(author: &Author<'_>, bench: &Bench) -> u8 {
    let folder = LogFolder::open(&bench.write(author, &[])).unwrap();
    audit(&folder, bench.anchors(), AuditOptions::default(), |_| {}).findings.exit()
}

/// The kinds of entries with the changes of them that were not found.
fn survivors(author: &Author<'_>, bench: &Bench) -> (BTreeSet<(&'static str, &'static str)>, u64) {
    let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, entry) in author.entries.iter().enumerate() {
        by_kind.entry(entry.event.kind()).or_default().push(index);
    }
    let (mut found, mut tried) = (BTreeSet::new(), 0);
    for (kind, all) in by_kind {
        let step = all.len().div_ceil(OF_EACH_KIND);
        for index in all.into_iter().step_by(step) {
            for change in [EVERY, STATED, DECIDED, OTHERS, IN_FORCE, PARTS].into_iter().flatten() {
                let mut is_changed = false;
                let lie = author.rewritten(|entries| is_changed = change.1(&mut entries[index]));
                if !is_changed {
                    continue;
                }
                tried += 1;
                if exit(&lie, bench) == 0 {
                    found.insert((kind, change.0));
                }
            }
        }
    }
    (found, tried)
}

#[test]
fn what_survives_a_change_is_known() {
    let cast = Cast::new();
    let bench = Bench::new(&cast, &[], 0);
    let (a, b) = story(&cast);
    let (mut found, mut tried) = (BTreeSet::new(), 0);
    for author in [&a, &b] {
        assert_eq!(exit(author, &bench), 0);
        let (survivors, count) = survivors(author, &bench);
        found.extend(survivors);
        tried += count;
    }
    let known: BTreeSet<_> = SURVIVORS.iter().map(|(kind, change, _)| (*kind, *change)).collect();
    assert_eq!(found, known, "of {tried} changes");
}
