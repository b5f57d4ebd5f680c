//! Signed bytes for those who know no protobuf.

use bytes::Bytes;
use kuriiri_types::{Approval, Codec, Entry, Header};

use crate::{approval, entry, header};

/// The encoding of this contract.
#[derive(Debug, Clone, Copy)]
pub struct WireCodec;

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
