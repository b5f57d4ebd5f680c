//! Who is believed when he answers.

use kuriiri_certs::Purpose;
use kuriiri_transport::{
    CertificateError, Conversation, DialError, Endpoint, Expect, HandshakeError, LinkClosed,
    Settings,
};
use kuriiri_types::{Code, SpiffeId};

use crate::world::{LOOPBACK, Member, World, days, identity, listen, meet, trust, trust_by};

/// A relay of `um` dials, expecting `sm`; this certificate answers and is not believed.
async fn unbelieved(world: &World, answers: &kuriiri_certs::Issued, expected: CertificateError) {
    let listener = listen(Settings::new(identity(answers), world.trust()));
    let (dialled, accepted) =
        meet(&listener, &world.um_relay(), &world.sm, Conversation::Relay).await;
    let error = dialled.unwrap_err();
    let DialError::Certificate(why) = &error else {
        panic!("failed by {error:?} instead of {expected:?}");
    };
    assert_eq!((why, error.code()), (&expected, Code::PEER_CERTIFICATE));
    let told = accepted.unwrap_err();
    assert!(matches!(told, HandshakeError::Closed(LinkClosed::RefusedUs(_))), "{told:?}");
}

#[tokio::test]
async fn only_the_expected_ministrys_relay_is_believed() {
    let world = World::new();
    for id in ["spiffe://sm.example/system/kirjaamo", "spiffe://um.example/relay/r9"] {
        let id: SpiffeId = id.parse().unwrap();
        let member = if id.ministry() == &world.sm.ministry { &world.sm } else { &world.um };
        let issued = member.issue(&id.to_string(), Purpose::Tls, days(-1, 9));
        let error = CertificateError::Unexpected { expected: world.sm.ministry.clone(), found: id };
        unbelieved(&world, &issued, error).await;
    }
}

#[tokio::test]
async fn the_answering_certificate_is_held_to_the_same_rules() {
    let world = World::new();
    let sm_r1 = "spiffe://sm.example/relay/r1";
    let expired = world.sm.issue(sm_r1, Purpose::Tls, days(-9, -1));
    unbelieved(&world, &expired, CertificateError::Expired).await;
    let signing = world.sm.issue(sm_r1, Purpose::Signing, days(-1, 9));
    unbelieved(&world, &signing, CertificateError::Purpose).await;
    let borrowed = world.um.issue(sm_r1, Purpose::Tls, days(-1, 9));
    let issuer = CertificateError::Issuer(world.sm.ministry.clone());
    unbelieved(&world, &borrowed, issuer.clone()).await;
    unbelieved(&world, &Member::new("sm.example").good("relay/r1"), issuer).await;
}

#[tokio::test]
async fn revocation_is_checked_by_the_dialler_too() {
    let (sm, um) = (Member::new("sm.example"), Member::new("um.example"));
    let relay = sm.good("relay/r1");
    let listener = listen(Settings::new(identity(&relay), trust(&[&sm, &um])));
    let stale = sm.authority.crl(&[], days(-9, -1)).unwrap();
    for (crl, expected) in [
        (sm.crl(&[relay.serial]), CertificateError::Revoked),
        (stale, CertificateError::RevocationStale(sm.ministry.clone())),
    ] {
        let trust = trust_by(&[(&sm, &crl)]);
        let settings = Settings::new(identity(&um.good("relay/r1")), trust);
        let dialler = Endpoint::dialler(settings).unwrap();
        let (dialled, _) = meet(&listener, &dialler, &sm, Conversation::Relay).await;
        let error = dialled.unwrap_err();
        let DialError::Certificate(why) = error else {
            panic!("failed by {error:?} instead of {expected:?}");
        };
        assert_eq!(why, expected);
    }
}

#[tokio::test]
async fn without_a_common_conversation_there_is_no_link() {
    let world = World::new();
    let settings = Settings::new(identity(&world.sm.good("relay/r1")), world.trust());
    let listener = Endpoint::listen(LOOPBACK, settings, &[Conversation::Relay]).unwrap();
    let dialler = world.dialler(&world.sm.good("system/kirjaamo"));
    let (dialled, accepted) = meet(&listener, &dialler, &world.sm, Conversation::Client).await;
    let (dialled, accepted) = (dialled.unwrap_err(), accepted.unwrap_err());
    assert!(matches!(dialled, DialError::Closed(LinkClosed::NoCommonConversation)), "{dialled:?}");
    assert_eq!(dialled.code(), Code::PROTOCOL);
    assert!(
        matches!(accepted, HandshakeError::Closed(LinkClosed::NoCommonConversation)),
        "{accepted:?}"
    );
}

#[tokio::test]
async fn an_address_that_cannot_be_dialled_is_said_to_be_so() {
    let world = World::new();
    let expect = Expect::Relay(world.sm.ministry.clone());
    let dialled = world.um_relay().dial(LOOPBACK, expect, Conversation::Relay).await;
    let error = dialled.unwrap_err();
    assert!(matches!(error, DialError::Address(LOOPBACK)), "{error:?}");
}
