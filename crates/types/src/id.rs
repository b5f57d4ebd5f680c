//! Identifiers that are bytes: message ids and SHA-256 digests.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use uuid::Uuid;

use crate::Timestamp;

/// The id of a message: a UUID version 7 (RFC 9562 §5.7), made by the sending system.
///
/// Its first 48 bits are the sender's time in milliseconds; relays use it to place the id in a
/// bucket of the memory of seen messages, never as a proof of time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct MessageId(Uuid);

impl MessageId {
    /// A version 7 id from a time and 10 random bytes. The caller brings the randomness.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id from its 16 bytes, or nothing when they are not a version 7 UUID.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let uuid = Uuid::from_bytes(bytes);
        (uuid.get_version() == Some(uuid::Version::SortRand)).then_some(Self(uuid))
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The time that the sender put into the id.
    pub fn time(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

/// The text is not the id of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a message id; write a UUID of version 7, \
     such as 01a1ed54-bc7b-7707-8707-070707070707"
)]
pub struct MessageIdError(String);

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let uuid = Uuid::parse_str(text).ok();
        uuid.and_then(|uuid| Self::from_bytes(uuid.into_bytes()))
            .ok_or_else(|| MessageIdError(text.into()))
    }
}

impl TryFrom<Uuid> for MessageId {
    type Error = MessageIdError;

    fn try_from(uuid: Uuid) -> Result<Self, MessageIdError> {
        Self::from_bytes(*uuid.as_bytes()).ok_or_else(|| MessageIdError(uuid.to_string()))
    }
}

impl From<MessageId> for Uuid {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A SHA-256 digest (FIPS 180-4). What it is a digest of is said where it is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From a slice, or nothing when it is not 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// As one run of bytes: serde would take an array byte by byte.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                Digest::from_slice(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(5).try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The SHA-256 of a certificate's DER: how an envelope names the certificate that signed it.
pub type Fingerprint = Digest;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_time_and_refuses_other_versions() {
        let id = MessageId::new(Timestamp::from_millis(1_795_000_000_123), [7; 10]);
        assert_eq!(id.time().as_millis(), 1_795_000_000_123);
        assert_eq!(MessageId::from_bytes(*id.as_bytes()), Some(id));
        assert_eq!(MessageId::from_bytes([0; 16]), None);
    }

    #[test]
    fn an_id_is_read_from_its_text_and_from_no_other_uuid() {
        let id = MessageId::new(Timestamp::from_millis(1_795_000_000_123), [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let digits = id.to_string();
        for version in "012345689abcdef".chars() {
            let other = format!("{}{version}{}", &digits[..14], &digits[15..]);
            assert_eq!(other.parse::<MessageId>(), Err(MessageIdError(other.clone())));
        }
        for bad in ["", "7", &digits[1..], &format!("{digits}0"), &digits.replace('-', "_")] {
            let error = bad.parse::<MessageId>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{bad}` is not a message id; ")), "{error}");
        }
    }

    #[test]
    fn the_error_shows_an_id_that_can_be_read() {
        let error = MessageIdError("7".into()).to_string();
        let (_, example) = error.rsplit_once(' ').unwrap();
        assert!(example.parse::<MessageId>().is_ok(), "{error}");
    }
}
