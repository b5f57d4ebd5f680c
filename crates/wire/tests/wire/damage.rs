//! What can happen to bytes on their way.

use bytes::Bytes;
use proptest::prelude::*;

use crate::pieces::{self, Piece};

/// One thing that happens; positions count from the start and wrap round.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Truncate(usize),
    Flip(usize, u8),
    Insert(usize, u8),
    Remove(usize),
}

pub(crate) fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Truncate),
        (any::<usize>(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<usize>().prop_map(Damage::Remove),
    ]
}

impl Damage {
    pub(crate) fn applied_to(&self, bytes: &[u8]) -> Bytes {
        let mut bytes = bytes.to_vec();
        let length = bytes.len();
        match *self {
            Self::Truncate(at) => bytes.truncate(at % length),
            Self::Flip(at, bits) => bytes[at % length] ^= bits,
            Self::Insert(at, byte) => bytes.insert(at % (length + 1), byte),
            Self::Remove(at) => drop(bytes.remove(at % length)),
        }
        bytes.into()
    }
}

/// One thing that happens to the fields of a message; places wrap round.
#[derive(Debug, Clone)]
pub(crate) enum Mix {
    Drop(usize),
    Repeat(usize),
    Swap(usize, usize),
    /// A field of this number with these bytes comes in, in its place.
    Add(u64, Vec<u8>),
    /// The content of a field is damaged, and its length is right.
    Inside(usize, Damage),
}

pub(crate) fn any_mix() -> impl Strategy<Value = Mix> {
    prop_oneof![
        any::<usize>().prop_map(Mix::Drop),
        any::<usize>().prop_map(Mix::Repeat),
        (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Mix::Swap(one, other)),
        (1..30_u64, proptest::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(number, bytes)| Mix::Add(number, bytes)),
        (any::<usize>(), any_damage()).prop_map(|(at, damage)| Mix::Inside(at, damage)),
    ]
}

impl Mix {
    pub(crate) fn applied_to(&self, mut fields: Vec<Piece>) -> Vec<u8> {
        let count = fields.len();
        match self {
            _ if count == 0 => {}
            Self::Drop(at) => drop(fields.remove(at % count)),
            Self::Repeat(at) => fields.insert(at % count, fields[at % count].clone()),
            Self::Swap(one, other) => fields.swap(one % count, other % count),
            Self::Add(number, bytes) => {
                let before = fields.iter().filter(|f| pieces::number_of(f) <= *number).count();
                fields.insert(before, pieces::field(*number, bytes));
            }
            Self::Inside(at, damage) => {
                let field = &mut fields[at % count];
                let has_length = field[0] & 7 == 2 && pieces::content(field).len() > 1;
                if has_length {
                    let content = damage.applied_to(&pieces::content(field));
                    *field = pieces::field(pieces::number_of(field), &content);
                }
            }
        }
        fields.concat()
    }
}
