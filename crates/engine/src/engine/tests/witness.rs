//! Checkpoints of peers are cosigned when they grow out of what was cosigned before, and never else.

use bytes::Bytes;
use kuriiri_merkle::{Growth, consistency, leaf};
use kuriiri_tlog::{Checkpoint, Note, Signature, add_signature, log_origin};
use kuriiri_types::{Code, Digest, LogEvent, Refusal};

use crate::{
    Event, Reply, Token, WitnessAnswer, Write,
    event::Shown,
    testing::{Host, NOW, cosigner_of, ministry, signer_of},
};

const PLM: &str = "plm.example";

/// A log of a peer of so many entries; that of another seed has another last entry.
fn tree(size: u64, seed: u8) -> Growth {
    let mut tree = Growth::default();
    for index in 1..=size {
        let salt = if index == size { seed } else { 0 };
        tree.push(leaf(&[index.to_be_bytes().as_slice(), &[salt]].concat()));
    }
    tree
}

fn note(origin: &str, tree: &Growth) -> (Checkpoint, Bytes) {
    let checkpoint = Checkpoint { origin: origin.into(), size: tree.size(), root: tree.root() };
    let signed =
        checkpoint.sign(&signer_of(&ministry(PLM)).renamed(origin.parse().unwrap())).unwrap();
    (checkpoint, signed)
}

fn show(host: &mut Host, tree: &Growth, old: u64) -> WitnessAnswer {
    let proof = consistency(tree, old.min(tree.size()), tree.size()).unwrap();
    show_as(host, &log_origin(&ministry(PLM)), tree, (old, proof))
}

fn show_as(
    host: &mut Host,
    origin: &str,
    tree: &Growth,
    (old, proof): (u64, Vec<Digest>),
) -> WitnessAnswer {
    let (checkpoint, note) = note(origin, tree);
    let (peer, token) = (ministry(PLM), Token(9));
    let shown = Shown { checkpoint, note, old, proof };
    let reply = host.ask(Event::CheckpointShown { peer, token, shown });
    let Reply::Witnessed(answer) = reply else { panic!("{reply:?}") };
    answer
}

/// The checkpoint with the cosignature of this answer, which is the witness's over that very tree.
fn cosigned(answer: WitnessAnswer, tree: &Growth) -> Bytes {
    let WitnessAnswer::Cosigned(line) = answer else { panic!("{answer:?}") };
    let note = note(&log_origin(&ministry(PLM)), tree).1;
    let note = add_signature(&note, Signature::parse(&line).unwrap()).unwrap();
    let key = cosigner_of(&ministry("sm.example")).verifier_key().clone();
    let signed = Note::parse(&note).unwrap().verify(&key).unwrap().unwrap();
    assert_eq!(signed.time, Some(u64::try_from(NOW.as_millis() / 1000).unwrap()));
    note
}

fn refused(code: Code) -> WitnessAnswer {
    WitnessAnswer::Refused(Refusal::bare(code))
}

fn held(tree: &Growth) -> WitnessAnswer {
    WitnessAnswer::OtherSize(note(&log_origin(&ministry(PLM)), tree).1)
}

#[test]
fn what_grows_is_cosigned_and_remembered_in_the_same_commit() {
    let mut host = Host::new("sm.example");
    for (old, new) in [(0, 3), (3, 4), (4, 300)] {
        let tree = tree(new, 0);
        let checkpoint = cosigned(show(&mut host, &tree, old), &tree);
        assert_eq!(host.written()[0].event, LogEvent::PeerCheckpoint { checkpoint });
        let is_kept = |write: &Write| {
            let Write::PutSeenLog(peer, seen) = write else { return false };
            *peer == ministry(PLM) && (seen.size, seen.root) == (tree.size(), tree.root())
        };
        assert!(host.commit.writes.iter().any(is_kept), "{:?}", host.commit.writes);
        host = host.restart();
    }
}

#[test]
fn the_same_again_is_cosigned_again_and_nothing_is_written() {
    let mut host = Host::new("sm.example");
    show(&mut host, &tree(3, 0), 0);
    cosigned(show(&mut host, &tree(3, 0), 3), &tree(3, 0));
    assert!(host.commit.is_empty());
}

#[test]
fn whoever_does_not_know_what_was_cosigned_last_is_told() {
    let mut host = Host::new("sm.example");
    assert_eq!(show(&mut host, &tree(5, 0), 3), WitnessAnswer::OtherSize(Bytes::new()));
    show(&mut host, &tree(3, 0), 0);
    for old in [0, 2, 4] {
        assert_eq!(show(&mut host, &tree(5, 0), old), held(&tree(3, 0)));
        assert!(host.commit.is_empty());
    }
}

#[test]
fn no_second_history_is_cosigned_not_even_after_a_restart() {
    let mut host = Host::new("sm.example");
    show(&mut host, &tree(3, 0), 0);
    for _ in 0..2 {
        assert_eq!(show(&mut host, &tree(3, 7), 3), held(&tree(3, 0)), "as long, and another");
        let mut other = tree(3, 7);
        other.push(leaf(b"more"));
        assert_eq!(show(&mut host, &other, 3), refused(Code::SIGNATURE), "longer, and another");
        assert_eq!(show(&mut host, &tree(2, 0), 3), refused(Code::MALFORMED), "shorter");
        assert!(host.commit.is_empty());
        host = host.restart();
    }
    cosigned(show(&mut host, &tree(4, 0), 3), &tree(4, 0));
}

#[test]
fn a_log_that_was_begun_anew_ends_the_one_before() {
    let mut host = Host::new("sm.example");
    let origin = |number: &str| format!("{}{number}", log_origin(&ministry(PLM)));
    let first = |host: &mut Host, number: &str, tree: &Growth| {
        show_as(host, &origin(number), tree, (0, Vec::new()))
    };
    let answer = first(&mut host, "", &tree(3, 0));
    assert!(matches!(answer, WitnessAnswer::Cosigned(_)), "{answer:?}");
    let answer = first(&mut host, "/2", &tree(1, 0));
    assert!(matches!(answer, WitnessAnswer::Cosigned(_)), "{answer:?}");
    for earlier in ["", "/02"] {
        let fork = tree(3, 7);
        assert_eq!(first(&mut host, earlier, &fork), refused(Code::SIGNATURE), "{earlier}");
        assert!(host.commit.is_empty());
    }
    let answer = first(&mut host, "/10", &tree(2, 0));
    assert!(matches!(answer, WitnessAnswer::Cosigned(_)), "{answer:?}");
}
