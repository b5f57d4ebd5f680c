//! Renewing certificates and revoking them while links are open.

use kuriiri_certs::Issued;
use kuriiri_transport::{
    CertificateError, CloseCode, Conversation, Expect, HandshakeError, IdentityError, LinkClosed,
    Trust,
};
use kuriiri_types::Code;

use crate::world::{Member, World, identity, trust, trust_by};

fn revoking(world: &World, issued: &Issued) -> Trust {
    let (sm, um) = (world.sm.crl(&[]), world.um.crl(&[issued.serial]));
    trust_by(&[(&world.sm, &sm), (&world.um, &um)])
}

#[tokio::test]
async fn revoking_a_certificate_closes_its_link_and_no_other() {
    let world = World::new();
    let (bad, good) = (world.um.good("relay/r1"), world.um.good("relay/r2"));
    let (bad_dialler, good_dialler) = (world.dialler(&bad), world.dialler(&good));
    let (dialled, accepted) = world.linked(&bad_dialler).await;
    let (_other_dialled, other) = world.linked(&good_dialler).await;

    assert_eq!(world.listener.replace_trust(world.trust()), []);
    let closed = world.listener.replace_trust(revoking(&world, &bad));

    assert_eq!(closed, [accepted.peer().id().clone()]);
    assert_eq!(world.listener.replace_trust(revoking(&world, &bad)), []);
    let here = accepted.closed().await;
    assert_eq!(here, LinkClosed::Here(CloseCode::Identity));
    assert_eq!(here.code(), Code::PEER_CERTIFICATE);
    let there = dialled.closed().await;
    assert!(
        matches!(there, LinkClosed::ByPeer { code: Some(CloseCode::Identity), .. }),
        "{there:?}"
    );
    assert_eq!(there.code(), Code::REJECTED);
    assert_eq!(other.close_reason(), None);
}

#[tokio::test]
async fn a_dialled_link_is_closed_by_a_swap_as_well() {
    let world = World::new();
    let dialler = world.um_relay();
    let (dialled, _accepted) = world.linked(&dialler).await;
    let closed = dialler.replace_trust(trust(&[&world.um]));
    assert_eq!(closed, [dialled.peer().id().clone()]);
    assert_eq!(dialled.closed().await, LinkClosed::Here(CloseCode::Identity));
}

#[tokio::test]
async fn a_swap_during_a_handshake_lets_nobody_slip_through() {
    let world = World::new();
    let bad = world.um.good("relay/r1");
    let dialler = world.dialler(&bad);
    let listener = world.listener.clone();
    let dial = dialler.dial(
        world.address(),
        Expect::Relay(world.sm.ministry.clone()),
        Conversation::Relay,
    );
    let accept = async {
        let handshake = listener.accept().await.unwrap();
        // The handshake has its trust by now; this one comes after.
        listener.replace_trust(revoking(&world, &bad));
        handshake.complete().await
    };
    let (_dialled, accepted) = tokio::join!(dial, accept);
    let error = accepted.unwrap_err();
    assert!(matches!(error, HandshakeError::Certificate(CertificateError::Revoked)), "{error:?}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_from_then_on() {
    let world = World::new();
    let dialler = world.um_relay();
    let (first_dialled, first) = world.linked(&dialler).await;

    dialler.replace_identity(identity(&world.um.good("relay/r1"))).unwrap();
    let (second_dialled, second) = world.linked(&dialler).await;
    assert_eq!(second.peer().id(), first.peer().id());
    assert_ne!(second.peer().fingerprint(), first.peer().fingerprint());
    assert_eq!(second_dialled.peer().fingerprint(), first_dialled.peer().fingerprint());

    world.listener.replace_identity(identity(&world.sm.good("relay/r1"))).unwrap();
    let (third_dialled, third) = world.linked(&dialler).await;
    assert_eq!(third.peer().fingerprint(), second.peer().fingerprint());
    assert_ne!(third_dialled.peer().fingerprint(), second_dialled.peer().fingerprint());
    assert_eq!(first.close_reason(), None);
}

#[tokio::test]
async fn an_endpoint_does_not_become_somebody_else() {
    let world = World::new();
    let other = identity(&Member::new("xm.example").good("relay/r1"));
    let error = world.listener.replace_identity(other).unwrap_err();
    assert!(matches!(error, IdentityError::OtherHolder { .. }), "{error:?}");
}
