//! Any frame, within its limits.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_types::*;
use kuriiri_wire::{Part, Place, Proofs, Proved, client::*, relay::*};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{address, addresses, code, digest, label, lane, line, ministry, precedence, time};

// === parts ===

pub(super) fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 1..=most).prop_map(Bytes::from)
}

pub(super) fn body() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 32..100).prop_map(Bytes::from)
}

pub(super) fn certificates() -> impl Strategy<Value = Vec<Bytes>> {
    vec(bytes(20), 0..3)
}

fn proof() -> impl Strategy<Value = BatchProof> {
    let place = (1..=65_536_u32).prop_flat_map(|size| (0..size, Just(size)));
    let signature = vec(any::<u8>(), 64).prop_map(Bytes::from);
    (digest(), place, vec(digest(), 0..=16), signature).prop_map(
        |(signer, (index, size), path, signature)| BatchProof {
            signer,
            index,
            size,
            path,
            signature,
        },
    )
}

pub(super) fn envelope() -> impl Strategy<Value = Envelope> {
    (bytes(60), proof()).prop_map(|(header, proof)| Envelope { header, proof })
}

/// A part of a signed batch with these messages.
fn part<T: std::fmt::Debug>(message: impl Strategy<Value = T>) -> impl Strategy<Value = Part<T>> {
    let signed = (proof(), vec(digest(), 0..4), 0..40_u32);
    (signed, vec(message, 1..4)).prop_map(|((proof, path, more), messages)| {
        let count = u32::try_from(messages.len()).unwrap();
        let (size, first) = (count + more, more / 2);
        let BatchProof { signer, signature, .. } = proof;
        let proof = if more == 0 { Vec::new() } else { path };
        let positions = (first..first + count).collect();
        Part { signed: SignedPart { signer, size, signature, positions, proof }, messages }
    })
}

pub(super) fn signed_receipt() -> impl Strategy<Value = SignedReceipt> {
    (bytes(60), any::<u64>(), vec(digest(), 0..=63), bytes(60)).prop_map(
        |(entry, index, path, checkpoint)| SignedReceipt { entry, index, path, checkpoint },
    )
}

pub(super) fn signed_approvals() -> impl Strategy<Value = Vec<SignedApproval>> {
    let one = (bytes(60), proof()).prop_map(|(approval, proof)| SignedApproval { approval, proof });
    vec(one, 0..3)
}

fn handling() -> impl Strategy<Value = Handling> {
    let marker = (line(), line(), line()).prop_map(|(fi, sv, en)| Marker { fi, sv, en });
    let onward = select(vec![Onward::Free, Onward::OriginatorConsent, Onward::Never]);
    let seconds = || option::of(any::<u64>().prop_map(Duration::from_secs));
    (vec(marker, 0..3), onward, seconds(), seconds()).prop_map(
        |(markers, onward, retain_max, retain_min)| Handling {
            markers,
            onward,
            retain_max,
            retain_min,
        },
    )
}

pub(super) fn refusal() -> impl Strategy<Value = Refusal> {
    (code(), vec(line(), 0..4)).prop_map(|(code, reasons)| Refusal { code, reasons })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        (time(), any::<bool>()).prop_map(|(at, repeat)| Verdict::Accepted { at, repeat }),
        refusal().prop_map(Verdict::Refused),
        Just(Verdict::Busy),
        code().prop_map(Verdict::Later),
    ]
}

// === whole frames ===

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    (1_u32.., line(), any::<u64>(), option::of(digest()), option::of(bytes(60))).prop_map(
        |(version, software, federation_serial, policy_digest, witnessed)| Hello {
            version,
            software,
            federation_serial,
            policy_digest,
            witnessed,
        },
    )
}

pub(crate) fn relay_request() -> impl Strategy<Value = RelayRequest> {
    let witness = (any::<u64>(), vec(digest(), 0..=63), bytes(60));
    prop_oneof![
        batch().prop_map(RelayRequest::Batch),
        witness.prop_map(|(old, proof, checkpoint)| {
            RelayRequest::Witness(WitnessRequest { old, proof, checkpoint })
        }),
        (ministry(), places()).prop_map(|(issuer, places)| RelayRequest::Prove { issuer, places }),
    ]
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    vec((any::<u64>(), digest()).prop_map(|(index, leaf)| Place { index, leaf }), 1..4)
}

fn proofs() -> impl Strategy<Value = Proofs> {
    (bytes(60), vec(option::of(vec(digest(), 0..=63)), 1..4))
        .prop_map(|(checkpoint, paths)| Proofs { checkpoint, paths })
}

pub(crate) fn proved() -> impl Strategy<Value = Proved> {
    prop_oneof![proofs().prop_map(Proved::Proofs), refusal().prop_map(Proved::Refused)]
}

pub(crate) fn witnessed() -> impl Strategy<Value = Witnessed> {
    prop_oneof![
        line().prop_map(Witnessed::Cosigned),
        vec(any::<u8>(), 0..60).prop_map(|held| Witnessed::Holds(held.into())),
        refusal().prop_map(Witnessed::Refused),
    ]
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    let parcel = (bytes(60), body(), signed_approvals())
        .prop_map(|(header, body, approvals)| Parcel { header, body, approvals });
    let relayed = (ministry(), vec(ministry(), 1..=8), part(parcel))
        .prop_map(|(dest, path, part)| RelayedPart { dest, path, part });
    let head = (lane(), any::<u64>(), any::<u32>(), certificates());
    (head, vec(relayed, 1..4), vec(signed_receipt(), 1..4)).prop_map(
        |((lane, number, epoch, certificates), parts, receipts)| {
            let (parts, receipts) = match lane {
                Lane::Messages(_) => (parts, Vec::new()),
                Lane::Receipts => (Vec::new(), receipts),
            };
            Batch { lane, number, epoch, certificates, parts, receipts }
        },
    )
}

