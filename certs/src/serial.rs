//! Serial numbers of certificates.

use std::fmt;

/// The serial number that an authority gave to a certificate: 16 bytes, positive, unpredictable
/// and so unique (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial([u8; 16]);

impl Serial {
    /// The 16 bytes, big-endian.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From a fresh public key, which is as random as the key itself. The first byte is kept
    /// between 0x40 and 0x7f: positive, and never shortened by DER.
    pub(crate) fn of_fresh_key(public_key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(public_key) {
            *to = *from;
        }
        if let Some(first) = bytes.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        Self(bytes)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
