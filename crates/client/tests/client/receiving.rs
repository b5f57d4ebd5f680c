//! Messages come verified, are shown once, and stay until they are confirmed.

use bytes::Bytes;
use kuriiri_client::{ConfirmError, Inbox, Message, ReceiveError, ReceiveOptions, Unacceptable};
use kuriiri_seal::Signer;
use kuriiri_transport::{CloseCode, LinkClosed};
use kuriiri_types::{ApprovalAct, Code, Envelope, Marker, Onward, Refusal};
use kuriiri_wire::{
    Frame,
    client::{Delivery, FromReceiver, Request, Ticket, ToReceiver},
};

use crate::{
    relay::{Asked, Relay},
    world::{World, address, alone, approve, both, item, message, soon, ticket},
};

type Signed = (Envelope, Bytes);

const MAILBOX: &str = "kirjaamo@sm.example";

/// The relay's end of a subscription.
struct Subscribed(Asked);

impl Subscribed {
    async fn next(relay: &mut Relay) -> Self {
        let asked = relay.next().await;
        assert!(matches!(asked.request, Request::Receive { .. }), "{:?}", asked.request);
        Self(asked)
    }

    async fn deliver(&mut self, world: &World, items: &[(u64, &Signed)]) {
        let delivery = Delivery {
            certificates: vec![world.um.system.certificate().clone()],
            parts: items.iter().map(|(seq, it)| alone(&it.0.proof, item(*seq, it))).collect(),
        };
        self.say(ToReceiver::Delivery(delivery)).await;
    }

    async fn say(&mut self, frame: ToReceiver) {
        self.0.sender.send(frame.encode()).await.unwrap();
    }

    /// The tickets of the next confirmation.
    async fn confirmed(&mut self) -> Vec<Ticket> {
        match self.heard().await {
            FromReceiver::Confirm(tickets) => tickets,
            aside @ FromReceiver::SetAside { .. } => panic!("no confirmation: {aside:?}"),
        }
    }

    /// What the receiver says next.
    async fn heard(&mut self) -> FromReceiver {
        let frame = soon(self.0.receiver.frame(FromReceiver::BYTES_MAX)).await;
        FromReceiver::decode(frame.unwrap().unwrap()).unwrap()
    }

    /// Which tickets come back as what cannot be accepted, until there are so many, with their codes.
    async fn set_aside(&mut self, count: usize) -> Vec<(Ticket, Code)> {
        let mut found = Vec::new();
        while found.len() < count {
            let FromReceiver::SetAside { tickets, why } = self.heard().await else {
                panic!("a confirmation")
            };
            assert!(!why.reasons.is_empty(), "the relay hears the cause");
            found.extend(tickets.into_iter().map(|ticket| (ticket, why.code)));
        }
        found.sort();
        found
    }
}

async fn next(inbox: &mut Inbox) -> Message {
    soon(inbox.next()).await.unwrap().unwrap()
}

async fn fails(inbox: &mut Inbox) -> ReceiveError {
    soon(inbox.next()).await.unwrap().unwrap_err()
}

#[tokio::test]
async fn a_confirmation_returns_when_it_is_durable() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions { credit: 5, ..ReceiveOptions::default() });
    let mut there = Subscribed::next(&mut relay).await;
    let wanted = Request::Receive { mailbox: address(MAILBOX), credit: 5 };
    assert_eq!(there.0.request, wanted);
    let (one, two) = (message(&world, MAILBOX, "one"), message(&world, MAILBOX, "two"));
    there.deliver(&world, &[(1, &one), (2, &two)]).await;

    let first = next(&mut inbox).await;
    assert_eq!((first.header().subject.as_str(), first.body().as_ref()), ("one", &b"one"[..]));
    assert_eq!(first.sender().to_string(), "spiffe://um.example/system/kirjaamo");
    assert_eq!((first.evidence(), first.was_sealed()), ((&one.0, &one.1), false));
    let mut confirming = std::pin::pin!(first.confirm());
    tokio::select! {
        biased;
        early = &mut confirming => panic!("confirmed before the relay said so: {early:?}"),
        tickets = there.confirmed() => assert_eq!(tickets, [ticket(1)]),
    }
    there.say(ToReceiver::Confirmed(vec![ticket(1)])).await;
    soon(confirming).await.unwrap();

    next(&mut inbox).await.confirm_later();
    assert_eq!(there.confirmed().await, [ticket(2)]);
}

