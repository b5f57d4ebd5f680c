//! Kept receipts get newer proofs, and keep the old ones where the newer are none.

use kuriiri_client::{CallError, KeptError, VerifiedReceipt, receipt_proof};
use kuriiri_merkle::leaf;
use kuriiri_types::{Code, ReceiptKind, Refusal};
use kuriiri_wire::{
    Frame, Place, Proofs,
    client::{Reply, Request},
};

use crate::{
    relay::{Asked, Relay},
    world::{World, both, message, receipt_of},
};

const SENDER: &str = "kirjaamo@sm.example";

/// Receipts that a relay of `sm` hands out one after the other, as they were kept.
fn kept(world: &World, count: u8) -> Vec<Vec<u8>> {
    let recipient = "kirjaamo@um.example".parse().unwrap();
    let one = |number: u8| {
        let (envelope, _) = message(world, SENDER, &number.to_string());
        receipt_of(&envelope.header, &recipient, ReceiptKind::Accepted, "sm.example")
    };
    (0..count).map(|number| receipt_proof(&world.sm.log.write_one(one(number)))).collect()
}

/// The next question for proofs gets this answer.
async fn answer(relay: &mut Relay, reply: impl FnOnce(&[Place]) -> Reply) -> Vec<Place> {
    let Asked { request, mut sender, .. } = relay.next().await;
    let Request::Prove { issuer, places } = request else { panic!("{request:?}") };
    assert_eq!(issuer.as_str(), "sm.example");
    sender.send(reply(&places).encode()).await.unwrap();
    sender.finish().unwrap();
    places
}

#[tokio::test]
async fn a_newer_proof_is_of_the_same_entry_under_a_newer_checkpoint() {
    let (world, mut relay, client) = World::connected().await;
    let files = kept(&world, 3);
    let old: Vec<_> = files.iter().map(|file| client.kept_receipt(file).unwrap()).collect();
    let old: Vec<&VerifiedReceipt> = old.iter().collect();
    let asking = client.refresh(&old);
    let answering = answer(&mut relay, |places| Reply::Proofs(world.sm.log.prove(places)));
    let (newer, places) = both(asking, answering).await;
    let newer = newer.unwrap();
    for (at, (old, newer)) in old.iter().zip(&newer).enumerate() {
        let (old, newer) = (old.signed(), newer.as_ref().unwrap().signed());
        assert_eq!((&newer.entry, newer.index), (&old.entry, old.index));
        assert_eq!(places[at], Place { index: old.index, leaf: leaf(&old.entry) });
        assert_eq!(newer.checkpoint, newer_checkpoint(&world));
    }
    assert_ne!(old[0].signed().checkpoint, newer_checkpoint(&world));
}

fn newer_checkpoint(world: &World) -> bytes::Bytes {
    world.sm.log.prove(&[]).checkpoint
}

#[tokio::test]
async fn what_proves_nothing_is_not_taken() {
    let (world, mut relay, client) = World::connected().await;
    let files = kept(&world, 3);
    let old: Vec<_> = files.iter().map(|file| client.kept_receipt(file).unwrap()).collect();
    let old: Vec<&VerifiedReceipt> = old.iter().collect();
    let proofs = |places: &[Place]| world.sm.log.prove(places);
    let lies: [fn(&mut Proofs); 3] = [
        |proofs| proofs.paths.iter_mut().for_each(|path| *path = None),
        |proofs| proofs.paths.rotate_left(1),
        |proofs| proofs.checkpoint = b"nonsense".as_slice().into(),
    ];
    for lie in lies {
        let answering = answer(&mut relay, |places| {
            let mut proofs = proofs(places);
            lie(&mut proofs);
            Reply::Proofs(proofs)
        });
        let (newer, _) = both(client.refresh(&old), answering).await;
        assert_eq!(newer.unwrap(), [None, None, None]);
    }
    let answering = answer(&mut relay, |places| Reply::Proofs(proofs(&places[1..])));
    let (newer, _) = both(client.refresh(&old), answering).await;
    assert!(matches!(newer, Err(CallError::Misfit)));
    let refusal = Refusal::bare(Code::NOT_WITNESSED);
    let answering = answer(&mut relay, |_| Reply::Refused(refusal.clone()));
    let (newer, _) = both(client.refresh(&old), answering).await;
    assert_eq!(newer.unwrap_err().code(), Code::NOT_WITNESSED);
}

#[tokio::test]
async fn a_file_that_is_no_kept_receipt_says_what_it_is() {
    let (world, _relay, client) = World::connected().await;
    let file = kept(&world, 1).remove(0);
    let cut = client.kept_receipt(&file[..file.len() / 2]);
    assert!(matches!(cut, Err(KeptError::File(_))));
    let elsewhere = client.kept_receipt(&kept(&World::new(), 1)[0]);
    assert!(matches!(elsewhere, Err(KeptError::Receipt(_))), "a log of the same name, another key");
}
