//! Reading TOML: the same first steps for every file.

use kuriiri_types::{FileKind, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use toml::value::Datetime;

use crate::error::{Flaw, PolicyError};

/// Bytes of one file: a thousand nodes with their certificates. Larger: refused before parsing.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(crate) fn read<T: DeserializeOwned>(kind: FileKind, text: &str) -> Result<T, PolicyError> {
    if text.len() > FILE_BYTES_MAX {
        let flaw = Flaw::TooMany(FILE_BYTES_MAX);
        return Err(PolicyError::content(kind, "its bytes", flaw));
    }
    toml::from_str(text).map_err(|cause| PolicyError::Syntax { file: kind, cause: Box::new(cause) })
}

pub(crate) fn check_format(kind: FileKind, format: &str) -> Result<(), PolicyError> {
    if format == kind.format() {
        return Ok(());
    }
    let item = format!("format `{format}`");
    Err(PolicyError::content(kind, item, Flaw::Format(kind.format())))
}

pub(crate) fn instant(kind: FileKind, key: &str, at: &Datetime) -> Result<Timestamp, PolicyError> {
    let parsed = OffsetDateTime::parse(&at.to_string(), &Rfc3339).ok();
    parsed
        .and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
        .map(Timestamp::from_millis)
        .ok_or_else(|| PolicyError::content(kind, format!("`{key}`"), Flaw::Time))
}

pub(crate) fn optional_instant(
    kind: FileKind,
    key: &str,
    at: Option<&Datetime>,
) -> Result<Option<Timestamp>, PolicyError> {
    at.map(|at| instant(kind, key, at)).transpose()
}

/// One text or a list of texts; people write what they mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}
