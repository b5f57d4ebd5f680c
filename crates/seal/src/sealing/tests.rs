//! A sealed body opens for whom it was sealed, as it was sealed, and in no other way.

mod two_bodies;
mod vectors;

use kuriiri_types::Timestamp;
use proptest::prelude::*;

use super::*;

struct Sealed {
    keys: Vec<SealingKey>,
    ministries: Vec<Ministry>,
    id: MessageId,
    sealing: Sealing,
    body: Vec<u8>,
}

const PLAINTEXT: &[u8] = b"the border opens at six";

fn id(random: u8) -> MessageId {
    MessageId::new(Timestamp::from_millis(1_795_000_000_000), [random; 10])
}

fn sealed() -> Sealed {
    let names = ["plm.example", "sm.example", "um.example"];
    let ministries: Vec<Ministry> = names.map(|name| name.parse().unwrap()).into();
    let keys: Vec<SealingKey> = names.map(|_| SealingKey::generate().unwrap()).into();
    let public = keys.iter().map(SealingKey::public_key);
    let to: Vec<_> = ministries.iter().cloned().zip(public).collect();
    let (sealing, body) = seal(PLAINTEXT, &to, &id(1)).unwrap();
    Sealed { keys, ministries, id: id(1), sealing, body }
}

impl Sealed {
    fn open(&self, ministry: usize, key: usize) -> Result<Vec<u8>, SealError> {
        let (ministry, key) = (&self.ministries[ministry], &self.keys[key]);
        open(&self.body, &self.sealing, ministry, key, &self.id)
    }
}

#[test]
fn every_ministry_opens_with_its_own_key_and_with_no_other() {
    let sealed = sealed();
    assert_eq!(sealed.body.len(), 2 + 3 * 1168 + 32 + PLAINTEXT.len() + 16);
    for ministry in 0..3 {
        for key in 0..3 {
            let opened = sealed.open(ministry, key);
            if ministry == key {
                assert_eq!(opened.unwrap(), PLAINTEXT);
            } else {
                assert!(matches!(opened, Err(SealError::NotForThisKey(_))));
            }
        }
    }
}

#[test]
fn a_header_that_names_another_key_does_not_make_it_fit() {
    let mut sealed = sealed();
    sealed.keys[0] = SealingKey::generate().unwrap();
    sealed.sealing.keys[0].key = sealed.keys[0].public_key().id();
    assert!(matches!(sealed.open(0, 0), Err(SealError::Altered)));
    sealed.sealing.keys[1].ministry = sealed.ministries[2].clone();
    assert!(matches!(sealed.open(2, 1), Err(SealError::Altered)));
}

#[test]
fn it_opens_under_no_other_message_suite_or_list_of_keys() {
    let mut sealed = sealed();
    sealed.id = id(2);
    assert!(matches!(sealed.open(0, 0), Err(SealError::Altered)));
    sealed.id = id(1);
    sealed.sealing.keys.swap(0, 1);
    assert!(matches!(sealed.open(0, 0), Err(SealError::Altered)));
    sealed.sealing.keys.swap(0, 1);
    let last = sealed.sealing.keys.pop().unwrap();
    assert!(matches!(sealed.open(0, 0), Err(SealError::Layout)));
    sealed.sealing.keys.push(last);
    assert_eq!(sealed.open(0, 0).unwrap(), PLAINTEXT);
    sealed.sealing.suite = 2;
    assert!(matches!(sealed.open(0, 0), Err(SealError::Suite(2))));
}

#[test]
fn it_opens_to_the_body_that_the_header_commits_to_and_to_no_other() {
    let mut sealed = sealed();
    let content = sealed.sealing.content;
    sealed.sealing.content.0[31] ^= 1;
    assert!(matches!(sealed.open(0, 0), Err(SealError::Content)));
    sealed.sealing.content = content;
    assert!(sealed.open(0, 0).is_ok());
}

#[test]
fn keys_stand_sorted_and_once_whatever_the_order_they_are_given_in() {
    let key = || SealingKey::generate().unwrap();
    let ministry = |name: &str| -> Ministry { name.parse().unwrap() };
    let keys = [("um.example", key()), ("plm.example", key()), ("um.example", key())];
    let mut to: Vec<_> = keys.iter().map(|(m, key)| (ministry(m), key.public_key())).collect();
    to.push(to[0].clone());
    let (sealing, body) = seal(PLAINTEXT, &to, &id(1)).unwrap();
    assert_eq!(sealing.keys.len(), 3);
    assert!(sealing.keys.is_sorted_by(|a, b| a < b));
    for (name, key) in &keys {
        assert_eq!(open(&body, &sealing, &ministry(name), key, &id(1)).unwrap(), PLAINTEXT);
    }
}

