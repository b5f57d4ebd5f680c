//! Kept receipts, read again.

use kuriiri_tlog::{ProofFileError, ReceiptError, TlogProof, VerifiedReceipt};
use kuriiri_types::{Code, SignedReceipt};
use kuriiri_wire::receipt;

use crate::system::System;

/// Why a file is no receipt that was kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It is not what C2SP `tlog-proof` says.
    #[error("it is not a proof")]
    File(#[from] ProofFileError),
    /// It is a proof, and what it proves is not genuine.
    #[error("its receipt is not genuine")]
    Receipt(#[from] ReceiptError),
}

impl KeptError {
    /// The stable number.
    pub fn code(&self) -> Code {
        match self {
            Self::File(_) => Code::MALFORMED,
            Self::Receipt(error) => error.code(),
        }
    }
}

/// The receipt in a file.
pub(crate) fn kept(system: &System, file: &[u8]) -> Result<VerifiedReceipt, KeptError> {
    let TlogProof { extra, index, hashes, checkpoint } = TlogProof::parse(file)?;
    let signed = SignedReceipt { entry: extra.into(), index, path: hashes, checkpoint };
    Ok(system.receipts.receipt(signed, |bytes| receipt::decode(bytes))?)
}
