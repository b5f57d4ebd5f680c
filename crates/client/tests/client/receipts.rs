//! Receipts: what proves an acceptance, and what tells the fate of a message later.

use kuriiri_client::{PlacedReceipt, ReceiveError, SendError, Unacceptable, Unproven};
use kuriiri_seal::Signer;
use kuriiri_types::{Code, Receipt, ReceiptKind, Refusal, SignedReceipt};
use kuriiri_wire::{
    Frame,
    client::{
        ConfirmReceipts, ReceiptBatch, ReceiptMode, Reply, Request, SubmissionAnswer,
        ToReceiptReader,
    },
};

use crate::{
    relay::{Asked, Relay, accepted},
    world::{World, address, both, draft, message, receipt_of, sign_receipts, soon},
};

// === with the acceptance ===

/// Sends a message, has its acceptance answered with these receipts, and gives what is wrong.
async fn unproven(world: &World, receipts: impl FnOnce(Receipt) -> Vec<SignedReceipt>) -> Unproven {
    let mut relay = Relay::open(world, &world.sm);
    let client = world.connect(&world.sm, &relay).await;
    let relaying = async {
        let submitting = relay.submission().await;
        let header = &submitting.submission.messages[0].envelope.header;
        let recipient = address("kirjaamo@um.example");
        let receipt = receipt_of(header, &recipient, ReceiptKind::Accepted, "sm.example");
        let signers = [&world.sm.relay, &world.um.relay, &world.sm.system];
        let answer = SubmissionAnswer {
            verdicts: vec![accepted()],
            receipts: receipts(receipt),
            certificates: signers.map(|signer| signer.certificate().clone()).into(),
        };
        submitting.reply(Reply::Submission(answer)).await;
    };
    let (sent, ()) = both(client.send(draft(0)), relaying).await;
    let SendError::Unproven { source, .. } = sent.unwrap_err() else { panic!("another error") };
    source
}

#[tokio::test]
async fn only_the_own_relays_receipt_for_this_very_message_proves_its_acceptance() {
    let world = World::new();
    let (sm, um) = (&world.sm.relay, &world.um.relay);
    let by = |signer: &Signer, receipt: Receipt| sign_receipts(signer, &[receipt]);

    assert!(matches!(unproven(&world, |_| Vec::new()).await, Unproven::Missing));

    // Somebody else's relay in our relay's name, our relay's system, and a tampered receipt.
    assert!(matches!(unproven(&world, |r| by(um, r)).await, Unproven::NotGenuine(_)));
    let system = &world.sm.system;
    assert!(matches!(unproven(&world, |r| by(system, r)).await, Unproven::NotGenuine(_)));
    let tampered = |r: Receipt| {
        let other = Receipt { kind: ReceiptKind::Relayed, ..r.clone() };
        let proof = by(sm, other).remove(0).proof;
        let receipt = by(sm, r).remove(0).receipt;
        vec![SignedReceipt { receipt, proof }]
    };
    assert!(matches!(unproven(&world, tampered).await, Unproven::NotGenuine(_)));

    // Genuine, and not what was asked for.
    type Change = fn(Receipt) -> Receipt;
    let changes: [Change; 4] = [
        |r| Receipt { kind: ReceiptKind::Relayed, ..r },
        |r| Receipt { recipient: address("other@um.example"), ..r },
        |r| Receipt { header_digest: kuriiri_types::Digest([7; 32]), ..r },
        |r| Receipt { sender: address("other@sm.example"), ..r },
    ];
    for change in changes {
        let wrong = unproven(&world, |r| by(sm, change(r))).await;
        assert!(matches!(wrong, Unproven::Other(_)), "{wrong}");
    }
    let foreign = |r| by(um, Receipt { issuer: world.um.ministry.clone(), ..r });
    let Unproven::Other(issuer) = unproven(&world, foreign).await else { panic!("accepted") };
    assert_eq!(issuer, world.um.ministry);
}

// === later ===

/// The relay's end of a reader of receipts.
struct Reading(Asked);

impl Reading {
    async fn next(relay: &mut Relay, expected: ReceiptMode) -> Self {
        let asked = relay.next().await;
        let address = address("kirjaamo@sm.example");
        assert_eq!(asked.request, Request::Receipts { address, mode: expected });
        Self(asked)
    }

    async fn give(&mut self, signer: &Signer, receipts: &[(u64, Receipt)], next: u64) {
        let (places, receipts): (Vec<u64>, Vec<Receipt>) = receipts.iter().cloned().unzip();
        let signed = sign_receipts(signer, &receipts);
        let batch = ReceiptBatch {
            certificates: vec![signer.certificate().clone()],
            receipts: places.into_iter().zip(signed).collect(),
            next,
        };
        self.say(ToReceiptReader::Receipts(batch)).await;
    }

    async fn say(&mut self, frame: ToReceiptReader) {
        self.0.sender.send(frame.encode()).await.unwrap();
    }

