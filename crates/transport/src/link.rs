//! A link: one authenticated QUIC connection to a peer.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use kuriiri_types::{Code, limits::FRAME_BYTES_MAX};
use quinn::{Connection, ConnectionError};

use crate::{CloseCode, Conversation, Held, LinkClosed, Patience, Peer, budget::Purse};

/// A connection to a [`Peer`] for one [`Conversation`]. Cheap to clone.
///
/// It stays open while a clone of it, or one of its streams, is held, or until a side closes it.
#[derive(Debug, Clone)]
pub struct Link(Arc<LinkState>);

#[derive(Debug)]
pub(crate) struct LinkState {
    connection: Connection,
    peer: Peer,
    conversation: Conversation,
    closed_here: OnceLock<CloseCode>,
    /// For frames that come, and for those that go.
    purses: [Purse; 2],
    patience: Option<Patience>,
}

impl Link {
    pub(crate) fn new(
        connection: Connection,
        peer: Peer,
        conversation: Conversation,
        purses: [Purse; 2],
        patience: Option<Patience>,
    ) -> Self {
        let closed_here = OnceLock::new();
        Self(Arc::new(LinkState { connection, peer, conversation, closed_here, purses, patience }))
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// What the link is for.
    pub fn conversation(&self) -> Conversation {
        self.0.conversation
    }

    /// Where the peer is. It says nothing of who it is.
    pub fn remote_address(&self) -> SocketAddr {
        plain(self.0.connection.remote_address())
    }

    /// The present estimate of a round trip to the peer and back.
    pub fn rtt(&self) -> Duration {
        self.0.connection.rtt()
    }

    /// Waits for the end of the link and says how it came.
    pub async fn closed(&self) -> LinkClosed {
        let error = self.0.connection.closed().await;
        self.sort(error)
    }

    /// How the link ended, if it has.
    pub fn close_reason(&self) -> Option<LinkClosed> {
        let error = self.0.connection.close_reason()?;
        Some(self.sort(error))
    }

    /// Closes the link at once. What the peer has not acknowledged is lost, on every stream; the
    /// reason is for the peer's log. Closing a closed link does nothing.
    pub fn close(&self, code: CloseCode, reason: &str) {
        if self.0.connection.close_reason().is_none() {
            self.0.closed_here.get_or_init(|| code);
            self.0.connection.close(code.on_the_wire(), reason.as_bytes());
        }
    }

    /// The same for a reason that has a number: the peer learns that and its title, and nothing of what this side
    /// knows beyond it.
    pub fn close_for(&self, code: CloseCode, why: Code) {
        self.close(code, &format!("{why} {}", why.title()));
    }

    /// The connection that it is.
    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Waits for room for so many bytes that are to be sent, at most a frame: they are in memory until the
    /// peer has taken them. Those who wait are served in turn.
    ///
    /// Cancel safe: whoever waits no more takes nothing.
    pub async fn room_to_send(&self, bytes: usize) -> Held {
        let [_, purse] = &self.0.purses;
        purse.take(0, bytes.min(FRAME_BYTES_MAX) as u64).await
    }

    /// Where the frames that come get their room.
    pub(crate) fn purse(&self) -> &Purse {
        let [purse, _] = &self.0.purses;
        purse
    }

    /// How slow its frames may be, if that is limited.
    pub(crate) fn patience(&self) -> Option<Patience> {
        self.0.patience
    }

    /// What the end of the connection means here.
    pub(crate) fn sort(&self, error: ConnectionError) -> LinkClosed {
        match (LinkClosed::from(error), self.0.closed_here.get()) {
            (LinkClosed::Here(_), Some(code)) => LinkClosed::Here(*code),
            (closed, _) => closed,
        }
    }
}

/// An address of version 4 as such, though the socket be of version 6.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

// === being known to the endpoint without being held by it ===

impl Link {
    pub(crate) fn downgrade(&self) -> Weak<LinkState> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(state: &Weak<LinkState>) -> Option<Self> {
        state.upgrade().map(Self)
    }
}
