//! One UDP socket: dialling, accepting, swapping, shutting down.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use kuriiri_types::SpiffeId;
use quinn::{
    ConnectError, Connecting, Connection, ConnectionError, Incoming, TransportConfig,
    crypto::rustls::HandshakeData,
};
use rustls::crypto::CryptoProvider;
use tokio::time::timeout;

use crate::{
    BindError, CertificateError, CloseCode, Conversation, DialError, Expect, HandshakeError,
    Identity, IdentityError, Link, LinkClosed, Peer, Settings, Trust,
    limits::{HANDSHAKE_TIMEOUT, KNOCK_BYTES_MAX, KNOCKS_BYTES_MAX, KNOCKS_MAX},
    link::plain,
    swap::Swap,
    tls::{self, TlsError},
    verify::Judge,
};

/// A UDP socket that dials relays and, when it listens, accepts who knocks. Cheap to clone.
///
/// It must be made inside a tokio runtime.
#[derive(Debug, Clone)]
pub struct Endpoint {
    quic: quinn::Endpoint,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    swap: Swap,
    provider: Arc<CryptoProvider>,
    dialling: Arc<TransportConfig>,
    connections_max: usize,
    door: Option<Door>,
}

/// What a listening endpoint keeps for those who knock.
#[derive(Debug)]
struct Door {
    config: quinn::ServerConfig,
    conversations: Vec<Conversation>,
}

impl Endpoint {
    /// An endpoint that accepts these conversations at an address, and dials from it.
    ///
    /// Its port is [`local_addr`](Self::local_addr)'s when 0 is asked for.
    ///
    /// # Errors
    /// When the address cannot be had, the key agreement is not in this build, or no conversation
    /// is given.
    pub fn listen(
        address: SocketAddr,
        settings: Settings,
        conversations: &[Conversation],
    ) -> Result<Self, BindError> {
        if conversations.is_empty() {
            return Err(BindError::NoConversation);
        }
        let offload = settings.segmentation_offload;
        let mut shared = Shared::new(settings)?;
        let config = shared.door(conversations, offload).map_err(BindError::Tls)?;
        let restart = shared.swap.identity().restart().config();
        let quic = std::net::UdpSocket::bind(address)
            .and_then(|socket| {
                let runtime = Arc::new(quinn::TokioRuntime);
                quinn::Endpoint::new(restart, Some(config.clone()), socket, runtime)
            })
            .map_err(|source| BindError::Address { address, source })?;
        shared.door = Some(Door { config, conversations: conversations.to_vec() });
        Ok(Self { quic, shared: Arc::new(shared) })
    }

