//! Sealed bodies: unreadable on the way, opened at the other end.

use bytes::Bytes;
use kuriiri_client::{Client, Message, ReceiveOptions, SendError};
use kuriiri_seal::open;
use kuriiri_types::{Code, Envelope, Handling, limits::BODY_SALT_BYTES};
use kuriiri_wire::{
    Frame, Part,
    client::{DeliveredItem, Delivery, Submitted, ToReceiver},
    header,
};

use crate::{
    relay::{Relay, permit, permit_after},
    world::{Member, World, both, draft, message, sealed, soon, ticket},
};

const SECRET: &str = "the border opens at six";

#[tokio::test]
async fn a_sealed_body_is_read_by_its_recipient_and_by_no_relay() {
    let (world, mut relay, client) = World::connected().await;
    relay.answer_questions_with(permit(true));
    let relaying = async {
        let submitting = relay.submission().await;
        let carried = submitting.submission.parts[0].clone();
        let certificates = submitting.submission.certificates.clone();
        submitting.accept(&world.sm.log).await;
        (carried, certificates)
    };
    let sending = client.send(draft("sealed").body(SECRET));
    let (sent, (carried, certificates)) = both(sending, relaying).await;
    sent.unwrap();
    let body = &carried.messages[0].body;
    let readable = body.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    assert!(!readable, "the relay can read it");

    let mut other = Relay::open(&world, &world.um);
    let recipient = world.connect(&world.um, &other).await;
    let mut inbox = recipient.receive(ReceiveOptions::default());
    let mut asked = other.next().await;
    let Part { signed, messages } = carried;
    let item = |Submitted { header, body }| DeliveredItem {
        ticket: ticket(1),
        header,
        body,
        approvals: Vec::new(),
        handling: Handling::free(),
    };
    let part = Part { signed, messages: messages.into_iter().map(item).collect() };
    let delivery = Delivery { certificates, parts: vec![part] };
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
    let client = soon(Client::connect(profile)).await.unwrap();
    relay.answer_questions_with(permit(true));
    let error = soon(client.send(draft("sealed"))).await.unwrap_err();
    assert_eq!(error.code(), Code::KEY_FILE);
    assert!(error.to_string().contains("um.example.seal.pub"), "{error}");
    let SendError::NoSealingKey { ministry, .. } = error else { panic!("{error}") };
    assert_eq!(ministry, world.um.ministry);
    assert!(relay.is_idle());
}

#[tokio::test]
async fn officers_can_open_what_they_release_and_the_program_hears_of_them() {
    let (world, mut relay, client) = World::connected().await;
    relay.answer_questions_with(permit_after(2, true));
    let relaying = async {
        let submitting = relay.submission().await;
        let carried = submitting.messages().next().unwrap().clone();
        submitting.accept(&world.sm.log).await;
        carried
    };
    let sending = client.send(draft("sealed").drafter("anna").body(SECRET));
    let (sent, carried) = both(sending, relaying).await;
    assert_eq!(sent.unwrap().waits_for, 2);
    let header = header::decode(&carried.header).unwrap();
    assert_eq!(header.drafter.as_deref(), Some("anna"));
    let sealing = header.sealing.unwrap();
    let body = &carried.body[BODY_SALT_BYTES..];
    for (member, key) in [(&world.sm, world.sm.release_key()), (&world.um, world.um.sealing_key())]
    {
        let opened = open(body, &sealing, &member.ministry, &key, &header.id).unwrap();
        assert_eq!(opened, SECRET.as_bytes());
    }
    assert_eq!(sealing.keys.len(), 2, "nobody else");
}

#[tokio::test]
async fn a_release_key_is_needed_only_for_what_is_sealed_and_released() {
    let world = World::new();
    let mut relay = Relay::open(&world, &world.sm);
    let address = relay.address().to_string();
    let profile = world.profile_without_release_key(&world.sm, &address).build().unwrap();
    let client = soon(Client::connect(profile)).await.unwrap();

    relay.answer_questions_with(permit_after(1, true));
    let error = soon(client.send(draft("sealed"))).await.unwrap_err();
    assert!(matches!(error, SendError::NoReleaseKey { .. }), "{error}");
    assert_eq!(error.code(), Code::KEY_FILE);
    assert!(error.to_string().contains("sm.example.release.pub"), "{error}");
    assert!(relay.is_idle());

    for (outcome, label, waits_for) in
        [(permit_after(1, false), "FI SALP", 1), (permit(true), "FI JULK", 0)]
    {
        relay.answer_questions_with(outcome);
        let answering = async { relay.submission().await.accept(&world.sm.log).await };
        let sending = client.send(draft("other").label(label.parse().unwrap()));
        assert_eq!(both(sending, answering).await.0.unwrap().waits_for, waits_for);
    }
}

/// A message for a mailbox that is sealed to some ministry's key, whosever mailbox it is.
pub(crate) fn sealed_to(world: &World, member: &Member, to: &str) -> (Envelope, Bytes) {
    let (envelope, _) = message(world, to, "sealed");
    let key = (member.ministry.clone(), member.sealing_key().public_key());
    sealed(&world.um, &envelope, SECRET, &[key])
}
