//! Who is refused at the door, and why.

use kuriiri_certs::{Issued, Purpose};
use kuriiri_transport::{
    CertificateError, Conversation, Endpoint, HandshakeError, LinkClosed, Settings, Trust,
};
use kuriiri_types::Code;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType, SignatureAlgorithm,
};

use crate::world::{Member, World, days, identity, listen, meet, stranger, trust_by};

const UM_R1: &str = "spiffe://um.example/relay/r1";

/// A dialler with this certificate is refused for this reason, and is told so.
async fn refused(world: &World, issued: &Issued, expected: CertificateError, told: &str) {
    let (dialled, accepted) = world.meet(&world.dialler(issued)).await;
    let error = accepted.unwrap_err();
    let HandshakeError::Certificate(why) = &error else {
        panic!("refused as {error:?} instead of {expected:?}");
    };
    assert_eq!((why, error.code()), (&expected, Code::PEER_CERTIFICATE));
    let closed = dialled.unwrap().closed().await;
    let LinkClosed::RefusedUs(reason) = closed else {
        panic!("told {closed:?} when refused as {expected:?}");
    };
    assert!(reason.contains(told), "told `{reason}` for {expected:?}");
    assert_eq!(closed.code(), Code::REJECTED);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let world = World::new();
    let past = world.um.issue(UM_R1, Purpose::Tls, days(-9, -1));
    refused(&world, &past, CertificateError::Expired, "expired").await;
    let future = world.um.issue(UM_R1, Purpose::Tls, days(1, 9));
    refused(&world, &future, CertificateError::NotYetValid, "not valid yet").await;
}

#[tokio::test]
async fn a_certificate_for_signing_messages_opens_no_link() {
    let world = World::new();
    let signing = world.um.issue(UM_R1, Purpose::Signing, days(-1, 9));
    refused(&world, &signing, CertificateError::Purpose, "purpose").await;
}

