//! Receipts kept as files: proofs that anybody can check, years later and without any relay.

use std::{fs, path::PathBuf};

use anyhow::Context;
use kuriiri_client::{VerifiedReceipt, receipt_proof};
use kuriiri_types::Code;

use crate::exit::Failure;

/// A folder of receipts, or nothing if none are to be kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Proofs(Option<PathBuf>);

impl Proofs {
    /// Makes the folder.
    pub(super) fn in_folder(folder: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(folder) = &folder {
            let made = fs::create_dir_all(folder).with_context(|| folder.display().to_string());
            made.map_err(Failure::usage)?;
        }
        Ok(Self(folder))
    }

    /// Writes `<id>-<recipient>-<kind>.tlog-proof`, as C2SP `tlog-proof` has it; `kuriiri-verify receipt`
    /// reads it. The same receipt again gives the same file.
    pub(super) fn keep(&self, receipt: &VerifiedReceipt) -> Result<(), Failure> {
        let Some(folder) = &self.0 else { return Ok(()) };
        let said = receipt.receipt();
        let name = format!("{}-{}-{}.tlog-proof", said.message, said.recipient, said.kind);
        let path = folder.join(name);
        let written = fs::write(&path, receipt_proof(receipt.signed()));
        let written = written.with_context(|| format!("{} cannot be written", path.display()));
        written.map_err(|error| Failure::new(Code::STORE_IO, error))
    }
}
