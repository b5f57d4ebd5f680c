//! Checking what was handed over: certificates, signatures, and whether things stand in logs.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use kuriiri_engine::Certificate;
use kuriiri_seal::{VerifiedApproval, VerifiedHeader, VerifiedMessage, Verifier, VerifyError};
use kuriiri_tlog::{Checkpoint, ReceiptVerifier, VerifiedReceipt};
use kuriiri_types::{Fingerprint, Ministry, Refusal, SignedApproval, SignedPart, SignedReceipt};
use kuriiri_wire::{approval, header, receipt};

use crate::{certificates::Certificates, clock};

/// Whom to believe, which can change while the relay runs.
#[derive(Debug)]
pub(crate) struct Checks {
    verifier: ArcSwap<Verifier>,
    receipts: ArcSwap<ReceiptVerifier>,
    certificates: Arc<Certificates>,
}

impl Checks {
    /// Checks by these authorities, lists and logs.
    pub(crate) fn new(
        verifier: Verifier,
        receipts: ReceiptVerifier,
        certificates: Arc<Certificates>,
    ) -> Self {
        let verifier = ArcSwap::from_pointee(verifier);
        Self { verifier, receipts: ArcSwap::from_pointee(receipts), certificates }
    }

    /// Believes these authorities, lists and logs from now on. Signers are judged anew.
    pub(crate) fn replace_verifiers(&self, verifier: Verifier, receipts: ReceiptVerifier) {
        self.verifier.store(Arc::new(verifier));
        self.receipts.store(Arc::new(receipts));
    }

    /// Notes certificates that came along, and reminds the verifier of all that a batch names, which
    /// may have come before. What bad ones signed is refused for it, one by one. Gives those that are named, to
    /// be kept with what they signed: what brought them first may have been lost on its way to the engine.
    pub(crate) fn signers(
        &self,
        came: Vec<Bytes>,
        named: impl IntoIterator<Item = Fingerprint>,
    ) -> Signers {
        let (now, verifier) = (clock::now(), self.verifier.load());
        let mut refused = HashMap::new();
        let mut admit = |der: Bytes| match verifier.admit_certificate(&der, now) {
            Ok(fingerprint) => Some(Certificate { fingerprint, der }),
            Err(error) => {
                refused.insert(kuriiri_merkle::digest(&der), refusal(&error));
                None
            }
        };
        let came: Vec<Certificate> = came.into_iter().filter_map(&mut admit).collect();
        self.certificates.note(&came);
        let good = self.certificates.of(named).into_iter().filter_map(admit).collect();
        Signers { good, refused }
    }

    /// Checks messages that were signed together, each a header and salt with body. Without a good
    /// signature none of them counts.
    pub(crate) fn part(
        &self,
        signers: &Signers,
        signed: &SignedPart,
        messages: impl IntoIterator<Item = (Bytes, Bytes)>,
    ) -> Vec<Result<VerifiedMessage, Refusal>> {
        let (headers, bodies): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let decode = |bytes: &Bytes| header::decode(bytes);
        let headers = self.verifier.load().headers(signed, &headers, decode, clock::now());
        let joined = |(header, body): (Result<VerifiedHeader, _>, _)| {
            let message = header.and_then(|header| header.with_body(body));
            message.map_err(|error| signers.why(&error))
        };
        headers.into_iter().zip(bodies).map(joined).collect()
    }

    /// Checks that a receipt stands in its issuer's log.
    pub(crate) fn receipt(&self, signed: SignedReceipt) -> Result<VerifiedReceipt, Refusal> {
        let verified = self.receipts.load().receipt(signed, |bytes| receipt::decode(bytes));
        verified.map_err(|error| Refusal { code: error.code(), reasons: vec![error.to_string()] })
    }

    /// Checks that a checkpoint is one of the peer's own log.
    pub(crate) fn checkpoint(&self, peer: &Ministry, note: &[u8]) -> Result<Checkpoint, Refusal> {
        self.receipts
            .load()
            .checkpoint_of(peer, note)
            .map_err(|error| Refusal { code: error.code(), reasons: vec![error.to_string()] })
    }

    /// Checks the signature of an officer's approval.
    pub(crate) fn approval(&self, signed: SignedApproval) -> Result<VerifiedApproval, Refusal> {
        let verifier = self.verifier.load();
        let verified = verifier.approval(signed, |bytes| approval::decode(bytes), clock::now());
        verified.map_err(|error| refusal(&error))
    }
}

/// Who signed something in a batch.
pub(crate) struct Signers {
    /// Certificates that were found good.
    pub(crate) good: Vec<Certificate>,
    /// Why others were not.
    refused: HashMap<Fingerprint, Refusal>,
}

impl Signers {
    /// Why something is refused: a signer who is not known may be one whose certificate came and was not good.
    fn why(&self, error: &VerifyError) -> Refusal {
        if let VerifyError::UnknownSigner(signer) = error
            && let Some(why) = self.refused.get(signer)
        {
            return why.clone();
        }
        refusal(error)
    }
}

fn refusal(error: &VerifyError) -> Refusal {
    let mut reasons = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reasons.push(error.to_string());
        cause = error.source();
    }
    Refusal { code: error.code(), reasons: vec![reasons.join(": ")] }
}
