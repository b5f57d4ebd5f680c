//! How what is kept as bytes becomes words.

use bytes::Bytes;

use crate::{Approval, Entry, Header};

/// The encoding of signed bytes, handed to those who must not know which one it is.
pub trait Codec: Send + Sync {
    /// Reads a header that was accepted before. Nothing means that the bytes are damaged.
    fn header(&self, bytes: &Bytes) -> Option<Header>;

    /// Reads an approval that was accepted before. Nothing means that the bytes are damaged.
    fn approval(&self, bytes: &Bytes) -> Option<Approval>;

    /// The canonical bytes of an entry of a log.
    fn encode_entry(&self, entry: &Entry) -> Bytes;

    /// Reads an entry of the relay's own log. Nothing means that the bytes are damaged.
    fn entry(&self, bytes: &Bytes) -> Option<Entry>;
}
