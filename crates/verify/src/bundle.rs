//! The evidence of one message in one file, which stands alone.

mod build;
mod check;

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kuriiri_merkle::PATH_MAX;
use kuriiri_types::Digest;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    build::{Sources, evidence},
    check::{Part, Signature, came, is_about},
};
pub use self::{
    build::{bundle_of, evidence_of},
    check::{BundleReport, Restated, check_bundle},
};
use crate::{
    claim::Claim,
    folder::{FolderError, read_limited},
};

/// The format of the evidence of one message.
pub const BUNDLE_FORMAT: &str = "kuriiri-bundle/1";
/// The format of evidence for a claim.
pub const EVIDENCE_FORMAT: &str = "kuriiri-evidence/1";
/// Bytes of a file: a body of the largest kind in base64, and signed files. Larger: not read.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The evidence of one message, or of a claim, in one file that stands alone.
///
/// `kuriiri-bundle/1` is JSON:
///
/// ```json
/// { "format": "kuriiri-bundle/1",
///   "message": "01a1ed54-bc7b-7707-8707-070707070707",
///   "logs": [ { "origin": "sm.example/log",
///               "checkpoint": "<the signed note, as text>",
///               "entries": [ { "index": 17, "entry": "<base64>", "path": ["<base64>"] } ] } ],
///   "body": "<base64 of salt and body, if they are at hand>" }
/// ```
///
/// `entry` are the exact bytes of a `LogEntry`; `path` are the hashes from its leaf to the root of the
/// checkpoint (RFC 9162 §2.1.3). Entries stand in the order of their log. With them are the
/// certificates that they name, and the signed files by which was decided. `kuriiri-evidence/1` is the
/// same with a `claim`; see [`Claim`](crate::Claim).
///
/// Nothing in a file is believed that does not follow from a checkpoint that the reader's policy
/// accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageBundle {
    /// [`BUNDLE_FORMAT`] or [`EVIDENCE_FORMAT`].
    pub format: String,
    /// The message that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it is said to prove, in an evidence file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Parts of logs.
    pub logs: Vec<LogPart>,
    /// Salt and body.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_or_none")]
    pub body: Option<Bytes>,
}

/// Entries of one log under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPart {
    /// Which log.
    pub origin: String,
    /// The signed note.
    pub checkpoint: String,
    /// The entries, in the order of the log.
    pub entries: Vec<Proved>,
}

/// An entry with its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proved {
    /// Its place in the log.
    pub index: u64,
    /// Its exact bytes.
    #[serde(with = "base64_bytes")]
    pub entry: Bytes,
    /// The hashes from its leaf to the root.
    #[serde(with = "base64_hashes")]
    pub path: Vec<Digest>,
}

impl MessageBundle {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not of a format that this version knows.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        let text = read_limited(path, FILE_BYTES_MAX)?;
        Self::parse(&text).map_err(|what| FolderError::form(path, what))
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let bundle: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let known = match bundle.format.as_str() {
            BUNDLE_FORMAT => bundle.claim.is_none(),
            EVIDENCE_FORMAT => bundle.claim.is_some(),
            _ => false,
        };
        if known {
            Ok(bundle)
        } else {
            Err(format!("it is neither {BUNDLE_FORMAT} nor {EVIDENCE_FORMAT}"))
        }
    }

    /// The bytes of a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text, numbers and lists always have a form in JSON.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Writes a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FolderError> {
        fs::write(path, self.to_bytes()).map_err(|error| FolderError::io(path, error))
    }
}

mod base64_bytes {
    use super::{Bytes, Engine, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}

mod base64_or_none {
    use super::{Bytes, Engine, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&STANDARD.encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let read = |text| STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom);
        text.map(read).transpose()
    }
}

pub(crate) mod base64_hashes {
    use super::{Digest, Engine, PATH_MAX, STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(hashes: &[Digest], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(hashes.iter().map(|hash| STANDARD.encode(hash.as_bytes())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        if texts.len() > PATH_MAX + 1 {
            return Err(D::Error::custom("more hashes than any proof has"));
        }
        let hash = |text: &String| {
            let bytes = STANDARD.decode(text).ok();
            bytes.and_then(|bytes| Digest::from_slice(&bytes))
        };
        let read: Option<Vec<Digest>> = texts.iter().map(hash).collect();
        read.ok_or_else(|| D::Error::custom("a hash is 32 bytes in base64"))
    }
}
