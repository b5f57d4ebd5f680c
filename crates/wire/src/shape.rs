//! How much a frame may have of each field, checked before anything is allocated for it.
//!
//! An empty message takes two bytes in a frame and two hundred in memory, so the limit on a frame's
//! bytes alone would let a peer take a hundred times as much. This module walks over the encoding
//! without decoding it and counts.

use crate::error::Flaw;

/// The fields of one message that take memory of their own: all repeated ones and all messages.
#[derive(Debug)]
pub(crate) struct Shape {
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the test against the contract"))]
    pub(crate) message: &'static str,
    pub(crate) fields: &'static [Field],
}

/// One such field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) number: u64,
    pub(crate) max: usize,
    pub(crate) inside: Option<&'static Shape>,
    /// Bytes of its content, where they become more in memory.
    bytes_max: usize,
}

/// Most fields that a shape can have: what the counters on the stack hold.
const FIELDS_MAX: usize = 16;

/// The wire types of protobuf that proto3 uses.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

impl Field {
    /// A repeated field of text or bytes.
    pub(crate) const fn plain(name: &'static str, number: u64, max: usize) -> Self {
        Self { name, number, max, inside: None, bytes_max: usize::MAX }
    }

    /// A message that may not stand here.
    pub(crate) const fn none(name: &'static str, number: u64) -> Self {
        Self::plain(name, number, 0)
    }

    /// A repeated field of numbers, packed: each takes at least a byte, and four in memory.
    pub(crate) const fn numbers(name: &'static str, number: u64, bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::plain(name, number, 1) }
    }

    /// A repeated field of messages.
    pub(crate) const fn many(
        name: &'static str,
        number: u64,
        max: usize,
        shape: &'static Shape,
    ) -> Self {
        Self { inside: Some(shape), ..Self::plain(name, number, max) }
    }

    /// A single message. Protobuf would merge repeats of it, and add up what is repeated inside.
    pub(crate) const fn one(name: &'static str, number: u64, shape: &'static Shape) -> Self {
        Self::many(name, number, 1, shape)
    }
}

impl Shape {
    pub(crate) const fn new(message: &'static str, fields: &'static [Field]) -> Self {
        Self { message, fields }
    }

    /// Holds an encoding against this shape. Looks at nothing but counts: bytes that pass may
    /// still be garbled.
    pub(crate) fn check(&self, mut bytes: &[u8]) -> Result<(), Flaw> {
        let mut counts = [0; FIELDS_MAX];
        while !bytes.is_empty() {
            let (number, content) = next_field(&mut bytes).ok_or_else(cut_short)?;
            let field = self.fields.iter().zip(&mut counts).find(|(f, _)| f.number == number);
            let Some((field, count)) = field else {
                continue;
            };
            *count += 1;
            crate::field::at_most(field.name, field.max, *count)?;
            crate::field::at_most(field.name, field.bytes_max, content.len())?;
            if let Some(shape) = field.inside {
                shape.check(content)?;
            }
        }
        Ok(())
    }
}

fn cut_short() -> Flaw {
    Flaw::Garbled("a field is cut short or of an unknown kind".into())
}

/// Takes one field: its number, and its content if it has a length.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    let key = varint(bytes)?;
    let content = match key & 7 {
        VARINT => varint(bytes).map(|_| [].as_slice()),
        FIXED_64 => take(bytes, 8),
        LENGTH => {
            let length = varint(bytes)?;
            take(bytes, usize::try_from(length).ok()?)
        }
        FIXED_32 => take(bytes, 4),
        _ => None,
    };
    Some((key >> 3, content?))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::{
        FieldDescriptorProto, FileDescriptorSet,
        field_descriptor_proto::{Label, Type},
    };

    use super::*;
    use crate::{admin, client, relay, verdict};

    const CONTRACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/contract.binpb"));

    #[test]
    fn every_field_of_the_contract_that_takes_memory_is_counted() {
        let contract = FileDescriptorSet::decode(CONTRACT).unwrap();
        for root in [
            &relay::HELLO,
            &relay::witness::RELAY_REQUEST,
            &relay::witness::WITNESSED,
            &crate::proofs::PROVED,
            &verdict::VERDICTS,
            &client::REQUEST,
            &client::REPLY,
            &client::TO_RECEIVER,
            &client::FROM_RECEIVER,
            &client::TO_RECEIPT_READER,
            &admin::REQUEST,
            &admin::REPLY,
        ] {
            assert_counts_all(&contract, root);
        }
    }

    fn assert_counts_all(contract: &FileDescriptorSet, shape: &Shape) {
        let mut messages = contract.file.iter().flat_map(|f| &f.message_type);
        let message = messages.find(|m| m.name() == shape.message).unwrap();
        let takes_memory =
            |f: &&FieldDescriptorProto| f.label() == Label::Repeated || f.r#type() == Type::Message;
        let fields = message.field.iter().filter(takes_memory);
        let expected: Vec<_> = fields.map(|f| (f.name(), f.number() as u64)).collect();
        let counted: Vec<_> = shape.fields.iter().map(|f| (f.name, f.number)).collect();
        assert_eq!(counted, expected, "{}", shape.message);
        assert!(counted.len() <= FIELDS_MAX, "{}", shape.message);
        for counted in shape.fields {
            let field = message.field.iter().find(|f| f.name() == counted.name).unwrap();
            let Some(inside) = counted.inside else {
                assert!(counted.max == 0 || field.r#type() != Type::Message, "{}", counted.name);
                continue;
            };
            assert!(field.type_name().ends_with(&format!(".{}", inside.message)));
            assert!(field.label() == Label::Repeated || counted.max == 1);
            assert_counts_all(contract, inside);
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for bytes in [
            &[0x80][..],
            &[0x0a],
            &[0x0a, 5, 1],
            &[0x09, 1],
            &[0x0d, 1, 2, 3],
            &[0x0b],
            &[0xff; 11],
        ] {
            assert!(relay::BATCH.check(bytes).is_err(), "{bytes:?}");
        }
        assert!(relay::BATCH.check(&[0x08, 0x01, 0x7d, 1, 2, 3, 4]).is_ok());
    }
}