    /// An endpoint that only dials, from any port, by IPv6 and IPv4 where the machine has both.
    ///
    /// # Errors
    /// When no socket can be had, or the key agreement is not in this build.
    pub fn dialler(settings: Settings) -> Result<Self, BindError> {
        let shared = Shared::new(settings)?;
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let quic = quinn::Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into())
            .or_else(|_| quinn::Endpoint::client(address))
            .map_err(|source| BindError::Address { address, source })?;
        Ok(Self { quic, shared: Arc::new(shared) })
    }

    /// The socket's own address, or nothing when the system does not say.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.quic.local_addr().ok()
    }

    /// Dials a relay. Only the one expected is believed.
    ///
    /// The link is not accepted by the other side yet: see the
    /// [crate's page](crate#a-dialled-link-is-not-yet-an-accepted-one).
    ///
    /// # Errors
    /// When nobody answers within [`HANDSHAKE_TIMEOUT`], somebody else does, or they refuse.
    pub async fn dial(
        &self,
        address: SocketAddr,
        expect: Expect,
        conversation: Conversation,
    ) -> Result<Link, DialError> {
        let shared = &self.shared;
        let judge = Judge::new(shared.swap.trust(), Some(expect));
        let config = shared.dial_config(&judge, conversation).map_err(DialError::Tls)?;
        let connecting = self
            .quic
            .connect_with(config, address, tls::SERVER_NAME)
            .map_err(|error| not_dialled(error, address))?;
        let (connection, peer) = match handshake(connecting, &judge).await {
            Ok(done) => done,
            Err(Failure::Certificate(error)) => return Err(DialError::Certificate(error)),
            Err(Failure::Closed(closed)) => return Err(DialError::Closed(closed)),
        };
        shared.admit(connection, peer, conversation, &judge).map_err(DialError::Certificate)
    }

    /// The next one who knocks and has shown that its address is its own, or nothing when the
    /// endpoint is shut down or does not listen. Complete the handshake in a task of its own, so
    /// that a slow one does not keep others waiting. After [`stop_accepting`](Self::stop_accepting)
    /// it waits for the shutdown.
    pub async fn accept(&self) -> Option<Handshake> {
        let door = self.shared.door.as_ref()?;
        loop {
            let incoming = self.quic.accept().await?;
            if !incoming.remote_address_validated() {
                // It fails only for one who was sent back before, and that one is validated.
                let _ = incoming.retry();
            } else if self.quic.open_connections() >= self.shared.connections_max {
                tracing::debug!(address = %incoming.remote_address(), "turned away: all places taken");
                incoming.refuse();
            } else {
                return Some(self.shared.open_door(door, incoming));
            }
        }
    }

    /// Replaces the members, CAs and revocation lists, for all handshakes from now on and for the
    /// links that are open: one whose peer is no longer accepted, be it revoked, expired or of a
    /// member that is gone, is closed with [`CloseCode::Identity`]. Returns whose were closed.
    ///
    /// Replacing a trust by itself looks for what has expired since.
    pub fn replace_trust(&self, trust: Trust) -> Vec<SpiffeId> {
        self.shared.swap.replace_trust(trust)
    }

    /// Replaces the certificate and key by renewed ones, for all handshakes from now on. Open links
    /// keep the old ones.
    ///
    /// # Errors
    /// When the new certificate names somebody else.
    pub fn replace_identity(&self, identity: Identity) -> Result<(), IdentityError> {
        self.shared.swap.replace_identity(identity)
    }

    /// Lets nobody in any more. Open links stay.
    pub fn stop_accepting(&self) {
        self.quic.set_server_config(None);
    }

    /// Closes every link with [`CloseCode::ShuttingDown`] and waits, no longer than `grace`, until
    /// the peers have been told. Finish your streams and await the answers first: what is under way
    /// is lost. The endpoint is of no use afterwards.
    pub async fn shut_down(&self, grace: Duration) {
        self.stop_accepting();
        let code = CloseCode::ShuttingDown;
        self.quic.close(code.on_the_wire(), b"");
        if timeout(grace, self.quic.wait_idle()).await.is_err() {
            tracing::debug!("some peers could not be told of the shutdown in time");
        }
    }
}

/// One who knocked. Dropped, it is shown the door.
#[derive(Debug)]
pub struct Handshake {
    connecting: Result<Connecting, LinkClosed>,
    address: SocketAddr,
    judge: Arc<Judge>,
    shared: Arc<Shared>,
}

impl Handshake {
    /// Where they knock from.
    pub fn remote_address(&self) -> SocketAddr {
        plain(self.address)
    }

    /// Waits until they have shown who they are, no longer than [`HANDSHAKE_TIMEOUT`]. Here the
    /// peer is proven when the link is returned.
    ///
    /// # Errors
    /// When they are not believed, may not hold the conversation, or give up.
    pub async fn complete(self) -> Result<Link, HandshakeError> {
        let connecting = self.connecting.map_err(HandshakeError::Closed)?;
        let (connection, peer) = match handshake(connecting, &self.judge).await {
            Ok(done) => done,
            Err(Failure::Certificate(error)) => return Err(HandshakeError::Certificate(error)),
            Err(Failure::Closed(closed)) => return Err(HandshakeError::Closed(closed)),
        };
        let Some(conversation) = conversation(&connection) else {
            return Err(HandshakeError::Closed(LinkClosed::NoCommonConversation));
        };
        if !conversation.admits(peer.id(), self.shared.swap.identity().id().ministry()) {
            connection.close(CloseCode::Identity.on_the_wire(), b"");
            return Err(HandshakeError::Holder { holder: peer.id().clone(), conversation });
        }
        self.shared
            .admit(connection, peer, conversation, &self.judge)
            .map_err(HandshakeError::Certificate)
    }
}

