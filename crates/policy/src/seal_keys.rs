//! The keys to which bodies are sealed, as the federation file lists them.

use kuriiri_merkle::digest;
use kuriiri_types::{Digest, limits::MINISTRY_KEYS_MAX};

use crate::error::Flaw;

/// What stands before the digits of a public sealing key, in files of the trust folder and here.
const PUBLIC_TEXT: &str = "kuriiri-sealing-public-key-1:";
const PUBLIC_KEY_BYTES: usize = 1216;

/// The keys of one node by the ids that headers name, each list in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SealKeys {
    pub(crate) sealing: Box<[Digest]>,
    pub(crate) release: Box<[Digest]>,
}

impl SealKeys {
    /// Reads the keys of a node.
    pub(crate) fn read(sealing: &[String], release: &[String]) -> Result<Self, Flaw> {
        Ok(Self { sealing: ids(sealing)?, release: ids(release)? })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Digest> {
        self.sealing.iter().chain(&self.release)
    }
}

fn ids(texts: &[String]) -> Result<Box<[Digest]>, Flaw> {
    if texts.len() > MINISTRY_KEYS_MAX {
        return Err(Flaw::TooMany(MINISTRY_KEYS_MAX));
    }
    let ids: Option<Vec<Digest>> = texts.iter().map(|text| id(text)).collect();
    let mut ids = ids.ok_or(Flaw::SealingKey)?;
    ids.sort_unstable();
    Ok(ids.into())
}

/// The id of the key in such a text: SHA-256 of its bytes.
fn id(text: &str) -> Option<Digest> {
    let digits = text.trim().strip_prefix(PUBLIC_TEXT)?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    let bytes = bytes.filter(|bytes| rest.is_empty() && bytes.len() == PUBLIC_KEY_BYTES)?;
    Some(digest(&bytes))
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}
