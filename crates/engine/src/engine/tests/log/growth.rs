//! The log only grows: what was signed once is part of what is signed later.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_merkle::{consistency, leaf, verify_consistency};
use kuriiri_tlog::Checkpoint;
use kuriiri_types::{Digest, Direction, Verdict};

use super::*;
use crate::testing::{NOW, accepted, address, signer_of};

fn checkpoint(note: &Bytes) -> Checkpoint {
    let signer = signer_of(&ministry("sm.example"));
    Checkpoint::verify(note, signer.verifier_key()).unwrap()
}

/// A relay that has had messages come and go, and restarts amid them.
fn busy() -> Host {
    let mut host = Host::new("sm.example");
    for round in 0..12_u8 {
        let number = round * 20;
        let here = Letter::new(number, SENDER, &["tilanne@sm.example"]);
        let letters: Vec<Letter> = (1..=9).map(|more| letter(number + more)).collect();
        for letter in [&[here], &letters[..]].concat() {
            host.submit(&[letter]);
        }
        let foreign = Letter::new(number + 10, RECIPIENT, &["tilanne@sm.example"]);
        host.arrive(&["plm.example"], &[foreign]);
        confirm_all(&mut host, "tilanne@sm.example", u64::from(round) + 1);
        let link = u64::from(round) + 1;
        host.link_up("plm.example", link);
        host.answer("plm.example", (link, 0), vec![accepted(NOW), Verdict::Busy]);
        host.link_down("plm.example", link);
        if round % 3 == 2 {
            host = host.restart();
        }
    }
    host
}

#[test]
fn every_checkpoint_is_signed_and_grows_out_of_those_before() {
    let host = busy();
    assert!(host.disk.entries.len() > 256, "more than a tile: {}", host.disk.entries.len());
    let notes: Vec<Checkpoint> = host.disk.checkpoints.iter().map(checkpoint).collect();
    assert!(notes.len() > 40, "{}", notes.len());
    let pairs = notes.iter().zip(notes.iter().skip(1)).chain(notes.iter().zip(&notes[9..]));
    for (old, new) in pairs {
        assert!(old.size < new.size);
        let proof = consistency(host.disk.tree(), old.size, new.size).unwrap();
        assert!(verify_consistency(old.size, old.root, new.size, new.root, &proof));
    }
}

#[test]
fn the_chain_of_each_peer_is_whole_over_restarts() {
    let host = busy();
    for (peer, direction, links) in [
        ("plm.example", Direction::Out, 12 * 9),
        ("plm.example", Direction::In, 12),
        ("um.example", Direction::In, 0),
    ] {
        let (mut next, mut last) = (0, Digest([0; 32]));
        for (bytes, entry) in host.disk.entries.iter().zip(host.disk.entries_from(0)) {
            let is_link =
                |c: &&kuriiri_types::Channel| c.peer == ministry(peer) && c.direction == direction;
            if let Some(link) = entry.channels.iter().find(is_link) {
                assert_eq!((link.seq, link.prev), (next, last));
                (next, last) = (next + 1, leaf(bytes));
            }
        }
        assert_eq!(next, links, "{peer} {direction:?}");
    }
}

/// The ends of chains that the last commit carries.
fn moved(host: &Host) -> Vec<(&str, Direction, u64)> {
    let ends = host.commit.log.iter().flat_map(|append| &append.channels);
    ends.map(|end| (end.peer.as_str(), end.direction, end.next)).collect()
}

#[test]
fn a_commit_carries_the_ends_that_moved_and_no_others() {
    let mut host = Host::new("sm.example");
    assert_eq!(moved(&host), []);
    host.submit(&[letter(1), letter(2)]);
    assert_eq!(moved(&host), [("plm.example", Direction::Out, 1)]);
    host = host.restart();
    assert_eq!(moved(&host), []);
    host.arrive(&["plm.example"], &[Letter::new(3, RECIPIENT, &[SENDER])]);
    assert_eq!(moved(&host), [("plm.example", Direction::In, 1)]);
    host.submit(&[letter(4)]);
    assert_eq!(moved(&host), [("plm.example", Direction::Out, 2)]);
}

#[test]
fn what_writes_nothing_signs_nothing() {
    let mut host = Host::new("sm.example");
    host.submit(&[letter(1)]);
    let before = host.disk.checkpoints.len();
    let quiet = [
        vec![],
        vec![Host::want(&address("tilanne@sm.example"), 1, 9)],
        vec![Event::Heard { peer: ministry("plm.example") }],
        vec![submitted(&[letter(1)], Vec::new())],
    ];
    for events in quiet {
        host.step(events);
        assert_eq!(host.commit.log, None);
    }
    host.link_up("plm.example", 1);
    host.link_down("plm.example", 1);
    host.pass(Duration::from_secs(3600));
    assert_eq!(host.commit.log, None);
    assert_eq!(host.disk.checkpoints.len(), before);
}

#[test]
fn no_two_entries_have_one_salt_and_a_start_has_others() {
    let host = busy();
    let entries = host.disk.entries_from(0);
    let mut salts: Vec<[u8; 32]> = entries.iter().map(|entry| entry.salt).collect();
    salts.sort_unstable();
    salts.dedup();
    assert_eq!(salts.len(), entries.len());
    let again = Host::new("sm.example").restart().disk.entries_from(0);
    assert_eq!(entries[7].salt, again[7].salt, "the same secret, start and place");
    let booted = again.last().unwrap();
    assert_ne!(entries[again.len() - 1].salt, booted.salt, "another start");
}
