//! What one guest takes is not taken from the others: places, room and time.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use kuriiri_transport::{
    CloseCode, Conversation, Endpoint, Expect, Frame, HandshakeError, Link, LinkClosed, Patience,
    Room, Settings, StreamError,
};
use kuriiri_types::{
    Code,
    limits::{
        FRAME_BYTES_MAX, FRAMES_LINK_BYTES_LIMIT, LINKS_PER_MINISTRY_MAX, LINKS_PER_SYSTEM_MAX,
    },
};
use tokio::{net::UdpSocket, sync::mpsc, task::JoinSet, time::timeout};

use crate::world::{Member, Met, PATIENCE, World, identity, lawless, listen, meet, stranger};

// === places ===

/// Begins a handshake from an address, shows that the address is its own, and leaves it there.
async fn half_open(client: &quinn::Endpoint, from: IpAddr, listener: SocketAddr) {
    let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let far = UdpSocket::bind((from, 0)).await.unwrap();
    let to = near.local_addr().unwrap();
    let connecting = client.connect_with(lawless(None), to, "anything.example").unwrap();
    let (mut hello, mut retry) = ([0; 2048], [0; 2048]);
    let (bytes, dialler) = near.recv_from(&mut hello).await.unwrap();
    far.send_to(hello.get(..bytes).unwrap(), listener).await.unwrap();
    let (bytes, _) = far.recv_from(&mut retry).await.unwrap();
    near.send_to(retry.get(..bytes).unwrap(), dialler).await.unwrap();
    // It may repeat its first packet; the one that carries the token is another.
    let (first, mut bytes) = (hello, 0);
    while hello.first_chunk::<64>() == first.first_chunk::<64>() {
        bytes = near.recv_from(&mut hello).await.unwrap().0;
    }
    far.send_to(hello.get(..bytes).unwrap(), listener).await.unwrap();
    drop(connecting);
}

/// Lets everybody in who knocks; hands on those who were let in.
fn keep_door(listener: &Endpoint) -> (JoinSet<()>, mpsc::Receiver<Link>) {
    let (inside, guests) = mpsc::channel(1);
    let (mut door, listener) = (JoinSet::new(), listener.clone());
    door.spawn(async move {
        let mut knocking = JoinSet::new();
        while let Some(handshake) = listener.accept().await {
            let inside = inside.clone();
            knocking.spawn(async move {
                if let Ok(link) = handshake.complete().await {
                    let _ = inside.send(link).await;
                }
            });
        }
    });
    (door, guests)
}

#[tokio::test(flavor = "multi_thread")]
async fn eleven_hundred_half_open_handshakes_do_not_keep_a_peer_out() {
    let world = World::new();
    let (_door, mut guests) = keep_door(&world.listener);
    let client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    for count in 0..1100_u32 {
        // 110 networks, ten times each.
        let network = u8::try_from(count % 110).unwrap() + 1;
        half_open(&client, IpAddr::from([127, 0, network, 1]), world.address()).await;
    }
    let expect = Expect::Relay(world.sm.ministry.clone());
    let dialler = world.um_relay();
    let dial = dialler.dial(world.address(), expect, Conversation::Relay);
    let link = timeout(PATIENCE, dial).await.unwrap().expect("the peer is kept out");
    let guest = timeout(PATIENCE, guests.recv()).await.unwrap().unwrap();
    assert_eq!(guest.peer().id().to_string(), "spiffe://um.example/relay/r1");
    assert_eq!((link.close_reason(), guest.close_reason()), (None, None));
    let handshakes = &world.listener.figures()[0];
    assert!(handshakes.used > 0 && handshakes.used <= handshakes.limit, "{handshakes:?}");
}

async fn system(world: &World, endpoint: &Endpoint) -> Met {
    meet(&world.listener, endpoint, &world.sm, Conversation::Client).await
}

