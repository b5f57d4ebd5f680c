//! What can happen to good bytes on their way to a parser: for tests alone.

use std::ops::Range;

use proptest::{collection::vec, prelude::*};

/// Bytes of one part that is repeated or put in at most; bounds what becomes of the input.
const PART_BYTES_MAX: usize = 4096;
/// How often a part is repeated at most.
const REPEATS_MAX: usize = 8;
/// What lengths are set to: the smallest, the largest, and what is near signs and sizes.
const LENGTHS: [u32; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, u32::MAX];

/// Some changes, one after the other.
#[derive(Debug, Clone)]
pub struct Damage(Vec<Change>);

/// One change. Places count from the start and wrap round, so that each fits every input.
#[derive(Debug, Clone)]
enum Change {
    Flip {
        at: usize,
        bit: u8,
    },
    Truncate {
        at: usize,
    },
    Remove {
        from: usize,
        length: usize,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    Repeat {
        from: usize,
        length: usize,
        times: usize,
    },
    /// A part goes to another place.
    Move {
        from: usize,
        length: usize,
        to: usize,
    },
    /// So many bytes are set to a number, most significant first: a length where one stands.
    Number {
        at: usize,
        width: usize,
        value: u32,
    },
}

/// One to three changes.
pub fn any_damage() -> impl Strategy<Value = Damage> {
    vec(any_change(), 1..=3).prop_map(Damage)
}

fn any_change() -> impl Strategy<Value = Change> {
    let place = || any::<usize>();
    let length = || prop_oneof![1..16_usize, 1..PART_BYTES_MAX];
    prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        place().prop_map(|at| Change::Truncate { at }),
        (place(), length()).prop_map(|(from, length)| Change::Remove { from, length }),
        (place(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Change::Insert { at, bytes }),
        (place(), length(), 1..=REPEATS_MAX).prop_map(|(from, length, times)| Change::Repeat {
            from,
            length,
            times
        }),
        (place(), length(), place()).prop_map(|(from, length, to)| Change::Move {
            from,
            length,
            to
        }),
        (place(), 1..=4_usize, prop::sample::select(LENGTHS.as_slice()))
            .prop_map(|(at, width, value)| Change::Number { at, width, value }),
    ]
}

impl Damage {
    /// What becomes of these bytes. It can be the same, and has at most 100 KiB more.
    pub fn applied_to(&self, whole: &[u8]) -> Vec<u8> {
        self.0.iter().fold(whole.to_vec(), |bytes, change| change.applied_to(bytes))
    }

    /// What becomes of a text; where it is no text any more, U+FFFD stands.
    pub fn applied_to_text(&self, whole: &str) -> String {
        String::from_utf8_lossy(&self.applied_to(whole.as_bytes())).into_owned()
    }
}

impl Change {
    fn applied_to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len();
        let place = |at: usize| at % end.saturating_add(1);
        let part = |from: usize, length: usize| -> Range<usize> {
            let from = place(from);
            from..from.saturating_add(length.min(PART_BYTES_MAX)).min(end)
        };
        match self {
            Self::Flip { at, bit } => {
                if let Some(byte) = bytes.get_mut(place(*at)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Truncate { at } => bytes.truncate(place(*at)),
            Self::Remove { from, length } => drop(bytes.drain(part(*from, *length))),
            Self::Insert { at, bytes: added } => {
                let at = place(*at);
                bytes.splice(at..at, added.iter().copied());
            }
            Self::Repeat { from, length, times } => {
                let part = part(*from, *length);
                let again = bytes.get(part.clone()).unwrap_or_default().repeat(*times);
                bytes.splice(part.end..part.end, again);
            }
            Self::Move { from, length, to } => {
                let moved: Vec<u8> = bytes.drain(part(*from, *length)).collect();
                let to = to % bytes.len().saturating_add(1);
                bytes.splice(to..to, moved);
            }
            Self::Number { at, width, value } => {
                let number = value.to_be_bytes();
                let number = number.iter().skip(number.len().saturating_sub(*width));
                bytes.iter_mut().skip(place(*at)).zip(number).for_each(|(byte, new)| *byte = *new);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_does_what_it_says() {
        let becomes = |change: Change| change.applied_to(b"abcdef".to_vec());
        assert_eq!(becomes(Change::Flip { at: 7, bit: 1 }), b"cbcdef");
        assert_eq!(becomes(Change::Flip { at: 6, bit: 1 }), b"abcdef");
        assert_eq!(becomes(Change::Truncate { at: 2 }), b"ab");
        assert_eq!(becomes(Change::Remove { from: 4, length: 9 }), b"abcd");
        assert_eq!(becomes(Change::Insert { at: 6, bytes: b"x".to_vec() }), b"abcdefx");
        assert_eq!(becomes(Change::Repeat { from: 1, length: 2, times: 2 }), b"abcbcbcdef");
        assert_eq!(becomes(Change::Move { from: 0, length: 2, to: 4 }), b"cdefab");
        assert_eq!(becomes(Change::Number { at: 1, width: 2, value: 0x7a79 }), b"azydef");
        assert_eq!(becomes(Change::Number { at: 5, width: 4, value: 0x7a79_7877 }), b"abcdez");
    }

    proptest! {
        #[test]
        fn every_input_can_be_damaged_and_stays_small(
            bytes in vec(any::<u8>(), 0..300),
            damage in any_damage(),
        ) {
            prop_assert!(damage.applied_to(&bytes).len() <= bytes.len() + 100 * 1024);
        }
    }
}
