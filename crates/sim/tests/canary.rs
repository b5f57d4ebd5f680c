//! Each deliberate fault is found, and by the invariant that is there for it.

use kuriiri_sim::{Sabotage, World};

/// Worlds of this many seeds have the fault; not in each does chance bring it to light.
const SEEDS: u64 = 48;

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
        &["no_receipt_stands_twice", "one_entry_for_one_statement"],
    );
}

#[test]
fn numbers_that_begin_anew_are_found() {
    assert_found(
        Sabotage::ForgetsStarts,
        "sequence_numbers_never_repeat",
        &["holds_stay_what_they_are", "commits_agree_with_the_state"],
    );
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
fn a_lost_signature_is_found() {
    assert_found(Sabotage::LosesASignature, "the_state_can_be_read", &[]);
}

#[test]
fn batches_out_of_order_are_found() {
    assert_found(Sabotage::HasNoGates, "order_is_kept", &[]);
}

#[test]
fn a_relay_on_forged_rules_is_found() {
    assert_found(Sabotage::ForgedRules, "nothing_reaches_an_uncleared_relay", &[]);
}

// === messages that wait, and the people they wait for ===

#[test]
fn a_message_that_is_held_and_not_kept_is_found() {
    assert_found(Sabotage::HoldsNothing, "acknowledged_only_after_commit", &[]);
}

#[test]
fn a_hold_that_is_lost_at_a_restart_is_found() {
    assert_found(Sabotage::LosesAHold, "no_acknowledged_message_lost", &[]);
}

#[test]
fn a_hold_that_comes_to_nothing_is_found() {
    assert_found(Sabotage::EndsAHoldSilently, "no_hold_vanishes", &[]);
}

#[test]
fn a_hold_that_has_ended_and_is_there_again_is_found() {
    assert_found(
        Sabotage::KeepsAHold,
        "no_mailbox_holds_a_message_twice",
        // The body of what has ended went with it.
        &["no_receipt_stands_twice", "bodies_are_there"],
    );
}

#[test]
fn a_word_that_counts_and_is_not_kept_is_found() {
    assert_found(Sabotage::LosesAWord, "counted_words_are_kept", &[]);
}

#[test]
fn a_list_that_leaves_something_out_is_found() {
    assert_found(Sabotage::HidesHolds, "officers_see_what_waits", &[]);
}

#[test]
fn an_officer_who_counts_twice_is_found() {
    assert_found(Sabotage::CountsTwice, "released_by_enough_officers", &[]);
}

#[test]
fn a_word_that_counts_for_another_message_is_found() {
    assert_found(Sabotage::MixesUpWords, "released_by_enough_officers", &[]);
}

#[test]
fn a_drafter_who_counts_is_found() {
    assert_found(
        Sabotage::ForgetsDrafters,
        "released_by_enough_officers",
        &["nothing_is_taken_against_the_rules"],
    );
}

#[test]
fn a_word_in_the_hands_of_another_is_found() {
    assert_found(Sabotage::TrustsAnybody, "void_words_count_for_nothing", &[]);
}

#[test]
fn a_rejection_that_is_none_is_found() {
    assert_found(Sabotage::MisleadsOfficers, "rejections_are_told", &[]);
}

#[test]
fn a_message_that_no_officer_was_asked_about_is_found() {
    assert_found(Sabotage::AsksForNoOfficers, "released_by_enough_officers", &[]);
}

#[test]
fn a_relay_that_is_not_told_of_its_rules_is_found() {
    assert_found(
        Sabotage::KeepsOldRules,
        "nothing_is_taken_against_the_rules",
        &[
            "nothing_leaves_outside_its_hours",
            "nothing_reaches_an_uncleared_relay",
            "nothing_waits_against_the_rules",
        ],
    );
}

#[test]
fn a_message_that_leaves_too_late_is_found() {
    assert_found(
        Sabotage::KeepsOldRules,
        "nothing_leaves_outside_its_hours",
        &[
            "nothing_is_taken_against_the_rules",
            "nothing_reaches_an_uncleared_relay",
            "nothing_waits_against_the_rules",
        ],
    );
}

#[test]
fn a_review_that_skips_what_is_on_disk_is_found() {
    assert_found(
        Sabotage::SkipsWhatIsOnDisk,
        "nothing_waits_against_the_rules",
        // What was not seen once is not looked for again.
        &["the_world_comes_to_rest", "no_acknowledged_message_lost"],
    );
}

// === the transparency log ===

#[test]
fn a_log_that_is_cut_back_is_found() {
    // Whoever reads what was cut off finds nothing there.
    assert_found(Sabotage::CutsTheLogBack, "log_append_only", &["the_state_can_be_read"]);
}

#[test]
fn a_log_that_is_rewritten_is_found() {
    assert_found(Sabotage::RewritesTheLog, "log_append_only", &[]);
}

#[test]
fn a_receipt_of_another_place_is_found() {
    assert_found(Sabotage::MisplacesReceipts, "receipts_are_in_the_log", &[]);
}

#[test]
fn a_fate_that_is_not_written_is_found() {
    // What is written next does not fit.
    let besides = &["log_append_only", "receipts_are_in_the_log", "receipts_are_genuine"];
    assert_found(Sabotage::ForgetsToWrite, "every_fate_is_logged", besides);
}

#[test]
fn a_receipt_that_is_taken_and_not_written_is_found() {
    assert_found(Sabotage::HidesReceipts, "every_fate_is_logged", &[]);
}

#[test]
fn a_chain_with_a_gap_is_found() {
    assert_found(Sabotage::BreaksChains, "channels_are_contiguous", &[]);
}

#[test]
fn a_decision_that_is_misquoted_is_found() {
    assert_found(Sabotage::MisquotesDecisions, "decisions_replay", &[]);
}

#[test]
fn a_log_that_does_not_know_what_became_of_a_copy_is_found() {
    assert_found(Sabotage::LosesProofs, "logs_agree", &[]);
}

#[test]
fn a_log_that_is_not_the_one_that_was_cosigned_is_found() {
    assert_found(Sabotage::ShowsAnotherLog, "honest_logs_are_cosigned", &[]);
}

// === statements, and the headers beside the log ===

#[test]
fn a_statement_to_one_about_the_messages_of_another_is_found() {
    assert_found(Sabotage::MixesSenders, "no_receipt_speaks_of_two_senders", &[]);
}

#[test]
fn a_statement_that_stands_in_a_log_twice_is_found() {
    assert_found(Sabotage::RepeatsStatements, "one_entry_for_one_statement", &[]);
}

#[test]
fn a_receipt_that_fits_no_entry_is_found() {
    assert_found(Sabotage::FattensCheckpoints, "statements_fit", &[]);
}

#[test]
fn an_answer_without_its_receipts_is_found() {
    assert_found(Sabotage::WithholdsReceipts, "answers_bring_their_receipts", &[]);
}

#[test]
fn a_class_with_another_signature_is_found() {
    assert_found(Sabotage::MisquotesSignatures, "a_class_proves_its_own_signature", &[]);
}

#[test]
fn a_header_that_is_kept_too_long_is_found() {
    assert_found(Sabotage::MisquotesRetention, "headers_are_kept_by_their_labels", &[]);
}

#[test]
fn a_header_in_the_place_of_another_is_found() {
    assert_found(Sabotage::ShufflesHeaders, "headers_stand_beside_their_entry", &[]);
}

#[test]
fn a_header_that_a_disk_loses_is_found() {
    assert_found(Sabotage::LosesAHeader, "headers_stand_beside_their_entry", &[]);
}

#[test]
fn a_header_that_leaves_without_a_word_is_found() {
    assert_found(Sabotage::ErasesSilently, "headers_leave_as_the_log_says", &[]);
}

#[test]
fn an_erasure_that_leaves_a_copy_is_found() {
    assert_found(Sabotage::ErasesInNameOnly, "what_is_erased_is_gone", &[]);
}

#[test]
fn a_sum_of_a_channel_that_is_too_large_is_found() {
    assert_found(Sabotage::MisquotesSums, "sums_add_up", &[]);
}

// === what a relay says, and to whom ===

#[test]
fn a_verdict_too_few_is_found() {
    assert_found(Sabotage::SwallowsAVerdict, "each_gets_one_verdict", &[]);
}

#[test]
fn an_answer_to_another_question_is_found() {
    assert_found(Sabotage::AnswersSomethingElse, "replies_fit_their_questions", &[]);
}

#[test]
fn a_receiver_who_is_turned_away_is_found() {
    assert_found(Sabotage::TurnsReceiversAway, "nobody_is_turned_away", &[]);
}

#[test]
fn a_receiver_who_gets_too_much_is_found() {
    assert_found(Sabotage::HandsOutTooMuch, "credit_is_kept", &[]);
}

#[test]
fn a_batch_without_bounds_is_found() {
    assert_found(Sabotage::SendsTooMuch, "batches_are_bounded", &[]);
}

#[test]
fn a_refusal_of_what_is_held_is_found() {
    assert_found(Sabotage::RefusesWhatItHolds, "refused_is_not_held", &[]);
}

#[test]
fn a_release_that_is_none_is_found() {
    assert_found(Sabotage::PretendsReleases, "releases_are_made", &[]);
}

#[test]
fn a_watch_that_misses_a_receipt_is_found() {
    assert_found(Sabotage::HidesFromWatches, "watches_miss_nothing", &[]);
}

#[test]
fn a_queue_that_is_said_to_be_longer_than_it_is_is_found() {
    assert_found(Sabotage::MiscountsWhatWaits, "what_waits_is_counted", &[]);
}

#[test]
fn a_receipt_about_a_message_that_nobody_sent_is_found() {
    assert_found(Sabotage::MisquotesReceipts, "receipts_are_genuine", &[]);
}

#[test]
fn a_relay_that_never_sleeps_is_found() {
    assert_found(Sabotage::NeverSleeps, "a_relay_at_rest_sleeps", &[]);
}

// === what a relay keeps ===

#[test]
fn an_entry_that_cannot_be_read_is_found() {
    assert_found(Sabotage::Scribbles, "entries_can_be_read", &[]);
}

#[test]
fn a_pack_that_is_too_full_is_found() {
    assert_found(Sabotage::StuffsAPack, "packs_fit_a_stored_value", &[]);
}

#[test]
fn a_receipt_that_waits_twice_is_found() {
    assert_found(Sabotage::RepeatsAReceipt, "no_receipt_stands_twice", &[]);
}

#[test]
fn an_officer_whose_word_is_kept_twice_is_found() {
    assert_found(Sabotage::DoublesAWord, "holds_stay_what_they_are", &[]);
}

#[test]
fn a_hold_without_end_is_found() {
    assert_found(Sabotage::NeverEndsAHold, "nothing_waits_for_ever", &[]);
}

#[test]
fn a_disk_that_never_forgets_is_found() {
    assert_found(Sabotage::RemembersForEver, "what_was_seen_is_forgotten", &[]);
}

#[test]
fn a_note_of_what_never_expires_is_found() {
    assert_found(Sabotage::LeavesANote, "notes_of_expiry_end", &[]);
}

#[test]
fn a_body_file_without_references_is_found() {
    assert_found(Sabotage::LeavesABody, "nothing_is_left_behind", &[]);
}

#[test]
fn a_commit_that_contradicts_the_state_is_found() {
    assert_found(Sabotage::ReleasesTooMuch, "commits_agree_with_the_state", &[]);
}

#[test]
fn a_log_whose_end_is_damaged_is_found() {
    assert_found(Sabotage::DamagesTheHead, "the_state_can_be_read", &[]);
}
