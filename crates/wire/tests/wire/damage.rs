//! What can happen to bytes on their way.

use bytes::Bytes;
use proptest::prelude::*;

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
