//! Protobuf ⇄ the words of `kuriiri-types`: what relays and systems say to each other, as bytes.
//!
//! The contract is in `proto/`, with its rules in `proto/README.md`. This crate is its one reader
//! and writer; the generated types never leave it.
//!
//! Two kinds of bytes:
//!
//! * *signed bytes*, [`header`], [`approval`] and the [`entry`] of a log, which a [`receipt`] is, kept
//!   verbatim by everyone, so only their canonical encoding is read;
//! * *frames*, every [`Frame`] of the conversations [`relay`], [`client`] and [`admin`]. Unknown fields of
//!   frames are skipped, so that a contract can grow.
//!
//! Every decode is total: bytes become a value that keeps all limits, or a [`WireError`]. How much
//! memory a decode may take is checked before it is taken.
//!
//! This crate does no IO and knows no streams (`kuriiri-transport` puts the length before a frame),
//! verifies no signature (`kuriiri-seal`), and gives labels no meaning (`kuriiri-policy`).
//!
//! ```
//! use kuriiri_wire::{Frame, relay::Hello};
//!
//! let hello = Hello {
//!     version: 1,
//!     software: "kuriiri 0.1.0".into(),
//!     federation_serial: 7,
//!     policy_digest: None,
//!     witnessed: None,
//! };
//! assert_eq!(Hello::decode(hello.encode())?, hello);
//! # Ok::<(), kuriiri_wire::WireError>(())
//! ```

pub mod admin;
pub mod approval;
mod bodies;
pub mod client;
mod codec;
pub mod entry;
mod envelope;
mod error;
mod field;
mod frame;
mod giver;
mod handling;
mod hashes;
pub mod header;
mod label;
pub mod limits;
mod part;
mod proofs;
mod proto;
pub mod receipt;
mod refusal;
pub mod relay;
mod shape;
mod signed;
mod signed_receipt;
mod statement;
mod subjects;
mod verdict;

pub use codec::WireCodec;
pub use error::{Flaw, WireError};
pub use frame::Frame;
pub use part::Part;
pub use proofs::{Place, Proofs, Proved};
