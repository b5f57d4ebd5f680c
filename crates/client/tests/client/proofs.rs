//! Receipts that come with the answer to messages and prove it.

use std::sync::Arc;

use kuriiri_client::{Accepted, Draft, ReceiptFault, SendError, Unproven, receipt_proof};
use kuriiri_seal::NoteKey;
use kuriiri_tlog::TlogProof;
use kuriiri_types::{
    Code, Digest, Giver, MessageId, Receipt, ReceiptKind, Refusal, SignedReceipt, Verdict,
};
use kuriiri_wire::client::{Reply, SubmissionAnswer};

use crate::{
    log::{LIES, Log},
    relay::{Relay, accepted},
    world::{World, address, apart, both, draft, kirjaamo, now},
};

/// Sends a message for two recipients, has it answered with this verdict and what `receipts` makes
/// of the one true receipt, and gives what comes of it.
async fn answered(
    world: &World,
    verdict: Verdict,
    receipts: impl FnOnce(Receipt) -> Vec<SignedReceipt>,
) -> Result<Accepted, SendError> {
    let mut relay = Relay::open(world, &world.sm);
    let client = world.connect(&world.sm, &relay).await;
    let relaying = async {
        let submitting = relay.submission().await;
        let verdicts = vec![verdict];
        let [true_one] = submitting.true_receipts(&verdicts).try_into().unwrap();
        let receipts = receipts(true_one);
        submitting.reply(Reply::Submission(SubmissionAnswer { verdicts, receipts })).await;
    };
    both(client.send(for_two()), relaying).await.0
}

fn for_two() -> Draft {
    draft("for two").info(address("other@um.example"))
}

/// What is wrong with the receipts of an acceptance.
async fn unproven(world: &World, receipts: impl FnOnce(Receipt) -> Vec<SignedReceipt>) -> Unproven {
    let error = answered(world, accepted(), receipts).await.unwrap_err();
    let SendError::Unproven { source, .. } = error else { panic!("{error}") };
    source
}

fn refusal() -> Refusal {
    Refusal { code: Code::POLICY, reasons: vec!["no clearance".into()] }
}

/// What a liar makes of a receipt that speaks of one message for one recipient.
type Change = fn(Receipt) -> Receipt;

fn of_another_message(mut receipt: Receipt) -> Receipt {
    receipt.subjects[0].subject.header = Digest([7; 32]);
    receipt
}

fn with_another_id(mut receipt: Receipt) -> Receipt {
    receipt.subjects[0].subject.message = MessageId::new(now(), [7; 10]);
    receipt
}

fn for_a_third(mut receipt: Receipt) -> Receipt {
    receipt.subjects[0].recipient = address("third@um.example");
    receipt
}

// === acceptance ===

#[tokio::test]
async fn an_acceptance_is_proved_for_every_recipient_by_a_file_that_others_can_check() {
    let world = World::new();
    let accepted = answered(&world, accepted(), |true_one| world.sm.log.write(&[true_one])).await;
    let accepted = accepted.unwrap();
    let recipients = accepted.recipients.iter().map(ToString::to_string);
    assert_eq!(recipients.collect::<Vec<_>>(), ["kirjaamo@um.example", "other@um.example"]);
    let [receipt] = accepted.receipts.as_slice() else { panic!("one receipt") };
    for recipient in &accepted.recipients {
        assert!(receipt.receipt().is_about(accepted.header, recipient), "{recipient}");
    }
    let [file] = accepted.proofs().collect::<Vec<_>>().try_into().unwrap();
    let proof = TlogProof::parse(&file).unwrap();
    assert_eq!(proof.extra, receipt.signed().entry);
    let checkpoint = proof.verify_entry(&proof.extra, world.sm.log.key()).unwrap();
    assert_eq!(checkpoint.origin, "sm.example/log");
    assert!(proof.verify_entry(&proof.extra, world.um.log.key()).is_err());
    assert!(proof.verify_entry(b"another entry", world.sm.log.key()).is_err());
}

