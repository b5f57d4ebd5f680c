//! The files that labels and rules come in, as several stewards signed them.

use kuriiri_seal::sign_file;
use kuriiri_types::FileKind;

use super::stewards::Steward;
use crate::tree::Tree;

/// A file with the signatures that stand beside it.
pub(super) struct SignedFile {
    name: &'static str,
    text: String,
    signatures: String,
}

impl SignedFile {
    /// The file, signed by all stewards.
    pub(super) fn new(
        kind: FileKind,
        name: &'static str,
        text: String,
        stewards: &[Steward],
    ) -> anyhow::Result<Self> {
        let mut signatures = None;
        for steward in stewards {
            let so_far = signatures.as_deref();
            signatures = Some(sign_file(kind, text.as_bytes(), so_far, steward.signer())?);
        }
        Ok(Self { name, text, signatures: signatures.unwrap_or_default() })
    }

    /// Writes it and its signatures to a folder.
    pub(super) fn write(&self, tree: &Tree, folder: &str) -> anyhow::Result<()> {
        tree.text(&format!("{folder}/{}", self.name), &self.text)?;
        tree.text(&format!("{folder}/{}.sig", self.name), &self.signatures)
    }
}