#[tokio::test]
async fn an_authority_vouches_for_its_own_ministry_only() {
    let world = World::new();
    let issuer = || CertificateError::Issuer(world.um.ministry.clone());
    // A CA of the right name with a key of its own.
    let impostor = Member::new("um.example");
    refused(&world, &impostor.good("relay/r1"), issuer(), "no CA").await;
    // A true member's CA, naming another member.
    let borrowed = world.sm.issue(UM_R1, Purpose::Tls, days(-1, 9));
    refused(&world, &borrowed, issuer(), "no CA").await;
    // Nobody's CA, naming nobody.
    let foreign = Member::new("xm.example");
    let unknown = CertificateError::UnknownMinistry(foreign.ministry.clone());
    refused(&world, &foreign.good("relay/r1"), unknown, "no CA").await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_its_sibling_is_not() {
    let world = World::new();
    let (bad, good) = (world.um.good("relay/r1"), world.um.good("relay/r1"));
    let crl = world.um.crl(&[bad.serial]);
    world.listener.replace_trust(trust_by(&[(&world.sm, &world.sm.crl(&[])), (&world.um, &crl)]));
    refused(&world, &bad, CertificateError::Revoked, "revoked").await;
    let (_, accepted) = world.meet(&world.dialler(&good)).await;
    assert_eq!(accepted.unwrap().peer().id().to_string(), UM_R1);
}

#[tokio::test]
async fn a_stale_revocation_list_refuses_everybody() {
    let world = World::new();
    let stale = world.um.authority.crl(&[], days(-9, -1)).unwrap();
    world.listener.replace_trust(trust_by(&[(&world.sm, &world.sm.crl(&[])), (&world.um, &stale)]));
    let error = CertificateError::RevocationStale(world.um.ministry.clone());
    refused(&world, &world.um.good("relay/r1"), error, "no current revocation list").await;
}

#[tokio::test]
async fn a_forged_revocation_list_covers_nobody() {
    let world = World::new();
    let forged = Member::new("um.example").crl(&[]);
    world
        .listener
        .replace_trust(trust_by(&[(&world.sm, &world.sm.crl(&[])), (&world.um, &forged)]));
    let error = CertificateError::RevocationUnknown(world.um.ministry.clone());
    refused(&world, &world.um.good("relay/r1"), error, "no current revocation list").await;
}

#[tokio::test]
async fn without_a_list_only_revocation_is_not_checked() {
    let world = World::new();
    let (sm, um) = (&world.sm, &world.um);
    let trust = Trust::builder()
        .member(um.ministry.clone(), um.authority.certificate_pem(), None)
        .unwrap()
        .danger_without_revocation(um.ministry.clone())
        .build()
        .unwrap();
    world.listener.replace_trust(trust);
    let (_, accepted) = world.meet(&world.um_relay()).await;
    assert_eq!(accepted.unwrap().peer().id().to_string(), UM_R1);
    let past = um.issue(UM_R1, Purpose::Tls, days(-9, -1));
    refused(&world, &past, CertificateError::Expired, "expired").await;
    let borrowed = sm.issue(UM_R1, Purpose::Tls, days(-1, 9));
    let issuer = CertificateError::Issuer(um.ministry.clone());
    refused(&world, &borrowed, issuer, "no CA").await;
}

#[tokio::test]
async fn no_certificate_is_no_entry() {
    let world = World::new();
    let knock = stranger(world.address(), None);
    let accept = async { world.listener.accept().await.unwrap().complete().await };
    let ((_endpoint, knocked), accepted) = tokio::join!(knock, accept);
    let error = accepted.unwrap_err();
    assert!(matches!(error, HandshakeError::Closed(LinkClosed::NoCertificate)), "{error:?}");
    // The stranger's own stack names the alert: certificate_required is 116.
    let told = knocked.unwrap().closed().await.to_string();
    assert!(told.contains("116"), "{told}");
}

#[tokio::test]
async fn a_conversation_is_refused_to_whom_it_is_not_for() {
    let world = World::new();
    for (member, path, conversation) in [
        (&world.um, "system/kirjaamo", Conversation::Relay),
        (&world.um, "system/kirjaamo", Conversation::Client),
        (&world.sm, "relay/r2", Conversation::Client),
    ] {
        let dialler = world.dialler(&member.good(path));
        let (dialled, accepted) = meet(&world.listener, &dialler, &world.sm, conversation).await;
        let error = accepted.unwrap_err();
        assert!(matches!(error, HandshakeError::Holder { .. }), "{error:?}");
        assert_eq!(dialled.unwrap().closed().await.code(), Code::REJECTED);
    }
}

// === certificates that no honest authority makes ===

/// An authority of the second ministry that issues what it is told.
struct Forge {
    issuer: Issuer<'static, KeyPair>,
    ca: String,
    listener: Endpoint,
}

impl Forge {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let params = authority("root");
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let sm = Member::new("sm.example");
        let trust = um_trust(&ca, &empty_crl(&issuer));
        let listener = listen(Settings::new(identity(&sm.good("relay/r1")), trust));
        Self { issuer, ca, listener }
    }

    /// What becomes of one who comes with such a certificate.
    async fn knock(
        &self,
        algorithm: &'static SignatureAlgorithm,
        uris: &[&str],
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<String, HandshakeError> {
        let (chain, key) = leaf(&self.issuer, algorithm, uris, usages);
        self.knock_with(&chain, &key).await
    }

    async fn knock_with(&self, chain: &str, key: &str) -> Result<String, HandshakeError> {
        let knock = stranger(self.listener.local_addr().unwrap(), Some((chain, key)));
        let accept = async { self.listener.accept().await.unwrap().complete().await };
        let ((_endpoint, _), accepted) = tokio::join!(knock, accept);
        accepted.map(|link| link.peer().id().to_string())
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn empty_crl(issuer: &Issuer<'_, KeyPair>) -> String {
    let params = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2020, 1, 1),
        next_update: rcgen::date_time_ymd(4000, 1, 1),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().pem().unwrap()
}

fn um_trust(ca: &str, crl: &str) -> Trust {
    let um = "um.example".parse().unwrap();
    let builder = Trust::builder().member(um, ca, Some(crl)).unwrap();
    builder.build().unwrap()
}

fn leaf(
    issuer: &Issuer<'_, KeyPair>,
    algorithm: &'static SignatureAlgorithm,
    uris: &[&str],
    usages: &[ExtendedKeyUsagePurpose],
) -> (String, String) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::default();
    let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
    params.subject_alt_names = uris.iter().map(uri).collect();
    params.extended_key_usages = usages.to_vec();
    let chain = params.signed_by(&key, issuer).unwrap().pem();
    (chain, key.serialize_pem())
}

const BOTH: &[ExtendedKeyUsagePurpose] =
    &[ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];

fn certificate_error(knocked: Result<String, HandshakeError>) -> CertificateError {
    let error = knocked.unwrap_err();
    let HandshakeError::Certificate(why) = error else {
        panic!("refused as {error:?}");
    };
    why
}

#[tokio::test]
async fn a_certificate_names_one_holder_and_nothing_else() {
    let forge = Forge::new();
    let two = forge.knock(&PKCS_ED25519, &[UM_R1, "spiffe://um.example/relay/r2"], BOTH).await;
    assert_eq!(certificate_error(two), CertificateError::Names(2));
    let none = forge.knock(&PKCS_ED25519, &[], BOTH).await;
    assert_eq!(certificate_error(none), CertificateError::Names(0));
    let web = forge.knock(&PKCS_ED25519, &["https://um.example/relay/r1"], BOTH).await;
    assert!(matches!(certificate_error(web), CertificateError::Name(_)));
}

#[tokio::test]
async fn a_certificate_says_that_it_is_for_this_side_of_tls() {
    let forge = Forge::new();
    for usages in [&[][..], &[ExtendedKeyUsagePurpose::ServerAuth]] {
        let knocked = forge.knock(&PKCS_ED25519, &[UM_R1], usages).await;
        assert_eq!(certificate_error(knocked), CertificateError::Purpose);
    }
}

#[tokio::test]
async fn p256_is_as_good_as_ed25519() {
    let forge = Forge::new();
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
        let knocked = forge.knock(algorithm, &[UM_R1], BOTH).await;
        assert_eq!(knocked.unwrap(), UM_R1);
    }
}

#[tokio::test]
async fn an_authority_in_between_needs_a_revocation_list_too() {
    let forge = Forge::new();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = authority("in between");
    params.extended_key_usages = BOTH.to_vec();
    let between = params.signed_by(&key, &forge.issuer).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let (own, key) = leaf(&issuer, &PKCS_ED25519, &[UM_R1], BOTH);
    let chain = format!("{own}{between}");

    let without = certificate_error(forge.knock_with(&chain, &key).await);
    let um = "um.example".parse().unwrap();
    assert_eq!(without, CertificateError::RevocationUnknown(um));

    let lists = format!("{}{}", empty_crl(&forge.issuer), empty_crl(&issuer));
    forge.listener.replace_trust(um_trust(&forge.ca, &lists));
    assert_eq!(forge.knock_with(&chain, &key).await.unwrap(), UM_R1);
}
