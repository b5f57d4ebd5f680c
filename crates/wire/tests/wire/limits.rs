//! At a limit: accepted. One above: refused.

use std::fmt::Debug;

use bytes::Bytes;
use kuriiri_types::{limits::*, *};
use kuriiri_wire::{
    Flaw, Frame, WireError, admin::*, approval, client::*, header, limits::*, relay::*,
};

use crate::{admin::held, pieces, sample};

pub(crate) fn over<T: Debug>(result: Result<T, WireError>) {
    let error = result.expect_err("over the limit");
    assert!(matches!(error.flaw(), Flaw::OverLimit { .. }), "{error}");
}

pub(crate) fn edge<F: Frame + Debug>(at: F, above: F) {
    F::decode(at.encode()).expect("at the limit");
    over(F::decode(above.encode()));
}

/// What comes of a header with a change; whoever composes it hears the same as whoever reads it.
pub(crate) fn header_with(change: impl FnOnce(&mut Header)) -> Result<Header, WireError> {
    let mut value = sample::header();
    change(&mut value);
    let bytes = header::encode(&value);
    let read = header::decode(&bytes);
    assert_eq!(header::encode_checked(&value), read.clone().map(|_| bytes));
    read
}

#[test]
fn texts_and_recipients_of_a_header() {
    header_with(|h| h.to = sample::recipients(RECIPIENTS_MAX, 30)).unwrap();
    over(header_with(|h| h.to = sample::recipients(RECIPIENTS_MAX + 1, 30)));
    header_with(|h| h.content_type = "c".repeat(CONTENT_TYPE_BYTES_MAX)).unwrap();
    over(header_with(|h| h.content_type = "c".repeat(CONTENT_TYPE_BYTES_MAX + 1)));
    header_with(|h| h.subject = "s".repeat(SUBJECT_BYTES_MAX)).unwrap();
    over(header_with(|h| h.subject = "s".repeat(SUBJECT_BYTES_MAX + 1)));
    header_with(|h| h.drafter = Some("d".repeat(SPIFFE_NAME_BYTES_MAX))).unwrap();
    over(header_with(|h| h.drafter = Some("d".repeat(SPIFFE_NAME_BYTES_MAX + 1))));
}

#[test]
fn the_label_of_a_header() {
    let with = |change: &dyn Fn(&mut WireLabel)| {
        let mut label = WireLabel::plain("FI", "TL4");
        change(&mut label);
        header_with(|h| h.label = Some(label))
    };
    let category = |tag: usize, values: usize| Category {
        tag: format!("T{tag:0>3}"),
        values: (0..values).map(|v| format!("V{v:0>3}")).collect(),
    };
    let categories = |count: usize| (0..count).map(|tag| category(tag, 1)).collect();
    with(&|l| l.privacy_mark = "p".repeat(PRIVACY_MARK_BYTES_MAX)).unwrap();
    over(with(&|l| l.privacy_mark = "p".repeat(PRIVACY_MARK_BYTES_MAX + 1)));
    with(&|l| l.categories = vec![category(0, LABEL_VALUES_MAX)]).unwrap();
    with(&|l| l.categories = vec![category(0, LABEL_VALUES_MAX + 1)]).unwrap_err();
    with(&|l| l.categories = categories(LABEL_CATEGORIES_MAX)).unwrap();
    with(&|l| l.categories = categories(LABEL_CATEGORIES_MAX + 1)).unwrap_err();
}

#[test]
fn the_sealing_keys_of_a_header() {
    let sealing = |count: usize| {
        let key = |i: usize| SealKeyId {
            ministry: "um.example".parse().unwrap(),
            key: Digest([i as u8; 32]),
        };
        let keys = (0..count).map(key).collect();
        Some(Sealing { suite: 1, keys, content: Digest([4; 32]) })
    };
    header_with(|h| h.sealing = sealing(SEALING_KEYS_MAX)).unwrap();
    over(header_with(|h| h.sealing = sealing(SEALING_KEYS_MAX + 1)));
}

