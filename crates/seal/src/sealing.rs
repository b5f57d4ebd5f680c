//! Bodies that only the recipients' ministries can read.
//!
//! A fresh content key encrypts the body once (ChaCha20-Poly1305, RFC 8439); HPKE (RFC 9180, base
//! mode; X-Wing, HKDF-SHA256, ChaCha20-Poly1305) encrypts the content key for each sealing key of
//! each ministry. X-Wing is X25519 and ML-KEM-768 together, so a quantum computer that comes later
//! does not open what is recorded today.
//!
//! # Layout of a sealed body
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the suite, 1 |
//! | 1 | number of keys, 1 to 128; the same as in the header |
//! | 1168 for each key | X-Wing encapsulation (1120), encrypted content key (32) and its tag (16), in the order of the header's [`Sealing::keys`] |
//! | 32 | encrypted with the body and in front of it: the content salt |
//! | rest | the encrypted body, as long as the body |
//! | 16 | the tag of salt and body |
//!
//! # What is sealed is what the header says
//!
//! A tag of ChaCha20-Poly1305 does not commit to its key: whoever makes a ciphertext can make it
//! open under two keys, to two bodies, and every slot could hold another content key. So the header
//! commits to the plaintext too: [`Sealing::content`] is SHA-256(`"kuriiri content v1"` ‖ content
//! salt ‖ body), and a body that does not fit it does not open. All who can open a sealed body
//! therefore see the same one, among them the officers who release it. The salt is fresh and secret,
//! so the digest says nothing to those who cannot open.
//!
//! HPKE `info` is `"kuriiri sealing v1 "` ‖ the ministry's name, `aad` the message id: a content
//! key serves one ministry and one message. The body's associated data is the message id and
//! everything that stands before the encrypted body; its nonce is zero, because its key is used
//! once.
//!
//! Sealing hides the body and nothing else: relays see header, subject, size and recipients. It
//! does not say who sealed; the header's signature does, over the commitment to the sealed body.

use std::{fmt, str::FromStr};

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::XWing,
};
use kuriiri_merkle::{digest, digest_parts};
use kuriiri_types::{
    Digest, MessageId, Ministry, SealKeyId, Sealing,
    limits::{BODY_BYTES_MAX, SEALING_KEYS_MAX},
};
use ring::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::{KeyError, SealError, hex};

/// The only suite there is: HPKE with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305.
pub const SUITE: u32 = Sealing::SUITE;

const SUITE_BYTE: u8 = 1;
const TAG_BYTES: usize = 16;
const CONTENT_KEY_BYTES: usize = 32;
const CONTENT_SALT_BYTES: usize = 32;
const CONTENT: &[u8] = b"kuriiri content v1";
const ENCAPSULATION_BYTES: usize = 1120;
const SLOT_BYTES: usize = ENCAPSULATION_BYTES + CONTENT_KEY_BYTES + TAG_BYTES;
const SECRET_KEY_BYTES: usize = 32;
const PUBLIC_KEY_BYTES: usize = 1216;

const SECRET_TEXT: &str = "kuriiri-sealing-secret-key-1:";
const PUBLIC_TEXT: &str = "kuriiri-sealing-public-key-1:";

/// A ministry's secret key for opening sealed bodies. Erased from memory when dropped.
#[expect(
    missing_debug_implementations,
    reason = "a secret must not reach a log through a struct that holds it"
)]
pub struct SealingKey(<XWing as Kem>::PrivateKey);

/// The public half, to be published in the federation file.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingPublicKey(<XWing as Kem>::PublicKey);

impl SealingKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let seed = random().ok_or(KeyError::Randomness)?;
        Self::from_seed(&seed).ok_or(KeyError::Randomness)
    }

    /// The public half.
    pub fn public_key(&self) -> SealingPublicKey {
        SealingPublicKey(XWing::sk_to_pk(&self.0))
    }

    /// One line of text for a file of mode 0600; `parse` reads it. Erased when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.0.to_bytes().0);
        let digits = Zeroizing::new(hex::encode(seed.as_slice()));
        // As long as needed from the start: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(SECRET_TEXT.len() + digits.len()));
        text.push_str(SECRET_TEXT);
        text.push_str(&digits);
        text
    }

    fn from_seed(seed: &[u8; SECRET_KEY_BYTES]) -> Option<Self> {
        Deserializable::from_bytes(seed).ok().map(Self)
    }
}

impl SealingPublicKey {
    /// SHA-256 of the key's 1216 bytes, by which headers name it.
    pub fn id(&self) -> Digest {
        digest(&self.0.to_bytes())
    }
}

