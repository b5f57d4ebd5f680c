//! The example PKI: one certificate authority per ministry, and what it issues.
//!
//! The demo, the tests and a first trial need certificates before anybody has set up a real
//! authority. This crate makes them: Ed25519 keys (RFC 8410), X.509 SVIDs whose URI SAN is the
//! SPIFFE id, certificate revocation lists (RFC 5280).
//!
//! It does NOT write files, read a clock, keep what it issued or give out the authority's private
//! key, which lives and dies with its [`Authority`]. It is not a PKI for real traffic: no audit
//! trail, no hardware keys, no checks of who asks. Any authority that issues SVIDs can take its
//! place.
//!
//! ```
//! use kuriiri_certs::{Authority, Purpose, Validity};
//! use kuriiri_types::Timestamp;
//!
//! let year = Validity::days(Timestamp::from_millis(1_795_000_000_000), 365);
//! let authority = Authority::new(&"sm.example".parse()?, year)?;
//! let id = "spiffe://sm.example/system/kirjaamo".parse()?;
//! let issued = authority.issue(&id, Purpose::Signing, year)?;
//! assert!(issued.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod error;
mod serial;
mod validity;

pub use authority::{Authority, Issued, Purpose};
pub use error::CertsError;
pub use serial::Serial;
pub use validity::Validity;
