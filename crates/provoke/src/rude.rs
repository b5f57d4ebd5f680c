//! QUIC without manners: what `kuriiri-transport` does not let anybody do.

use std::{future::Future, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use kuriiri_types::limits::FRAME_BYTES_MAX;
use kuriiri_wire::{Frame, relay::Hello};
use quinn::{
    ClientConfig, Connection, RecvStream, SendStream, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, SupportedKxGroup, ring},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use tokio::time::timeout;

use crate::{
    case::{Halt, Seen, wrong},
    folder::Pair,
    limits::{ANSWER, TINY_WINDOW_BYTES, WORDS_CHARS_MAX},
    partner::Partner,
};

/// The conversation between relays, as the handshake names it.
pub(crate) const RELAY: &str = "kuriiri-relay/2";

/// What the partner shows, and how much it lets come.
pub(crate) struct Guise<'a> {
    /// The certificate; none if it shows none.
    pub(crate) pair: Option<&'a Pair>,
    /// The conversation that it asks for.
    pub(crate) conversation: &'a str,
    /// Whether it takes nothing in but a few packets.
    pub(crate) takes_little: bool,
}

impl<'a> Guise<'a> {
    /// The relay that it is.
    pub(crate) fn genuine(partner: &'a Partner) -> Self {
        Self::of(&partner.relay)
    }

    /// With this certificate as a relay.
    pub(crate) fn of(pair: &'a Pair) -> Self {
        Self { pair: Some(pair), conversation: RELAY, takes_little: false }
    }
}

/// A connection whose other side nobody looked at.
pub(crate) struct RudeLink(Connection);

/// A stream of it.
pub(crate) struct RudeStream {
    send: SendStream,
    receive: RecvStream,
}

/// What came of something wrong.
pub(crate) enum Outcome {
    /// It was answered, as if nothing were wrong.
    Answered(Bytes),
    /// The stream or the link ended, in these words.
    Ended(String),
    /// Neither came in time.
    Silent,
}

impl Outcome {
    /// What is wrong is not answered: the stream or the link ends.
    pub(crate) fn must_end(self) -> Seen {
        match self {
            Self::Ended(how) => Ok(how),
            Self::Answered(frame) => Err(wrong(format!("it answered with {} bytes", frame.len()))),
            Self::Silent => {
                let seconds = ANSWER.as_secs();
                Err(wrong(format!("it neither answered nor ended anything in {seconds} s")))
            }
        }
    }
}

impl RudeLink {
    /// Makes a connection, or says how it was refused.
    pub(crate) async fn dial(partner: &Partner, guise: &Guise<'_>) -> Result<Self, String> {
        let config = config(guise).map_err(|error| error.to_string())?;
        let connected = async {
            let endpoint = socket(partner.target.address).map_err(|error| error.to_string())?;
            let connecting = endpoint.connect_with(config, partner.target.address, SERVER_NAME);
            connecting.map_err(|error| error.to_string())?.await.map_err(words)
        };
        let connected = timeout(ANSWER, connected).await;
        connected.unwrap_or_else(|_| Err("nobody answers".into())).map(Self)
    }

    /// A connection of the genuine relay on which both sides have said Hello.
    pub(crate) async fn greeted(partner: &Partner) -> Result<Self, Halt> {
        Self::greeted_as(partner, &Guise::genuine(partner)).await
    }

    /// The same in another guise.
    pub(crate) async fn greeted_as(partner: &Partner, guise: &Guise<'_>) -> Result<Self, Halt> {
        let refused = |how| wrong(format!("the genuine partner was not let in: {how}"));
        let link = Self::dial(partner, guise).await.map_err(refused)?;
        match link.ask(hello(partner).encode()).await {
            Outcome::Answered(answer) => match Hello::decode(answer) {
                Ok(_) => Ok(link),
                Err(error) => Err(wrong(format!("its Hello cannot be read: {error}"))),
            },
            Outcome::Ended(how) => Err(refused(how)),
            Outcome::Silent => Err(refused("no Hello came".into())),
        }
    }

    /// Opens a stream; the other side learns of it with the first byte.
    pub(crate) async fn open(&self) -> Result<RudeStream, String> {
        match timeout(ANSWER, self.0.open_bi()).await {
            Ok(Ok((send, receive))) => Ok(RudeStream { send, receive }),
            Ok(Err(error)) => Err(words(error)),
            Err(_) => Err("no stream may be opened".into()),
        }
    }

    /// Sends one frame on a stream of its own and ends it, and says what comes of it.
    pub(crate) async fn ask(&self, frame: Bytes) -> Outcome {
        self.say(&framed(&frame), true).await
    }