#[test]
fn two_sealings_of_one_body_have_nothing_in_common() {
    let key = SealingKey::generate().unwrap().public_key();
    let to = [("um.example".parse().unwrap(), key)];
    let (_, one) = seal(PLAINTEXT, &to, &id(1)).unwrap();
    let (_, two) = seal(PLAINTEXT, &to, &id(1)).unwrap();
    assert_ne!(one[2..34], two[2..34]);
    assert_ne!(one[body_at(1)..], two[body_at(1)..]);
}

#[test]
fn keys_and_size_are_bounded() {
    let key = SealingKey::generate().unwrap().public_key();
    let to = vec![("um.example".parse().unwrap(), key); SEALING_KEYS_MAX + 1];
    for wrong in [&to[..0], &to] {
        let refused = seal(PLAINTEXT, wrong, &id(1));
        assert!(matches!(refused, Err(SealError::Keys { .. })));
    }
    let limit = usize::try_from(BODY_BYTES_MAX).unwrap();
    let largest = vec![0; limit - body_at(1) - CONTENT_SALT_BYTES - TAG_BYTES];
    assert_eq!(seal(&largest, &to[..1], &id(1)).unwrap().1.len(), limit);
    let refused = seal(&[largest, vec![0]].concat(), &to[..1], &id(1));
    assert!(matches!(refused, Err(SealError::TooBig { .. })));
}

#[test]
fn keys_come_back_from_their_text_and_from_nothing_else() {
    let key = SealingKey::generate().unwrap();
    let secret = key.to_text();
    let line = format!("{}\n", secret.as_str());
    let again: SealingKey = line.parse().unwrap();
    assert!(again.public_key() == key.public_key());

    let public = key.public_key().to_string();
    let again: SealingPublicKey = public.parse().unwrap();
    assert_eq!(again.id(), key.public_key().id());

    for wrong in ["", &public, &secret[..secret.len() - 1]] {
        let error = wrong.parse::<SealingKey>().err().unwrap();
        assert!(!error.to_string().contains("-1:"), "{error}");
    }
    for wrong in ["", secret.as_str(), &public[..public.len() - 2]] {
        assert!(wrong.parse::<SealingPublicKey>().is_err());
    }
}

#[test]
fn the_shortest_body_has_the_layout_and_one_byte_less_has_it_not() {
    let to = [("um.example".parse().unwrap(), SealingKey::generate().unwrap().public_key())];
    let (sealing, body) = seal(b"", &to, &id(1)).unwrap();
    assert!(check_layout(&body, &sealing).is_ok());
    let cut = check_layout(&body[..body.len() - 1], &sealing);
    assert!(matches!(cut, Err(SealError::Layout)));
    assert!(matches!(check_layout(b"", &sealing), Err(SealError::Layout)));
    let none = Sealing { keys: Vec::new(), ..sealing };
    assert!(matches!(check_layout(&body, &none), Err(SealError::Keys { given: 0, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_layout_is_that_of_what_is_sealed_and_of_no_other_suite_count_or_length(
        keys in 1..5_usize,
        plaintext in prop::collection::vec(any::<u8>(), 0..200),
        (suite, count, named) in (0..4_u32, any::<u8>(), 0..8_usize),
        cut in any::<prop::sample::Index>(),
    ) {
        let ministry: Ministry = "um.example".parse().unwrap();
        let to = (0..keys).map(|_| (ministry.clone(), SealingKey::generate().unwrap().public_key()));
        let (sealing, mut body) = seal(&plaintext, &to.collect::<Vec<_>>(), &id(1)).unwrap();
        prop_assert!(check_layout(&body, &sealing).is_ok());

        let other = Sealing { suite, ..sealing.clone() };
        prop_assert_eq!(check_layout(&body, &other).is_ok(), suite == SUITE);
        let mut other = sealing.clone();
        other.keys.resize_with(named, || sealing.keys[0].clone());
        prop_assert_eq!(check_layout(&body, &other).is_ok(), named == keys);

        let shortest = 2 + keys * 1168 + 32 + 16;
        let cut = cut.index(body.len());
        prop_assert_eq!(check_layout(&body[..cut], &sealing).is_ok(), cut >= shortest);
        body[1] = count;
        prop_assert_eq!(check_layout(&body, &sealing).is_ok(), usize::from(count) == keys);
        body[1] = u8::try_from(keys).unwrap();
        body[0] = u8::try_from(suite).unwrap();
        prop_assert_eq!(check_layout(&body, &sealing).is_ok(), suite == SUITE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_flipped_bit_and_any_cut_is_noticed(
        place in prop_oneof![0..4_usize, any::<usize>()],
        bit in 0..8_u32,
        reader in 0..3_usize,
    ) {
        let mut sealed = sealed();
        let place = place % sealed.body.len();
        sealed.body[place] ^= 1_u8 << bit;
        prop_assert!(sealed.open(reader, reader).is_err());
        sealed.body[place] ^= 1_u8 << bit;
        sealed.body.push(0);
        prop_assert!(sealed.open(reader, reader).is_err());
        sealed.body.truncate(place);
        prop_assert!(sealed.open(reader, reader).is_err());
    }
}
