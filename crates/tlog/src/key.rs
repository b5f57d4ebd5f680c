//! Whose signatures these are: names, public keys as text, and the key ids that signatures carry.

use std::{fmt, str::FromStr, sync::Arc};

use kuriiri_merkle::digest;

use crate::text::{base64, from_base64};

const KEY_BYTES: usize = 32;
const ID_DIGITS: usize = 8;

/// The name of a key (C2SP `signed-note`): not empty, and without spaces, plus or control
/// characters. That of a log's key is the log's origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(Arc<str>);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyTextError;

    fn from_str(name: &str) -> Result<Self, KeyTextError> {
        let is_bad = |letter: char| letter.is_whitespace() || letter < ' ' || letter == '+';
        let is_name = !name.is_empty() && !name.contains(is_bad);
        is_name.then(|| Self(name.into())).ok_or(KeyTextError::Name)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the signatures of a key are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// 0x01, Ed25519 over the text of a note: a log's.
    Note,
    /// 0x04, Ed25519 over a time and a checkpoint (C2SP `tlog-cosignature`): a witness's.
    Cosignature,
}

impl KeyKind {
    const fn identifier(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A public key and whose it is. As text (C2SP `signed-note`, *vkey*): `name+id+key`, the id in
/// hexadecimal, and the key in base64 after a byte for its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: KeyName,
    id: u32,
    kind: KeyKind,
    public_key: [u8; KEY_BYTES],
}

impl VerifierKey {
    /// The key with this name, of this kind.
    pub fn new(name: KeyName, kind: KeyKind, public_key: [u8; KEY_BYTES]) -> Self {
        Self { id: id(&name, kind, &public_key), name, kind, public_key }
    }

    /// Whose key it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id by which signatures refer to it: the beginning of a hash over name, kind and key.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What its signatures are over.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The Ed25519 key.
    pub fn public_key(&self) -> &[u8; KEY_BYTES] {
        &self.public_key
    }
}

impl FromStr for VerifierKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        // Base64 may have a plus too, so only the first two divide.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyTextError::Format);
        };
        let name = name.parse()?;
        let is_digit = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        let is_id = id.len() == ID_DIGITS && id.bytes().all(is_digit);
        let id = u32::from_str_radix(id, 16).ok().filter(|_| is_id).ok_or(KeyTextError::Format)?;
        let material = from_base64(key).ok_or(KeyTextError::Format)?;
        let (kind, key) = material.split_first().ok_or(KeyTextError::Format)?;
        let kind = match kind {
            0x01 => KeyKind::Note,
            0x04 => KeyKind::Cosignature,
            other => return Err(KeyTextError::Type(*other)),
        };
        let key = Self::new(name, kind, key.try_into().map_err(|_| KeyTextError::Format)?);
        if key.id == id { Ok(key) } else { Err(KeyTextError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.identifier()];
        material.extend_from_slice(&self.public_key);
        write!(f, "{}+{:08x}+{}", self.name, self.id, base64(&material))
    }
}

/// SHA-256(name ‖ newline ‖ kind ‖ key), the first four bytes, big-endian.
fn id(name: &KeyName, kind: KeyKind, public_key: &[u8; KEY_BYTES]) -> u32 {
    let mut text = name.as_str().as_bytes().to_vec();
    text.extend([b'\n', kind.identifier()]);
    text.extend_from_slice(public_key);
    let hash = digest(&text);
    hash.as_bytes().first_chunk().map_or(0, |first| u32::from_be_bytes(*first))
}

/// The text of a key, or the name of one, is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// A name that no key can have.
    #[error("a key's name has at least one letter, and no space, plus or control character in it")]
    Name,
    /// Not three parts, or one of them unreadable.
    #[error(
        "a key is written as name+id+key, with the id in 8 hexadecimal digits and the key in base64"
    )]
    Format,
    /// A kind of key that is not used here.
    #[error("the key is of type {0:#04x}, and only 0x01 (Ed25519) and 0x04 (cosignature) are read")]
    Type(u8),
    /// The id is not that of this name and key.
    #[error("the key's id does not belong to its name and key")]
    Id,
    /// A log's key was given for a witness, or the other way round.
    #[error("the key of {0} is of the wrong type: a log's is 0x01, a witness's 0x04")]
    WrongKind(KeyName),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{EXAMPLE_KEY, flipped_bytes};

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
        assert_eq!((key.name().as_str(), key.id()), ("example.com/foo", 0x530d_903a));
        assert_eq!(key.kind(), KeyKind::Note);
        assert_eq!(key.to_string(), EXAMPLE_KEY);
        let witness = VerifierKey::new(key.name().clone(), KeyKind::Cosignature, key.public_key);
        assert_ne!(witness.id(), key.id());
        assert_eq!(witness.to_string().parse(), Ok(witness));
    }

    #[test]
    fn a_flipped_bit_is_no_key() {
        for mutant in flipped_bytes(EXAMPLE_KEY.as_bytes()) {
            let key = str::from_utf8(&mutant).ok().and_then(|text| text.parse().ok());
            assert_eq!(key, None::<VerifierKey>, "{}", String::from_utf8_lossy(&mutant));
        }
    }

    #[test]
    fn it_is_said_what_is_wrong_with_a_key() {
        let fault = |text: &str| text.parse::<VerifierKey>().unwrap_err();
        assert_eq!(fault(""), KeyTextError::Format);
        assert_eq!(fault("a+530d903a"), KeyTextError::Format);
        assert_eq!(fault(&EXAMPLE_KEY.replace("530d", "530D")), KeyTextError::Format);
        assert_eq!(fault(&EXAMPLE_KEY.replace("530d", "+30d")), KeyTextError::Format);
        assert_eq!(fault(&EXAMPLE_KEY.replace("530d", "0530d")), KeyTextError::Format);
        assert_eq!(fault(&EXAMPLE_KEY.replace(".com", " com")), KeyTextError::Name);
        assert_eq!(fault(&EXAMPLE_KEY.replace(".com", ".org")), KeyTextError::Id);
        assert_eq!(fault(&EXAMPLE_KEY.replace("+Ae", "+Be")), KeyTextError::Type(5));
        assert_eq!(fault("a+00000000+AQ=="), KeyTextError::Format);
        assert_eq!(fault("a+00000000+"), KeyTextError::Format);
    }

    #[test]
    fn names_have_no_spaces_of_any_script() {
        for good in ["a", "relay.sm.example/log/2027", "säilö", "#", "—"] {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        for bad in
            ["", " ", "a b", "a+b", "a\nb", "a\tb", "a\u{1}", "a\u{a0}b", "a\u{2003}", "\u{3000}"]
        {
            assert_eq!(bad.parse::<KeyName>(), Err(KeyTextError::Name), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "\\PC*",
            likely in "\\PC{0,8}\\+[0-9a-f]{8}\\+[0-9A-Za-z+/=]{0,48}",
        ) {
            for text in [text, likely] {
                let key = text.parse::<VerifierKey>();
                prop_assert!(key.is_err() || key.unwrap().to_string() == text);
            }
        }
    }
}
