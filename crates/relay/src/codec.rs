//! Reads and writes signed bytes for the engine, which knows no protobuf.

use bytes::Bytes;
use kuriiri_engine::Codec;
use kuriiri_types::{Header, Receipt};
use kuriiri_wire::{header, receipt};

/// The wire's encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireCodec;

impl Codec for WireCodec {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        header::decode(bytes).ok()
    }

    fn encode_receipt(&self, receipt: &Receipt) -> Bytes {
        receipt::encode(receipt)
    }
}
