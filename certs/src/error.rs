//! What can go wrong while certificates are made.

use kuriiri_types::Timestamp;

/// Why a certificate or a revocation list was not made. Each is the caller's to correct.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// X.509 cannot express this moment.
    #[error("{0} is outside the years that a certificate can express, 0 to 9999")]
    Time(Timestamp),
    /// The period ends before it begins.
    #[error("a validity must begin before it ends; this one begins {begins} and ends {ends}")]
    Validity {
        /// Where the period begins.
        begins: Timestamp,
        /// Where it ends, which is not later.
        ends: Timestamp,
    },
    /// The library that writes X.509 refused, or the system has no randomness to give.
    #[error("the certificate could not be made")]
    Make(#[from] rcgen::Error),
}
