//! How links end, and how both sides know.

use std::{net::SocketAddr, time::Duration};

use kuriiri_transport::{
    CloseCode, Conversation, DialError, Endpoint, Expect, LinkClosed, Settings, StreamError,
};
use kuriiri_types::Code;
use tokio::{net::UdpSocket, sync::watch, task::JoinSet, time::timeout};

use crate::world::{LOOPBACK, PATIENCE, World, identity, listen};

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

/// Less than the idle timeout, which would notice too, but late.
const BEFORE_IDLE: Duration = Duration::from_secs(15);

/// A relay that comes back after a crash holds none of its links. Its peers must hear so from the
/// first packet that they send, not from their idle timeout: with the same certificate it answers
/// for its earlier life.
#[tokio::test]
async fn a_peer_notices_at_once_that_a_relay_was_started_again() {
    let world = World::new();
    let relay = world.sm.good("relay/r1");
    let life = || listen(Settings::new(identity(&relay), world.trust()));
    let (first, second) = (life(), life());
    let wire = Wire::to(&first).await;
    let dialler = world.um_relay();
    let expect = Expect::Relay(world.sm.ministry.clone());
    let dial = dialler.dial(wire.address, expect, Conversation::Relay);
    let accept = async { first.accept().await.unwrap().complete().await };
    let (dialled, accepted) = tokio::join!(dial, accept);
    let (dialled, _accepted) = (dialled.unwrap(), accepted.unwrap());
    wire.ends_at.send(second.local_addr().unwrap()).unwrap();
    let (mut sender, _receiver) = dialled.open().await.unwrap();
    sender.send("who are you?".into()).await.unwrap();
    let closed = timeout(BEFORE_IDLE, dialled.closed()).await.expect("no reset came");
    assert_eq!(closed, LinkClosed::Lost);
}

/// A wire from a dialler to a listener whose far end can be moved.
struct Wire {
    address: SocketAddr,
    ends_at: watch::Sender<SocketAddr>,
    _carrier: JoinSet<()>,
}

impl Wire {
    async fn to(listener: &Endpoint) -> Self {
        let (near, far) = (UdpSocket::bind(LOOPBACK).await, UdpSocket::bind(LOOPBACK).await);
        let (near, far) = (near.unwrap(), far.unwrap());
        let address = near.local_addr().unwrap();
        let (ends_at, end) = watch::channel(listener.local_addr().unwrap());
        let mut carrier = JoinSet::new();
        carrier.spawn(async move {
            let (mut out, mut back) = (vec![0; 65_536], vec![0; 65_536]);
            let mut dialler = None;
            loop {
                tokio::select! {
                    Ok((bytes, from)) = near.recv_from(&mut out) => {
                        dialler = Some(from);
                        let to = *end.borrow();
                        far.send_to(out.get(..bytes).unwrap(), to).await.unwrap();
                    }
                    Ok((bytes, _)) = far.recv_from(&mut back) => {
                        near.send_to(back.get(..bytes).unwrap(), dialler.unwrap()).await.unwrap();
                    }
                }
            }
        });
        Self { address, ends_at, _carrier: carrier }
    }
}
