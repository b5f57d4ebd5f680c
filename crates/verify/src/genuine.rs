//! Whether what an entry says is genuine: signatures, proofs and decisions, as of its time.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_seal::{CertificateError, VerifiedApproval, VerifiedHeader, VerifyError};
use kuriiri_tlog::ReceiptError;
use kuriiri_types::{
    ApprovalAct, Decided, Digest, Envelope, Fingerprint, Header, Receipt, SignedApproval,
    SignedReceipt, Timestamp,
};
use kuriiri_wire::{WireError, approval, header, receipt};

use crate::{
    finding::{Check, Finding, Findings},
    rules::{Again, word_of},
    scene::Scene,
};

/// Between the moment at which a relay verifies a signature and the entry that says so. A
/// certificate that ends meanwhile was good.
const LAG_MAX: Duration = Duration::from_secs(60);

/// An entry as it is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
}

impl Scene {
    /// The originator's signature, with all that a decision says of who handed the message over.
    pub(crate) fn check_message(
        &self,
        spot: Spot,
        (decided, header): (&Decided, &Header),
        envelope: &Envelope,
        findings: &mut Findings,
    ) {
        findings.done(Check::Originators, 1);
        let verified = self.verify_with(spot, envelope, header);
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return findings.add(self.doubt(Check::Originators, spot, &error)),
        };
        let header = verified.header();
        let mut wrong = |what: String| {
            let finding = Finding::fault(Check::Originators, what);
            findings.add(finding.at(spot.index).of(header.id));
        };
        if verified.leaf() != decided.subject {
            wrong("the decision is on another header than the one with it".into());
        }
        if decided.submitter.as_ref().is_some_and(|system| system != verified.signer()) {
            wrong(format!("{} signed what another system submitted", verified.signer()));
        }
        if decided.path.first().is_some_and(|first| first != header.from.ministry()) {
            wrong("its way does not begin at its sender's".into());
        }
        if header.recipients_at(&decided.dest).next().is_none() {
            wrong(format!("it is for nobody at {}", decided.dest));
        }
        for signed in &decided.approvals {
            self.check_approval(spot, signed, Some(header), decided.subject, findings);
        }
    }

    /// The header was decoded from these very bytes when the entry was read.
    fn verify_with(
        &self,
        spot: Spot,
        envelope: &Envelope,
        header: &Header,
    ) -> Result<VerifiedHeader, VerifyError> {
        let decoded = |_: &Bytes| Ok::<_, WireError>(header.clone());
        self.with_certificate(spot, envelope.proof.signer, |now| {
            self.keys.verifier.message(envelope.clone(), decoded, now)
        })
    }

    /// The originator's signature alone.
    pub(crate) fn verify_message(
        &self,
        spot: Spot,
        envelope: &Envelope,
    ) -> Result<VerifiedHeader, VerifyError> {
        self.with_certificate(spot, envelope.proof.signer, |now| {
            self.keys.verifier.message(envelope.clone(), |bytes| header::decode(bytes), now)
        })
    }

    /// An officer's signature, and that it is of this message.
    pub(crate) fn check_approval(
        &self,
        spot: Spot,
        signed: &SignedApproval,
        header: Option<&Header>,
        subject: Digest,
        findings: &mut Findings,
    ) {
        findings.done(Check::Approvals, 1);
        let id = header.map(|header| header.id);
        let verified = match self.verify_approval(spot, signed) {
            Ok(verified) => verified,
            Err(error) => {
                return findings.add(self.doubt(Check::Approvals, spot, &error).of(id));
            }
        };
        let said = verified.approval();
        let of_this = said.subject == subject
            && header.is_none_or(|header| verified.check(header, subject).is_ok());
        // Beside a decision stand the releases that it looked at, and nothing else.
        if !of_this || (header.is_some() && said.act != ApprovalAct::Release) {
            let what = format!("what {} signed is no release of this message", said.officer);
            findings.add(Finding::fault(Check::Approvals, what).at(spot.index).of(id));
        }
    }

    /// An approval may be looked at again long after it was given: what counts is when it was
    /// signed, if that was earlier.
    fn verify_approval(
        &self,
        spot: Spot,
        signed: &SignedApproval,
    ) -> Result<VerifiedApproval, VerifyError> {
        let made = approval::decode(&signed.approval).map_or(spot.at, |said| said.at);
        let spot = Spot { at: spot.at.min(made), ..spot };
        self.with_certificate(spot, signed.proof.signer, |now| {
            self.keys.verifier.approval(signed.clone(), |bytes| approval::decode(bytes), now)
        })
    }

    /// Another relay's receipt, against that relay's log key.
    pub(crate) fn check_receipt(
        &self,
        spot: Spot,
        signed: &SignedReceipt,
        said: Option<&Receipt>,
        findings: &mut Findings,
    ) {
        findings.done(Check::Receipts, 1);
        let decode = |bytes: &Bytes| match said {
            // It was decoded from these very bytes when the entry was read.
            Some(said) => Ok(said.clone()),
            None => receipt::decode(bytes),
        };
        let verified = self.keys.receipts.receipt(signed.clone(), decode);
        match verified {
            Ok(_) => {}
            Err(ReceiptError::UnknownLog(origin)) => {
                let what = format!("no key is known of the log {origin}");
                findings.add(Finding::unchecked(Check::Receipts, what).at(spot.index));
            }
            Err(error) => {
                let what = format!("the receipt is not genuine: {error}");
                let finding = Finding::fault(Check::Receipts, what).at(spot.index);
                findings.add(finding.against(&self.home));
            }
        }
    }

    /// The decision, taken again under the rules in force.
    pub(crate) fn check_decision(
        &self,
        spot: Spot,
        header: &Header,
        decided: &Decided,
        findings: &mut Findings,
    ) {
        findings.done(Check::Decisions, 1);
        let about = |finding: Finding| finding.at(spot.index).of(header.id);
        if self.is_pruned && self.rules.digest == Digest([0; 32]) {
            let what = "the files that were in force were pruned";
            return findings.add(about(Finding::unchecked(Check::Decisions, what)));
        }
        if decided.policy != self.rules.digest {
            let what = "it names other files than those that were in force";
            return findings.add(about(Finding::fault(Check::Decisions, what)));
        }
        match self.rules.again(spot.at, &self.home, header, decided) {
            Again::Same => {}
            Again::Unknown(why) => {
                findings.add(about(Finding::unchecked(Check::Decisions, why)));
            }
            Again::Other(word, codes) => {
                let (then, reasons) = (word_of(decided.ruling), decided.reasons.join(" "));
                let what = format!(
                    "it says {then} {reasons}, and the rules say {word} {}",
                    codes.join(" ")
                );
                let finding = Finding::fault(Check::Decisions, what).against(&self.home);
                findings.add(about(finding));
            }
        }
    }

    /// Verifies with a certificate that the log has shown before, admitted as of the entry's time.
    fn with_certificate<T>(
        &self,
        spot: Spot,
        signer: Fingerprint,
        verify: impl Fn(Timestamp) -> Result<T, VerifyError>,
    ) -> Result<T, VerifyError> {
        let der = self.certificates.before(spot.index, signer);
        let der = der.ok_or(VerifyError::UnknownSigner(signer))?;
        let earlier = spot.at.before(LAG_MAX);
        let verifier = &self.keys.verifier;
        match verify(earlier) {
            Err(VerifyError::UnknownSigner(_)) => {}
            other => return other,
        }
        if let Err(error) = verifier.admit_certificate(&der, spot.at)
            && verifier.admit_certificate(&der, earlier).is_err()
        {
            return Err(error);
        }
        verify(earlier)
    }

    /// Admits a signer in the order of the log, so that a certificate that is not valid yet is
    /// noticed whichever entry is looked at first.
    pub(crate) fn admit(&self, spot: Spot, signer: Fingerprint) -> bool {
        let Some(der) = self.certificates.before(spot.index, signer) else { return false };
        let verifier = &self.keys.verifier;
        verifier.admit_certificate(&der, spot.at).is_ok()
    }

    fn doubt(&self, check: Check, spot: Spot, error: &VerifyError) -> Finding {
        let finding = if let VerifyError::Certificate(CertificateError::UnknownMinistry(ministry)) =
            error
            && self.keys.is_member(ministry)
        {
            let what = format!("no authority of {ministry} is known; name a federation file");
            Finding::unchecked(check, what)
        } else if let VerifyError::UnknownSigner(name) = error {
            let what = format!("the certificate {name:?} is not in the log before it");
            match self.is_pruned {
                true => Finding::unchecked(check, what),
                false => Finding::fault(check, what),
            }
        } else {
            Finding::fault(check, chain(error))
        };
        finding.at(spot.index)
    }
}

/// An error with everything that led to it.
fn chain(error: &VerifyError) -> String {
    let mut what = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what = format!("{what}: {cause}");
        source = cause.source();
    }
    what
}