#[tokio::test]
async fn one_systems_certificate_does_not_take_the_places_of_others() {
    let world = World::with(|settings| settings.capacity.clients = LINKS_PER_SYSTEM_MAX + 1);
    let greedy = world.dialler(&world.sm.good("system/a"));
    let mut held = Vec::new();
    for _ in 0..LINKS_PER_SYSTEM_MAX {
        let (dialled, accepted) = system(&world, &greedy).await;
        held.push((dialled.unwrap(), accepted.unwrap()));
    }
    let (one_more, refused) = system(&world, &greedy).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, HandshakeError::TooMany { .. }), "{error:?}");
    let closed = timeout(PATIENCE, one_more.unwrap().closed()).await.unwrap();
    let is_told = matches!(closed, LinkClosed::ByPeer { code: Some(CloseCode::TooMany), .. });
    assert!(is_told && closed.code() == Code::TOO_MANY_LINKS, "{closed:?}");
    let (other, accepted) = system(&world, &world.dialler(&world.sm.good("system/b"))).await;
    held.push((other.unwrap(), accepted.unwrap()));
    assert!(held.iter().all(|(_, link)| link.close_reason().is_none()));
    let (_late, full) = system(&world, &world.dialler(&world.sm.good("system/c"))).await;
    let error = full.unwrap_err();
    assert!(matches!(error, HandshakeError::Full { .. }), "{error:?}");
    // Places of systems are theirs alone, and a place is free as soon as its link has ended.
    world.linked(&world.um_relay()).await;
    held[0].1.close(CloseCode::Done, "");
    let (back, accepted) = system(&world, &greedy).await;
    assert_eq!((back.unwrap().close_reason(), accepted.unwrap().close_reason()), (None, None));
}

#[tokio::test]
async fn a_ministrys_newest_link_takes_the_place_of_its_oldest() {
    let world = World::new();
    let mut links = Vec::new();
    for name in 0..=LINKS_PER_MINISTRY_MAX {
        // Another name of the ministry's is not another ministry.
        let relay = world.um.good(&format!("relay/r{name}"));
        links.push(world.linked(&world.dialler(&relay)).await);
    }
    assert_eq!(links[0].1.close_reason(), Some(LinkClosed::Here(CloseCode::Replaced)));
    assert!(links[1..].iter().all(|(_, link)| link.close_reason().is_none()));
    assert_eq!(world.listener.figures()[1].used, LINKS_PER_MINISTRY_MAX as u64);
}

// === room ===

const FRAME: usize = 100_000;
const STREAMS: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn begun_frames_of_one_link_hold_no_more_than_its_room_and_all_get_through() {
    let room = Room { link: 250_000, link_for_oldest: 350_000, holder: 400_000, all: 1_000_000 };
    let world = World::with(|settings| settings.room = room);
    let (dialled, accepted) = world.linked(&world.um_relay()).await;
    let mut senders = JoinSet::new();
    for _ in 0..STREAMS {
        let (mut sender, receiver) = dialled.open().await.unwrap();
        senders.spawn(async move {
            sender.send(vec![7; FRAME].into()).await.unwrap();
            (sender, receiver)
        });
    }
    let mut readers = JoinSet::new();
    for _ in 0..STREAMS {
        let (back, mut receiver) = accepted.accept().await.unwrap();
        readers.spawn(async move {
            let frame = receiver.next_frame(FRAME_BYTES_MAX).await.unwrap().unwrap();
            (frame, back, receiver)
        });
    }
    let mut most = 0;
    for _ in 0..STREAMS {
        let (frame, _back, _receiver) =
            timeout(PATIENCE, readers.join_next()).await.unwrap().unwrap().unwrap();
        let Frame { bytes, held } = frame;
        assert_eq!(bytes.len(), FRAME);
        most = most.max(bytes_of_frames(&world.listener));
        drop(held);
    }
    assert!(most >= 2 * FRAME as u64 && most <= room.link_for_oldest, "{most} bytes were held");
    assert_eq!(bytes_of_frames(&world.listener), 0);
    while senders.join_next().await.is_some() {}
}

fn bytes_of_frames(endpoint: &Endpoint) -> u64 {
    endpoint.figures().iter().find(|figure| figure.name == "bytes of frames").unwrap().used
}

