//! The proof of a receipt, for those who had no part in it.

use kuriiri_tlog::TlogProof;
use kuriiri_types::SignedReceipt;

/// A receipt as a file of its own, to be named `.tlog-proof` (C2SP `tlog-proof`), with the entry's
/// bytes as its extra data: `kuriiri-verify receipt FILE` reads it, and so does any program that
/// knows the format. One file proves what the receipt says of every message that it names.
///
/// Nothing is checked here: it proves what `signed` proves, to whoever has the key of the issuer's
/// log.
pub fn receipt_proof(signed: &SignedReceipt) -> Vec<u8> {
    let proof = TlogProof {
        extra: signed.entry.to_vec(),
        index: signed.index,
        hashes: signed.path.clone(),
        checkpoint: signed.checkpoint.clone(),
    };
    proof.to_bytes().into()
}
