//! Bare Ed25519 (RFC 8032), for the notes of a transparency log.
//!
//! A log and its witnesses sign texts whose format is fixed elsewhere (C2SP `signed-note` and
//! `tlog-cosignature`), with keys that no certificate speaks for. Everything else that Kuriiri
//! signs goes through a [`Signer`](crate::Signer).

use std::fmt;

use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use zeroize::Zeroizing;

use crate::{KeyError, hex, key::private_key};

const SEED_BYTES: usize = 32;
/// What stands before the seed in PKCS#8 (RFC 8410 §7): a sequence of version 0, the algorithm
/// 1.3.101.112, and the seed as an octet string in an octet string.
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_END: &str = "\n-----END PRIVATE KEY-----\n";
/// 48 bytes are 64 letters of base64: one line, and no padding.
const PEM_LETTERS: usize = (PKCS8.len() + SEED_BYTES) / 3 * 4;

/// Whether the holder of this Ed25519 key signed the text. No prefix and no context is added: what
/// the text is must stand in it.
pub fn verify_ed25519(public_key: &[u8; 32], text: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(text, signature).is_ok()
}

/// 32 random bytes that nobody else knows.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn random_secret() -> Result<[u8; 32], KeyError> {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| KeyError::Randomness)?;
    Ok(secret)
}

/// A private Ed25519 key without a certificate: that of a log, or that of a witness.
///
/// One key is for one of the two and never both: a cosignature does not say who made it (C2SP
/// `tlog-cosignature`). `Debug` shows the public half and never the key.
pub struct NoteKey(Ed25519KeyPair);

impl NoteKey {
    /// A key from PEM, in PKCS#8 (RFC 5958, with or without the public key in it).
    ///
    /// # Errors
    /// When the text is not that, or the key is not Ed25519.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        private_key(pem).map(Self)
    }

    /// A new key, and its PEM for a file of mode 0600, which is erased when dropped.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<(Self, Zeroizing<String>), KeyError> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        SystemRandom::new().fill(seed.as_mut()).map_err(|_| KeyError::Randomness)?;
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref());
        Ok((Self(key.map_err(|_| KeyError::PrivateKey)?), pem(&seed)))
    }

    /// The public half.
    pub fn public_key(&self) -> [u8; 32] {
        array(self.0.public_key().as_ref())
    }

    /// Signs the text as it is.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        array(self.0.sign(text).as_ref())
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public_key = hex::encode(&self.public_key());
        f.debug_struct("NoteKey").field("public_key", &public_key).finish_non_exhaustive()
    }
}

/// Ring gives slices that are always as long as the algorithm says.
fn array<const N: usize>(from: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    bytes
}

fn pem(seed: &[u8; SEED_BYTES]) -> Zeroizing<String> {
    // As long as needed from the start: growing would leave a copy behind.
    let length = PEM_BEGIN.len() + PEM_LETTERS + PEM_END.len();
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str(PEM_BEGIN);
    let (mut bits, mut held) = (Zeroizing::new(0_u32), 0);
    for byte in PKCS8.iter().chain(seed) {
        *bits = (*bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 6 {
            held -= 6;
            text.push(letter((*bits >> held) & 0x3f));
        }
    }
    text.push_str(PEM_END);
    text
}

/// A letter of base64 (RFC 4648 §4), without a table that a secret would be the index of.
fn letter(six: u32) -> char {
    let letter = match six {
        0..26 => u32::from('A') + six,
        26..52 => u32::from('a') + six - 26,
        52..62 => u32::from('0') + six - 52,
        62 => u32::from('+'),
        _ => u32::from('/'),
    };
    char::from_u32(letter).unwrap_or('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 2: seed, public key, and the signature over the one byte 0x72.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    #[test]
    fn a_key_signs_as_the_standard_says() {
        let key = NoteKey::from_pem(&pem(&hex::decode(SEED).unwrap())).unwrap();
        assert_eq!(hex::encode(&key.public_key()), PUBLIC);
        let signature = key.sign(b"\x72");
        assert_eq!(hex::encode(&signature), SIGNATURE);
        assert!(verify_ed25519(&key.public_key(), b"\x72", &signature));
        assert!(!verify_ed25519(&key.public_key(), b"\x73", &signature));
        assert!(!verify_ed25519(&[7; 32], b"\x72", &signature));
    }

    #[test]
    fn a_new_key_is_read_from_its_text() {
        let (key, pem) = NoteKey::generate().unwrap();
        assert_eq!(pem.len(), PEM_BEGIN.len() + PEM_LETTERS + PEM_END.len());
        assert_eq!(NoteKey::from_pem(&pem).unwrap().public_key(), key.public_key());
        assert_ne!(NoteKey::generate().unwrap().0.public_key(), key.public_key());
        assert!(matches!(NoteKey::from_pem(""), Err(KeyError::Pem { .. })));
    }

    #[test]
    fn the_letters_are_those_of_base64() {
        let letters: String = (0..64).map(letter).collect();
        let all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        assert_eq!(letters, all);
    }

    #[test]
    fn no_key_is_ever_printed() {
        let key = NoteKey::from_pem(&pem(&hex::decode(SEED).unwrap())).unwrap();
        let printed = format!("{key:?}");
        assert!(printed.contains(PUBLIC) && !printed.contains("4ccd") && !printed.contains("TM0I"));
    }
}
