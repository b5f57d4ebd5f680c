//! Newer proofs of receipts.

use std::collections::BTreeMap;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_tlog::{ReceiptError, VerifiedReceipt};
use kuriiri_types::{Ministry, SignedReceipt, limits::BATCH_MESSAGES_MAX};
use kuriiri_wire::{
    Place, Proofs,
    client::{Reply, Request},
    receipt,
};

use crate::{error::CallError, link::Line, system::System};

/// Asks for newer proofs, log by log.
pub(crate) async fn refresh(
    system: &System,
    line: &Line,
    receipts: &[&VerifiedReceipt],
) -> Result<Vec<Option<VerifiedReceipt>>, CallError> {
    let mut by_issuer: BTreeMap<&Ministry, Vec<usize>> = BTreeMap::new();
    for (at, receipt) in receipts.iter().enumerate() {
        by_issuer.entry(&receipt.receipt().issuer).or_default().push(at);
    }
    let mut refreshed = vec![None; receipts.len()];
    for (issuer, all) in by_issuer {
        for some in all.chunks(BATCH_MESSAGES_MAX) {
            let old: Vec<&SignedReceipt> =
                some.iter().filter_map(|at| receipts.get(*at)).map(|old| old.signed()).collect();
            let proofs = ask(line, issuer, &old).await?;
            for ((at, old), path) in some.iter().zip(old).zip(proofs.paths) {
                let (Some(path), Some(place)) = (path, refreshed.get_mut(*at)) else { continue };
                let checkpoint = Bytes::copy_from_slice(&proofs.checkpoint);
                *place = believed(system, SignedReceipt { path, checkpoint, ..old.clone() });
            }
        }
    }
    Ok(refreshed)
}

async fn ask(
    line: &Line,
    issuer: &Ministry,
    receipts: &[&SignedReceipt],
) -> Result<Proofs, CallError> {
    let place = |signed: &&SignedReceipt| Place { index: signed.index, leaf: leaf(&signed.entry) };
    let places = receipts.iter().map(place).collect();
    let request = Request::Prove { issuer: issuer.clone(), places };
    match line.call(&request).await? {
        Reply::Proofs(proofs) if proofs.paths.len() == receipts.len() => Ok(proofs),
        Reply::Refused(refusal) => Err(CallError::Refused(refusal)),
        Reply::Proofs(_) | Reply::Submission(_) | Reply::Answer(_) | Reply::Status(_) => {
            Err(CallError::Misfit)
        }
    }
}

/// A proof that does not hold is none: the old one stays.
fn believed(system: &System, signed: SignedReceipt) -> Option<VerifiedReceipt> {
    let verified = system.receipts.receipt(signed, |bytes| receipt::decode(bytes));
    let told = |error: &ReceiptError| tracing::warn!(%error, "a newer proof is not genuine");
    verified.inspect_err(told).ok()
}
