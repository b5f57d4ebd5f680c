//! Whether the holder of a key signed a note: a log its text, a witness a time and its checkpoint.

use kuriiri_seal::verify_ed25519;

use crate::{KeyKind, Note, NoteError, Signature, VerifierKey, cosignature};

/// A genuine signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// When, in seconds since 1970, if the signature states a time: those of witnesses do.
    pub time: Option<u64>,
}

impl Note {
    /// Whether the holder of a key signed the note; nothing when no signature is in its name. When
    /// there are several, as a witness may make, the latest counts.
    ///
    /// # Errors
    /// When any signature in the key's name and id is not genuine: then the whole note is refused.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<Signed>, NoteError> {
        let mut latest = None;
        for signature in self.signatures().iter().filter(|signature| signature.is_by(key)) {
            let signed = check(signature, self.text(), key);
            let signed = signed.ok_or_else(|| NoteError::BadSignature(key.name().clone()))?;
            latest = latest.max(Some(signed.time));
        }
        Ok(latest.map(|time| Signed { time }))
    }
}

fn check(signature: &Signature, text: &str, key: &VerifierKey) -> Option<Signed> {
    match key.kind() {
        KeyKind::Note => {
            let signature = signature.bytes().try_into().ok()?;
            verify_ed25519(key.public_key(), text.as_bytes(), signature)
                .then_some(Signed { time: None })
        }
        KeyKind::Cosignature => {
            let time = cosignature::time_of(signature.bytes(), text, key.public_key())?;
            Some(Signed { time: Some(time) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{EXAMPLE_KEY, EXAMPLE_NOTE, flipped_bytes, signed_note, signer};

    #[test]
    fn the_example_of_the_specification_is_genuine() {
        let note = Note::parse(EXAMPLE_NOTE.as_bytes()).unwrap();
        let key = EXAMPLE_KEY.parse().unwrap();
        assert_eq!(note.verify(&key), Ok(Some(Signed { time: None })));
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(note.to_bytes(), EXAMPLE_NOTE);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let key = EXAMPLE_KEY.parse().unwrap();
        for mutant in flipped_bytes(EXAMPLE_NOTE.as_bytes()) {
            let signed = Note::parse(&mutant).and_then(|note| note.verify(&key));
            assert!(!matches!(signed, Ok(Some(_))), "{}", String::from_utf8_lossy(&mutant));
        }
    }

    #[test]
    fn unknown_keys_are_ignored_and_a_known_one_must_be_right() {
        let (log, other) = (signer("log", 1), signer("other", 2));
        let (same_name, same_key) = (signer("log", 3), signer("other", 1));
        let note = signed_note("text\n", &[&other, &log, &same_name]);
        assert!(note.verify(log.verifier_key()).unwrap().is_some());
        assert_eq!(note.verify(same_key.verifier_key()), Ok(None));

        let mut forged = signed_note("text\n", &[&log]);
        forged.add(log.sign("another text\n").unwrap()).unwrap();
        let refused = NoteError::BadSignature(log.name().clone());
        assert_eq!(forged.verify(log.verifier_key()), Err(refused));
        assert_eq!(forged.verify(other.verifier_key()), Ok(None));
        let mut short = Note::new("text\n".to_owned()).unwrap();
        short.add(Signature::new(log.verifier_key(), vec![1])).unwrap();
        assert!(short.verify(log.verifier_key()).is_err());
    }
}