    /// Writes these bytes on a stream of their own, and says what comes of it.
    pub(crate) async fn say(&self, bytes: &[u8], ends: bool) -> Outcome {
        let mut stream = match self.open().await {
            Ok(stream) => stream,
            Err(how) => return Outcome::Ended(how),
        };
        // What it does to the stream is seen where the answer is read.
        let _ = stream.write(bytes).await;
        if ends {
            stream.finish();
        }
        stream.outcome().await
    }

    /// How the link ended, unless it lasts longer than that.
    pub(crate) async fn ended(&self, patience: std::time::Duration) -> Option<String> {
        timeout(patience, self.0.closed()).await.ok().map(words)
    }
}

impl RudeStream {
    /// Writes bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = timeout(ANSWER, self.send.write_all(bytes)).await;
        written.map_err(|_| "it takes no more bytes")?.map_err(words)
    }

    /// Ends the stream as if all were well.
    pub(crate) fn finish(&mut self) {
        // The only error is that it has ended already.
        let _ = self.send.finish();
    }

    /// Breaks the stream off.
    pub(crate) fn reset(&mut self) {
        let _ = self.send.reset(VarInt::from_u32(0));
    }

    /// What comes back: a frame, or an end.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        self.outcome_within(ANSWER).await
    }

    /// The same with another patience.
    pub(crate) async fn outcome_within(&mut self, patience: std::time::Duration) -> Outcome {
        match timeout(patience, self.frame()).await {
            Ok(Ok(frame)) => Outcome::Answered(frame),
            Ok(Err(how)) => Outcome::Ended(how),
            Err(_) => Outcome::Silent,
        }
    }

    async fn frame(&mut self) -> Result<Bytes, String> {
        let mut length = [0; 4];
        self.receive.read_exact(&mut length).await.map_err(words)?;
        let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if bytes > FRAME_BYTES_MAX {
            return Err(format!("it announces a frame of {bytes} bytes"));
        }
        let mut frame = vec![0; bytes];
        self.receive.read_exact(&mut frame).await.map_err(words)?;
        Ok(frame.into())
    }
}

/// The Hello of an honest partner.
pub(crate) fn hello(partner: &Partner) -> Hello {
    Hello {
        version: 2,
        software: "kuriiri provoke".into(),
        federation_serial: partner.federation_serial,
        policy_digest: None,
        witnessed: None,
    }
}

/// A frame with its length.
pub(crate) fn framed(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), frame].concat()
}

/// Runs something that a right relay does soon.
pub(crate) async fn soon<T>(what: &str, done: impl Future<Output = T>) -> Result<T, Halt> {
    let seconds = ANSWER.as_secs();
    timeout(ANSWER, done).await.map_err(|_| wrong(format!("{what}: nothing in {seconds} s")))
}

fn words(error: impl std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_said = inner.to_string();
        if !said.contains(&inner_said) {
            said = format!("{said}: {inner_said}");
        }
        cause = inner.source();
    }
    said.chars().take(WORDS_CHARS_MAX).collect()
}

// === QUIC and TLS ===

/// Harmless, and looked at by nobody.
const SERVER_NAME: &str = "relay.invalid";

/// A socket to dial this address from.
pub(crate) fn socket(to: SocketAddr) -> std::io::Result<quinn::Endpoint> {
    let any = match to {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    };
    quinn::Endpoint::client(any)
}

/// What a connection is made with.
pub(crate) fn config(guise: &Guise<'_>) -> Result<ClientConfig, Error> {
    let provider = CryptoProvider { kx_groups: groups(), ..ring::default_provider() };
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let unreadable = |error: rustls_pki_types::pem::Error| Error::General(error.to_string());
    let mut tls = match guise.pair {
        None => builder.with_no_client_auth(),
        Some(Pair { chain, key }) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
            builder.with_client_auth_cert(chain.map_err(unreadable)?, key)?
        }
    };
    tls.alpn_protocols = vec![guise.conversation.into()];
    let quic = QuicClientConfig::try_from(tls).map_err(|e| Error::General(e.to_string()))?;
    let mut config = ClientConfig::new(Arc::new(quic));
    let mut transport = TransportConfig::default();
    transport.keep_alive_interval(Some(std::time::Duration::from_secs(2)));
    if guise.takes_little {
        transport.receive_window(VarInt::from_u32(TINY_WINDOW_BYTES));
    }
    config.transport_config(Arc::new(transport));
    Ok(config)
}

#[cfg(feature = "pq")]
fn groups() -> Vec<&'static dyn SupportedKxGroup> {
    vec![rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768, ring::kx_group::X25519]
}

#[cfg(not(feature = "pq"))]
fn groups() -> Vec<&'static dyn SupportedKxGroup> {
    vec![ring::kx_group::X25519]
}

/// Believes whoever answers: honest exchanges, beside, see that it is the relay that is meant.
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
        vec![SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
