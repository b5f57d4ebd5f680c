//! What everybody who reads a message does alike: check that it is genuine, open it, and see which
//! officers have approved it.

use bytes::Bytes;
use kuriiri_seal::{SealingKey, VerifiedApproval, VerifiedMessage, Verifier, open};
use kuriiri_types::{ApprovalAct, Envelope, Ministry, SignedApproval};
use kuriiri_wire::{approval, header};

use crate::{clock, error::Unacceptable};

/// Takes certificates that came along. What a bad one signed is refused for it, one by one.
pub(crate) fn meet(verifier: &Verifier, certificates: &[Bytes]) {
    for der in certificates {
        if let Err(error) = verifier.admit_certificate(der, clock::now()) {
            tracing::warn!(%error, "the relay sent a certificate that is not accepted");
        }
    }
}

/// The message, if a system of the sender's ministry signed its header and this is its body.
pub(crate) fn genuine(
    verifier: &Verifier,
    envelope: Envelope,
    salted_body: Bytes,
) -> Result<VerifiedMessage, Unacceptable> {
    let decode = |bytes: &Bytes| header::decode(bytes);
    let header = verifier.message(envelope, decode, clock::now());
    header.and_then(|header| header.with_body(salted_body)).map_err(Unacceptable::NotGenuine)
}

/// What a message says, opened if it is sealed. Only then is a key of the ministry asked for.
pub(crate) fn opened<'a>(
    message: &VerifiedMessage,
    ministry: &Ministry,
    key: impl FnOnce() -> Result<&'a SealingKey, Unacceptable>,
) -> Result<Bytes, Unacceptable> {
    let header = message.header();
    let Some(sealing) = &header.sealing else {
        return Ok(message.body());
    };
    open(&message.body(), sealing, ministry, key()?, &header.id)
        .map(Bytes::from)
        .map_err(Unacceptable::Sealed)
}

/// Those of the approvals by which officers really released this very message, each officer once.
/// The others are nobody's word, and are left out.
pub(crate) fn releases(
    verifier: &Verifier,
    message: &VerifiedMessage,
    approvals: Vec<SignedApproval>,
) -> Vec<VerifiedApproval> {
    let mut good: Vec<VerifiedApproval> = Vec::with_capacity(approvals.len());
    for signed in approvals {
        let decode = |bytes: &Bytes| approval::decode(bytes);
        let verified = verifier.approval(signed, decode, clock::now()).and_then(|approval| {
            approval.check(message.header(), message.leaf())?;
            Ok(approval)
        });
        match verified {
            Ok(approval) if counts(&approval, message, &good) => good.push(approval),
            Ok(approval) => tracing::debug!(officer = %approval.officer(), "it does not count"),
            Err(error) => tracing::warn!(%error, "an approval is not of this message"),
        }
    }
    good
}

fn counts(
    approval: &VerifiedApproval,
    message: &VerifiedMessage,
    known: &[VerifiedApproval],
) -> bool {
    let officer = approval.officer();
    approval.approval().act == ApprovalAct::Release
        && !message.header().is_drafted_by(officer)
        && known.iter().all(|known| known.officer() != officer)
}
