//! What stands between two lengths on a stream.

use bytes::Bytes;
use prost::Message;

use crate::{
    error::{Flaw, WireError},
    field,
    limits::SMALL_FRAME_BYTES_MAX,
    shape::Shape,
};

/// One message of a conversation. On a stream its length stands before it (see `proto/README.md`).
pub trait Frame: Sized {
    /// Its name in the contract.
    const NAME: &'static str;

    /// Bytes of its longest encoding. Whoever reads the length refuses more before allocating.
    const BYTES_MAX: usize;

    /// The same by the first byte of the encoding, which tells the kind of a frame that has several: most are
    /// small.
    fn bytes_max(_first: u8) -> usize {
        Self::BYTES_MAX
    }

    /// The frame's bytes, in one allocation. Bodies are copied once, into it.
    ///
    /// Keeping the limits is the caller's part: a frame that breaks one is refused by the other
    /// side. Only text that may quote others is cut to its limit here.
    fn encode(&self) -> Bytes;

    /// The frame in these bytes. Bodies and signed bytes share the memory of `bytes`.
    ///
    /// # Errors
    /// [`Code::PROTOCOL`](kuriiri_types::Code::PROTOCOL) when the bytes are not this frame, or
    /// something in it is missing, unknown, malformed or over a limit.
    fn decode(bytes: Bytes) -> Result<Self, WireError>;
}

/// The limit of a frame of which one kind is large: the kind is the first field that is written (protobuf
/// encoding, "Message structure").
pub(crate) const fn large_only(field: u8, max: usize, first: u8) -> usize {
    const LENGTH_DELIMITED: u8 = 2;
    if first == (field << 3) | LENGTH_DELIMITED { max } else { SMALL_FRAME_BYTES_MAX }
}

pub(crate) fn pack(wire: &impl Message) -> Bytes {
    wire.encode_to_vec().into()
}

pub(crate) fn unpack<F: Frame, P: Message + Default>(
    bytes: Bytes,
    shape: &Shape,
    read: impl FnOnce(P) -> Result<F, Flaw>,
) -> Result<F, WireError> {
    let parse = || {
        let max = bytes.first().map_or(F::BYTES_MAX, |first| F::bytes_max(*first));
        field::at_most("frame", max, bytes.len())?;
        shape.check(&bytes)?;
        let wire = P::decode(bytes).map_err(|e| Flaw::Garbled(e.to_string()))?;
        read(wire)
    };
    parse().map_err(|flaw| WireError::frame(F::NAME, flaw))
}
