//! Bytes and hashes as files of JSON have them: in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

fn text_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn bytes_of(text: &str) -> Result<Bytes, base64::DecodeError> {
    STANDARD.decode(text).map(Bytes::from)
}

/// Bytes.
pub(crate) mod bytes_in_base64 {
    use super::{Bytes, bytes_of, text_of};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text_of(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        bytes_of(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Bytes, or nothing.
pub(crate) mod maybe_bytes {
    use super::{Bytes, bytes_of, text_of};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&text_of(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| bytes_of(&text).map_err(D::Error::custom)).transpose()
    }
}

/// Headers, at most as many as an entry names messages.
pub(crate) mod headers {
    use super::{Bytes, bytes_of, text_of};
    use kuriiri_types::limits::STATEMENT_SUBJECTS_MAX;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(all: &[Bytes], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|bytes| text_of(bytes)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bytes>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        if texts.len() > STATEMENT_SUBJECTS_MAX {
            return Err(D::Error::custom("more headers than an entry names messages"));
        }
        texts.iter().map(|text| bytes_of(text).map_err(D::Error::custom)).collect()
    }
}

/// The hashes of a proof.
pub(crate) mod hashes {
    use super::{bytes_of, text_of};
    use kuriiri_merkle::PATH_MAX;
    use kuriiri_types::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(hashes: &[Digest], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(hashes.iter().map(|hash| text_of(hash.as_bytes())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        if texts.len() > PATH_MAX + 1 {
            return Err(D::Error::custom("more hashes than any proof has"));
        }
        let hash = |text: &String| Digest::from_slice(&bytes_of(text).ok()?);
        let read: Option<Vec<Digest>> = texts.iter().map(hash).collect();
        read.ok_or_else(|| D::Error::custom("a hash is 32 bytes in base64"))
    }
}