#[tokio::test]
async fn a_message_brings_its_obligations_and_the_releases_that_are_really_of_it() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let [one, other] = ["one", "other"].map(|name| message(&world, MAILBOX, name));
    let drafter = world.um.officer("drafter");
    let [bertta, cecilia] = ["bertta", "cecilia"].map(|name| world.um.officer(name));
    let stranger = world.sm.officer("anna");
    let release = |officer: &Signer| approve(officer, &one.0.header, ApprovalAct::Release);
    let mut forged = release(&cecilia);
    forged.approval = release(&bertta).approval;
    let rejected = ApprovalAct::Reject { note: "no".into() };
    let mut item = item(1, &one);
    item.approvals = vec![
        release(&drafter),
        approve(&cecilia, &other.0.header, ApprovalAct::Release),
        forged,
        release(&stranger),
        approve(&cecilia, &one.0.header, rejected),
        release(&bertta),
        release(&bertta),
    ];
    let marker = Marker { fi: "HARJOITUS".into(), sv: "ÖVNING".into(), en: "EXERCISE".into() };
    item.handling.markers.push(marker);
    item.handling.onward = Onward::Never;
    let handling = item.handling.clone();
    let signers = [&world.um.system, &drafter, &bertta, &cecilia, &stranger];
    let certificates = signers.map(|signer| signer.certificate().clone()).to_vec();
    let parts = vec![alone(&one.0.proof, item)];
    there.say(ToReceiver::Delivery(Delivery { certificates, parts })).await;

    let message = next(&mut inbox).await;
    assert_eq!(message.handling(), &handling);
    let officers: Vec<_> = message.approvals().iter().map(|a| a.officer().to_string()).collect();
    assert_eq!(officers, ["spiffe://um.example/officer/bertta"]);
}

#[tokio::test]
async fn confirmations_that_wait_together_travel_together() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let messages: Vec<_> = (0..5).map(|n| message(&world, MAILBOX, &n.to_string())).collect();
    let items: Vec<_> = (0..).zip(&messages).collect();
    there.deliver(&world, &items).await;
    for _ in 0..5 {
        next(&mut inbox).await.confirm_later();
    }
    // Nothing was awaited between the last four, and the task runs on this very thread.
    assert_eq!(there.confirmed().await, (0..5).map(ticket).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_confirmed_is_not_shown_again_though_the_confirmation_was_lost() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let (one, two) = (message(&world, MAILBOX, "one"), message(&world, MAILBOX, "two"));
    there.deliver(&world, &[(1, &one)]).await;
    let confirming = next(&mut inbox).await.confirm();
    let losing = async {
        assert_eq!(there.confirmed().await, [ticket(1)]);
        relay.cut();
    };
    let (outcome, ()) = both(confirming, losing).await;
    assert_eq!(outcome, Err(ConfirmError::Interrupted));

    let mut there = Subscribed::next(&mut relay).await;
    there.deliver(&world, &[(11, &one), (12, &two)]).await;
    assert_eq!(there.confirmed().await, [ticket(11)], "confirmed again by itself");
    assert_eq!(next(&mut inbox).await.header().subject, "two");
}

#[tokio::test]
async fn what_the_program_holds_is_not_shown_again_and_can_be_confirmed() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let [held, dropped, unread, new] =
        ["held", "dropped", "unread", "new"].map(|name| message(&world, MAILBOX, name));
    there.deliver(&world, &[(1, &held), (2, &dropped), (3, &unread)]).await;
    let holding = next(&mut inbox).await;
    drop(next(&mut inbox).await);
    relay.cut();

    let mut there = Subscribed::next(&mut relay).await;
    there.deliver(&world, &[(11, &held), (12, &dropped), (13, &unread), (14, &new)]).await;
    for expected in ["dropped", "unread", "new"] {
        let message = next(&mut inbox).await;
        assert_eq!(message.header().subject, expected);
        message.confirm_later();
    }
    let answering = async {
        let mut tickets = Vec::new();
        while tickets.len() < 4 {
            let more = there.confirmed().await;
            there.say(ToReceiver::Confirmed(more.clone())).await;
            tickets.extend(more);
        }
        tickets.sort_unstable();
        tickets
    };
    let (outcome, tickets) = both(holding.confirm(), answering).await;
    outcome.unwrap();
    assert_eq!(tickets, (11..15).map(ticket).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_genuine_is_reported_and_given_back_with_its_cause() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let good = message(&world, MAILBOX, "good");
    let mut body = message(&world, MAILBOX, "body");
    body.1 = [&body.1[..body.1.len() - 1], b"!"].concat().into();
    let mut signature = message(&world, MAILBOX, "signature");
    signature.0.proof = good.0.proof.clone();
    let elsewhere = message(&world, "other@sm.example", "elsewhere");
    let mut unread = good.clone();
    unread.0.header = Bytes::from_static(b"not a header");
    there
        .deliver(&world, &[(1, &body), (2, &signature), (3, &elsewhere), (4, &unread), (5, &good)])
        .await;
    for (code, subject) in [
        (Code::MALFORMED, Some(&body)),
        (Code::SIGNATURE, Some(&signature)),
        (Code::NOT_YOURS, Some(&elsewhere)),
        (Code::SIGNATURE, None),
    ] {
        let error = fails(&mut inbox).await;
        let claimed = subject.map(|(e, _)| kuriiri_wire::header::decode(&e.header).unwrap().id);
        let ReceiveError::Unacceptable { id, .. } = &error else { panic!("{error}") };
        assert_eq!((error.code(), *id), (code, claimed), "{error}");
    }
    let expected = [
        (ticket(1), Code::MALFORMED),
        (ticket(2), Code::SIGNATURE),
        (ticket(3), Code::NOT_YOURS),
        (ticket(4), Code::SIGNATURE),
    ];
    assert_eq!(there.set_aside(4).await, expected);
    next(&mut inbox).await.confirm_later();
    assert_eq!(there.confirmed().await, [ticket(5)]);
}

