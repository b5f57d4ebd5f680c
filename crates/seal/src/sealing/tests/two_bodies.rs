//! A sender who means different ministries to read different bodies is found out.
//!
//! The attack is a real one: a ciphertext with a tag that is right under two content keys, and each
//! of two slots holding one of them. One block of the ciphertext is solved for, so that the two
//! values of Poly1305 (RFC 8439 §2.5) are the same.

use super::*;

type Key = [u8; CONTENT_KEY_BYTES];

/// Where the block that is solved for begins: the last of four.
const FREE: usize = 48;

#[test]
fn a_body_that_opens_to_another_under_another_key_is_refused() {
    let (names, id) = (["sm.example", "um.example"], id(1));
    let ministries: Vec<Ministry> = names.map(|name| name.parse().unwrap()).into();
    let keys = names.map(|_| SealingKey::generate().unwrap());
    let content_keys: [Key; 2] = [[1; 32], [2; 32]];

    let mut front = vec![SUITE_BYTE, 2];
    for ((ministry, key), content_key) in ministries.iter().zip(&keys).zip(content_keys) {
        let (content_key, key) = (Zeroizing::new(content_key), key.public_key());
        front.extend(seal_content_key(&content_key, ministry, &key, &id).unwrap());
    }
    let encrypted = two_faced(&content_keys, &[id.as_bytes(), front.as_slice()].concat());
    let bodies = content_keys.map(|key| decrypt(&Zeroizing::new(key), &front, &id, &encrypted));
    let [Some(one), Some(two)] = bodies else { panic!("the tag is wrong under one of the keys") };
    assert_ne!(one, two);

    let key_id = |(ministry, key): (&Ministry, &SealingKey)| SealKeyId {
        ministry: ministry.clone(),
        key: key.public_key().id(),
    };
    let (salt, body) = one.split_at(CONTENT_SALT_BYTES);
    let sealing = Sealing {
        suite: SUITE,
        keys: ministries.iter().zip(&keys).map(key_id).collect(),
        content: content_digest(salt, body),
    };
    let sealed = [front, encrypted].concat();
    let open = |at: usize| open(&sealed, &sealing, &ministries[at], &keys[at], &id);
    assert_eq!(open(0).unwrap(), body);
    assert!(matches!(open(1), Err(SealError::Content)));
}

/// Four blocks of ciphertext and a tag that is right under both keys.
fn two_faced(keys: &[Key; 2], associated: &[u8]) -> Vec<u8> {
    let one_time = keys.map(|key| one_time_key(&key));
    let [square_1, square_2] = one_time.map(|(r, _)| r.times(r));
    let slope = square_1.plus(square_2.negated()).inverted();
    for attempt in 0..200_u128 {
        let mut text = [attempt.to_le_bytes(); 4].concat();
        text[FREE..].fill(0);
        // What the block adds is its 16 bytes and the 2^128 that stands above every block.
        let [rest_1, rest_2] = one_time.map(|(r, _)| polynomial(r, associated, &text));
        for turn in [Num::ZERO, Num::ABOVE, Num::ABOVE.negated()] {
            let [(_, s_1), (_, s_2)] = one_time;
            let wanted = Num::new(s_2).plus(Num::new(s_1).negated()).plus(turn);
            let gap = wanted.plus(rest_1.negated()).plus(rest_2);
            let block = gap.times(slope);
            if block.high != 0 {
                continue;
            }
            text[FREE..].copy_from_slice(&block.low.to_le_bytes());
            let tag = one_time.map(|(r, s)| polynomial(r, associated, &text).low.wrapping_add(s));
            if tag[0] == tag[1] {
                return [text, tag[0].to_le_bytes().to_vec()].concat();
            }
        }
    }
    panic!("no block fits");
}

/// The polynomial over what the AEAD authenticates (RFC 8439 §2.8).
fn polynomial(r: Num, associated: &[u8], text: &[u8]) -> Num {
    let padded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        bytes
    };
    let lengths = [associated.len(), text.len()].map(|length| (length as u64).to_le_bytes());
    let all = [padded(associated), padded(text), lengths.concat()].concat();
    all.chunks_exact(16).fold(Num::ZERO, |sum, block| {
        let block = u128::from_le_bytes(block.try_into().unwrap());
        sum.plus(Num { low: block, high: 1 }).times(r)
    })
}

/// `r` and `s` of a content key with the nonce zero (RFC 8439 §2.6).
fn one_time_key(key: &Key) -> (Num, u128) {
    const CLAMP: u128 = 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;
    let half =
        |words: &[u32]| words.iter().rev().fold(0, |sum, word| sum << 32 | u128::from(*word));
    let block = chacha20_first_block(key);
    (Num::new(half(&block[..4]) & CLAMP), half(&block[4..8]))
}

fn chacha20_first_block(key: &Key) -> [u32; 16] {
    let mut start =
        [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (word, bytes) in start[4..12].iter_mut().zip(key.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().unwrap());
    }
    let mut state: [u32; 16] = start;
    for _ in 0..10 {
        for [a, b, c, d] in [
            [0, 4, 8, 12],
            [1, 5, 9, 13],
            [2, 6, 10, 14],
            [3, 7, 11, 15],
            [0, 5, 10, 15],
            [1, 6, 11, 12],
            [2, 7, 8, 13],
            [3, 4, 9, 14],
        ] {
            for (to, from, turned, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]
            {
                state[to] = state[to].wrapping_add(state[from]);
                state[turned] = (state[turned] ^ state[to]).rotate_left(by);
            }
        }
    }
    std::array::from_fn(|i| state[i].wrapping_add(start[i]))
}

/// A number modulo 2^130 - 5.
#[derive(Clone, Copy)]
struct Num {
    low: u128,
    high: u128,
}

impl Num {
    const ZERO: Self = Self { low: 0, high: 0 };
    const ABOVE: Self = Self { low: 0, high: 1 };
    const PRIME: Self = Self { low: u128::MAX - 4, high: 3 };

    fn new(low: u128) -> Self {
        Self { low, high: 0 }
    }

    fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high + other.high + u128::from(carry);
        if (high, low) < (Self::PRIME.high, Self::PRIME.low) {
            return Self { low, high };
        }
        let (low, borrow) = low.overflowing_sub(Self::PRIME.low);
        Self { low, high: high - Self::PRIME.high - u128::from(borrow) }
    }

    fn negated(self) -> Self {
        if (self.high, self.low) == (0, 0) {
            return self;
        }
        let (low, borrow) = Self::PRIME.low.overflowing_sub(self.low);
        Self { low, high: Self::PRIME.high - self.high - u128::from(borrow) }
    }

    fn bit(self, at: u32) -> bool {
        let word = if at < 128 { self.low >> at } else { self.high >> (at - 128) };
        word & 1 == 1
    }

    fn times(self, other: Self) -> Self {
        (0..130).rev().fold(Self::ZERO, |sum, at| {
            let double = sum.plus(sum);
            if other.bit(at) { double.plus(self) } else { double }
        })
    }

    /// By Fermat: the power 2^130 - 7.
    fn inverted(self) -> Self {
        let power = Self { low: u128::MAX - 6, high: 3 };
        (0..130).rev().fold(Self::new(1), |product, at| {
            let square = product.times(product);
            if power.bit(at) { square.times(self) } else { square }
        })
    }
}
