//! Key agreement, and what is switched off.

use kuriiri_transport::{BindError, Conversation, Endpoint, KeyAgreement, Settings};
use kuriiri_types::Code;

use crate::world::{LOOPBACK, World, identity, lawless};

fn dialler(world: &World, key_agreement: KeyAgreement) -> Result<Endpoint, BindError> {
    let identity = identity(&world.um.good("relay/r1"));
    let mut settings = Settings::new(identity, world.trust());
    settings.key_agreement = key_agreement;
    Endpoint::dialler(settings)
}

#[cfg(feature = "pq")]
#[tokio::test]
async fn a_side_that_requires_post_quantum_gets_it_or_no_link() {
    use KeyAgreement::{Classic, PqPreferred, PqRequired};
    use kuriiri_transport::{DialError, HandshakeError, LinkClosed};

    for (listens, dials, meets) in [
        (PqRequired, PqRequired, true),
        (PqRequired, PqPreferred, true),
        (PqPreferred, PqRequired, true),
        (PqPreferred, Classic, true),
        (Classic, PqPreferred, true),
        (Classic, PqRequired, false),
        (PqRequired, Classic, false),
    ] {
        let world = World::with(|settings| settings.key_agreement = listens);
        let (dialled, accepted) = world.meet(&dialler(&world, dials).unwrap()).await;
        if meets {
            assert!(dialled.is_ok() && accepted.is_ok(), "{listens:?} {dials:?}");
            continue;
        }
        let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
        assert!(
            matches!(dialled, DialError::Closed(LinkClosed::NoCommonCryptography)),
            "{dialled:?}"
        );
        assert_eq!(dialled.code(), Code::PROTOCOL);
        assert!(
            matches!(accepted, HandshakeError::Closed(LinkClosed::NoCommonCryptography)),
            "{accepted:?}"
        );
    }
}

#[cfg(not(feature = "pq"))]
#[tokio::test]
async fn a_build_without_post_quantum_does_not_pretend() {
    let world = World::new();
    let error = dialler(&world, KeyAgreement::PqRequired).unwrap_err();
    assert!(matches!(error, BindError::PostQuantumUnavailable), "{error:?}");
    assert_eq!(error.code(), Code::CONFIG);
    world.linked(&dialler(&world, KeyAgreement::PqPreferred).unwrap()).await;
}

#[tokio::test]
async fn no_session_is_resumed_and_no_data_comes_early() {
    let world = World::new();
    let issued = world.um.good("relay/r1");
    let config = lawless(Some((&issued.certificate_pem, &issued.key_pem)));
    let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
    for attempt in ["first", "second"] {
        let connecting =
            endpoint.connect_with(config.clone(), world.address(), "anything.example").unwrap();
        let Err(connecting) = connecting.into_0rtt() else {
            panic!("the {attempt} connection could send early data");
        };
        let accept = async { world.listener.accept().await.unwrap().complete().await };
        let (connected, accepted) = tokio::join!(connecting, accept);
        // A frame back and forth, after any ticket would have come.
        let (link, connection) = (accepted.unwrap(), connected.unwrap());
        let (mut sender, _receiver) = link.open().await.unwrap();
        sender.send("hello".into()).await.unwrap();
        let (_send, mut receive) = connection.accept_bi().await.unwrap();
        receive.read_exact(&mut [0; 9]).await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_is_made_for_something() {
    let world = World::new();
    let settings = Settings::new(identity(&world.sm.good("relay/r1")), world.trust());
    let error = Endpoint::listen(LOOPBACK, settings.clone(), &[]).unwrap_err();
    assert!(matches!(error, BindError::NoConversation), "{error:?}");
    let error = Endpoint::listen(world.address(), settings, &[Conversation::Relay]).unwrap_err();
    assert!(matches!(error, BindError::Address { .. }), "{error:?}");
    assert_eq!(error.code(), Code::PORT);
}
