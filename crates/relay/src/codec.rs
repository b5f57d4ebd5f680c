//! Reads and writes signed bytes for the engine, which knows no protobuf.

use bytes::Bytes;
use kuriiri_engine::Codec;
use kuriiri_types::{Approval, Header, Receipt};
use kuriiri_wire::{approval, header, receipt};

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

    fn encode_receipt(&self, receipt: &Receipt) -> Bytes {
        receipt::encode(receipt)
    }
}
