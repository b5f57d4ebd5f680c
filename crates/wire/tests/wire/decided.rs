//! What a log says of decisions.

use kuriiri_types::{limits::*, *};
use kuriiri_wire::{WireError, limits::*};

use crate::{
    entries::{broken, by_hand, fields_of, with},
    limits::over,
    pieces, sample,
    signed::assert_not_canonical,
};

/// What comes of a decision with a change.
pub(crate) fn decided(change: impl FnOnce(&mut Decided)) -> Result<Entry, WireError> {
    let mut value = sample::decided();
    change(&mut value);
    with(LogEvent::Decided(Box::new(value)))
}

/// About so many messages, signed like this.
fn signed(count: usize, part: SignedPart) -> Decided {
    Decided { batch: Some(part), subjects: sample::subjects(count), ..sample::decided() }
}

fn event(decided: Decided) -> LogEvent {
    LogEvent::Decided(Box::new(decided))
}

/// A decision about so many messages with another signed part, written by hand.
fn by_part(count: u32, size: u32, part: &[pieces::Piece]) -> Result<Entry, WireError> {
    let written = fields_of(event(signed(count as usize, sample::whole(count))));
    let head = [pieces::field(1, &[1; 32]), pieces::number(2, size.into())].concat();
    let head = [head, pieces::field(3, &[2; 64])].concat();
    let batch = pieces::field(11, &[head, part.concat()].concat());
    by_hand(pieces::field(12, &pieces::replaced(&written, 11, batch)))
}

/// Places as they stand in an encoding.
fn places(places: &[u8]) -> pieces::Piece {
    pieces::field(4, places)
}

// === what was signed together ===

#[test]
fn leaves_that_were_signed_together_come_back() {
    let parts = [
        (1, sample::whole(1)),
        (3, sample::whole(3)),
        (1, sample::part(&[0], 2)),
        (3, sample::part(&[0, 2, 5], 6)),
        (2, sample::part(&[7, BATCH_LEAVES_MAX - 1], BATCH_LEAVES_MAX)),
    ];
    for (count, part) in parts {
        let event = event(signed(count, part));
        assert_eq!(with(event.clone()), Ok(sample::entry(event)));
    }
}

#[test]
fn where_all_leaves_are_here_no_place_and_no_proof_is_written() {
    let all = Ok(sample::entry(event(signed(3, sample::whole(3)))));
    assert_eq!(by_part(3, 3, &[]), all);
    assert_not_canonical("places of all", by_part(3, 3, &[places(&[0, 1, 2])]));
    let proof = pieces::field(5, &[6; 32]);
    broken(by_part(3, 3, &[proof]), "`batch.proof` must be empty when all leaves are here");
}

#[test]
fn places_rise_below_the_size_one_for_each_message() {
    let some = |listed: &[u8]| by_part(3, 6, &[places(listed)]);
    some(&[0, 2, 5]).unwrap();
    let rule = "`batch.positions` must rise below `batch.size`, one for each message";
    for wrong in [&[0, 5, 2][..], &[2, 2, 5], &[0, 2, 6], &[0, 2], &[0, 2, 4, 5]] {
        broken(some(wrong), rule);
    }
    broken(by_part(3, 2, &[]), rule);
    broken(by_part(3, 6, &[]), rule);
    assert_not_canonical("none, written out", some(&[]));
    // Not packed, as another protobuf may write them.
    let one_by_one = [0, 2, 5].map(|place| [pieces::varint(4 << 3), vec![place]].concat());
    assert_not_canonical("not packed", by_part(3, 6, &[one_by_one.concat()]));
}

#[test]
fn the_parts_of_what_was_signed_together() {
    let with_part = |change: &dyn Fn(&mut SignedPart)| {
        let mut part = sample::part(&[0, 2], 6);
        change(&mut part);
        with(event(signed(2, part)))
    };
    with_part(&|p| p.size = BATCH_LEAVES_MAX).unwrap();
    over(with_part(&|p| p.size = BATCH_LEAVES_MAX + 1));
    broken(with_part(&|p| p.size = 0), "`batch.size` is missing");
    let hashes = |count| vec![Digest([6; 32]); count];
    with_part(&|p| p.proof = hashes(2 * PROOF_PATH_MAX)).unwrap();
    over(with_part(&|p| p.proof = hashes(2 * PROOF_PATH_MAX + 1)));
    for length in [0, SIGNATURE_BYTES - 1, SIGNATURE_BYTES + 1] {
        with_part(&|p| p.signature = vec![2; length].into()).unwrap_err();
    }
    let half = pieces::field(5, &[6; 33]);
    broken(by_part(2, 6, &[places(&[0, 2]), half]), "must be whole hashes of 32 bytes");
}

#[test]
fn headers_are_kept_until_a_time_exactly_where_messages_are_named_first() {
    let rule = "`keep_until` must be there exactly when `batch` is";
    broken(decided(|d| d.batch = None), rule);
    broken(decided(|d| d.keep_until = None), rule);
    decided(|d| (d.batch, d.keep_until) = (None, None)).unwrap();
    decided(|d| d.keep_until = Some(Timestamp::from_millis(0))).unwrap();
}

