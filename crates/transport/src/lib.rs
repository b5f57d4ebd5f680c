//! Links between relays, and between a relay and its ministry's systems: QUIC (RFC 9000) with
//! TLS 1.3 (RFC 8446), both sides authenticated by X.509 SVIDs (SPIFFE), frames on streams.
//!
//! An [`Endpoint`] is made from an [`Identity`] (own certificate and key), a [`Trust`] (the CAs and
//! revocation lists of the members) and [`Settings`]. It dials and accepts; either way the result
//! is a [`Link`] to a [`Peer`], and a `Peer` can only come from a certificate that was verified
//! under the CA of the very ministry that it names. A link carries streams of both directions, and
//! a stream carries frames: a length of four bytes, big-endian, and so many bytes.
//!
//! There is no 0-RTT, no resumption, no ticket, no migration, no datagram and no server name that
//! means anything. Keys are agreed by X25519MLKEM768 first (feature `pq`, on by default).
//!
//! # A dialled link is not yet an accepted one
//!
//! In TLS 1.3 the dialling side is done before the other side has seen its certificate.
//! [`Endpoint::dial`] therefore succeeds although the peer may refuse a moment later. Open a
//! stream, send a Hello and wait for the answer before believing anything; when the peer refused,
//! the stream fails and [`Link::closed`] says so with [`LinkClosed::RefusedUs`].
//!
//! # What this crate does NOT do
//!
//! It does not know what is in a frame, whether a system is listed in the relay's configuration,
//! when to dial again, or which of two links to one peer to use. It reads no files, and the only clock
//! of the day that it reads is the one that certificates need.
//!
//! # What others may take
//!
//! Places for handshakes and links ([`Capacity`]), room for frames ([`Room`]) and time for each of them
//! ([`Patience`]) are bounded for each address prefix, link and identity, and in total, so that nobody can
//! take what is there for the others. [`Endpoint::figures`] says how much is used.
//!
//! ```no_run
//! use kuriiri_transport::{Conversation, Endpoint, Expect, Identity, Settings, Trust};
//! # async fn example(pem: [&str; 4]) -> Result<(), Box<dyn std::error::Error>> {
//! # let [chain_pem, key_pem, ca_pem, crl_pem] = pem;
//! let identity = Identity::from_pem(chain_pem, key_pem)?;
//! let trust = Trust::builder()
//!     .member("um.example".parse()?, ca_pem, Some(crl_pem))?
//!     .build()?;
//! let endpoint = Endpoint::dialler(Settings::new(identity, trust))?;
//! let expect = Expect::Relay("um.example".parse()?);
//! let link = endpoint.dial("192.0.2.7:4433".parse()?, expect, Conversation::Relay).await?;
//! let (mut sender, mut receiver) = link.open().await?;
//! sender.send("hello".into()).await?;
//! let answer = receiver.frame(1024).await?;
//! # Ok(())
//! # }
//! ```

mod budget;
mod closed;
mod conversation;
mod endpoint;
mod error;
mod figure;
mod frame;
mod holder;
mod identity;
pub mod limits;
mod link;
mod peer;
mod places;
mod restart;
mod settings;
mod streams;
mod swap;
mod tls;
mod trust;
mod verify;

pub use budget::Held;
pub use closed::{CloseCode, LinkClosed};
pub use conversation::{Conversation, Expect};
pub use endpoint::{Endpoint, Handshake};
pub use error::{BindError, CertificateError, DialError, HandshakeError, StreamError};
pub use figure::Figure;
pub use frame::{Frame, Receiver, Sender};
pub use identity::{Identity, IdentityError};
pub use link::Link;
pub use peer::Peer;
pub use settings::{Capacity, KeyAgreement, Patience, Room, Settings};
pub use trust::{Trust, TrustBuilder, TrustError};
