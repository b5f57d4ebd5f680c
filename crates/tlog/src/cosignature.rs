//! What a witness says about a log (C2SP `tlog-cosignature`, version 1): at this time, the largest
//! tree that I saw of it, grown out of all that I saw before, is this one.

use bytes::Bytes;
use kuriiri_seal::{NoteKey, verify_ed25519};

use crate::{
    Checkpoint, CheckpointError, KeyKind, KeyName, Note, NoteError, Signature, VerifierKey,
    note::check_text,
};

/// Seconds since 1970 that a cosignature can state at most.
const TIME_MAX: u64 = u64::MAX >> 1;

/// Who cosigns checkpoints: a witness. `Debug` never shows the private key.
///
/// What is signed does not say who signs, so the key must serve one witness only, and no log.
#[derive(Debug)]
pub struct Cosigner {
    key: NoteKey,
    verifier: VerifierKey,
}

impl Cosigner {
    /// The witness of this name.
    pub fn new(name: KeyName, key: NoteKey) -> Self {
        let verifier = VerifierKey::new(name, KeyKind::Cosignature, key.public_key());
        Self { key, verifier }
    }

    /// Which witness.
    pub fn name(&self) -> &KeyName {
        self.verifier.name()
    }

    /// What others need to check its cosignatures.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Cosigns the text of a checkpoint, at a time in seconds since 1970.
    ///
    /// Only after it is checked that the checkpoint is the log's and grows out of the last one that
    /// was cosigned, and that this one is remembered: none of it is looked at here.
    ///
    /// # Errors
    /// When the text is not that of a checkpoint, or the time above 2⁶³ − 1.
    pub fn cosign(&self, text: &str, time: u64) -> Result<Signature, CheckpointError> {
        check_text(text)?;
        Checkpoint::parse(text)?;
        if time > TIME_MAX {
            return Err(CheckpointError::Time(time));
        }
        let signature = self.key.sign(message(text, time).as_bytes());
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature);
        Ok(Signature::new(&self.verifier, bytes))
    }
}

/// Adds a signature to a note.
///
/// # Errors
/// When the note is not readable, or has as many as are read.
pub fn add_signature(note: &[u8], signature: Signature) -> Result<Bytes, NoteError> {
    let mut note = Note::parse(note)?;
    note.add(signature)?;
    Ok(note.to_bytes())
}

/// When a cosignature was made; nothing when it is not genuine, or not over a checkpoint.
pub(crate) fn time_of(cosignature: &[u8], text: &str, public_key: &[u8; 32]) -> Option<u64> {
    let (time, signature) = cosignature.split_first_chunk()?;
    let time = u64::from_be_bytes(*time);
    let signature = signature.try_into().ok()?;
    let is_genuine = time <= TIME_MAX
        && Checkpoint::parse(text).is_ok()
        && verify_ed25519(public_key, message(text, time).as_bytes(), signature);
    is_genuine.then_some(time)
}

