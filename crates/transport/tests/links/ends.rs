//! How links end, and how both sides know.

use kuriiri_transport::{CloseCode, Conversation, DialError, Expect, LinkClosed, StreamError};
use kuriiri_types::Code;
use tokio::{net::UdpSocket, time::timeout};

use crate::world::{LOOPBACK, PATIENCE, World};

#[tokio::test]
async fn a_shutdown_is_announced_and_final() {
    let world = World::new();
    let dialler = world.um_relay();
    let (dialled, accepted) = world.linked(&dialler).await;
    timeout(PATIENCE, world.listener.shut_down(PATIENCE)).await.unwrap();
    let there = timeout(PATIENCE, dialled.closed()).await.unwrap();
    assert!(
        matches!(there, LinkClosed::ByPeer { code: Some(CloseCode::ShuttingDown), .. }),
        "{there:?}"
    );
    assert_eq!(there.code(), Code::UNREACHABLE);
    assert_eq!(accepted.closed().await, LinkClosed::Here(CloseCode::ShuttingDown));
    assert!(world.listener.accept().await.is_none());
    let expect = Expect::Relay(world.um.ministry.clone());
    let dialled = world.listener.dial(world.address(), expect, Conversation::Relay).await;
    let error = dialled.unwrap_err();
    assert!(
        matches!(error, DialError::Closed(LinkClosed::Here(CloseCode::ShuttingDown))),
        "{error:?}"
    );
}

#[tokio::test]
async fn closing_says_why_and_ends_every_stream() {
    let world = World::new();
    let dialler = world.um_relay();
    let (dialled, accepted) = world.linked(&dialler).await;
    let (_sender, mut receiver) = dialled.open().await.unwrap();
    accepted.close(CloseCode::Replaced, "another link is older");
    let by_peer = LinkClosed::ByPeer {
        code: Some(CloseCode::Replaced),
        reason: "another link is older".into(),
    };
    assert_eq!(dialled.closed().await, by_peer);
    assert_eq!(receiver.frame(16).await, Err(StreamError::Link(by_peer.clone())));
    assert_eq!(dialled.open().await.unwrap_err(), by_peer);
    // The first close counts, and one that comes from outside is not overwritten.
    accepted.close(CloseCode::Done, "");
    dialled.close(CloseCode::Done, "");
    assert_eq!(accepted.closed().await, LinkClosed::Here(CloseCode::Replaced));
    assert_eq!(dialled.close_reason(), Some(by_peer));
}

#[tokio::test]
async fn a_link_that_nobody_holds_is_done() {
    let world = World::new();
    let (dialled, accepted) = world.linked(&world.um_relay()).await;
    let stream = dialled.open().await.unwrap();
    drop(dialled);
    assert_eq!(accepted.close_reason(), None);
    drop(stream);
    let closed = accepted.closed().await;
    assert!(matches!(closed, LinkClosed::ByPeer { code: Some(CloseCode::Done), .. }), "{closed:?}");
}

#[tokio::test]
async fn one_more_than_there_are_places_is_turned_away() {
    let world = World::with(|settings| settings.connections_max = 1);
    let dialler = world.um_relay();
    let (dialled, accepted) = world.linked(&dialler).await;
    let expect = || Expect::Relay(world.sm.ministry.clone());
    let dial = dialler.dial(world.address(), expect(), Conversation::Relay);
    let refused = tokio::select! {
        dialled = dial => dialled.unwrap_err(),
        _ = world.listener.accept() => panic!("a second one was let in"),
    };
    assert!(matches!(refused, DialError::Closed(LinkClosed::TurnedAway)), "{refused:?}");
    assert_eq!(refused.code(), Code::UNREACHABLE);
    assert_eq!((dialled.close_reason(), accepted.close_reason()), (None, None));
}

#[tokio::test]
async fn a_stranger_shows_first_that_its_address_is_its_own() {
    let world = World::new();
    let dialler = world.um_relay();
    let between = UdpSocket::bind(LOOPBACK).await.unwrap();
    let expect = Expect::Relay(world.sm.ministry.clone());
    let dial = dialler.dial(between.local_addr().unwrap(), expect, Conversation::Relay);
    let carry_one_each_way = async {
        let mut datagram = [0; 2048];
        let (length, _) = between.recv_from(&mut datagram).await.unwrap();
        let there = UdpSocket::bind(LOOPBACK).await.unwrap();
        let first = &datagram[..length];
        there.send_to(first, world.address()).await.unwrap();
        there.recv_from(&mut datagram).await.unwrap();
        datagram[0]
    };
    let answer = tokio::select! {
        answer = carry_one_each_way => answer,
        _ = dial => panic!("nobody can have answered the dialler"),
        _ = world.listener.accept() => panic!("an unproven address was let in"),
    };
    // A long header of the type Retry (RFC 9000 §17.2.5); its low bits are free.
    assert_eq!(answer & 0xf0, 0xf0);
}