#[tokio::test]
async fn a_frame_that_was_only_announced_takes_room_from_nobody_else() {
    let frame = u32::try_from(FRAME_BYTES_MAX).unwrap();
    let world = World::new();
    let issued = world.um.good("relay/r1");
    let certificate = (issued.certificate_pem.as_str(), issued.key_pem.as_str());
    let accept = async { world.listener.accept().await.unwrap().complete().await.unwrap() };
    let ((_endpoint, connection), link) =
        tokio::join!(stranger(world.address(), Some(certificate)), accept);
    let connection = connection.unwrap();
    let (mut readers, mut open) = (JoinSet::new(), Vec::new());
    for _ in 0..STREAMS {
        let (mut send, receive) = connection.open_bi().await.unwrap();
        send.write_all(&frame.to_be_bytes()).await.unwrap();
        open.push((send, receive));
        let (back, mut receiver) = link.accept().await.unwrap();
        readers.spawn(async move { (receiver.next_frame(FRAME_BYTES_MAX).await, back) });
    }
    let (dialled, accepted) = world.meet(&world.dialler(&world.sm.good("relay/r2"))).await;
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let (mut sender, _receiver) = dialled.open().await.unwrap();
    let send = sender.send(vec![7; FRAME_BYTES_MAX].into());
    let receive = async {
        let (_back, mut receiver) = accepted.accept().await.unwrap();
        receiver.next_frame(FRAME_BYTES_MAX).await.unwrap().unwrap()
    };
    let (sent, frame) = timeout(PATIENCE, async { tokio::join!(send, receive) }).await.unwrap();
    sent.unwrap();
    assert_eq!(frame.bytes.len(), FRAME_BYTES_MAX);
    drop(frame);
    assert!(bytes_of_frames(&world.listener) <= FRAMES_LINK_BYTES_LIMIT);
}

// === time ===

/// So short that a test can wait for it.
const SHORT: Patience =
    Patience { stands_still: Duration::from_millis(100), bytes_per_second: 64 * 1024 };

#[tokio::test]
async fn a_slow_writer_is_cut_off_and_the_others_do_not_notice() {
    let world = World::with(|settings| settings.patience = SHORT);
    let issued = world.um.good("relay/r1");
    let certificate = (issued.certificate_pem.as_str(), issued.key_pem.as_str());
    let accept = async { world.listener.accept().await.unwrap().complete().await.unwrap() };
    let ((_endpoint, connection), link) =
        tokio::join!(stranger(world.address(), Some(certificate)), accept);
    let connection = connection.unwrap();
    let (mut slow, _answer) = connection.open_bi().await.unwrap();
    slow.write_all(&[0, 0, 0, 9, 1, 2]).await.unwrap();
    let (_back, mut receiver) = link.accept().await.unwrap();
    assert_eq!(receiver.frame(16).await, Err(StreamError::Slow));
    assert_eq!(StreamError::Slow.code(), Code::TOO_SLOW);
    let stopped = slow.stopped().await.unwrap().map(quinn::VarInt::into_inner);
    assert_eq!(stopped, Some(Code::TOO_SLOW.number().into()));
    assert_eq!(receiver.frame(16).await, Err(StreamError::Ended));
    assert_eq!(bytes_of_frames(&world.listener), 0);
    // Another stream of the same link, and one that is not due and says nothing for as long as it likes.
    let (mut quick, _answer) = connection.open_bi().await.unwrap();
    quick.write_all(&[0, 0, 0, 2, 1, 2]).await.unwrap();
    let (_back, mut receiver) = link.accept().await.unwrap();
    assert_eq!(receiver.frame(16).await.unwrap().unwrap(), [1_u8, 2][..]);
    let silent = timeout(3 * SHORT.stands_still, receiver.frame(16)).await;
    assert!(silent.is_err(), "nothing was due: {silent:?}");
    receiver.is_due();
    assert_eq!(receiver.frame(16).await, Err(StreamError::Slow));
    assert_eq!(link.close_reason(), None);
}

// === families of addresses ===

#[tokio::test]
async fn one_that_listens_on_one_family_dials_the_other() {
    let (sm, um) = (Member::new("sm.example"), Member::new("um.example"));
    let trust = || crate::world::trust(&[&sm, &um]);
    let here = listen(Settings::new(identity(&sm.good("relay/r1")), trust()));
    let there = "[::1]:0".parse().unwrap();
    let settings = Settings::new(identity(&um.good("relay/r1")), trust());
    let there = Endpoint::listen(there, settings, &[Conversation::Relay]).unwrap();
    for (from, to, member) in [(&here, &there, &um), (&there, &here, &sm)] {
        let (dialled, accepted) = meet(to, from, member, Conversation::Relay).await;
        let (dialled, _accepted) = (dialled.expect("not dialled"), accepted.unwrap());
        assert_eq!(dialled.remote_address(), to.local_addr().unwrap());
        dialled.close(CloseCode::Done, "");
    }
    timeout(PATIENCE, here.shut_down(PATIENCE)).await.unwrap();
}