#[test]
fn the_bytes_of_a_header() {
    let sized = |length: usize| {
        (20..40)
            .flat_map(|count| (0..=SUBJECT_BYTES_MAX).map(move |subject| (count, subject)))
            .map(|(count, subject)| Header {
                to: sample::recipients(count, 259),
                subject: "s".repeat(subject),
                ..sample::header()
            })
            .find(|value| header::encode(value).len() == length)
            .expect("a header of this length")
    };
    header_with(|h| *h = sized(HEADER_BYTES_MAX)).unwrap();
    over(header_with(|h| *h = sized(HEADER_BYTES_MAX + 1)));
}

#[test]
fn the_parts_of_an_approval() {
    let with = |change: &dyn Fn(&mut Approval)| {
        let mut value = sample::approval();
        change(&mut value);
        approval::decode(&approval::encode(&value))
    };
    let roles = |count: usize| (0..count).map(|i| format!("role {i:0>3}")).collect::<Vec<_>>();
    with(&|a| a.roles = roles(APPROVAL_ROLES_MAX)).unwrap();
    over(with(&|a| a.roles = roles(APPROVAL_ROLES_MAX + 1)));
    with(&|a| a.roles = vec!["r".repeat(ROLE_NAME_BYTES_MAX)]).unwrap();
    over(with(&|a| a.roles = vec!["r".repeat(ROLE_NAME_BYTES_MAX + 1)]));
    let note = |length| ApprovalAct::Reject { note: "n".repeat(length) };
    with(&|a| a.act = note(APPROVAL_NOTE_BYTES_MAX)).unwrap();
    over(with(&|a| a.act = note(APPROVAL_NOTE_BYTES_MAX + 1)));
    with(&|a| a.needed = APPROVALS_MAX as u32).unwrap();
    over(with(&|a| a.needed = APPROVALS_MAX as u32 + 1));
    let keys = |count: usize| (0..count).map(|i| sample::seal_key(i as u8)).collect::<Vec<_>>();
    with(&|a| a.keys = keys(SEALING_KEYS_MAX)).unwrap();
    over(with(&|a| a.keys = keys(SEALING_KEYS_MAX + 1)));
    with(&|a| a.recipients = sample::recipients(RECIPIENTS_MAX, 30)).unwrap();
    over(with(&|a| a.recipients = sample::recipients(RECIPIENTS_MAX + 1, 30)));
}

#[test]
fn an_approval_of_the_largest_header_can_be_read() {
    // 29 of these and the label fill a header to within a recipient of its limit.
    let mut header = sample::header();
    header.label = Some(WireLabel::plain("FI", "TL3"));
    header.to = sample::recipients(29, 259);
    header.expires = Some(Timestamp::from_millis(-1));
    let size = header::encode(&header).len();
    assert!(size <= HEADER_BYTES_MAX && size + 2 * 259 > HEADER_BYTES_MAX, "{size}");
    let longest = format!("spiffe://{}/officer/{}", "a".repeat(255), "n".repeat(64));
    let role = |i| format!("{i}{}", "r".repeat(ROLE_NAME_BYTES_MAX - 1));
    let value = Approval {
        recipients: header.to,
        until: header.expires,
        expires: header.expires,
        at: Timestamp::from_millis(-1),
        officer: longest.parse().unwrap(),
        roles: (0..APPROVAL_ROLES_MAX).map(role).collect(),
        act: ApprovalAct::Reject { note: "n".repeat(APPROVAL_NOTE_BYTES_MAX) },
        ..sample::approval()
    };
    let bytes = approval::encode(&value);
    assert!(bytes.len() + 2 * 259 <= APPROVAL_BYTES_MAX, "{}", bytes.len());
    assert_eq!(approval::decode(&bytes), Ok(value));
    over(approval::decode(&[bytes.to_vec(), vec![0; APPROVAL_BYTES_MAX]].concat()));
}

