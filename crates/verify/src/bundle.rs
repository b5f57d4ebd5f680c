//! The evidence of one message in one file, which stands alone.

mod build;
mod check;
mod part;
mod prove;

use std::{fs, path::Path};

use bytes::Bytes;
use kuriiri_types::Digest;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    build::{Sources, evidence},
    part::check_headers,
};
pub use self::{
    build::{bundle_of, evidence_of},
    check::{BundleReport, Restated, check_bundle},
};
use crate::{
    contradiction::Claim,
    encoded::{bytes_in_base64, hashes, headers, maybe_bytes},
    folder::{FolderError, read_limited},
};

/// The format of the evidence of one message.
pub const BUNDLE_FORMAT: &str = "kuriiri-bundle/2";
/// The format of evidence for a claim.
pub const EVIDENCE_FORMAT: &str = "kuriiri-evidence/2";
/// Bytes of a file: a body of the largest kind in base64, and signed files. Larger: not read.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The evidence of one message, or of a claim, in one file that stands alone.
///
/// `kuriiri-bundle/2` is JSON:
///
/// ```json
/// { "format": "kuriiri-bundle/2",
///   "message": "01a1ed54-bc7b-7707-8707-070707070707",
///   "logs": [ { "origin": "sm.example/log",
///               "checkpoint": "<the signed note, as text>",
///               "entries": [ { "index": 17, "entry": "<base64>", "path": ["<base64>"],
///                                "headers": ["<base64>"] } ] } ],
///   "body": "<base64 of salt and body, if they are at hand>" }
/// ```
///
/// `entry` are the exact bytes of a `LogEntry`; `path` are the hashes from its leaf to the root of the
/// checkpoint (RFC 9162 §2.1.3). `headers` are those of the messages in question, with the entry that
/// names them first; of the other messages that an entry names nothing is here but ids and digests.
/// Entries are in the order of their log. With them are the certificates that they name, and the signed
/// files by which was decided. `kuriiri-evidence/2` is the
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
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_bytes")]
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
    #[serde(with = "bytes_in_base64")]
    pub entry: Bytes,
    /// The hashes from its leaf to the root.
    #[serde(with = "hashes")]
    pub path: Vec<Digest>,
    /// Headers of messages that it names first, in its order; those that are wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "headers")]
    pub headers: Vec<Bytes>,
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
