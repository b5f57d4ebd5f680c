//! What goes over a link and what is refused.

use std::{future::poll_fn, pin::pin, task::Poll};

use bytes::Bytes;
use kuriiri_damage::any_damage;
use kuriiri_transport::{
    Conversation, Receiver, Sender, StreamError,
    limits::{FRAME_STEP_BYTES, STREAM_WINDOW_BYTES},
};
use kuriiri_types::{
    Code,
    limits::{FRAME_BYTES_MAX, HELLO_BYTES_MAX},
};
use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};
use tokio::runtime::Runtime;

use crate::world::{World, stranger};

/// One stream: the opener's halves, then the other side's. The first frame has gone over.
async fn stream(world: &World) -> ((Sender, Receiver), (Sender, Receiver)) {
    let (dialled, accepted) = world.linked(&world.um_relay()).await;
    let (mut sender, receiver) = dialled.open().await.unwrap();
    sender.send("hello".into()).await.unwrap();
    let (back, mut there) = accepted.accept().await.unwrap();
    let hello = there.frame(HELLO_BYTES_MAX).await.unwrap().unwrap();
    assert_eq!(hello, "hello");
    ((sender, receiver), (back, there))
}

fn pattern(bytes: usize) -> Bytes {
    (0..=250_u8).cycle().take(bytes).collect()
}

#[tokio::test]
async fn two_relays_exchange_hellos_and_know_each_other() {
    let world = World::new();
    let (dialled, accepted) = world.linked(&world.um_relay()).await;
    assert_eq!(dialled.peer().id().to_string(), "spiffe://sm.example/relay/r1");
    assert_eq!(accepted.peer().id().to_string(), "spiffe://um.example/relay/r1");
    assert_ne!(dialled.peer().fingerprint(), accepted.peer().fingerprint());
    assert_eq!(dialled.remote_address(), world.address());
    for link in [&dialled, &accepted] {
        assert_eq!(link.conversation(), Conversation::Relay);
        assert_eq!(link.close_reason(), None);
    }
    let (mut sender, mut receiver) = dialled.open().await.unwrap();
    sender.send("hello".into()).await.unwrap();
    let (mut back, mut there) = accepted.accept().await.unwrap();
    assert_eq!(there.frame(16).await.unwrap().unwrap(), "hello");
    back.send("welcome".into()).await.unwrap();
    assert_eq!(receiver.frame(16).await.unwrap().unwrap(), "welcome");
}

#[tokio::test]
async fn frames_keep_their_order_and_edges_and_the_end_is_an_end() {
    let world = World::new();
    let ((mut sender, _receiver), (_back, mut there)) = stream(&world).await;
    let step = FRAME_STEP_BYTES;
    let sizes = [0, 1, 5, step - 1, step, step + 1, 3 * step, 0];
    let send = async {
        for size in sizes {
            sender.send(pattern(size)).await.unwrap();
        }
        sender.finish().unwrap();
        sender.stopped().await.unwrap();
    };
    let receive = async {
        for size in sizes {
            let frame = there.frame(4 * step).await.unwrap().unwrap();
            assert_eq!(frame, pattern(size));
        }
        assert_eq!(there.frame(4 * step).await.unwrap(), None);
    };
    tokio::join!(send, receive);
    assert_eq!(sender.send("more".into()).await, Err(StreamError::Ended));
}

#[tokio::test]
async fn a_frame_larger_than_every_window_flows_through() {
    let world = World::new();
    let ((mut sender, _receiver), (_back, mut there)) = stream(&world).await;
    let body = pattern(16 * 1024 * 1024);
    assert!(body.len() > usize::try_from(STREAM_WINDOW_BYTES).unwrap());
    let (sent, received) = tokio::join!(sender.send(body.clone()), there.frame(FRAME_BYTES_MAX));
    sent.unwrap();
    assert!(received.unwrap().unwrap() == body);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_and_the_sender_told() {
    let world = World::new();
    let ((mut sender, _receiver), (_back, mut there)) = stream(&world).await;
    sender.send(pattern(101)).await.unwrap();
    let refused = there.frame(100).await;
    assert_eq!(refused, Err(StreamError::TooLarge { bytes: 101, max: 100 }));
    assert_eq!(sender.stopped().await, Err(StreamError::Stopped(Some(Code::TOO_BIG))));
    assert_eq!(there.frame(200).await, Err(StreamError::Ended));
    let huge = Bytes::from(vec![0; FRAME_BYTES_MAX + 1]);
    let error = sender.send(huge).await.unwrap_err();
    assert!(matches!(error, StreamError::TooLarge { .. }), "{error:?}");
    assert_eq!(error.code(), Code::TOO_BIG);
}

#[tokio::test]
async fn each_side_can_break_a_stream_off_and_say_why() {
    let world = World::new();
    let ((mut sender, mut receiver), (mut back, mut there)) = stream(&world).await;
    sender.reset(Code::EXPIRED);
    assert_eq!(there.frame(16).await, Err(StreamError::Reset(Some(Code::EXPIRED))));
    assert_eq!(there.frame(16).await, Err(StreamError::Ended));
    receiver.stop(Code::BUSY);
    assert_eq!(receiver.frame(16).await, Err(StreamError::Ended));
    assert_eq!(back.stopped().await, Err(StreamError::Stopped(Some(Code::BUSY))));
    assert_eq!(back.send("unwanted".into()).await, Err(StreamError::Stopped(Some(Code::BUSY))));
}

#[tokio::test]
async fn a_frame_survives_a_reader_that_looks_away() {
    let world = World::new();
    let ((mut sender, _receiver), (_back, mut there)) = stream(&world).await;
    let body = pattern(4 * 1024 * 1024);
    let mut looks_away = 0;
    let receive = async {
        loop {
            // Polled once and dropped: whatever had come must be there the next time.
            if let Some(frame) = poll_once(there.frame(FRAME_BYTES_MAX)).await {
                break frame.unwrap().unwrap();
            }
            looks_away += 1;
            tokio::task::yield_now().await;
        }
    };
    let (sent, frame) = tokio::join!(sender.send(body.clone()), receive);
    sent.unwrap();
    assert!(frame == body);
    assert!(looks_away > 0);
}

#[tokio::test]
async fn half_a_frame_is_never_taken_for_a_whole_one() {
    let world = World::new();
    let ((mut sender, _receiver), (_back, mut there)) = stream(&world).await;
    // More than the windows hold, so the first poll cannot complete it.
    let given_up = poll_once(sender.send(pattern(16 * 1024 * 1024))).await;
    assert_eq!(given_up, None);
    let more = poll_once(sender.send("more".into())).await;
    assert_eq!(more, Some(Err(StreamError::Ended)));
    assert_eq!(sender.finish(), Err(StreamError::Ended));
    let broken = there.frame(FRAME_BYTES_MAX).await;
    assert_eq!(broken, Err(StreamError::Reset(Some(Code::INTERNAL))));
}

/// What a future has to say at once, and then it is dropped.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_sender_that_is_dropped_leaves_no_clean_end() {
    let world = World::new();
    let ((sender, _receiver), (_back, mut there)) = stream(&world).await;
    drop(sender);
    assert_eq!(there.frame(16).await, Err(StreamError::Reset(Some(Code::INTERNAL))));
}