#[test]
fn a_hello() {
    let hello = Hello {
        version: 1,
        software: "s".repeat(SOFTWARE_BYTES_MAX + 1),
        federation_serial: 1,
        policy_digest: None,
        witnessed: None,
    };
    let read = Hello::decode(hello.encode()).unwrap();
    assert_eq!(read.software.len(), SOFTWARE_BYTES_MAX);
    let by_hand = |software: &str| {
        Hello::decode([pieces::number(1, 1), pieces::field(2, software.as_bytes())].concat().into())
    };
    by_hand(&"s".repeat(SOFTWARE_BYTES_MAX)).unwrap();
    over(by_hand(&"s".repeat(SOFTWARE_BYTES_MAX + 1)));
    Hello::decode(pieces::field(2, b"no version").into()).unwrap_err();
    let padded = |length: usize| {
        let head = pieces::number(1, 1);
        let padding = pieces::field(99, &vec![0; length - head.len() - 4]);
        Hello::decode([head, padding].concat().into())
    };
    padded(HELLO_BYTES_MAX).unwrap();
    over(padded(HELLO_BYTES_MAX + 1));
}

#[test]
fn the_items_of_a_batch() {
    let parcels = |count| sample::batch(vec![sample::parcel(5); count]);
    edge(parcels(BATCH_MESSAGES_MAX), parcels(BATCH_MESSAGES_MAX + 1));
    edge(sample::receipts(BATCH_MESSAGES_MAX), sample::receipts(BATCH_MESSAGES_MAX + 1));
    Batch::decode(parcels(0).encode()).unwrap_err();
    Batch::decode(sample::receipts(0).encode()).unwrap_err();
}

#[test]
fn a_batch_carries_what_its_lane_carries() {
    let mut mixed = sample::batch(vec![sample::parcel(5)]);
    mixed.receipts = vec![sample::signed_receipt()];
    Batch::decode(mixed.encode()).unwrap_err();
    mixed.lane = Lane::Receipts;
    Batch::decode(mixed.encode()).unwrap_err();
    mixed.parts.clear();
    Batch::decode(mixed.encode()).unwrap();
    let mut submission = sample::submission(1, 5);
    submission.lane = Lane::Receipts;
    Request::decode(Request::Submit(submission).encode()).unwrap_err();
}

#[test]
fn the_certificates_of_a_batch() {
    let with = |count: usize, length: usize| {
        let mut batch = sample::batch(vec![sample::parcel(5)]);
        batch.certificates = vec![vec![5; length].into(); count];
        batch
    };
    edge(with(APPROVED_CERTIFICATES_MAX, 9), with(APPROVED_CERTIFICATES_MAX + 1, 9));
    edge(with(1, CERTIFICATE_BYTES_MAX), with(1, CERTIFICATE_BYTES_MAX + 1));
    Batch::decode(with(1, 0).encode()).unwrap_err();
}

#[test]
fn the_approvals_of_a_message() {
    let with = |count: usize, length: Option<usize>| {
        let mut approval = sample::signed_approval();
        if let Some(length) = length {
            approval.approval = vec![7; length].into();
        }
        let mut parcel = sample::parcel(5);
        parcel.approvals = vec![approval; count];
        sample::batch(vec![parcel])
    };
    edge(with(APPROVALS_MAX, None), with(APPROVALS_MAX + 1, None));
    edge(with(1, Some(APPROVAL_BYTES_MAX)), with(1, Some(APPROVAL_BYTES_MAX + 1)));
    Batch::decode(with(1, Some(0)).encode()).unwrap_err();
    let permit = |approvals| {
        let outcome = Outcome::Permit { seal: true, size_max: 1, approvals };
        Reply::Answer(Answer { outcome })
    };
    edge(permit(255), permit(256));
}