#[test]
fn a_decision_that_looked_at_approvals_is_about_one_message() {
    let approved = |count: usize| {
        let approvals = vec![sample::signed_approval()];
        with(event(Decided { approvals, ..signed(count, sample::whole(count as u32)) }))
    };
    approved(1).unwrap();
    broken(approved(2), "`approvals` must be about one message");
}

#[test]
fn the_messages_of_a_decision() {
    const MOST: usize = STATEMENT_SUBJECTS_MAX;
    let many = |count: usize| with(event(signed(count, sample::whole(count as u32))));
    many(MOST).unwrap();
    over(many(MOST + 1));
    broken(decided(|d| d.subjects.clear()), "`subjects` is missing");
}

// === the rest ===

#[test]
fn whoever_gave_messages_in_custody_is_left_out() {
    let again = |d: &mut Decided| (d.giver, d.batch, d.keep_until) = (None, None, None);
    let LogEvent::Decided(read) = decided(again).unwrap().event else { panic!("a decision") };
    assert_eq!((read.giver, read.batch), (None, None));
    let peer = Giver::Peer("um.example".parse().unwrap());
    let given = |d: &mut Decided| d.giver = Some(peer.clone());
    let LogEvent::Decided(read) = decided(given).unwrap().event else { panic!("a decision") };
    assert_eq!(read.giver, Some(peer));
}

#[test]
fn the_parts_of_a_decision() {
    let path = |hops| decided(move |d| d.path = vec!["sm.example".parse().unwrap(); hops]);
    path(HOPS_MAX).unwrap();
    over(path(HOPS_MAX + 1));
    let approvals = |count| decided(move |d| d.approvals = vec![sample::signed_approval(); count]);
    approvals(APPROVALS_MAX).unwrap();
    over(approvals(APPROVALS_MAX + 1));
    let next = |length| decided(move |d| d.next = Some("n".repeat(length)));
    next(MINISTRY_NAME_BYTES_MAX).unwrap();
    over(next(MINISTRY_NAME_BYTES_MAX + 1));
}

#[test]
fn the_reasons_of_a_decision() {
    // The longest that a policy gives.
    let code = format!("origin:RESTRICTIVE:{}", "T".repeat(LABEL_ID_BYTES_MAX));
    let full = vec![code; REASON_CODES_MAX];
    let reasons = |reasons: Vec<String>| {
        let LogEvent::Decided(read) = decided(|d| d.reasons = reasons)?.event else {
            panic!("a decision")
        };
        Ok::<_, WireError>(read.reasons)
    };
    assert_eq!(reasons(full.clone()), Ok(full.clone()));
    assert_eq!(reasons([full.clone(), vec!["HOPS".into()]].concat()), Ok(full));
    let long = vec!["r".repeat(REASON_CODE_BYTES_MAX + 1)];
    assert_eq!(reasons(long), Ok(vec!["r".repeat(REASON_CODE_BYTES_MAX)]));
    reasons(vec![String::new()]).unwrap_err();

    let inner = fields_of(LogEvent::Decided(Box::new(sample::decided())));
    let read = |count: usize, length: usize| {
        let reasons = pieces::field(10, "r".repeat(length).as_bytes()).repeat(count);
        by_hand(pieces::field(12, &pieces::replaced(&inner, 10, reasons)))
    };
    read(REASON_CODES_MAX, REASON_CODE_BYTES_MAX).unwrap();
    over(read(REASON_CODES_MAX + 1, 1));
    over(read(1, REASON_CODE_BYTES_MAX + 1));
}

#[test]
fn what_a_system_is_cleared_for() {
    let cleared = |count: usize, change: &dyn Fn(&mut LoggedClearance)| {
        let (levels, grants) = (vec!["TL4".into()], vec!["REL:SM".into()]);
        let mut held = LoggedClearance { policy: "FI".into(), levels, grants };
        change(&mut held);
        decided(|d| d.clearances = Some(vec![held; count]))
    };
    cleared(CLEARANCES_MAX, &|_| ()).unwrap();
    over(cleared(CLEARANCES_MAX + 1, &|_| ()));
    let one = |change: &dyn Fn(&mut LoggedClearance)| cleared(1, change);
    let id = |length: usize| "I".repeat(length);
    one(&|h| h.policy = id(LABEL_ID_BYTES_MAX)).unwrap();
    over(one(&|h| h.policy = id(LABEL_ID_BYTES_MAX + 1)));
    one(&|h| h.levels = vec![id(LABEL_ID_BYTES_MAX); CLEARANCE_LEVELS_MAX]).unwrap();
    over(one(&|h| h.levels = vec![id(1); CLEARANCE_LEVELS_MAX + 1]));
    over(one(&|h| h.levels = vec![id(LABEL_ID_BYTES_MAX + 1)]));
    one(&|h| h.grants = vec![id(GRANT_BYTES_MAX); LABEL_VALUES_MAX]).unwrap();
    over(one(&|h| h.grants = vec![id(1); LABEL_VALUES_MAX + 1]));
    over(one(&|h| h.grants = vec![id(GRANT_BYTES_MAX + 1)]));
    for spoiled in [
        one(&|h| h.policy.clear()),
        one(&|h| h.levels = vec![String::new()]),
        one(&|h| h.grants = vec!["REL:\n".into()]),
    ] {
        spoiled.unwrap_err();
    }
}
