//! Why an endpoint was not made, a peer was not believed, a stream ended early.

use std::{io, net::SocketAddr};

use kuriiri_types::{Code, Ministry, SpiffeError, SpiffeId};

use crate::{Conversation, LinkClosed};

/// Why an endpoint was not made. Nothing is open afterwards.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system does not give this address; the operator's to correct.
    #[error("cannot use the address {address}")]
    Address {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Post-quantum key agreement is required and this build has none.
    #[error("post-quantum key agreement is required, but this program was built without it")]
    PostQuantumUnavailable,
    /// A listener without a conversation would refuse everybody.
    #[error("an endpoint that listens needs a conversation to listen for")]
    NoConversation,
    /// The TLS library refused the configuration.
    #[error("TLS cannot be configured")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BindError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Address { .. } => Code::PORT,
            Self::PostQuantumUnavailable => Code::CONFIG,
            Self::NoConversation | Self::Tls(_) => Code::INTERNAL,
        }
    }
}

/// Why a peer's certificate was not accepted here.
///
/// The peer itself is only told the TLS alert that fits (RFC 8446 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is not X.509 as we read it.
    #[error("the certificate cannot be read: {0}")]
    Malformed(String),
    /// It holds this many URI names; an SVID holds exactly one (X509-SVID §2).
    #[error("the certificate holds {0} URI names; it must hold one, the SPIFFE id of its holder")]
    Names(usize),
    /// Its URI name is not an identity.
    #[error("the certificate does not name its holder")]
    Name(#[source] SpiffeError),
    /// It names a ministry that is no member here.
    #[error("the certificate names {0}, which is not a member; add its CA if it should be")]
    UnknownMinistry(Ministry),
    /// It names somebody else than the one who was dialled.
    #[error("a relay of {expected} was expected, but the certificate names {found}")]
    Unexpected {
        /// The ministry whose relay was dialled.
        expected: Ministry,
        /// Who answered.
        found: SpiffeId,
    },
    /// No CA of the ministry that it names issued it.
    #[error("the certificate was not issued by the CA of {0}, whose holder it claims to name")]
    Issuer(Ministry),
    /// Its time is over.
    #[error("the certificate has expired; its holder must have it renewed")]
    Expired,
    /// Its time has not come, or one of the two clocks is wrong.
    #[error("the certificate is not valid yet; compare the clocks of the two machines")]
    NotYetValid,
    /// Its ministry has revoked it.
    #[error("the certificate is revoked")]
    Revoked,
    /// There is no usable revocation list of its issuer.
    #[error("no revocation list of {0} covers the certificate; get a current one")]
    RevocationUnknown(Ministry),
    /// The revocation list of its ministry is older than it may be.
    #[error("the revocation list of {0} is out of date; get a current one")]
    RevocationStale(Ministry),
    /// It was issued for something else, such as signing messages.
    #[error("the certificate is not for this side of a TLS connection")]
    Purpose,
    /// Another rule of X.509 path validation (RFC 5280 §6) refuses it.
    #[error("the certificate breaks a rule of X.509: {0}")]
    Invalid(String),
}

impl CertificateError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        Code::PEER_CERTIFICATE
    }
}

/// Why dialling gave no link.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The one who answered was not believed.
    #[error("the answering relay's certificate was not accepted")]
    Certificate(#[source] CertificateError),
    /// The connection ended during the handshake.
    #[error("the relay could not be reached")]
    Closed(#[source] LinkClosed),
    /// Nobody can be dialled at this address: port 0, or a family that the socket has not.
    #[error("{0} is not an address that can be dialled from here")]
    Address(SocketAddr),
    /// The endpoint listens on addresses of one family, and no socket of the other can be had.
    #[error("{address} cannot be dialled: no socket of its family can be had")]
    Socket {
        /// Whom it was for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS library refused the configuration.
    #[error("TLS cannot be configured")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DialError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Certificate(error) => error.code(),
            Self::Closed(closed) => closed.code(),
            Self::Address(_) => Code::CONFIG,
            Self::Socket { .. } => Code::UNREACHABLE,
            Self::Tls(_) => Code::INTERNAL,
        }
    }
}

/// Why one who knocked did not become a link. It is for the log: the door stays open for others.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The one who knocked was not believed.
    #[error("the dialling side's certificate was not accepted")]
    Certificate(#[source] CertificateError),
    /// The certificate is good, but this conversation is not for its holder.
    #[error("{holder} may not hold the conversation {}", .conversation.alpn())]
    Holder {
        /// Who knocked.
        holder: SpiffeId,
        /// What they wanted.
        conversation: Conversation,
    },
    /// The holder has as many links for this conversation as it may.
    #[error("{holder} has {max} links already, as many as it may")]
    TooMany {
        /// Who knocked.
        holder: SpiffeId,
        /// How many it may have.
        max: usize,
    },
    /// All places for links of this conversation are taken.
    #[error("all {max} places for links of {} are taken", .conversation.alpn())]
    Full {
        /// What they wanted.
        conversation: Conversation,
        /// How many places there are.
        max: usize,
    },
    /// The handshake was not finished when others needed its place.
    #[error("the handshake was not finished when its place was needed")]
    Crowded,
    /// The connection ended during the handshake.
    #[error("the handshake did not complete")]
    Closed(#[source] LinkClosed),
}

impl HandshakeError {
    /// The stable number of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::Certificate(error) => error.code(),
            Self::Holder { .. } => Code::PEER_CERTIFICATE,
            Self::TooMany { .. } | Self::Full { .. } => Code::TOO_MANY_LINKS,
            Self::Crowded => Code::TOO_SLOW,
            Self::Closed(closed) => closed.code(),
        }
    }
}

/// Why a stream ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A frame is larger than allowed. Nothing of it was sent, or room made for it.
    #[error("a frame of {bytes} bytes is larger than the {max} that are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest allowed here.
        max: usize,
    },
    /// A frame was due or begun and did not go on in time.
    #[error("a frame did not go on in time")]
    Slow,
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// The sending side gave up, with this code.
    #[error("the sending side broke the stream off{}", told(.0))]
    Reset(Option<Code>),
    /// The receiving side wants no more, with this code.
    #[error("the receiving side wants no more of the stream{}", told(.0))]
    Stopped(Option<Code>),
    /// The stream was already ended on this side.
    #[error("the stream was already ended on this side")]
    Ended,
    /// The link is gone.
    #[error("the link is closed")]
    Link(#[source] LinkClosed),
}

impl StreamError {
    /// The stable number of this error; for a stream that the peer ended, the peer's.
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => Code::TOO_BIG,
            Self::Slow => Code::TOO_SLOW,
            Self::Truncated => Code::PROTOCOL,
            Self::Reset(code) | Self::Stopped(code) => code.unwrap_or(Code::UNREACHABLE),
            Self::Ended => Code::INTERNAL,
            Self::Link(closed) => closed.code(),
        }
    }
}

fn told(code: &Option<Code>) -> String {
    code.map_or_else(String::new, |code| format!(": {code}"))
}
