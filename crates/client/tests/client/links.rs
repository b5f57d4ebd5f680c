//! The link: who is believed, what survives its end, and how it is ended.

use kuriiri_client::{CallError, Client, ConnectError, ReceiveOptions};
use kuriiri_transport::{CloseCode, Conversation, Endpoint, LinkClosed};
use kuriiri_types::{Code, Timestamp, Verdict, limits::BATCH_MESSAGES_MAX};
use kuriiri_wire::client::Request;

use crate::{
    relay::{Relay, Submitting},
    world::{World, both, draft, soon},
};

#[tokio::test]
async fn what_was_not_answered_is_sent_again_with_the_same_bytes() {
    let (world, mut relay, client) = World::connected().await;
    let sending = client.send_many((0..BATCH_MESSAGES_MAX + 40).map(draft));
    let relaying = async {
        let first = relay.submissions(2).await;
        let sent: Vec<_> = first.iter().flat_map(Submitting::messages).cloned().collect();
        relay.cut();
        let again = relay.submissions(2).await;
        let numbers: Vec<_> =
            again.iter().map(|s| (s.submission.epoch, s.submission.number)).collect();
        assert_eq!(numbers, [(0, 0), (0, 1)], "numbers begin anew with each link");
        let messages: Vec<_> = again.iter().flat_map(Submitting::messages).cloned().collect();
        assert_eq!(messages, sent);
        for submitting in again {
            let verdict = Verdict::Accepted { at: Timestamp::from_millis(7), repeat: true };
            let verdicts = vec![verdict; submitting.messages().count()];
            submitting.judge(&world.sm.log, verdicts).await;
        }
    };
    let (sent, ()) = both(sending, relaying).await;
    assert_eq!(sent.len(), BATCH_MESSAGES_MAX + 40);
    assert!(sent.into_iter().all(|sent| sent.unwrap().repeat));
}

#[tokio::test]
async fn a_batch_that_breaks_off_does_not_cost_the_others_their_order() {
    let (world, mut relay, client) = World::connected().await;
    let count = 3 * BATCH_MESSAGES_MAX + 8;
    let sending = client.send_many((0..count).map(draft));
    let relaying = async {
        let mut first = relay.submissions(4).await;
        drop(first.remove(0));
        let mut subjects = Vec::new();
        for submitting in relay.submissions(4).await {
            subjects.extend(submitting.subjects());
            submitting.accept(&world.sm.log).await;
        }
        subjects
    };
    let (sent, again) = both(sending, relaying).await;
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!(again, (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_the_own_ministrys_relay_is_believed() {
    let world = World::new();
    let relay = Relay::open(&world, &world.um);
    let profile = world.profile(&world.sm, &relay.address().to_string()).build().unwrap();
    let error = soon(Client::connect(profile)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Dial { .. }), "{error}");
    assert_eq!(error.code(), Code::PEER_CERTIFICATE);
}

#[tokio::test]
async fn a_system_that_is_not_accepted_is_told() {
    let world = World::new();
    let listener = Endpoint::listen(
        "127.0.0.1:0".parse().unwrap(),
        world.settings(&world.sm),
        &[Conversation::Client],
    )
    .unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let profile = world.profile(&world.sm, &address).build().unwrap();
    let refusing = async {
        let link = listener.accept().await.unwrap().complete().await.unwrap();
        link.close(CloseCode::Identity, "not listed");
        link.closed().await
    };
    let (connected, _) = both(Client::connect(profile), refusing).await;
    let error = connected.unwrap_err();
    assert!(matches!(error, ConnectError::Ended(LinkClosed::ByPeer { .. })), "{error}");
    assert_eq!(error.code(), Code::REJECTED);
}

#[tokio::test]
async fn status_is_told_and_its_absence_explained() {
    let (_world, relay, client) = World::connected().await;
    let report = soon(client.status()).await.unwrap();
    assert_eq!((report.ministry.as_str(), report.relay.as_str()), ("sm.example", "r1"));
    drop(relay);
    // The client learns of the end when it learns; until then the question itself fails.
    let error = loop {
        match soon(client.status()).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(error.code().retry(), "{error}");
}

#[tokio::test]
async fn closing_finishes_what_is_under_way() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    assert!(matches!(relay.next().await.request, Request::Receive { .. }));
    let sending = client.send(draft("last"));
    let mut sending = std::pin::pin!(sending);
    let submitting = tokio::select! {
        biased;
        early = &mut sending => panic!("nobody answered: {early:?}"),
        submitting = relay.submission() => submitting,
    };
    let mut closing = std::pin::pin!(client.clone().close());
    tokio::select! {
        biased;
        () = &mut closing => panic!("closed with a message under way"),
        () = submitting.accept(&world.sm.log) => {}
    }
    let (sent, ()) = both(sending, closing).await;
    sent.unwrap();
    assert!(soon(inbox.next()).await.is_none());
    let error = soon(client.send(draft("too late"))).await.unwrap_err();
    assert!(matches!(error, kuriiri_client::SendError::Closed), "{error}");
    assert!(matches!(soon(client.status()).await, Err(CallError::Closed)));
}

#[tokio::test]
async fn the_last_handle_ends_the_link() {
    let (_world, relay, client) = World::connected().await;
    let link = relay.link();
    let inbox = client.receive(ReceiveOptions::default());
    drop(client.clone());
    drop(client);
    assert!(link.close_reason().is_none(), "an inbox is a handle too");
    drop(inbox);
    assert!(matches!(soon(link.closed()).await, LinkClosed::ByPeer { .. }));
}
