//! A set of at most 256 small numbers.

/// The values of a label, of a clearance or of a tag, by their position in the catalogue.
///
/// Four words, copied and compared without allocation. Positions are an internal matter of one
/// compiled catalogue: they are never stored, sent or signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Bits([u64; 4]);

impl Bits {
    pub(crate) const EMPTY: Self = Self([0; 4]);

    pub(crate) fn one(index: u8) -> Self {
        let bit = 1_u64 << (index & 63);
        Self([0, 1, 2, 3].map(|word| if word == index >> 6 { bit } else { 0 }))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(crate) fn is_empty(self) -> bool {
        let [a, b, c, d] = self.0;
        a | b | c | d == 0
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        !self.and(other).is_empty()
    }

    pub(crate) fn within(self, other: Self) -> bool {
        self.minus(other).is_empty()
    }

    pub(crate) fn has(self, index: u8) -> bool {
        let [a, b, c, d] = self.0;
        let word = match index >> 6 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        (word >> (index & 63)) & 1 == 1
    }

    /// The members in ascending order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        let words = [0_u8, 64, 128, 192].into_iter().zip(self.0);
        words.flat_map(|(first, mut word)| {
            std::iter::from_fn(move || {
                // At most 63 where a bit is left.
                let place = u8::try_from(word.trailing_zeros()).ok().filter(|_| word != 0)?;
                word &= word - 1;
                Some(first + place)
            })
        })
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let [a, b, c, d] = self.0;
        let [e, g, h, i] = other.0;
        Self([f(a, e), f(b, g), f(c, h), f(d, i)])
    }
}

impl FromIterator<u8> for Bits {
    fn from_iter<I: IntoIterator<Item = u8>>(members: I) -> Self {
        members.into_iter().fold(Self::EMPTY, |set, index| set.or(Self::one(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::btree_set, prelude::*};

    proptest! {
        #[test]
        fn behaves_as_a_set(a in btree_set(any::<u8>(), 0..40), b in btree_set(any::<u8>(), 0..40)) {
            let (x, y): (Bits, Bits) = (a.iter().copied().collect(), b.iter().copied().collect());
            let members = |bits: Bits| bits.iter().collect::<Vec<_>>();
            prop_assert_eq!(members(x.and(y)), a.intersection(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(members(x.or(y)), a.union(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(members(x.minus(y)), a.difference(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(x.within(y), a.is_subset(&b));
            prop_assert_eq!(x.meets(y), !a.is_disjoint(&b));
        }
    }
}
