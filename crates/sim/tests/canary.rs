//! Each deliberate fault is found, and by the invariant that is there for it.

use kuriiri_sim::{Sabotage, World};

/// Worlds of this many seeds have the fault; not in each does chance bring it to light.
const SEEDS: u64 = 12;

/// Runs sabotaged worlds until one fails by this invariant. Others that the same fault breaks may
/// be broken first.
fn assert_found(sabotage: Sabotage, by: &str, besides: &[&str]) {
    for seed in 1..=SEEDS {
        let outcome = World::sabotaged(seed, sabotage).and_then(|mut world| world.run());
        let Err(failure) = outcome else { continue };
        let name = failure.invariant().unwrap_or_default();
        if name == by {
            return;
        }
        assert!(besides.contains(&name), "{sabotage:?}, seed {seed}: {failure}");
    }
    panic!("{sabotage:?} was not found in {SEEDS} worlds");
}

#[test]
fn who_speaks_before_the_commit_is_found() {
    assert_found(Sabotage::SpeaksFirst, "acknowledged_only_after_commit", &[]);
}

#[test]
fn a_disk_that_loses_a_pack_is_found() {
    assert_found(Sabotage::LosesAPack, "no_acknowledged_message_lost", &[]);
}

#[test]
fn a_message_that_is_taken_twice_is_found() {
    assert_found(
        Sabotage::ForgetsWhatWasSeen,
        "no_mailbox_holds_a_message_twice",
        &["no_receipt_stands_twice"],
    );
}

#[test]
fn numbers_that_begin_anew_are_found() {
    assert_found(Sabotage::ForgetsStarts, "sequence_numbers_never_repeat", &[]);
}

#[test]
fn a_body_that_nobody_needs_is_found() {
    assert_found(Sabotage::KeepsABody, "references_are_counted", &["nothing_is_left_behind"]);
}

#[test]
fn lost_bodies_are_found() {
    assert_found(Sabotage::LosesBodies, "bodies_are_there", &["commits_agree_with_the_state"]);
}

#[test]
fn a_lost_certificate_is_found() {
    assert_found(Sabotage::LosesCertificates, "signers_are_known", &[]);
}

#[test]
fn a_receipt_that_nobody_read_is_found() {
    assert_found(Sabotage::ConfirmsUnread, "no_receipt_goes_unread", &[]);
}

#[test]
fn a_world_without_rest_is_found() {
    assert_found(Sabotage::NeverHeals, "the_world_comes_to_rest", &[]);
}

#[test]
fn a_damaged_signature_is_found() {
    assert_found(Sabotage::DamagesASignature, "signed_bytes_are_verbatim", &[]);
}

#[test]
fn batches_out_of_order_are_found() {
    assert_found(Sabotage::HasNoGates, "order_is_kept", &[]);
}

#[test]
fn a_relay_on_forged_rules_is_found() {
    assert_found(Sabotage::ForgedRules, "nothing_reaches_an_uncleared_relay", &[]);
}