/// Encrypts a body for ministries, and says in a [`Sealing`] for the header to whom, and to what.
///
/// Give each ministry's current key, or several while it changes them, in any order; a key given
/// twice is used once. `context` is the id of the message that will carry the body; it opens under
/// no other.
///
/// # Errors
/// When there is no key or more than [`SEALING_KEYS_MAX`], the sealed body would be larger than a
/// message may carry, a key cannot be used, or the operating system gives no randomness.
pub fn seal(
    plaintext: &[u8],
    to: &[(Ministry, SealingPublicKey)],
    context: &MessageId,
) -> Result<(Sealing, Vec<u8>), SealError> {
    key_count(to.len())?;
    let to = in_order(to);
    let body_at = body_at(to.len());
    let length = body_at + CONTENT_SALT_BYTES + TAG_BYTES;
    check_length(plaintext.len().saturating_add(length))?;
    let (content_key, salt) = random().zip(random()).ok_or(SealError::Randomness)?;

    let mut sealed = Vec::with_capacity(length + plaintext.len());
    sealed.extend_from_slice(&[SUITE_BYTE, key_count(to.len())?]);
    for (id, key) in &to {
        sealed.extend(seal_content_key(&content_key, &id.ministry, key, context)?);
    }
    sealed.extend_from_slice(salt.as_slice());
    sealed.extend_from_slice(plaintext);
    let tag = encrypt(&content_key, body_at, context, &mut sealed).ok_or(SealError::Layout)?;
    sealed.extend_from_slice(tag.as_ref());

    let content = content_digest(salt.as_slice(), plaintext);
    let keys = to.into_iter().map(|(id, _)| id).collect();
    Ok((Sealing { suite: SUITE, keys, content }, sealed))
}

/// Decrypts a body with one of the keys that it is sealed to.
///
/// `sealed` is the body without its salt, `sealing` and `context` come from the header of the
/// message that carried it, and `ministry` is whose key this is.
///
/// # Errors
/// When the body is not sealed to this key, was altered, cut short or sealed for another message,
/// is another than the header commits to, or is sealed with a suite that this version does not know.
pub fn open(
    sealed: &[u8],
    sealing: &Sealing,
    ministry: &Ministry,
    key: &SealingKey,
    context: &MessageId,
) -> Result<Vec<u8>, SealError> {
    let Layout { front, slots, body } = Layout::of(sealed, sealing)?;
    let key_id = SealKeyId { ministry: ministry.clone(), key: key.public_key().id() };
    let at = sealing.keys.iter().position(|named| *named == key_id);
    let at = at.ok_or_else(|| SealError::NotForThisKey(ministry.clone()))?;

    let slot = slots.chunks_exact(SLOT_BYTES).nth(at).ok_or(SealError::Layout)?;
    let content_key = open_content_key(slot, ministry, key, context).ok_or(SealError::Altered)?;
    let salted = decrypt(&content_key, front, context, body).ok_or(SealError::Altered)?;
    revealed(salted, &sealing.content)
}

/// Holds a body against what its header says of its sealing: the suite is one that this version knows, and the
/// body is laid out as one that is sealed to so many keys, down to the shortest that there is.
///
/// That is all that a relay can see. It does not say that the keys open it, or what is in it.
///
/// # Errors
/// What does not fit: the suite, the number of keys, or the layout.
pub fn check_layout(sealed: &[u8], sealing: &Sealing) -> Result<(), SealError> {
    Layout::of(sealed, sealing).map(|_| ())
}

// === the layout ===

/// The parts of a sealed body.
struct Layout<'a> {
    /// Everything in front of the encrypted body.
    front: &'a [u8],
    /// One slot for each key, in the header's order.
    slots: &'a [u8],
    /// Salt and body, encrypted, and their tag.
    body: &'a [u8],
}

impl<'a> Layout<'a> {
    fn of(sealed: &'a [u8], sealing: &Sealing) -> Result<Self, SealError> {
        if sealing.suite != SUITE {
            return Err(SealError::Suite(sealing.suite));
        }
        let count = key_count(sealing.keys.len())?;
        let split = sealed.split_at_checked(body_at(sealing.keys.len()));
        let split = split.filter(|(_, body)| body.len() >= CONTENT_SALT_BYTES + TAG_BYTES);
        let (front, body) = split.ok_or(SealError::Layout)?;
        let slots = front.strip_prefix(&[SUITE_BYTE, count]).ok_or(SealError::Layout)?;
        Ok(Self { front, slots, body })
    }
}

/// The keys as a header lists them: sorted by name, none twice.
fn in_order(to: &[(Ministry, SealingPublicKey)]) -> Vec<(SealKeyId, &SealingPublicKey)> {
    let named = |(ministry, key)| (SealKeyId { ministry, key: SealingPublicKey::id(key) }, key);
    let mut keys: Vec<_> = to.iter().map(|to| named((to.0.clone(), &to.1))).collect();
    keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    keys.dedup_by(|(a, _), (b, _)| a == b);
    keys
}

