//! Receipts that come later and tell the fate of messages.

use std::sync::Arc;

use kuriiri_client::{Client, PlacedReceipt, ReceiptFault, Receipts, ReceiveError, Unacceptable};
use kuriiri_tlog::TlogProof;
use kuriiri_types::{Addressed, Code, Receipt, ReceiptKind, Refusal, SignedReceipt};
use kuriiri_wire::{
    Frame,
    client::{ConfirmReceipts, ReceiptBatch, ReceiptMode, Request, ToReceiptReader},
};

use crate::{
    log::{LIES, Log},
    relay::{Asked, Relay},
    world::{World, address, both, message, receipt_of, soon},
};

/// The relay's end of a reader of receipts.
struct Reading(Asked);

impl Reading {
    async fn next(relay: &mut Relay, expected: ReceiptMode) -> Self {
        let asked = relay.next().await;
        let address = address("kirjaamo@sm.example");
        assert_eq!(asked.request, Request::Receipts { address, mode: expected });
        Self(asked)
    }

    async fn give(&mut self, log: &Log, receipts: &[(u64, Receipt)], next: u64) {
        let (places, receipts): (Vec<u64>, Vec<Receipt>) = receipts.iter().cloned().unzip();
        self.hand_out(places.into_iter().zip(log.write(&receipts)).collect(), next).await;
    }

    async fn hand_out(&mut self, receipts: Vec<(u64, SignedReceipt)>, next: u64) {
        self.say(ToReceiptReader::Receipts(ReceiptBatch { receipts, next })).await;
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

/// The same of a message more, which another recipient got.
fn delivered_also(world: &World, to: &str) -> Receipt {
    let (mut receipt, other) = (delivered(world, SENDER), delivered(world, SENDER));
    let subject = other.subjects[0].subject;
    receipt.subjects.push(Addressed { subject, recipient: address(to) });
    receipt
}

const SENDER: &str = "kirjaamo@sm.example";

fn good(next: Option<Result<PlacedReceipt, ReceiveError>>) -> PlacedReceipt {
    next.unwrap().unwrap()
}

#[tokio::test]
async fn receipts_stay_until_they_are_confirmed_and_come_again_after_a_break() {
    let (world, mut relay, client) = World::connected().await;
    let um = &world.um.log;
    let mut receipts = client.receipts();
    let told = [1, 2, 3].map(|place| (place, delivered(&world, SENDER)));

    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    there.give(um, &told, 4).await;
    let first = good(soon(receipts.next()).await);
    assert_eq!((first.place(), first.receipt()), (1, &told[0].1));
    let proof = TlogProof::parse(&first.proof()).unwrap();
    assert_eq!(proof.extra, first.signed().entry);
    assert_eq!(proof.verify_entry(&proof.extra, um.key()).unwrap().origin, "um.example/log");
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
    there.give(&world.um.log, &[(5, delivered(&world, SENDER))], 6).await;
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
    let um = &world.um.log;
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

/// What is wrong with the next receipt.
async fn wrong(receipts: &mut Receipts) -> Unacceptable {
    let error = soon(receipts.next()).await.unwrap().unwrap_err();
    let ReceiveError::Unacceptable { source, .. } = error else { panic!("{error}") };
    source
}

#[tokio::test]
async fn what_is_not_for_its_issuer_to_say_is_reported() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    let (sm, um) = (&world.sm.log, &world.um.log);
    let true_one = delivered(&world, SENDER);
    let of = |kind, issuer: &str| {
        let by = true_one.by.clone().filter(|_| kind == ReceiptKind::Delivered);
        Receipt { kind, by, issuer: issuer.parse().unwrap(), ..true_one.clone() }
    };
    let hearsay = of(ReceiptKind::Delivered, "sm.example");
    // Of the first message it may say so.
    let half = delivered_also(&world, "kirjaamo@sm.example");
    let presumed = of(ReceiptKind::Accepted, "um.example");
    there.give(um, &[(1, delivered(&world, "other@sm.example"))], 2).await;
    there.give(sm, &[(2, hearsay)], 3).await;
    there.give(um, &[(3, presumed), (4, half)], 5).await;
    assert!(matches!(wrong(&mut receipts).await, Unacceptable::NotForUs));
    for expected in ["sm.example", "um.example", "um.example"] {
        let source = wrong(&mut receipts).await;
        let Unacceptable::NotItsToSay(issuer) = &source else { panic!("{source}") };
        assert_eq!((issuer.as_str(), source.code()), (expected, Code::SIGNATURE));
    }
    // Whoever is on the way may say these.
    for kind in [ReceiptKind::Refused, ReceiptKind::Expired] {
        for (issuer, log) in [("sm.example", sm), ("um.example", um)] {
            there.give(log, &[(4, of(kind, issuer))], 5).await;
            let receipt = good(soon(receipts.next()).await);
            assert_eq!((receipt.receipt().kind, receipt.receipt().issuer.as_str()), (kind, issuer));
        }
    }
    there.give(um, &[(5, true_one.clone())], 6).await;
    assert_eq!(good(soon(receipts.next()).await).receipt(), &true_one);
}

#[tokio::test]
async fn one_receipt_tells_the_fate_of_many_messages() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    let told = delivered_also(&world, "other@um.example");
    there.give(&world.um.log, &[(1, told.clone())], 2).await;
    let receipt = good(soon(receipts.next()).await);
    let about: Vec<_> = receipt.about().map(|(id, to)| (id, to.to_string())).collect();
    let [first, second] = [0, 1].map(|n| told.subjects[n].subject.message);
    let expected = [(first, "kirjaamo@um.example"), (second, "other@um.example")];
    assert_eq!(about, expected.map(|(id, to)| (id, to.to_owned())));
    assert!(Arc::ptr_eq(receipt.verified(), receipt.clone().verified()), "a copy");
}

#[tokio::test]
async fn what_is_wrong_with_a_receipt_is_told_with_the_id_that_it_claims() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    let foreign = delivered(&world, "other@sm.example");
    let id = foreign.subjects[0].subject.message;
    let mut forged = world.um.log.write_one(foreign.clone());
    forged.index += 1;
    let unread = SignedReceipt { entry: b"no entry".as_slice().into(), ..forged.clone() };
    there.give(&world.um.log, &[(1, foreign)], 2).await;
    there.hand_out(vec![(2, forged), (3, unread)], 4).await;
    let mut place = 0;
    for expected in [Some(id), Some(id), None] {
        let error = soon(receipts.next()).await.unwrap().unwrap_err();
        let ReceiveError::Unacceptable { id, receipt: Some(receipt), .. } = error else {
            panic!("{error}")
        };
        assert_eq!(id, expected);
        // What nobody can accept does not take the place of others for ever.
        receipts.confirm_doubtful(&receipt);
        place += 1;
        assert_eq!(there.confirmed().await, Some(place));
    }
}

