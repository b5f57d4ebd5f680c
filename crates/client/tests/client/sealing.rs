//! Sealed bodies: unreadable on the way, opened at the other end.

use bytes::Bytes;
use kuriiri_client::{Message, ReceiveOptions, SendError};
use kuriiri_seal::{Purpose, commit, leaf, salted, seal};
use kuriiri_types::{Code, Envelope};
use kuriiri_wire::{
    Frame,
    client::{Delivery, ToReceiver},
    header,
};

use crate::{
    relay::{Relay, permit},
    world::{Member, World, both, draft, item, message, soon},
};

const SECRET: &str = "the border opens at six";

#[tokio::test]
async fn a_sealed_body_is_read_by_its_recipient_and_by_no_relay() {
    let (world, mut relay, client) = World::connected().await;
    relay.answer_questions_with(permit(true));
    let relaying = async {
        let submitting = relay.submission().await;
        let carried = submitting.submission.messages[0].clone();
        let certificates = submitting.submission.certificates.clone();
        submitting.accept(&world.sm.relay).await;
        (carried, certificates)
    };
    let sending = client.send(draft("sealed").body(SECRET));
    let (sent, (carried, certificates)) = both(sending, relaying).await;
    sent.unwrap();
    let readable = carried.body.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!readable, "the relay can read it");

    let mut other = Relay::open(&world, &world.um);
    let recipient = world.connect(&world.um, &other).await;
    let mut inbox = recipient.receive(ReceiveOptions::default());
    let mut asked = other.next().await;
    let delivery =
        Delivery { certificates, items: vec![item(1, &(carried.envelope, carried.body))] };
    asked.sender.send(ToReceiver::Delivery(delivery).encode()).await.unwrap();
    let message: Message = soon(inbox.next()).await.unwrap().unwrap();
    assert_eq!((message.body().as_ref(), message.was_sealed()), (SECRET.as_bytes(), true));
    assert_eq!(message.sender(), client.system());
}

#[tokio::test]
async fn without_the_recipients_key_nothing_is_uploaded() {
    let world = World::new();
    let mut relay = Relay::open(&world, &world.sm);
    let address = relay.address().to_string();
    let profile = world.profile_without_sealing_keys(&world.sm, &address).build().unwrap();
    let client = soon(kuriiri_client::Client::connect(profile)).await.unwrap();
    relay.answer_questions_with(permit(true));
    let error = soon(client.send(draft("sealed"))).await.unwrap_err();
    assert_eq!(error.code(), Code::KEY_FILE);
    assert!(error.to_string().contains("um.example.seal.pub"), "{error}");
    let SendError::NoSealingKey { ministry, .. } = error else { panic!("{error}") };
    assert_eq!(ministry, world.um.ministry);
    assert!(relay.is_idle());
}

/// A message for a mailbox that is sealed to some ministry's key, whosever mailbox it is.
pub(crate) fn sealed_to(world: &World, member: &Member, to: &str) -> (Envelope, Bytes) {
    let (envelope, _) = message(world, to, "sealed");
    let mut header = header::decode(&envelope.header).unwrap();
    let key = (member.ministry.clone(), member.sealing_key().public_key());
    let (sealing, sealed) = seal(SECRET.as_bytes(), &[key], &header.id).unwrap();
    let body = salted(&sealed).unwrap();
    header.sealing = Some(sealing);
    header.body_size = sealed.len().try_into().unwrap();
    header.body_commitment = commit(&body).unwrap();
    let header = header::encode(&header);
    let proof = world.um.system.sign(Purpose::Messages, &[leaf(&header)]).remove(0);
    (Envelope { header, proof }, body)
}
