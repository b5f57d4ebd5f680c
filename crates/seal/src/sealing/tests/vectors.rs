//! Sealed bodies that any implementation opens, and their digests.

use std::collections::BTreeMap;

use super::*;

const VECTOR: &str = include_str!("../../../../../tests/vectors/seal/sealing.txt");

/// The lines `name value` of the file, and the bytes after the line `sealed`.
fn vector() -> (BTreeMap<&'static str, &'static str>, Vec<u8>) {
    let (head, sealed) = VECTOR.split_once("\nsealed\n").unwrap();
    let lines = head.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let fields = lines.map(|line| line.split_once(' ').unwrap());
    let digits: Vec<char> = sealed.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
    (
        fields.map(|(name, value)| (name, value.trim())).collect(),
        digits.chunks(2).map(byte).collect(),
    )
}

fn digest_of(text: &str) -> Digest {
    Digest(hex::decode(text).unwrap())
}

#[test]
fn the_committed_body_opens_with_each_of_its_keys() {
    let (fields, sealed) = vector();
    let keys: Vec<(Ministry, SealingKey)> = ["one", "two"]
        .map(|which| {
            let ministry = fields[format!("ministry-{which}").as_str()].parse().unwrap();
            (ministry, fields[format!("secret-{which}").as_str()].parse().unwrap())
        })
        .into();
    let key_id = |(ministry, key): &(Ministry, SealingKey)| SealKeyId {
        ministry: ministry.clone(),
        key: key.public_key().id(),
    };
    let sealing = Sealing {
        suite: SUITE,
        keys: keys.iter().map(key_id).collect(),
        content: digest_of(fields["content"]),
    };
    for (ministry, key) in &keys {
        let opened = open(&sealed, &sealing, ministry, key, &fields["id"].parse().unwrap());
        assert_eq!(opened.unwrap(), fields["body"].as_bytes());
    }
    let salt: [u8; CONTENT_SALT_BYTES] = hex::decode(fields["salt"]).unwrap();
    assert_eq!(content_digest(&salt, fields["body"].as_bytes()), sealing.content);
}