#[tokio::test]
async fn receipts_that_stand_in_no_log_are_reported() {
    let (world, mut relay, client) = World::connected().await;
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    let true_one = Receipt {
        kind: ReceiptKind::Expired,
        by: None,
        issuer: world.sm.ministry.clone(),
        ..delivered(&world, SENDER)
    };
    for (place, (name, tell, said)) in (1..).zip(LIES) {
        there.hand_out(vec![(place, tell(&world.sm.log, true_one.clone()))], place + 1).await;
        let source = wrong(&mut receipts).await;
        let Unacceptable::ReceiptNotGenuine(fault) = &source else { panic!("{name}: {source}") };
        assert!(fault.to_string().contains(said), "{name}: {fault}");
        let code = if name == "not a receipt" { Code::MALFORMED } else { Code::SIGNATURE };
        assert_eq!(source.code(), code, "{name}");
    }
    there.give(&world.sm.log, &[(99, true_one.clone())], 100).await;
    assert_eq!(good(soon(receipts.next()).await).receipt(), &true_one);
}

#[tokio::test]
async fn without_the_key_of_a_log_its_receipts_are_reported_with_the_file_that_is_missing() {
    let world = World::new();
    let mut relay = Relay::open(&world, &world.sm);
    let profile = world
        .profile_without_log_keys(&world.sm, &relay.address().to_string())
        .log_key(&world.sm.ministry, world.sm.log.key())
        .unwrap();
    let client = soon(Client::connect(profile.build().unwrap())).await.unwrap();
    let mut receipts = client.receipts();
    let mut there = Reading::next(&mut relay, ReceiptMode::Consume).await;
    there.give(&world.um.log, &[(1, delivered(&world, SENDER))], 2).await;
    let source = wrong(&mut receipts).await;
    let Unacceptable::ReceiptNotGenuine(fault) = &source else { panic!("{source}") };
    let ReceiptFault::NoLogKey { ministry, file } = fault else { panic!("{fault}") };
    assert_eq!((ministry, source.code()), (&world.um.ministry, Code::KEY_FILE));
    assert_eq!(file.to_str(), Some("um.example.log.vkey"));
    assert!(fault.to_string().contains("um.example.log.vkey"), "{fault}");
}