    /// What was confirmed next, or nothing at the end.
    async fn confirmed(&mut self) -> Option<u64> {
        let frame = soon(self.0.receiver.frame(ConfirmReceipts::BYTES_MAX)).await.unwrap()?;
        Some(ConfirmReceipts::decode(frame).unwrap().through)
    }
}

/// A delivery at `um`, told by `um`, of a message that need not exist.
fn delivered(world: &World, sender: &str) -> Receipt {
    let (envelope, _) = message(world, "kirjaamo@sm.example", "any");
    let recipient = address("kirjaamo@um.example");
    let receipt = receipt_of(&envelope.header, &recipient, ReceiptKind::Delivered, "um.example");
    Receipt { sender: address(sender), ..receipt }
}

const SENDER: &str = "kirjaamo@sm.example";

fn good(next: Option<Result<PlacedReceipt, ReceiveError>>) -> PlacedReceipt {
    next.unwrap().unwrap()
}

#[tokio::test]
async fn receipts_stay_until_they_are_confirmed_and_come_again_after_a_break() {
    let (world, mut relay, client) = World::connected().await;
    let um = &world.um.relay;
    let mut receipts = client.receipts();
    let told = [1, 2, 3].map(|place| (place, delivered(&world, SENDER)));

    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    there.give(um, &told, 4).await;
    let first = good(soon(receipts.next()).await);
    assert_eq!((first.place(), first.receipt()), (1, &told[0].1));
    assert_eq!(first.signer(), um.id());
    receipts.confirm(&first);
    assert_eq!(there.confirmed().await, Some(1));
    assert_eq!(good(soon(receipts.next()).await).place(), 2);
    let third = good(soon(receipts.next()).await);
    receipts.confirm(&third);
    relay.cut();

    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    there.give(um, &told[1..], 4).await;
    let second = good(soon(receipts.next()).await);
    assert_eq!(second.receipt(), &told[1].1);
    receipts.confirm(&third);
    receipts.confirm(&second);
    assert_eq!(there.confirmed().await, Some(2), "a place of an earlier link was confirmed");
}

#[tokio::test]
async fn closing_a_reader_delivers_its_last_confirmation() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    there.give(&world.um.relay, &[(5, delivered(&world, SENDER))], 6).await;
    let last = good(soon(receipts.next()).await);
    receipts.confirm(&last);
    let reading = async {
        assert_eq!(there.confirmed().await, Some(5));
        assert_eq!(there.confirmed().await, None);
        there.0.sender.finish().unwrap();
    };
    both(receipts.close(), reading).await;
}

#[tokio::test]
async fn a_watch_begins_when_it_stands_and_goes_on_where_it_broke_off() {
    let (world, mut relay, client) = World::connected().await;
    let um = &world.um.relay;
    let opening = client.watch();
    let standing = async {
        let mut there = Reading::next(&mut relay, ReceiptMode::Watch { from: None }).await;
        there.give(um, &[], 7).await;
        there
    };
    let (watch, mut there) = both(opening, standing).await;
    let mut watch = watch.unwrap();
    there.give(um, &[(7, delivered(&world, SENDER)), (9, delivered(&world, SENDER))], 10).await;
    assert_eq!(good(soon(watch.next()).await).place(), 7);
    assert_eq!(good(soon(watch.next()).await).place(), 9);
    relay.cut();

    let mut there = Reading::next(&mut relay, ReceiptMode::Watch { from: Some(10) }).await;
    there.give(um, &[(10, delivered(&world, SENDER))], 11).await;
    assert_eq!(good(soon(watch.next()).await).place(), 10);
}

#[tokio::test]
async fn a_refused_watch_is_an_error() {
    let (_world, mut relay, client) = World::connected().await;
    let refusing = async {
        let mut there = Reading::next(&mut relay, ReceiptMode::Watch { from: None }).await;
        there.say(ToReceiptReader::Refused(Refusal::bare(Code::NOT_YOURS))).await;
        there
    };
    let (watch, _there) = both(client.watch(), refusing).await;
    assert_eq!(watch.unwrap_err().code(), Code::NOT_YOURS);
}

#[tokio::test]
async fn receipts_that_prove_nothing_are_reported() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    let true_one = delivered(&world, SENDER);
    let hearsay = Receipt { issuer: world.sm.ministry.clone(), ..true_one.clone() };
    there.give(&world.um.relay, &[(1, delivered(&world, "other@sm.example"))], 2).await;
    there.give(&world.sm.relay, &[(2, hearsay)], 3).await;
    there.give(&world.sm.relay, &[(3, true_one.clone())], 4).await;
    there.give(&world.um.relay, &[(4, true_one.clone())], 5).await;
    for expected in ["somebody else", "never for it", "not genuine"] {
        let error = soon(receipts.next()).await.unwrap().unwrap_err();
        let ReceiveError::Unacceptable { id, source } = error else { panic!("{error}") };
        assert!(id.is_some() && source.to_string().contains(expected), "{source}");
        assert!(!matches!(source, Unacceptable::NoSealingKey));
    }
    assert_eq!(good(soon(receipts.next()).await).receipt(), &true_one);
}