/// What a receiver makes of these bytes and a clean end, from one who does not keep to frames.
async fn raw(bytes: &[u8]) -> Result<Option<Bytes>, StreamError> {
    let world = World::new();
    let issued = world.um.good("relay/r1");
    let certificate = Some((issued.certificate_pem.as_str(), issued.key_pem.as_str()));
    let knock = stranger(world.address(), certificate);
    let accept = async { world.listener.accept().await.unwrap().complete().await };
    let ((_endpoint, connection), link) = tokio::join!(knock, accept);
    let (connection, link) = (connection.unwrap(), link.unwrap());
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    send.finish().unwrap();
    let (_sender, mut receiver) = link.accept().await.unwrap();
    receiver.frame(FRAME_BYTES_MAX).await
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_not_a_clean_end() {
    assert_eq!(raw(&[0, 0]).await, Err(StreamError::Truncated));
    assert_eq!(raw(&[0, 0, 0, 9]).await, Err(StreamError::Truncated));
    assert_eq!(raw(&[0, 0, 0, 9, 1, 2]).await, Err(StreamError::Truncated));
    assert_eq!(raw(&[0, 0, 0, 2, 1, 2]).await, Ok(Some(Bytes::from_static(&[1, 2]))));
}

#[tokio::test]
async fn an_announced_length_is_judged_before_anything_comes() {
    let error =
        StreamError::TooLarge { bytes: usize::try_from(u32::MAX).unwrap(), max: FRAME_BYTES_MAX };
    assert_eq!(raw(&[0xff; 4]).await, Err(error));
}

/// What a stream of these bytes and a clean end means: frames, and how it is over.
fn meaning(mut bytes: &[u8], max: usize) -> (Vec<Bytes>, Option<StreamError>) {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap();
        if length > max {
            return (frames, Some(StreamError::TooLarge { bytes: length, max }));
        }
        let Some((frame, rest)) = rest.split_at_checked(length) else {
            return (frames, Some(StreamError::Truncated));
        };
        frames.push(Bytes::copy_from_slice(frame));
        bytes = rest;
    }
    let is_cut = !bytes.is_empty();
    (frames, is_cut.then_some(StreamError::Truncated))
}

#[test]
fn damaged_streams_mean_what_their_bytes_say() {
    const MAX: usize = 1000;
    let whole: Vec<u8> =
        [0, 1, 5, 255, 256, MAX, 0, 3].into_iter().fold(Vec::new(), |all, size| {
            let length = u32::try_from(size).unwrap().to_be_bytes();
            [&all[..], &length, &pattern(size)].concat()
        });
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(async { World::new() });
    let issued = world.um.good("relay/r1");
    let certificate = Some((issued.certificate_pem.as_str(), issued.key_pem.as_str()));
    let ((_endpoint, connection), link) = runtime.block_on(async {
        let accept = async { world.listener.accept().await.unwrap().complete().await };
        tokio::join!(stranger(world.address(), certificate), accept)
    });
    let (connection, link) = (connection.unwrap(), link.unwrap());
    let come = async |bytes: &[u8]| {
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        // Whoever announces too much is told to stop, which may be before all is written.
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        let (_sender, mut receiver) = link.accept().await.unwrap();
        let mut frames = Vec::new();
        loop {
            match receiver.frame(MAX).await {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    };
    let mut runner = TestRunner::new(ProptestConfig::with_cases(512));
    let result = runner.run(&any_damage(), |damage| {
        let bytes = damage.applied_to(&whole);
        prop_assume!(!bytes.is_empty());
        prop_assert_eq!(runtime.block_on(come(&bytes)), meaning(&bytes, MAX));
        Ok(())
    });
    if let Err(TestError::Fail(why, damage)) = result {
        panic!("{why} after {damage:?}");
    }
    assert_eq!(link.close_reason(), None);
    runtime.block_on(async { drop((world, link)) });
}
