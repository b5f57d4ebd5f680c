//! Messages that were signed together, in frames, and proofs of places in a log.

use bytes::Bytes;
use kuriiri_types::{limits::*, *};
use kuriiri_wire::{Frame, Part, Place, Proofs, Proved, client::*, limits::*, relay::*};

use crate::{limits::edge, sample};

/// A message alone with all that can be with it, and as many as go into a batch: those that are not alone
/// have [`BATCH_BYTES_MAX`] bytes together with their headers and approvals.
#[test]
fn the_fullest_batches_and_deliveries_fit_their_frames() {
    let proof = sample::longest_proof();
    let approval = SignedApproval { approval: vec![7; APPROVAL_BYTES_MAX].into(), proof };
    let approvals = vec![approval; APPROVALS_MAX];
    let whole = usize::try_from(BODY_BYTES_MAX).unwrap();
    fullest(1, HEADER_BYTES_MAX, whole, &approvals);
    let each = BATCH_BYTES_MAX / BATCH_MESSAGES_MAX / 2;
    fullest(BATCH_MESSAGES_MAX, each, each, &[]);
}

/// Each message of a signed batch of its own, with the longest path, names, markers and certificates.
fn fullest(count: usize, header: usize, body: usize, approvals: &[SignedApproval]) {
    let proof = sample::longest_proof();
    let (positions, path) = (vec![proof.index], proof.path);
    let signed = SignedPart { positions, proof: path, ..sample::whole(proof.size) };
    let (header, body) = (Bytes::from(vec![7; header]), sample::body(body));
    let certificates = vec![vec![5; CERTIFICATE_BYTES_MAX].into(); APPROVED_CERTIFICATES_MAX];
    let certificates = certificates[..certificates.len().min(count * 17)].to_vec();
    let ministry: Ministry = "a".repeat(MINISTRY_NAME_BYTES_MAX).parse().unwrap();

    let approvals = approvals.to_vec();
    let parcel =
        Parcel { header: header.clone(), body: body.clone(), approvals: approvals.clone() };
    let part = Part { signed: signed.clone(), messages: vec![parcel] };
    let part = RelayedPart { dest: ministry.clone(), path: vec![ministry; HOPS_MAX], part };
    let mut batch = sample::batch(Vec::new());
    batch.parts = vec![part; count];
    batch.certificates.clone_from(&certificates);
    assert!(Batch::decode(batch.encode()) == Ok(batch), "a batch of {count}");

    let text = || "m".repeat(MARKER_BYTES_MAX);
    let markers = vec![Marker { fi: text(), sv: text(), en: text() }; MARKERS_MAX];
    let handling = Handling { markers, ..Handling::free() };
    let item = DeliveredItem { ticket: sample::tickets(1)[0], header, body, approvals, handling };
    let part = Part { signed, messages: vec![item] };
    let delivery = ToReceiver::Delivery(Delivery { certificates, parts: vec![part; count] });
    assert!(ToReceiver::decode(delivery.encode()) == Ok(delivery), "a delivery of {count}");
}

#[test]
fn the_path_of_a_part() {
    let with = |hops: usize| {
        let mut batch = sample::batch(vec![sample::parcel(5)]);
        batch.parts[0].path = vec!["sm.example".parse().unwrap(); hops];
        batch
    };
    edge(with(HOPS_MAX), with(HOPS_MAX + 1));
    Batch::decode(with(0).encode()).unwrap_err();
}

#[test]
fn the_parts_of_a_frame() {
    let with = |signed: SignedPart| {
        let mut batch = sample::batch(vec![sample::parcel(5); 2]);
        batch.parts[0].part.signed = signed;
        batch
    };
    let two = |positions: &[u32], size| with(sample::part(positions, size));
    let most = BATCH_LEAVES_MAX;
    edge(two(&[0, most - 1], most), two(&[0, most - 1], most + 1));
    let proof = |length| {
        let proof = vec![Digest([6; 32]); length];
        with(SignedPart { proof, ..sample::part(&[1, 4], 9) })
    };
    edge(proof(2 * PROOF_PATH_MAX), proof(2 * PROOF_PATH_MAX + 1));
    let signature =
        |length| with(SignedPart { signature: vec![2; length].into(), ..sample::part(&[1, 4], 9) });
    for spoiled in [
        two(&[4, 1], 9),
        two(&[4, 4], 9),
        two(&[4, 9], 9),
        two(&[4], 9),
        two(&[4, 5, 6], 9),
        two(&[], 9),
        with(sample::whole(3)),
        with(sample::whole(1)),
        with(SignedPart { size: 0, ..sample::whole(2) }),
        with(SignedPart { proof: vec![Digest([6; 32])], ..sample::whole(2) }),
        signature(SIGNATURE_BYTES - 1),
        signature(SIGNATURE_BYTES + 1),
    ] {
        Batch::decode(spoiled.encode()).unwrap_err();
    }
    // The limit is on all messages, wherever they are; and there is no part without one.
    let parts = |count: usize, each: usize| {
        let part = sample::batch(vec![sample::parcel(5); each]).parts.remove(0);
        Batch { parts: vec![part; count], ..sample::batch(Vec::new()) }
    };
    edge(parts(BATCH_MESSAGES_MAX / 2, 2), parts(BATCH_MESSAGES_MAX / 2 + 1, 2));
    let mut empty = parts(2, 1);
    empty.parts[1].part = Part { signed: sample::part(&[], 1), messages: Vec::new() };
    Batch::decode(empty.encode()).unwrap_err();
}

#[test]
fn the_places_and_their_proofs() {
    let place = Place { index: u64::MAX, leaf: Digest([7; 32]) };
    let places = |count| RelayRequest::Prove {
        issuer: "um.example".parse().unwrap(),
        places: vec![place; count],
    };
    edge(places(BATCH_MESSAGES_MAX), places(BATCH_MESSAGES_MAX + 1));
    RelayRequest::decode(places(0).encode()).unwrap_err();
    let proved = |count, path: usize, checkpoint: usize| {
        let paths = vec![Some(vec![Digest([6; 32]); path]); count];
        Proved::Proofs(Proofs { checkpoint: vec![b'c'; checkpoint].into(), paths })
    };
    let most = BATCH_MESSAGES_MAX;
    edge(proved(most, LOG_PATH_MAX, 9), proved(most + 1, LOG_PATH_MAX, 9));
    edge(proved(1, LOG_PATH_MAX, 9), proved(1, LOG_PATH_MAX + 1, 9));
    edge(proved(1, 1, CHECKPOINT_BYTES_MAX), proved(1, 1, CHECKPOINT_BYTES_MAX + 1));
    Proved::decode(proved(most, LOG_PATH_MAX, CHECKPOINT_BYTES_MAX).encode()).unwrap();
    for wrong in [proved(0, 1, 9), proved(1, 1, 0)] {
        Proved::decode(wrong.encode()).unwrap_err();
    }
}