#[test]
fn markers_over_their_limits_are_cut_and_the_message_arrives() {
    let ToReceiver::Delivery(mut delivery) = sample::delivery(1, 5) else { unreachable!() };
    let text = || "HARJOITUS\n".repeat(100);
    let marker = Marker { fi: text(), sv: text(), en: text() };
    delivery.parts[0].messages[0].handling.markers = vec![marker; MARKERS_MAX + 1];
    let read = ToReceiver::decode(ToReceiver::Delivery(delivery).encode());
    let Ok(ToReceiver::Delivery(read)) = read else { panic!("a delivery") };
    let markers = &read.parts[0].messages[0].handling.markers;
    assert_eq!(markers.len(), MARKERS_MAX);
    assert!(markers[0].sv.starts_with("HARJOITUS HARJOITUS"));
    assert_eq!(markers[0].sv.len(), MARKER_BYTES_MAX);
}

#[test]
fn the_bodies_of_a_frame() {
    const LONE: usize = BODY_BYTES_MAX as usize;
    const HALF: usize = BATCH_BYTES_MAX / 2;
    let parcels = |count, length| sample::batch(vec![sample::parcel(length); count]);
    edge(parcels(1, LONE), parcels(1, LONE + 1));
    edge(parcels(2, HALF), parcels(2, HALF + 1));
    let submit = |count, length| Request::Submit(sample::submission(count, length));
    edge(submit(1, LONE), submit(1, LONE + 1));
    edge(submit(2, HALF), submit(2, HALF + 1));
    edge(sample::delivery(1, LONE), sample::delivery(1, LONE + 1));
    edge(sample::delivery(2, HALF), sample::delivery(2, HALF + 1));
    let mut unsalted = parcels(1, 0);
    Batch::decode(unsalted.encode()).expect("an empty body has its salt");
    unsalted.parts[0].part.messages[0].body = Bytes::from(vec![3; BODY_SALT_BYTES - 1]);
    Batch::decode(unsalted.encode()).unwrap_err();
}

#[test]
fn the_proof_of_an_envelope() {
    let with =
        |change: &dyn Fn(&mut BatchProof)| held(|message| change(&mut message.envelope.proof));
    edge(
        with(&|p| p.path = vec![Digest([6; 32]); PROOF_PATH_MAX]),
        with(&|p| p.path = vec![Digest([6; 32]); PROOF_PATH_MAX + 1]),
    );
    edge(with(&|p| p.size = BATCH_LEAVES_MAX), with(&|p| p.size = BATCH_LEAVES_MAX + 1));
    for spoiled in [
        with(&|p| p.index = p.size),
        with(&|p| p.size = 0),
        with(&|p| p.signature = vec![2; SIGNATURE_BYTES - 1].into()),
        with(&|p| p.signature = vec![2; SIGNATURE_BYTES + 1].into()),
    ] {
        AdminReply::decode(spoiled.encode()).unwrap_err();
    }
}

#[test]
fn the_signed_bytes_in_a_frame() {
    let message = |length: usize| {
        let mut parcel = sample::parcel(5);
        parcel.header = vec![7; length].into();
        sample::batch(vec![parcel])
    };
    edge(message(HEADER_BYTES_MAX), message(HEADER_BYTES_MAX + 1));
    Batch::decode(message(0).encode()).unwrap_err();
}

