//! Receipts that come with the answer to a message and prove it.

use kuriiri_client::{Accepted, Draft, ReceiptFault, SendError, Unproven, receipt_proof};
use kuriiri_seal::NoteKey;
use kuriiri_tlog::TlogProof;
use kuriiri_types::{
    Code, Digest, MessageId, Receipt, ReceiptKind, Refusal, SignedReceipt, Verdict,
};
use kuriiri_wire::client::{Reply, SubmissionAnswer};

use crate::{
    log::{LIES, Log},
    relay::{Relay, accepted},
    world::{World, address, both, draft, kirjaamo, now},
};

/// Sends a message for two recipients, has it answered with this verdict and what `receipts` makes
/// of the true ones, and gives what comes of it.
async fn answered(
    world: &World,
    verdict: Verdict,
    receipts: impl FnOnce(Vec<Receipt>) -> Vec<SignedReceipt>,
) -> Result<Accepted, SendError> {
    let mut relay = Relay::open(world, &world.sm);
    let client = world.connect(&world.sm, &relay).await;
    let relaying = async {
        let submitting = relay.submission().await;
        let verdicts = vec![verdict];
        let receipts = receipts(submitting.true_receipts(&verdicts));
        submitting.reply(Reply::Submission(SubmissionAnswer { verdicts, receipts })).await;
    };
    both(client.send(for_two()), relaying).await.0
}

fn for_two() -> Draft {
    draft("for two").info(address("other@um.example"))
}

/// What is wrong with the receipts of an acceptance.
async fn unproven(
    world: &World,
    receipts: impl FnOnce(Vec<Receipt>) -> Vec<SignedReceipt>,
) -> Unproven {
    let error = answered(world, accepted(), receipts).await.unwrap_err();
    let SendError::Unproven { source, .. } = error else { panic!("{error}") };
    source
}

fn refusal() -> Refusal {
    Refusal { code: Code::POLICY, reasons: vec!["no clearance".into()] }
}

// === acceptance ===

#[tokio::test]
async fn an_acceptance_is_proved_for_every_recipient_by_files_that_others_can_check() {
    let world = World::new();
    let accepted = answered(&world, accepted(), |true_ones| world.sm.log.write(&true_ones)).await;
    let accepted = accepted.unwrap();
    let recipients = accepted.receipts.iter().map(|r| r.receipt().recipient.to_string());
    assert_eq!(recipients.collect::<Vec<_>>(), ["kirjaamo@um.example", "other@um.example"]);
    let proofs: Vec<_> = accepted.proofs().collect();
    assert_eq!(proofs.len(), 2);
    for (receipt, file) in accepted.receipts.iter().zip(proofs) {
        let proof = TlogProof::parse(&file).unwrap();
        assert_eq!(proof.extra, receipt.signed().entry);
        let checkpoint = proof.verify_entry(&proof.extra, world.sm.log.key()).unwrap();
        assert_eq!(checkpoint.origin, "sm.example/log");
        assert!(proof.verify_entry(&proof.extra, world.um.log.key()).is_err());
        assert!(proof.verify_entry(b"another entry", world.sm.log.key()).is_err());
    }
}

#[tokio::test]
async fn a_log_that_was_begun_anew_proves_as_much() {
    let mut world = World::new();
    let (_, pem) = NoteKey::generate().unwrap();
    let log = |origin| Log::with(origin, NoteKey::from_pem(&pem).unwrap());
    world.sm.log = log("sm.example/log");
    let again = log("sm.example/log/2");
    let accepted = answered(&world, accepted(), |true_ones| again.write(&true_ones)).await;
    assert_eq!(accepted.unwrap().receipts.len(), 2);
}

