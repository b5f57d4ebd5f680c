//! Ministries with their CAs, endpoints between them, and a stranger who keeps no rules.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use kuriiri_certs::{Authority, Issued, Purpose, Serial, Validity};
use kuriiri_transport::{
    Conversation, DialError, Endpoint, Expect, HandshakeError, Identity, Link, Settings, Trust,
};
use kuriiri_types::{Ministry, Timestamp};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A span of days from now, either end negative for the past.
pub(crate) fn days(from: i64, to: i64) -> Validity {
    let millis = i64::try_from(UnixTime::now().as_secs()).unwrap() * 1000;
    let day = |n: i64| Timestamp::from_millis(millis + n * 24 * 3600 * 1000);
    Validity { not_before: day(from), not_after: day(to) }
}

pub(crate) struct Member {
    pub(crate) ministry: Ministry,
    pub(crate) authority: Authority,
}

impl Member {
    pub(crate) fn new(name: &str) -> Self {
        let ministry: Ministry = name.parse().unwrap();
        Self { authority: Authority::new(&ministry, days(-90, 90)).unwrap(), ministry }
    }

    /// A certificate for this id, whoever's it is.
    pub(crate) fn issue(&self, id: &str, purpose: Purpose, validity: Validity) -> Issued {
        let id = id.parse().unwrap();
        self.authority.issue(&id, purpose, validity).unwrap()
    }

    pub(crate) fn good(&self, path: &str) -> Issued {
        let id = format!("spiffe://{}/{path}", self.ministry);
        self.issue(&id, Purpose::Tls, days(-1, 30))
    }

    pub(crate) fn crl(&self, revoked: &[Serial]) -> String {
        self.authority.crl(revoked, days(-1, 7)).unwrap()
    }
}

pub(crate) fn identity(issued: &Issued) -> Identity {
    Identity::from_pem(&issued.certificate_pem, &issued.key_pem).unwrap()
}

/// Trust in these members, nothing revoked.
pub(crate) fn trust(members: &[&Member]) -> Trust {
    let lists: Vec<String> = members.iter().map(|m| m.crl(&[])).collect();
    let pairs: Vec<_> = members.iter().copied().zip(lists.iter()).collect();
    trust_by(&pairs)
}

pub(crate) fn trust_by(members: &[(&Member, &String)]) -> Trust {
    let mut builder = Trust::builder();
    for (member, crl) in members {
        let ca = member.authority.certificate_pem();
        builder = builder.member(member.ministry.clone(), ca, Some(crl)).unwrap();
    }
    builder.build().unwrap()
}

/// Two ministries that trust each other, and a listening relay of the first.
pub(crate) struct World {
    pub(crate) sm: Member,
    pub(crate) um: Member,
    pub(crate) listener: Endpoint,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (sm, um) = (Member::new("sm.example"), Member::new("um.example"));
        let mut settings = Settings::new(identity(&sm.good("relay/r1")), trust(&[&sm, &um]));
        change(&mut settings);
        Self { listener: listen(settings), sm, um }
    }

    pub(crate) fn trust(&self) -> Trust {
        trust(&[&self.sm, &self.um])
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn dialler(&self, issued: &Issued) -> Endpoint {
        Endpoint::dialler(Settings::new(identity(issued), self.trust())).unwrap()
    }

    /// The usual dialler: a relay of the second ministry.
    pub(crate) fn um_relay(&self) -> Endpoint {
        self.dialler(&self.um.good("relay/r1"))
    }

    pub(crate) async fn meet(&self, dialler: &Endpoint) -> Met {
        meet(&self.listener, dialler, &self.sm, Conversation::Relay).await
    }

    /// Both ends of a good link: the dialling one, then the accepting one.
    pub(crate) async fn linked(&self, dialler: &Endpoint) -> (Link, Link) {
        let (dialled, accepted) = self.meet(dialler).await;
        (dialled.unwrap(), accepted.unwrap())
    }
}

pub(crate) fn listen(settings: Settings) -> Endpoint {
    let both = [Conversation::Relay, Conversation::Client];
    Endpoint::listen(LOOPBACK, settings, &both).unwrap()
}

pub(crate) type Met = (Result<Link, DialError>, Result<Link, HandshakeError>);

pub(crate) async fn meet(
    listener: &Endpoint,
    dialler: &Endpoint,
    expected: &Member,
    conversation: Conversation,
) -> Met {
    let address = listener.local_addr().unwrap();
    let expect = Expect::Relay(expected.ministry.clone());
    let dial = dialler.dial(address, expect, conversation);
    let accept = async { listener.accept().await.unwrap().complete().await };
    tokio::join!(dial, accept)
}

/// Longer than anything here takes; it turns a hang into a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

// === a stranger ===

/// Connects by quinn itself, with this certificate or none, believing whoever answers.
pub(crate) async fn stranger(
    address: SocketAddr,
    certificate: Option<(&str, &str)>,
) -> (quinn::Endpoint, Result<quinn::Connection, quinn::ConnectionError>) {
    let endpoint = quinn::Endpoint::client(LOOPBACK).unwrap();
    let connecting = endpoint.connect_with(lawless(certificate), address, "anything.example");
    let connected = connecting.unwrap().await;
    (endpoint, connected)
}

/// A client configuration that believes everybody and would like early data.
pub(crate) fn lawless(certificate: Option<(&str, &str)>) -> quinn::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(
                CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap(),
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![Conversation::Relay.alpn().into()];
    config.enable_early_data = true;
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()))
}

#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
