//! Checkpoints as their logs sign them: notes with a genuine signature in the log's name.

use bytes::Bytes;
use kuriiri_merkle::SIZE_MAX;

use crate::{Checkpoint, CheckpointError, KeyKind, Note, NoteError, NoteSigner, VerifierKey};

impl Checkpoint {
    /// Signs it as its log, and gives the whole note.
    ///
    /// A log must never sign two checkpoints of which one does not grow out of the other: this
    /// does not look.
    ///
    /// # Errors
    /// When the signer's name is not the origin, or the size is above [`SIZE_MAX`].
    pub fn sign(&self, signer: &NoteSigner) -> Result<Bytes, CheckpointError> {
        self.check_origin(signer.verifier_key())?;
        if self.size > SIZE_MAX {
            return Err(CheckpointError::Text("the size is too large"));
        }
        let mut note = Note::new(self.to_string())?;
        note.add(signer.sign(note.text())?)?;
        Ok(note.to_bytes())
    }

    /// The checkpoint in a note that its log signed.
    ///
    /// # Errors
    /// When the note or its text is not readable, the key's holder did not sign it or a signature
    /// in its name is not genuine, the key is a witness's, or the origin is not the key's name.
    pub fn verify(note: &[u8], log: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::in_note(&Note::parse(note)?, log)
    }

    /// The checkpoint in a note that has been read already; else as [`verify`](Self::verify).
    ///
    /// # Errors
    /// As there.
    pub fn in_note(note: &Note, log: &VerifierKey) -> Result<Self, CheckpointError> {
        if log.kind() != KeyKind::Note {
            return Err(CheckpointError::Kind(log.name().clone()));
        }
        if note.verify(log)?.is_none() {
            return Err(NoteError::NotSignedBy(log.name().clone()).into());
        }
        let checkpoint = Self::parse(note.text())?;
        checkpoint.check_origin(log)?;
        Ok(checkpoint)
    }

    fn check_origin(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        if self.origin == key.name().as_str() {
            return Ok(());
        }
        Err(CheckpointError::Origin { origin: self.origin.clone(), key: key.name().clone() })
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_types::Digest;

    use super::*;
    use crate::testing::{flipped_bytes, signer};

    fn checkpoint(origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: 20_852_163, root: Digest([7; 32]) }
    }

    #[test]
    fn what_a_log_signs_is_verified_and_only_for_its_origin() {
        let log = signer("sm.example/log", 1);
        let note = checkpoint("sm.example/log").sign(&log).unwrap();
        let verified = Checkpoint::verify(&note, log.verifier_key());
        assert_eq!(verified, Ok(checkpoint("sm.example/log")));

        let other = signer("plm.example/log", 1);
        let refused = Checkpoint::verify(&note, other.verifier_key());
        let not_signed = NoteError::NotSignedBy(other.name().clone());
        assert_eq!(refused, Err(not_signed.into()));
        let origin = checkpoint("sm.example/log").sign(&other);
        assert!(matches!(origin, Err(CheckpointError::Origin { .. })));

        let witness = VerifierKey::new(log.name().clone(), KeyKind::Cosignature, [7; 32]);
        let refused = Checkpoint::verify(&note, &witness);
        assert_eq!(refused, Err(CheckpointError::Kind(log.name().clone())));

        let text = checkpoint("sm.example/log").to_string();
        let mut foreign = Note::new(text.clone()).unwrap();
        foreign.add(other.sign(&text).unwrap()).unwrap();
        let refused = Checkpoint::in_note(&foreign, other.verifier_key());
        assert!(matches!(refused, Err(CheckpointError::Origin { .. })));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let log = signer("sm.example/log", 1);
        let note = checkpoint("sm.example/log").sign(&log).unwrap();
        for mutant in flipped_bytes(&note) {
            assert!(Checkpoint::verify(&mutant, log.verifier_key()).is_err());
        }
    }

    #[test]
    fn a_size_that_no_tree_has_is_not_signed() {
        let too_large = Checkpoint { size: SIZE_MAX + 1, ..checkpoint("a") };
        assert!(too_large.sign(&signer("a", 1)).is_err());
    }
}