#[tokio::test]
async fn an_acceptance_without_a_receipt_for_every_recipient_is_unproven() {
    let world = World::new();
    let log = &world.sm.log;
    assert!(matches!(unproven(&world, |_| Vec::new()).await, Unproven::Missing));
    let one = unproven(&world, |true_ones| log.write(&true_ones[..1])).await;
    assert!(matches!(one, Unproven::Missing), "{one}");
    // Receipts of another message are none of this one.
    let digest = Digest([7; 32]);
    let others = |r: &Receipt| Receipt { header_digest: digest, ..r.clone() };
    let others = |true_ones: Vec<Receipt>| true_ones.iter().map(others).collect::<Vec<_>>();
    let others = unproven(&world, |true_ones| log.write(&others(true_ones))).await;
    assert!(matches!(others, Unproven::Missing), "{others}");
    assert_eq!(others.code(), Code::PROTOCOL);
}

#[tokio::test]
async fn an_acceptance_whose_receipts_stand_in_no_log_is_unproven() {
    let world = World::new();
    for (name, tell, said) in LIES {
        let log = &world.sm.log;
        let told = |mut true_ones: Vec<Receipt>| {
            let lie = tell(log, true_ones.remove(0));
            vec![lie, log.write_one(true_ones.remove(0))]
        };
        let source = unproven(&world, told).await;
        let Unproven::NotGenuine(fault) = &source else { panic!("{name}: {source}") };
        assert!(matches!(fault, ReceiptFault::Refuted(_)), "{name}: {fault}");
        assert!(fault.to_string().contains(said), "{name}: {fault}");
    }
}

#[tokio::test]
async fn only_the_own_relays_word_that_it_accepted_this_very_message_proves_it() {
    let world = World::new();
    type Change = fn(Receipt) -> Receipt;
    let changes: [Change; 6] = [
        |r| Receipt { kind: ReceiptKind::Relayed, ..r },
        |r| Receipt { recipient: address("third@um.example"), ..r },
        |r| Receipt { message: MessageId::new(now(), [7; 10]), ..r },
        |r| Receipt { sender: address("other@sm.example"), ..r },
        |r| Receipt { by: None, ..r },
        |r| Receipt { by: Some(kirjaamo(&"um.example".parse().unwrap())), ..r },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let changed = |mut true_ones: Vec<Receipt>| {
            let last = true_ones.remove(1);
            world.sm.log.write(&[true_ones.remove(0), change(last)])
        };
        let wrong = unproven(&world, changed).await;
        assert!(
            matches!(&wrong, Unproven::Other(issuer) if *issuer == world.sm.ministry),
            "{number}"
        );
    }
    let foreign = |true_ones: Vec<Receipt>| {
        let issuer = world.um.ministry.clone();
        let said = true_ones.into_iter().map(|r| Receipt { issuer: issuer.clone(), ..r });
        world.um.log.write(&said.collect::<Vec<_>>())
    };
    let Unproven::Other(issuer) = unproven(&world, foreign).await else { panic!("accepted") };
    assert_eq!(issuer, world.um.ministry);

    let swapped = |mut true_ones: Vec<Receipt>| {
        true_ones.reverse();
        world.sm.log.write(&true_ones)
    };
    assert!(matches!(unproven(&world, swapped).await, Unproven::Other(_)));
    // Whoever says more than was asked for contradicts itself.
    let denied = |mut true_ones: Vec<Receipt>| {
        true_ones.push(Receipt { kind: ReceiptKind::Refused, by: None, ..true_ones[0].clone() });
        world.sm.log.write(&true_ones)
    };
    assert!(matches!(unproven(&world, denied).await, Unproven::Other(_)));
}

// === refusal ===

#[tokio::test]
async fn a_refusal_comes_with_the_relays_word_for_it() {
    let world = World::new();
    let refused = Verdict::Refused(refusal());
    let error = answered(&world, refused.clone(), |true_ones| world.sm.log.write(&true_ones)).await;
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.receipts().len()), (Code::POLICY, 2));
    for verified in error.receipts() {
        let receipt = verified.receipt();
        assert_eq!((receipt.kind, receipt.code), (ReceiptKind::Refused, Some(Code::POLICY)));
        assert_eq!(receipt.reasons, error.reasons());
        let proof = TlogProof::parse(&receipt_proof(verified.signed())).unwrap();
        assert!(proof.verify_entry(&verified.signed().entry, world.sm.log.key()).is_ok());
    }
    // What was not even read is refused without any.
    let error = answered(&world, refused, |_| Vec::new()).await.unwrap_err();
    assert_eq!((error.code(), error.receipts().len()), (Code::POLICY, 0));
}