/// What is really signed.
fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use kuriiri_damage::any_damage;
    use kuriiri_types::Digest;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        NoteSigner, Signed,
        testing::{flipped_bytes, key},
    };

    const TIME: u64 = 1_679_315_147;

    fn witness(name: &str, seed: u8) -> Cosigner {
        Cosigner::new(name.parse().unwrap(), key(seed))
    }

    fn note() -> Bytes {
        let log = NoteSigner::new("sm.example/log".parse().unwrap(), key(1));
        let origin = "sm.example/log".to_owned();
        Checkpoint { origin, size: 5, root: Digest([7; 32]) }.sign(&log).unwrap()
    }

    fn text() -> String {
        Note::parse(&note()).unwrap().text().to_owned()
    }

    #[test]
    fn a_witness_says_when_it_saw_a_checkpoint() {
        let witness = witness("plm.example/witness", 2);
        let line = witness.cosign(&text(), TIME).unwrap();
        assert_eq!(Signature::parse(&line.to_string()), Some(line.clone()));
        let cosigned = Note::parse(&add_signature(&note(), line).unwrap()).unwrap();
        let signed = cosigned.verify(witness.verifier_key());
        assert_eq!(signed, Ok(Some(Signed { time: Some(TIME) })));
        assert!(cosigned.to_bytes().starts_with(&note()));
        assert_eq!(Note::parse(&note()).unwrap().verify(witness.verifier_key()), Ok(None));
    }

    #[test]
    fn the_signed_text_is_that_of_the_specification() {
        let message = message("example.com/behind-the-sofa\n20852163\nroot\n", TIME);
        let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n\
                        20852163\nroot\n";
        assert_eq!(message, expected);
        let cosignature = witness("w", 2).cosign(&text(), TIME).unwrap().to_string();
        let bytes = crate::text::from_base64(cosignature.rsplit(' ').next().unwrap()).unwrap();
        assert_eq!(bytes.len(), 4 + 8 + 64);
        assert_eq!(bytes[4..12], TIME.to_be_bytes());
    }

    #[test]
    fn of_several_the_latest_counts() {
        let witness = witness("w", 2);
        let mut note = Note::parse(&note()).unwrap();
        for time in [TIME, TIME + 9, TIME + 3] {
            note.add(witness.cosign(&text(), time).unwrap()).unwrap();
        }
        let latest = note.verify(witness.verifier_key()).unwrap().unwrap();
        assert_eq!(latest.time, Some(TIME + 9));
    }

    #[test]
    fn a_flipped_bit_is_refused_or_nobodys() {
        let witness = witness("w", 2);
        let line = witness.cosign(&text(), TIME).unwrap();
        let note = add_signature(&note(), line.clone()).unwrap();
        for mutant in flipped_bytes(&note) {
            let signed = Note::parse(&mutant).map(|mutant| {
                let signed = mutant.verify(witness.verifier_key());
                (signed, mutant)
            });
            if let Ok((Ok(Some(_)), mutant)) = signed {
                // The flipped bit was in the log's line.
                assert_eq!((mutant.text(), &mutant.signatures()[1]), (text().as_str(), &line));
            }
        }
    }

    #[test]
    fn one_kind_of_key_is_not_the_other() {
        let witness = witness("sm.example/log", 1);
        let note = Note::parse(&note()).unwrap();
        assert_eq!(note.verify(witness.verifier_key()), Ok(None));
    }

    #[test]
    fn only_checkpoints_are_cosigned_and_only_at_a_time() {
        let witness = witness("w", 2);
        assert!(matches!(witness.cosign("text\n", TIME), Err(CheckpointError::Text(_))));
        let late = witness.cosign(&text(), TIME_MAX + 1);
        assert_eq!(late, Err(CheckpointError::Time(TIME_MAX + 1)));
        assert!(witness.cosign(&text(), TIME_MAX).is_ok());

        let mut other = Note::new("text\n".to_owned()).unwrap();
        let mut bytes = TIME.to_be_bytes().to_vec();
        bytes.extend(key(2).sign(message("text\n", TIME).as_bytes()));
        other.add(Signature::new(witness.verifier_key(), bytes)).unwrap();
        assert!(other.verify(witness.verifier_key()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_damaged_note_is_cosigned_as_it_was_or_not_at_all(damage in any_damage()) {
            let witness = witness("plm.example/witness", 2);
            let whole = add_signature(&note(), witness.cosign(&text(), TIME).unwrap()).unwrap();
            let damaged = damage.applied_to(&whole);
            let Ok(read) = Note::parse(&damaged) else { return Ok(()) };
            prop_assert_eq!(read.to_bytes(), damaged);
            for signature in read.signatures() {
                prop_assert_eq!(Signature::parse(&signature.to_string()), Some(signature.clone()));
            }
            if let Ok(Some(signed)) = read.verify(witness.verifier_key()) {
                prop_assert_eq!((read.text().to_owned(), signed.time), (text(), Some(TIME)));
            }
        }

        #[test]
        fn a_damaged_line_is_refused_or_is_another_line(damage in any_damage()) {
            let line = witness("plm.example/witness", 2).cosign(&text(), TIME).unwrap().to_string();
            let damaged = damage.applied_to_text(&line);
            if let Some(signature) = Signature::parse(&damaged) {
                prop_assert_eq!(signature.to_string(), damaged);
            }
        }
    }
}