#[test]
fn the_receipts_in_a_frame() {
    let with = |change: &dyn Fn(&mut SignedReceipt)| {
        let mut batch = sample::receipts(1);
        change(&mut batch.receipts[0]);
        batch
    };
    let entry = |length: usize| with(&|r| r.entry = vec![7; length].into());
    let rest = sample::signed_receipt();
    let most = SIGNED_RECEIPT_BYTES_MAX - 32 * rest.path.len() - rest.checkpoint.len();
    edge(entry(most), entry(most + 1));
    let checkpoint = |length: usize| with(&|r| r.checkpoint = vec![7; length].into());
    edge(checkpoint(CHECKPOINT_BYTES_MAX), checkpoint(CHECKPOINT_BYTES_MAX + 1));
    let path = |hashes: usize| with(&|r| r.path = vec![Digest([6; 32]); hashes]);
    edge(path(LOG_PATH_MAX), path(LOG_PATH_MAX + 1));
    Batch::decode(path(0).encode()).expect("the only entry of a log");
    for spoiled in [entry(0), checkpoint(0)] {
        Batch::decode(spoiled.encode()).unwrap_err();
    }
}

#[test]
fn the_entries_of_the_client_conversation() {
    let submit = |count| Request::Submit(sample::submission(count, 5));
    edge(submit(BATCH_MESSAGES_MAX), submit(BATCH_MESSAGES_MAX + 1));
    edge(sample::delivery(BATCH_MESSAGES_MAX, 5), sample::delivery(BATCH_MESSAGES_MAX + 1, 5));
    edge(sample::receipt_batch(BATCH_MESSAGES_MAX), sample::receipt_batch(BATCH_MESSAGES_MAX + 1));
    let tickets = |more| sample::tickets(CREDIT_MAX as usize + more);
    edge(FromReceiver::Confirm(tickets(0)), FromReceiver::Confirm(tickets(1)));
    edge(ToReceiver::Confirmed(tickets(0)), ToReceiver::Confirmed(tickets(1)));
    let reasons = vec!["r".repeat(REASON_BYTES_MAX); REASONS_MAX];
    let why = Refusal { code: Code::MALFORMED, reasons };
    let aside = |more| FromReceiver::SetAside { tickets: tickets(more), why: why.clone() };
    edge(aside(0), aside(1));
    let ask = |count| sample::question(sample::addresses(count, 30));
    edge(ask(RECIPIENTS_MAX), ask(RECIPIENTS_MAX + 1));
    Request::decode(ask(0).encode()).unwrap_err();
    let twice = [sample::addresses(1, 30), sample::addresses(1, 30)].concat();
    Request::decode(sample::question(twice).encode()).unwrap_err();
}

#[test]
fn the_answer_to_a_submission() {
    let with = |change: &dyn Fn(&mut SubmissionAnswer)| {
        let mut answer = sample::submission_answer();
        change(&mut answer);
        Reply::Submission(answer)
    };
    let verdicts = |count| with(&|a| a.verdicts = vec![Verdict::Busy; count]);
    edge(verdicts(BATCH_MESSAGES_MAX), verdicts(BATCH_MESSAGES_MAX + 1));
    Reply::decode(verdicts(0).encode()).unwrap_err();
    let receipts = |count| with(&|a| a.receipts = vec![sample::signed_receipt(); count]);
    edge(receipts(ANSWER_RECEIPTS_MAX), receipts(ANSWER_RECEIPTS_MAX + 1));
    Reply::decode(receipts(0).encode()).expect("nothing was accepted");
}

/// Refusals with everything that one may say.
fn full_refusals(count: usize) -> Vec<Verdict> {
    let reasons = vec!["r".repeat(REASON_BYTES_MAX); REASONS_MAX];
    vec![Verdict::Refused(Refusal { code: Code::POLICY, reasons }); count]
}

#[test]
fn the_largest_answer_to_a_submission_fits_its_frame() {
    // An accepted message has a receipt without reasons for each recipient, a refused one has
    // reasons and no receipt; here every message has both.
    let answer = Reply::Submission(SubmissionAnswer {
        verdicts: full_refusals(BATCH_MESSAGES_MAX),
        receipts: vec![sample::longest_acceptance(); ANSWER_RECEIPTS_MAX],
    });
    assert_eq!(Reply::decode(answer.encode()), Ok(answer));
}