#[tokio::test]
async fn it_does_not_matter_how_many_receipts_say_it_in_which_order_or_how_often() {
    let world = World::new();
    let log = &world.sm.log;
    let backwards = |true_one: Receipt| {
        let mut each = log.write(&apart(&true_one));
        each.reverse();
        each
    };
    assert_eq!(answered(&world, accepted(), backwards).await.unwrap().receipts.len(), 2);
    let again = |true_one: Receipt| {
        let one = log.write_one(true_one);
        vec![one.clone(), one]
    };
    assert_eq!(answered(&world, accepted(), again).await.unwrap().receipts.len(), 1);
}

#[tokio::test]
async fn a_log_that_was_begun_anew_proves_as_much() {
    let mut world = World::new();
    let (_, pem) = NoteKey::generate().unwrap();
    let log = |origin| Log::with(origin, NoteKey::from_pem(&pem).unwrap());
    world.sm.log = log("sm.example/log");
    let again = log("sm.example/log/2");
    let accepted = answered(&world, accepted(), |true_one| again.write(&[true_one])).await;
    assert_eq!(accepted.unwrap().receipts.len(), 1);
}

#[tokio::test]
async fn an_acceptance_that_is_not_stated_for_every_recipient_is_unproven() {
    let world = World::new();
    let log = &world.sm.log;
    assert!(matches!(unproven(&world, |_| Vec::new()).await, Unproven::Missing));
    for lacking in [0, 1] {
        let told = |mut true_one: Receipt| {
            true_one.subjects.remove(lacking);
            log.write(&[true_one])
        };
        let one = unproven(&world, told).await;
        assert!(matches!(one, Unproven::Missing), "{one}");
    }
    // One recipient twice is not two.
    let twice = |mut true_one: Receipt| {
        true_one.subjects[1] = true_one.subjects[0].clone();
        log.write(&[true_one])
    };
    assert!(matches!(unproven(&world, twice).await, Unproven::Missing));
    // What is said of another message is not said of this one, whatever its id.
    let other = |true_one: Receipt| {
        let others = apart(&true_one).into_iter().map(of_another_message);
        log.write(&others.collect::<Vec<_>>())
    };
    let other = unproven(&world, other).await;
    assert!(matches!(other, Unproven::Missing), "{other}");
    assert_eq!(other.code(), Code::PROTOCOL);
}

