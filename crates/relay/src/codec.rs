//! Reads and writes signed bytes for the engine, which knows no protobuf.

use bytes::Bytes;
use kuriiri_engine::Codec;
use kuriiri_types::{Approval, Entry, Header};
use kuriiri_wire::{approval, entry, header};

/// The wire's encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireCodec;

impl Codec for WireCodec {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        header::decode(bytes).ok()
    }

    fn approval(&self, bytes: &Bytes) -> Option<Approval> {
        approval::decode(bytes).ok()
    }

    fn encode_entry(&self, entry: &Entry) -> Bytes {
        entry::encode(entry)
    }

    fn entry(&self, bytes: &Bytes) -> Option<Entry> {
        entry::decode(bytes).ok()
    }
}