pub(crate) fn verdicts() -> impl Strategy<Value = Verdicts> {
    (vec(verdict(), 1..6), vec(signed_receipt(), 0..4))
        .prop_map(|(verdicts, receipts)| Verdicts { verdicts, receipts })
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        submission().prop_map(Request::Submit),
        (address(), any::<u32>())
            .prop_map(|(mailbox, credit)| Request::Receive { mailbox, credit }),
        (address(), receipt_mode()).prop_map(|(address, mode)| Request::Receipts { address, mode }),
        question().prop_map(Request::Ask),
        Just(Request::Status),
        (ministry(), places()).prop_map(|(issuer, places)| Request::Prove { issuer, places }),
    ]
}

fn receipt_mode() -> impl Strategy<Value = ReceiptMode> {
    prop_oneof![
        Just(ReceiptMode::Consume),
        option::of(any::<u64>()).prop_map(|from| ReceiptMode::Watch { from }),
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    let message = (bytes(60), body()).prop_map(|(header, body)| Submitted { header, body });
    let head = (any::<u32>(), any::<u64>(), precedence(), certificates());
    (head, vec(part(message), 1..4)).prop_map(
        |((epoch, number, precedence, certificates), parts)| Submission {
            epoch,
            number,
            lane: Lane::Messages(precedence),
            certificates,
            parts,
        },
    )
}

fn question() -> impl Strategy<Value = Question> {
    (address(), addresses(8), option::of(label()), precedence(), any::<u64>()).prop_map(
        |(from, to, label, precedence, size)| Question { from, to, label, precedence, size },
    )
}

pub(crate) fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        submission_answer().prop_map(Reply::Submission),
        answer().prop_map(Reply::Answer),
        report().prop_map(Reply::Status),
        refusal().prop_map(Reply::Refused),
        proofs().prop_map(Reply::Proofs),
    ]
}

fn submission_answer() -> impl Strategy<Value = SubmissionAnswer> {
    (vec(verdict(), 1..6), vec(signed_receipt(), 0..4))
        .prop_map(|(verdicts, receipts)| SubmissionAnswer { verdicts, receipts })
}

fn answer() -> impl Strategy<Value = Answer> {
    let outcome = prop_oneof![
        (any::<bool>(), any::<u64>(), 0..=255_u32)
            .prop_map(|(seal, size_max, approvals)| Outcome::Permit { seal, size_max, approvals }),
        refusal().prop_map(Outcome::Refuse),
    ];
    outcome.prop_map(|outcome| Answer { outcome })
}

fn report() -> impl Strategy<Value = StatusReport> {
    let queue = (line(), any::<u64>(), option::of(time()))
        .prop_map(|(name, messages, oldest)| QueueStatus { name, messages, oldest });
    let waiting = (any::<u64>(), option::of(time()), option::of(time()));
    let peer = (ministry(), any::<bool>(), waiting, option::of(line())).prop_map(
        |(ministry, connected, (waiting, oldest, next_try), problem)| PeerStatus {
            ministry,
            connected,
            waiting,
            oldest,
            next_try,
            problem,
        },
    );
    (ministry(), line(), time(), vec(queue, 0..4), vec(peer, 0..4)).prop_map(
        |(ministry, relay, now, mailboxes, peers)| StatusReport {
            ministry,
            relay,
            now,
            mailboxes,
            peers,
        },
    )
}

fn tickets() -> impl Strategy<Value = Vec<Ticket>> {
    vec((lane(), any::<u64>()).prop_map(|(lane, seq)| Ticket { lane, seq }), 1..6)
}

pub(crate) fn from_receiver() -> impl Strategy<Value = FromReceiver> {
    prop_oneof![
        tickets().prop_map(FromReceiver::Confirm),
        (tickets(), refusal()).prop_map(|(tickets, why)| FromReceiver::SetAside { tickets, why }),
    ]
}

pub(crate) fn to_receiver() -> impl Strategy<Value = ToReceiver> {
    let ticket = (lane(), any::<u64>()).prop_map(|(lane, seq)| Ticket { lane, seq });
    let item = (ticket, bytes(60), body(), signed_approvals(), handling()).prop_map(
        |(ticket, header, body, approvals, handling)| DeliveredItem {
            ticket,
            header,
            body,
            approvals,
            handling,
        },
    );
    prop_oneof![
        (certificates(), vec(part(item), 1..4)).prop_map(|(certificates, parts)| {
            ToReceiver::Delivery(Delivery { certificates, parts })
        }),
        tickets().prop_map(ToReceiver::Confirmed),
        refusal().prop_map(ToReceiver::Refused),
    ]
}

pub(crate) fn to_receipt_reader() -> impl Strategy<Value = ToReceiptReader> {
    let receipts = vec((any::<u64>(), signed_receipt()), 0..4);
    prop_oneof![
        (receipts, any::<u64>()).prop_map(|(receipts, next)| {
            ToReceiptReader::Receipts(ReceiptBatch { receipts, next })
        }),
        refusal().prop_map(ToReceiptReader::Refused),
    ]
}

pub(crate) fn confirm_receipts() -> impl Strategy<Value = ConfirmReceipts> {
    any::<u64>().prop_map(|through| ConfirmReceipts { through })
}