#[tokio::test]
async fn an_acceptance_whose_receipts_stand_in_no_log_is_unproven() {
    let world = World::new();
    for (name, tell, said) in LIES {
        let log = &world.sm.log;
        let told = |true_one: Receipt| {
            let [first, second] = apart(&true_one).try_into().unwrap();
            vec![tell(log, first), log.write_one(second)]
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
    let changes: [(&str, Change); 7] = [
        ("kind", |r| Receipt { kind: ReceiptKind::Relayed, ..r }),
        ("recipient", for_a_third),
        ("id", with_another_id),
        ("sender", |r| Receipt { sender: address("other@sm.example"), ..r }),
        ("by nobody", |r| Receipt { by: None, ..r }),
        ("by a peer", |r| Receipt { by: Some(Giver::Peer("sm.example".parse().unwrap())), ..r }),
        ("by another system", |r| {
            let other = kirjaamo(&"um.example".parse().unwrap());
            Receipt { by: Some(Giver::System(other)), ..r }
        }),
    ];
    for (name, change) in changes {
        let changed = |true_one: Receipt| {
            let [first, last] = apart(&true_one).try_into().unwrap();
            world.sm.log.write(&[first, change(last)])
        };
        let wrong = unproven(&world, changed).await;
        let is_own = matches!(&wrong, Unproven::Other(issuer) if *issuer == world.sm.ministry);
        assert!(is_own, "{name}: {wrong}");
    }
    let foreign = |true_one: Receipt| {
        let issuer = world.um.ministry.clone();
        world.um.log.write(&[Receipt { issuer, ..true_one }])
    };
    let Unproven::Other(issuer) = unproven(&world, foreign).await else { panic!("accepted") };
    assert_eq!(issuer, world.um.ministry);
}

#[tokio::test]
async fn whoever_says_more_than_was_asked_for_contradicts_itself() {
    let world = World::new();
    let denied = |true_one: Receipt| {
        let denial = Receipt { kind: ReceiptKind::Refused, by: None, ..true_one.clone() };
        world.sm.log.write(&[true_one, denial])
    };
    assert!(matches!(unproven(&world, denied).await, Unproven::Other(_)));
    let third = |mut true_one: Receipt| {
        let first = apart(&true_one).remove(0);
        true_one.subjects.extend(for_a_third(first).subjects);
        world.sm.log.write(&[true_one])
    };
    assert!(matches!(unproven(&world, third).await, Unproven::Other(_)));
}

// === refusal ===

#[tokio::test]
async fn a_refusal_comes_with_the_relays_word_for_it() {
    let world = World::new();
    let refused = Verdict::Refused(refusal());
    let told = |true_one: Receipt| world.sm.log.write(&[true_one]);
    let error = answered(&world, refused.clone(), told).await.unwrap_err();
    let [verified] = error.receipts() else { panic!("one receipt") };
    let receipt = verified.receipt();
    assert_eq!((receipt.kind, receipt.code), (ReceiptKind::Refused, Some(Code::POLICY)));
    assert_eq!((&receipt.reasons, receipt.subjects.len()), (&error.reasons(), 2));
    assert_eq!(error.code(), Code::POLICY);
    let proof = TlogProof::parse(&receipt_proof(verified.signed())).unwrap();
    assert!(proof.verify_entry(&verified.signed().entry, world.sm.log.key()).is_ok());
    // What was not even read is refused without any.
    let error = answered(&world, refused, |_| Vec::new()).await.unwrap_err();
    assert_eq!((error.code(), error.receipts().len()), (Code::POLICY, 0));
}

#[tokio::test]
async fn what_does_not_prove_a_refusal_is_left_out_of_it() {
    let world = World::new();
    let changes: [Change; 5] = [
        |r| Receipt { kind: ReceiptKind::Expired, ..r },
        for_a_third,
        with_another_id,
        |r| Receipt { sender: address("other@sm.example"), ..r },
        of_another_message,
    ];
    let told = |true_one: Receipt| {
        let (sm, um) = (&world.sm.log, &world.um.log);
        let [first, last] = apart(&true_one).try_into().unwrap();
        let changed = changes.map(|change| sm.write_one(change(first.clone())));
        let foreign = um.write_one(Receipt { issuer: world.um.ministry.clone(), ..first.clone() });
        let lies = LIES.into_iter().map(|(_, tell, _)| tell(sm, first.clone()));
        let last = sm.write_one(last);
        changed.into_iter().chain([foreign]).chain(lies).chain([last]).collect()
    };
    let error = answered(&world, Verdict::Refused(refusal()), told).await.unwrap_err();
    let SendError::Refused { refusal: stated, receipts } = error else { panic!("{error}") };
    assert_eq!(stated, refusal());
    let told = receipts.iter().flat_map(|r| &r.receipt().subjects);
    let recipients = told.map(|told| told.recipient.to_string());
    assert_eq!(recipients.collect::<Vec<_>>(), ["other@um.example"]);
}

// === a batch ===

/// Sends drafts, has them answered with these verdicts and what `receipts` makes of the true ones.
async fn batch(
    world: &World,
    drafts: Vec<Draft>,
    verdicts: Vec<Verdict>,
    receipts: impl FnOnce(Vec<Receipt>) -> Vec<SignedReceipt>,
) -> Vec<Result<Accepted, SendError>> {
    let mut relay = Relay::open(world, &world.sm);
    let client = world.connect(&world.sm, &relay).await;
    let relaying = async {
        let submitting = relay.submission().await;
        let receipts = receipts(submitting.true_receipts(&verdicts));
        submitting.reply(Reply::Submission(SubmissionAnswer { verdicts, receipts })).await;
    };
    both(client.send_many(drafts), relaying).await.0
}

#[tokio::test]
async fn the_messages_of_a_batch_share_what_is_said_of_all() {
    let world = World::new();
    let drafts = vec![for_two(), draft(1), for_two()];
    let verdicts = vec![accepted(); 3];
    let sent = batch(&world, drafts, verdicts, |true_ones| {
        assert_eq!((true_ones.len(), true_ones[0].subjects.len()), (1, 5));
        world.sm.log.write(&true_ones)
    });
    let sent: Vec<_> = sent.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(sent.iter().map(|a| a.recipients.len()).collect::<Vec<_>>(), [2, 1, 2]);
    for accepted in &sent {
        let [receipt] = accepted.receipts.as_slice() else { panic!("one receipt") };
        assert!(Arc::ptr_eq(receipt, &sent[0].receipts[0]), "a copy");
        let is_told = |to| receipt.receipt().is_about(accepted.header, to);
        assert!(accepted.recipients.iter().all(is_told));
    }
}

#[tokio::test]
async fn a_receipt_that_lacks_a_recipient_of_one_message_proves_the_others() {
    let world = World::new();
    let drafts = vec![for_two(), for_two(), draft(2)];
    let verdicts = vec![accepted(); 3];
    let sent = batch(&world, drafts, verdicts, |mut true_ones| {
        // The second recipient of the second message.
        true_ones[0].subjects.remove(3);
        world.sm.log.write(&true_ones)
    });
    let [first, second, third]: [_; 3] = sent.await.try_into().unwrap();
    let SendError::Unproven { source, .. } = second.unwrap_err() else { panic!("another error") };
    assert!(matches!(source, Unproven::Missing), "{source}");
    assert!(first.is_ok() && third.is_ok());
}

#[tokio::test]
async fn a_receipt_of_another_sender_proves_nothing() {
    let world = World::new();
    let verdicts = vec![accepted(); 2];
    let sent = batch(&world, vec![draft(0), draft(1)], verdicts, |true_ones| {
        let sender = address("other@sm.example");
        let others = true_ones.into_iter().map(|r| Receipt { sender: sender.clone(), ..r });
        world.sm.log.write(&others.collect::<Vec<_>>())
    });
    for sent in sent.await {
        let SendError::Unproven { source, .. } = sent.unwrap_err() else { panic!("another error") };
        assert!(matches!(source, Unproven::Other(_)), "{source}");
    }
}

#[tokio::test]
async fn every_message_of_a_batch_finds_its_own_receipts() {
    let world = World::new();
    let unread = Verdict::Refused(Refusal::bare(Code::SIGNATURE));
    let verdicts = vec![Verdict::Refused(refusal()), accepted(), unread, accepted()];
    let sent = batch(&world, (0..4).map(|_| for_two()).collect(), verdicts, |mut true_ones| {
        // The third message was turned away unread; that of the first comes last.
        true_ones.retain(|said| said.code != Some(Code::SIGNATURE));
        true_ones.reverse();
        world.sm.log.write(&true_ones)
    });
    let [first, second, third, fourth]: [_; 4] = sent.await.try_into().unwrap();
    let (first, third) = (first.unwrap_err(), third.unwrap_err());
    assert_eq!((first.receipts().len(), third.receipts().len()), (1, 0));
    assert_eq!(first.receipts()[0].receipt().kind, ReceiptKind::Refused);
    for accepted in [second.unwrap(), fourth.unwrap()] {
        let [receipt] = accepted.receipts.as_slice() else { panic!("one receipt") };
        assert_eq!(receipt.receipt().kind, ReceiptKind::Accepted);
        let is_told = |to| receipt.receipt().is_about(accepted.header, to);
        assert!(accepted.recipients.iter().all(is_told));
    }
}

#[tokio::test]
async fn a_lie_about_one_message_costs_no_other_its_proof() {
    let world = World::new();
    let sent = batch(&world, vec![draft(0), draft(1)], vec![accepted(); 2], |true_ones| {
        let [first, second] = apart(&true_ones[0]).try_into().unwrap();
        let (_, tell, _) = LIES[0];
        vec![tell(&world.sm.log, first), world.sm.log.write_one(second)]
    });
    let [first, second]: [_; 2] = sent.await.try_into().unwrap();
    let SendError::Unproven { source, .. } = first.unwrap_err() else { panic!("another error") };
    assert!(matches!(source, Unproven::NotGenuine(_)), "{source}");
    assert_eq!(second.unwrap().receipts.len(), 1);
}