#[tokio::test]
async fn what_a_program_cannot_accept_is_given_back_and_comes_again_when_people_say_so() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let odd = message(&world, MAILBOX, "odd");
    there.deliver(&world, &[(1, &odd)]).await;
    let shown = next(&mut inbox).await;
    let relay = async {
        let FromReceiver::SetAside { tickets, why } = there.heard().await else {
            panic!("confirmed")
        };
        let expected = Refusal { code: Code::UNACCEPTABLE, reasons: vec!["no STIX at all".into()] };
        assert_eq!((&tickets[..], why), (&[ticket(1)][..], expected));
        there.say(ToReceiver::Confirmed(tickets)).await;
    };
    let (given_back, ()) =
        soon(async { tokio::join!(shown.set_aside("no STIX\nat all"), relay) }).await;
    given_back.unwrap();
    there.deliver(&world, &[(9, &odd)]).await;
    next(&mut inbox).await.confirm_later();
    assert_eq!(there.confirmed().await, [ticket(9)]);
}

#[tokio::test]
async fn a_sealed_message_without_a_key_to_open_it_is_reported() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    let sealed = crate::sealing::sealed_to(&world, &world.um, MAILBOX);
    there.deliver(&world, &[(1, &sealed)]).await;
    let error = fails(&mut inbox).await;
    let ReceiveError::Unacceptable { source: Unacceptable::Sealed(_), .. } = error else {
        panic!("{error}");
    };
}

#[tokio::test]
async fn a_refused_subscription_ends_with_its_refusal() {
    let (_world, mut relay, client) = World::connected().await;
    let mailbox = Some(address("foreign@sm.example"));
    let mut inbox = client.receive(ReceiveOptions { mailbox, ..ReceiveOptions::default() });
    let mut there = Subscribed::next(&mut relay).await;
    there.say(ToReceiver::Refused(Refusal::bare(Code::NOT_YOURS))).await;
    assert_eq!(fails(&mut inbox).await.code(), Code::NOT_YOURS);
    assert!(soon(inbox.next()).await.is_none());
}

#[tokio::test]
async fn a_relay_that_gives_more_than_its_credit_is_left() {
    let (world, mut relay, client) = World::connected().await;
    let _inbox = client.receive(ReceiveOptions { credit: 1, ..ReceiveOptions::default() });
    let mut there = Subscribed::next(&mut relay).await;
    let link = relay.link();
    let (one, two) = (message(&world, MAILBOX, "one"), message(&world, MAILBOX, "two"));
    there.deliver(&world, &[(1, &one), (2, &two)]).await;
    let LinkClosed::ByPeer { code, .. } = soon(link.closed()).await else {
        panic!("not closed by the client");
    };
    assert_eq!(code, Some(CloseCode::Protocol));
}

#[tokio::test]
async fn a_message_outlives_its_inbox_and_cannot_be_confirmed_any_more() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    there.deliver(&world, &[(1, &message(&world, MAILBOX, "one"))]).await;
    let message = next(&mut inbox).await;
    drop(inbox);
    assert_eq!(soon(message.confirm()).await, Err(ConfirmError::Closed));
}

#[tokio::test]
async fn closing_waits_for_confirmations_under_way() {
    let (world, mut relay, client) = World::connected().await;
    let mut inbox = client.receive(ReceiveOptions::default());
    let mut there = Subscribed::next(&mut relay).await;
    there.deliver(&world, &[(1, &message(&world, MAILBOX, "one"))]).await;
    next(&mut inbox).await.confirm_later();
    let mut closing = std::pin::pin!(client.close());
    tokio::select! {
        biased;
        () = &mut closing => panic!("closed with a confirmation under way"),
        tickets = there.confirmed() => assert_eq!(tickets, [ticket(1)]),
    }
    there.say(ToReceiver::Confirmed(vec![ticket(1)])).await;
    soon(closing).await;
    assert!(soon(inbox.next()).await.is_none());
}
