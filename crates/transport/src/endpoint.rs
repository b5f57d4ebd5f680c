//! One UDP socket: dialling, accepting, swapping, shutting down.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use kuriiri_types::SpiffeId;
use quinn::{
    ConnectError, Connecting, Connection, ConnectionError, Incoming, TransportConfig,
    crypto::rustls::HandshakeData,
};
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, timeout};

use crate::{
    BindError, CertificateError, CloseCode, Conversation, DialError, Expect, Figure,
    HandshakeError, Identity, IdentityError, Link, LinkClosed, Patience, Peer, Settings, Trust,
    budget::Budget,
    holder::Holder,
    limits::{HANDSHAKE_TIMEOUT, KNOCK_BYTES_MAX, KNOCKS_BYTES_MAX, KNOCKS_MAX},
    link::plain,
    places::{Full, Place, Places},
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
    /// Dials addresses of the family that the listening socket has not.
    other_family: Arc<OnceLock<quinn::Endpoint>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    swap: Swap,
    provider: Arc<CryptoProvider>,
    dialling: Arc<TransportConfig>,
    places: Arc<Places>,
    budget: Arc<Budget>,
    /// For relays, and for the ministry's own: a system may be slow to read for as long as it likes, and no
    /// peer must wait for it.
    sending: [Arc<Budget>; 2],
    /// Only who listens has something to lose by waiting.
    patience: Option<Patience>,
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
        let (offload, patience) = (settings.segmentation_offload, settings.patience);
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
        shared.patience = Some(patience);
        Ok(Self::new(quic, shared))
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
        Ok(Self::new(quic, shared))
    }

    fn new(quic: quinn::Endpoint, shared: Shared) -> Self {
        Self { quic, other_family: Arc::default(), shared: Arc::new(shared) }
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
            .socket_for(address)?
            .connect_with(config, address, tls::SERVER_NAME)
            .map_err(|error| not_dialled(error, address))?;
        let (connection, peer) = match handshake(connecting, &judge).await {
            Ok(done) => done,
            Err(Failure::Certificate(error)) => return Err(DialError::Certificate(error)),
            Err(Failure::Closed(closed)) => return Err(DialError::Closed(closed)),
        };
        shared.admit(connection, peer, conversation, &judge).map_err(DialError::Certificate)
    }

    /// The socket that reaches an address: the one that listens, or a second one when that is bound to
    /// addresses of the other family.
    fn socket_for(&self, address: SocketAddr) -> Result<&quinn::Endpoint, DialError> {
        let reaches = match self.quic.local_addr().map(|own| own.ip()) {
            Ok(IpAddr::V4(_)) => address.ip().to_canonical().is_ipv4(),
            // One that is bound to all of IPv6 has IPv4 too, unless the system is set otherwise.
            Ok(IpAddr::V6(own)) => own.is_unspecified() || address.is_ipv6(),
            Err(_) => true,
        };
        if reaches {
            return Ok(&self.quic);
        }
        if let Some(other) = self.other_family.get() {
            return Ok(other);
        }
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let made = quinn::Endpoint::client(SocketAddr::new(any, 0));
        let made = made.map_err(|source| DialError::Socket { address, source })?;
        Ok(self.other_family.get_or_init(|| made))
    }

    /// How much of what others may take is taken.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.shared.places.figures();
        figures.extend(self.shared.budget.figures());
        figures.extend(self.shared.sending.iter().flat_map(|sending| sending.figures()));
        figures
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
                continue;
            }
            let address = incoming.remote_address().ip();
            match self.shared.places.knock(address, Instant::now()) {
                Some(place) => return Some(self.shared.open_door(door, incoming, place)),
                // An honest one sends its packet again, when there may be a place.
                None => incoming.ignore(),
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
        let sockets = [Some(&self.quic), self.other_family.get()];
        let idle = async {
            for socket in sockets.into_iter().flatten() {
                socket.wait_idle().await;
            }
        };
        sockets.into_iter().flatten().for_each(|socket| socket.close(code.on_the_wire(), b""));
        if timeout(grace, idle).await.is_err() {
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
    place: Place,
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
    /// When they are not believed, may not hold the conversation, have links enough or give up, or others
    /// need the place meanwhile.
    pub async fn complete(self) -> Result<Link, HandshakeError> {
        let connecting = self.connecting.map_err(HandshakeError::Closed)?;
        let done = tokio::select! {
            done = handshake(connecting, &self.judge) => done,
            () = self.place.ended() => return Err(HandshakeError::Crowded),
        };
        let (connection, peer) = match done {
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
        let link = self
            .shared
            .admit(connection, peer, conversation, &self.judge)
            .map_err(HandshakeError::Certificate)?;
        self.shared.seat(&link).map(|()| link)
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
            places: Places::new(settings.capacity),
            budget: Budget::new(
                settings.room,
                ["bytes of frames", "bytes of frames of one holder"],
            ),
            sending: [
                ["bytes to be sent to peers", "bytes to be sent to one of them"],
                ["bytes to be sent to systems", "bytes to be sent to one system"],
            ]
            .map(|names| Budget::new(settings.room, names)),
            patience: None,
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

    fn open_door(self: &Arc<Self>, door: &Door, incoming: Incoming, place: Place) -> Handshake {
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
        Handshake { connecting, address, judge, place, shared: Arc::clone(self) }
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
        let holder = Holder::of(peer.id(), conversation);
        let [to_peers, to_systems] = &self.sending;
        let sending = if conversation == Conversation::Relay { to_peers } else { to_systems };
        let purses = [self.budget.purse(holder.clone()), sending.purse(holder)];
        let link = Link::new(connection, peer, conversation, purses, self.patience);
        self.swap.admit(&link, judge.trust()).map(|()| link)
    }

    /// Gives a guest a seat, or says why there is none.
    fn seat(&self, link: &Link) -> Result<(), HandshakeError> {
        let full = match self.places.seat(link) {
            Ok(()) => return Ok(()),
            Err(full) => full,
        };
        let conversation = link.conversation();
        let error = match full {
            Full::Own(max) => HandshakeError::TooMany { holder: link.peer().id().clone(), max },
            Full::All(max) => HandshakeError::Full { conversation, max },
        };
        // The same for both: how many others there are is nobody else's business.
        link.close_for(CloseCode::TooMany, error.code());
        Err(error)
    }
}