#[test]
fn a_frame_of_verdicts() {
    let verdicts = |count| Verdicts { verdicts: full_refusals(count), receipts: Vec::new() };
    edge(verdicts(BATCH_MESSAGES_MAX), verdicts(BATCH_MESSAGES_MAX + 1));
    Verdicts::decode(verdicts(0).encode()).unwrap_err();
    let taken = |receipt: SignedReceipt, count| {
        let at = Timestamp::from_millis(-1);
        let verdicts = vec![Verdict::Accepted { at, repeat: true }; BATCH_MESSAGES_MAX];
        Verdicts { verdicts, receipts: vec![receipt; count] }
    };
    let receipt = sample::signed_receipt();
    edge(
        taken(receipt.clone(), ANSWER_RECEIPTS_MAX),
        taken(receipt.clone(), ANSWER_RECEIPTS_MAX + 1),
    );
    let checkpoint = 2000 - receipt.entry.len() - 32 * receipt.path.len();
    let checkpoint = vec![b'c'; checkpoint].into();
    let full = taken(SignedReceipt { checkpoint, ..receipt }, ANSWER_RECEIPTS_MAX);
    assert_eq!(Verdicts::decode(full.encode()), Ok(full));
}

#[test]
fn a_batch_of_receipts_may_be_empty_and_still_says_where_to_go_on() {
    for next in [0, 2, u64::MAX] {
        let batch = ToReceiptReader::Receipts(ReceiptBatch { receipts: Vec::new(), next });
        assert_eq!(ToReceiptReader::decode(batch.encode()), Ok(batch));
    }
}

#[test]
fn a_status_report() {
    const ENTRIES: usize = STATUS_ENTRIES_MAX;
    const NAME: usize = STATUS_NAME_BYTES_MAX;
    edge(sample::report(ENTRIES, 1, 9), sample::report(ENTRIES + 1, 1, 9));
    edge(sample::report(1, ENTRIES, 9), sample::report(1, ENTRIES + 1, 9));
    edge(sample::report(1, 1, NAME), sample::report(1, 1, NAME + 1));
}

#[test]
fn a_problem_that_quotes_a_hostile_peer_does_not_spoil_the_report() {
    let Reply::Status(mut report) = sample::report(1, 1, 9) else { unreachable!() };
    report.peers[0].problem = Some("\x1b[31mfail\r\n".repeat(1000));
    let Ok(Reply::Status(read)) = Reply::decode(Reply::Status(report).encode()) else {
        panic!("a report")
    };
    let problem = read.peers[0].problem.clone().unwrap();
    assert!(problem.starts_with(" [31mfail  "), "{problem}");
    assert_eq!(problem.len(), REASON_BYTES_MAX);
}

#[test]
fn the_questions_and_answers_of_a_witness() {
    let ask = |proof: usize, checkpoint: usize| {
        RelayRequest::Witness(WitnessRequest {
            old: 1,
            proof: vec![Digest([7; 32]); proof],
            checkpoint: vec![b'c'; checkpoint].into(),
        })
    };
    edge(ask(LOG_PATH_MAX, 1), ask(LOG_PATH_MAX + 1, 1));
    edge(ask(0, CHECKPOINT_BYTES_MAX), ask(0, CHECKPOINT_BYTES_MAX + 1));
    assert!(RelayRequest::decode(ask(0, 0).encode()).is_err(), "no checkpoint");
    let cosigned = |length| Witnessed::Cosigned("l".repeat(length));
    edge(cosigned(COSIGNATURE_BYTES_MAX), cosigned(COSIGNATURE_BYTES_MAX + 1));
    let lines = Witnessed::Cosigned("— two\nlines".into());
    assert!(Witnessed::decode(lines.encode()).is_err());
    let holds = |length| Witnessed::Holds(vec![b'c'; length].into());
    edge(holds(CHECKPOINT_BYTES_MAX), holds(CHECKPOINT_BYTES_MAX + 1));
}
