//! What signs notes: a log's private key with its name.

use std::sync::Arc;

use kuriiri_seal::NoteKey;

use crate::{KeyKind, KeyName, NoteError, Signature, VerifierKey, note::check_text};

/// Who signs notes: a log. `Debug` never shows the private key.
#[derive(Debug)]
pub struct NoteSigner {
    key: Arc<NoteKey>,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// A signer whose name is the log's origin.
    pub fn new(name: KeyName, key: NoteKey) -> Self {
        let verifier = VerifierKey::new(name, KeyKind::Note, key.public_key());
        Self { key: Arc::new(key), verifier }
    }

    /// A signer with the same key under another name: that of a log begun anew.
    pub fn renamed(&self, name: KeyName) -> Self {
        let verifier = VerifierKey::new(name, KeyKind::Note, self.key.public_key());
        Self { key: Arc::clone(&self.key), verifier }
    }

    /// Whose signatures these are.
    pub fn name(&self) -> &KeyName {
        self.verifier.name()
    }

    /// What others need to check its signatures.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs the text of a note.
    ///
    /// # Errors
    /// When no note can be made of the text.
    pub fn sign(&self, text: &str) -> Result<Signature, NoteError> {
        check_text(text)?;
        Ok(Signature::new(&self.verifier, self.key.sign(text.as_bytes()).to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn no_private_key_is_ever_printed() {
        let signer = NoteSigner::new("a".parse().unwrap(), key(0x5a));
        let printed = format!("{signer:?}");
        assert!(!printed.contains("5a5a") && !printed.contains("90, 90"));
    }
}
