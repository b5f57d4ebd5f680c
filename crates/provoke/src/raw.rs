//! Protobuf by hand, for what no right program writes.

use bytes::Bytes;

/// Fields of a message, in the order in which they are written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw(Vec<u8>);

/// The wire types of protobuf that are written here.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;

impl Raw {
    /// A message without fields.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A number, a truth value or one of a kind.
    pub(crate) fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value);
        self
    }

    /// Bytes, text, or a message that is inside.
    pub(crate) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// What was written, as a frame or as the content of a field.
    pub(crate) fn done(self) -> Bytes {
        self.0.into()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_wire::{Frame, relay::Hello};

    use super::*;

    #[test]
    fn what_is_written_by_hand_is_what_others_write() {
        let hello = Hello {
            version: 300,
            software: "kit".into(),
            federation_serial: u64::MAX,
            policy_digest: None,
            witnessed: None,
        };
        let by_hand = Raw::new().number(1, 300).bytes(2, b"kit").number(3, u64::MAX).done();
        assert_eq!(by_hand, hello.encode());
    }
}
