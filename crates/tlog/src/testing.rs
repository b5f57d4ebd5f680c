//! What tests in several files need.

use kuriiri_merkle::{Growth, leaf};
use kuriiri_seal::NoteKey;
use kuriiri_types::Digest;

use crate::{Note, NoteSigner, text::base64};

/// The example of a note in the specification.
pub(crate) const EXAMPLE_NOTE: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
/// The key that signed it.
pub(crate) const EXAMPLE_KEY: &str =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

pub(crate) fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|index| leaf(&index.to_be_bytes())).collect()
}

/// A tree with all its nodes.
pub(crate) fn tree(size: u64) -> Growth {
    leaves(size).into_iter().collect()
}

/// A key that anybody can know.
pub(crate) fn key(seed: u8) -> NoteKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([seed; 32]);
    let body = base64(&der);
    NoteKey::from_pem(&format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
        .unwrap()
}

/// The bytes with one bit flipped, for every bit.
pub(crate) fn flipped_bytes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut mutant = bytes.to_vec();
        mutant[bit / 8] ^= 1 << (bit % 8);
        mutant
    })
}

pub(crate) fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name.parse().unwrap(), key(seed))
}

/// A note that these signed.
pub(crate) fn signed_note(text: &str, signers: &[&NoteSigner]) -> Note {
    let mut note = Note::new(text.to_owned()).unwrap();
    signers.iter().for_each(|signer| note.add(signer.sign(text).unwrap()).unwrap());
    note
}