fn key_count(keys: usize) -> Result<u8, SealError> {
    let wrong = SealError::Keys { given: keys, max: SEALING_KEYS_MAX };
    match u8::try_from(keys) {
        Ok(count) if (1..=SEALING_KEYS_MAX).contains(&keys) => Ok(count),
        Ok(_) | Err(_) => Err(wrong),
    }
}

fn body_at(keys: usize) -> usize {
    2 + keys * SLOT_BYTES
}

fn check_length(bytes: usize) -> Result<(), SealError> {
    let given = u64::try_from(bytes).unwrap_or(u64::MAX);
    if given > BODY_BYTES_MAX {
        let max = BODY_BYTES_MAX;
        return Err(SealError::TooBig { given, max });
    }
    Ok(())
}

// === the content key, by HPKE ===

type ContentKey = Zeroizing<[u8; CONTENT_KEY_BYTES]>;

fn seal_content_key(
    content_key: &ContentKey,
    ministry: &Ministry,
    key: &SealingPublicKey,
    context: &MessageId,
) -> Result<Vec<u8>, SealError> {
    // Asks the operating system for randomness and panics without; `seal` has just had some.
    let (encapsulation, encrypted) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &key.0,
        &info(ministry),
        content_key.as_slice(),
        context.as_bytes(),
    )
    .map_err(|_| SealError::RecipientKey(ministry.clone()))?;
    Ok([encapsulation.to_bytes().as_slice(), &encrypted].concat())
}

fn open_content_key(
    slot: &[u8],
    ministry: &Ministry,
    key: &SealingKey,
    context: &MessageId,
) -> Option<ContentKey> {
    let (encapsulation, encrypted) = slot.split_at_checked(ENCAPSULATION_BYTES)?;
    let encapsulation = Deserializable::from_bytes(encapsulation).ok()?;
    let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &key.0,
        &encapsulation,
        &info(ministry),
        encrypted,
        context.as_bytes(),
    );
    let opened = Zeroizing::new(opened.ok()?);
    opened.as_slice().try_into().ok().map(Zeroizing::new)
}

fn info(ministry: &Ministry) -> Vec<u8> {
    format!("kuriiri sealing v1 {ministry}").into_bytes()
}

// === what the header commits to ===

fn content_digest(salt: &[u8], plaintext: &[u8]) -> Digest {
    digest_parts(&[CONTENT, salt, plaintext])
}

/// The body without its salt, if the two are what the header commits to.
fn revealed(mut salted: Vec<u8>, content: &Digest) -> Result<Vec<u8>, SealError> {
    let split = salted.split_at_checked(CONTENT_SALT_BYTES);
    let (salt, body) = split.ok_or(SealError::Layout)?;
    if content_digest(salt, body) != *content {
        return Err(SealError::Content);
    }
    salted.drain(..CONTENT_SALT_BYTES);
    Ok(salted)
}

// === the body, by its content key ===

/// Encrypts what stands from `body_at` on, in place, and gives the tag.
fn encrypt(
    key: &ContentKey,
    body_at: usize,
    context: &MessageId,
    sealed: &mut [u8],
) -> Option<aead::Tag> {
    let (front, body) = sealed.split_at_mut_checked(body_at)?;
    cipher(key)?.seal_in_place_separate_tag(nonce(), associated(context, front), body).ok()
}

fn decrypt(key: &ContentKey, front: &[u8], context: &MessageId, body: &[u8]) -> Option<Vec<u8>> {
    let mut body = body.to_vec();
    let opened = cipher(key)?.open_in_place(nonce(), associated(context, front), &mut body);
    let length = opened.ok()?.len();
    body.truncate(length);
    Some(body)
}

fn cipher(key: &ContentKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&aead::CHACHA20_POLY1305, key.as_slice());
    key.ok().map(LessSafeKey::new)
}

/// Zero is safe: a content key encrypts one body, once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

fn associated(context: &MessageId, front: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([context.as_bytes(), front].concat())
}

fn random() -> Option<ContentKey> {
    let mut bytes = Zeroizing::new([0; CONTENT_KEY_BYTES]);
    SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
    Some(bytes)
}

// === keys as text ===

impl FromStr for SealingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().strip_prefix(SECRET_TEXT);
        let seed = digits.and_then(hex::decode).map(Zeroizing::new);
        let key = seed.and_then(|seed| Self::from_seed(&seed));
        key.ok_or(KeyError::SealingText("secret sealing key"))
    }
}

impl FromStr for SealingPublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().strip_prefix(PUBLIC_TEXT);
        let bytes = digits.and_then(hex::decode::<PUBLIC_KEY_BYTES>);
        let key = bytes.and_then(|bytes| Deserializable::from_bytes(&bytes).ok());
        key.map(Self).ok_or(KeyError::SealingText("public sealing key"))
    }
}

impl fmt::Display for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_TEXT}{}", hex::encode(&self.0.to_bytes()))
    }
}

impl fmt::Debug for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingPublicKey").field(&self.id()).finish()
    }
}

#[cfg(test)]
mod tests;