#[tokio::test]
async fn what_does_not_prove_a_refusal_is_left_out_of_it() {
    let world = World::new();
    type Change = fn(Receipt) -> Receipt;
    let changes: [Change; 5] = [
        |r| Receipt { kind: ReceiptKind::Expired, ..r },
        |r| Receipt { recipient: address("third@um.example"), ..r },
        |r| Receipt { message: MessageId::new(now(), [7; 10]), ..r },
        |r| Receipt { sender: address("other@sm.example"), ..r },
        |r| Receipt { header_digest: Digest([7; 32]), ..r },
    ];
    let told = |mut true_ones: Vec<Receipt>| {
        let (sm, um) = (&world.sm.log, &world.um.log);
        let first = true_ones.remove(0);
        let changed = changes.map(|change| sm.write_one(change(first.clone())));
        let foreign = um.write_one(Receipt { issuer: world.um.ministry.clone(), ..first.clone() });
        let lies = LIES.into_iter().map(|(_, tell, _)| tell(sm, first.clone()));
        let last = sm.write_one(true_ones.remove(0));
        changed.into_iter().chain([foreign]).chain(lies).chain([last]).collect()
    };
    let error = answered(&world, Verdict::Refused(refusal()), told).await.unwrap_err();
    let SendError::Refused { refusal: stated, receipts } = error else { panic!("{error}") };
    assert_eq!(stated, refusal());
    let recipients = receipts.iter().map(|r| r.receipt().recipient.to_string());
    assert_eq!(recipients.collect::<Vec<_>>(), ["other@um.example"]);
}

// === a batch ===

#[tokio::test]
async fn every_message_of_a_batch_finds_its_own_receipts() {
    let (world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..4).map(|_| for_two()));
    let relaying = async {
        let submitting = relay.submission().await;
        let unread = Refusal::bare(Code::SIGNATURE);
        let (refused, unread) = (Verdict::Refused(refusal()), Verdict::Refused(unread));
        let verdicts = vec![refused, accepted(), unread, accepted()];
        let mut said = submitting.true_receipts(&verdicts);
        // The third message was turned away unread; those of the first come last.
        said.drain(4..6);
        said.rotate_left(2);
        let receipts = world.sm.log.write(&said);
        submitting.reply(Reply::Submission(SubmissionAnswer { verdicts, receipts })).await;
    };
    let (sent, ()) = both(sending, relaying).await;
    let [first, second, third, fourth]: [_; 4] = sent.try_into().unwrap();
    let (first, third) = (first.unwrap_err(), third.unwrap_err());
    assert_eq!((first.receipts().len(), third.receipts().len()), (2, 0));
    assert!(first.receipts().iter().all(|r| r.receipt().kind == ReceiptKind::Refused));
    for accepted in [second.unwrap(), fourth.unwrap()] {
        assert_eq!(accepted.receipts.len(), 2);
        assert!(accepted.receipts.iter().all(|r| r.receipt().message == accepted.id));
    }
}

#[tokio::test]
async fn a_lie_about_one_message_costs_no_other_its_proof() {
    let (world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..2).map(draft));
    let relaying = async {
        let submitting = relay.submission().await;
        let verdicts = vec![accepted(); 2];
        let mut said = submitting.true_receipts(&verdicts);
        let (_, tell, _) = LIES[0];
        let lie = tell(&world.sm.log, said.remove(0));
        let receipts = vec![lie, world.sm.log.write_one(said.remove(0))];
        submitting.reply(Reply::Submission(SubmissionAnswer { verdicts, receipts })).await;
    };
    let (sent, ()) = both(sending, relaying).await;
    let [first, second]: [_; 2] = sent.try_into().unwrap();
    let SendError::Unproven { source, .. } = first.unwrap_err() else { panic!("another error") };
    assert!(matches!(source, Unproven::NotGenuine(_)), "{source}");
    assert_eq!(second.unwrap().receipts.len(), 1);
}