// === one handshake ===

enum Failure {
    Certificate(CertificateError),
    Closed(LinkClosed),
}

/// Sees a handshake through and says who the peer is.
async fn handshake(connecting: Connecting, judge: &Judge) -> Result<(Connection, Peer), Failure> {
    let ended = match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ConnectionError::TimedOut),
    };
    match (ended, judge.verdict()) {
        (Ok(connection), Some(Ok(peer))) => Ok((connection, peer)),
        (Ok(_), None) => Err(Failure::Closed(LinkClosed::NoCertificate)),
        (_, Some(Err(error))) => Err(Failure::Certificate(error)),
        (Err(error), _) => Err(Failure::Closed(error.into())),
    }
}

fn conversation(connection: &Connection) -> Option<Conversation> {
    let data = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    Conversation::from_alpn(data.protocol.as_deref()?)
}

fn not_dialled(error: ConnectError, address: SocketAddr) -> DialError {
    match error {
        ConnectError::InvalidRemoteAddress(_) => DialError::Address(address),
        ConnectError::EndpointStopping => {
            DialError::Closed(LinkClosed::Here(CloseCode::ShuttingDown))
        }
        ConnectError::CidsExhausted
        | ConnectError::InvalidServerName(_)
        | ConnectError::NoDefaultClientConfig
        | ConnectError::UnsupportedVersion => DialError::Tls(error.into()),
    }
}

impl Shared {
    fn new(settings: Settings) -> Result<Self, BindError> {
        Ok(Self {
            provider: tls::provider(settings.key_agreement)?,
            dialling: tls::transport(true, settings.segmentation_offload),
            connections_max: settings.connections_max,
            swap: Swap::new(settings.identity, settings.trust),
            door: None,
        })
    }

    /// The configuration of a listening socket; each handshake gets a copy with its own judge.
    fn door(
        &self,
        conversations: &[Conversation],
        segmentation_offload: bool,
    ) -> Result<quinn::ServerConfig, TlsError> {
        let judge = Judge::new(self.swap.trust(), None);
        let crypto = tls::listener(&self.provider, &self.swap.identity(), &judge, conversations)?;
        let mut config = quinn::ServerConfig::with_crypto(crypto);
        config
            .transport_config(tls::transport(false, segmentation_offload))
            .migration(false)
            .max_incoming(KNOCKS_MAX)
            .incoming_buffer_size(KNOCK_BYTES_MAX)
            .incoming_buffer_size_total(KNOCKS_BYTES_MAX);
        Ok(config)
    }

    fn open_door(self: &Arc<Self>, door: &Door, incoming: Incoming) -> Handshake {
        let judge = Judge::new(self.swap.trust(), None);
        let address = incoming.remote_address();
        let identity = self.swap.identity();
        let connecting = match tls::listener(&self.provider, &identity, &judge, &door.conversations)
        {
            Ok(crypto) => {
                let mut config = door.config.clone();
                config.crypto = crypto;
                incoming.accept_with(Arc::new(config)).map_err(LinkClosed::from)
            }
            Err(error) => Err(LinkClosed::Protocol(error.to_string())),
        };
        Handshake { connecting, address, judge, shared: Arc::clone(self) }
    }

    fn dial_config(
        &self,
        judge: &Arc<Judge>,
        conversation: Conversation,
    ) -> Result<quinn::ClientConfig, TlsError> {
        let identity = self.swap.identity();
        let crypto = tls::dialler(&self.provider, &identity, judge, conversation)?;
        let mut config = quinn::ClientConfig::new(crypto);
        config.transport_config(Arc::clone(&self.dialling));
        Ok(config)
    }

    fn admit(
        &self,
        connection: Connection,
        peer: Peer,
        conversation: Conversation,
        judge: &Judge,
    ) -> Result<Link, CertificateError> {
        let link = Link::new(connection, peer, conversation);
        self.swap.admit(&link, judge.trust()).map(|()| link)
    }
}
