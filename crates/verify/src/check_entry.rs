//! Whether what an entry says is genuine: signatures, proofs and decisions, as of its time.

use std::time::Duration;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::{CertificateError, VerifiedApproval, Verifier, VerifyError};
use kuriiri_tlog::ReceiptError;
use kuriiri_types::{
    ApprovalAct, Decided, Digest, Fingerprint, Giver, Header, MessageId, Receipt, SignedApproval,
    SignedPart, SignedReceipt, SpiffeId, Subject, Timestamp,
};
use kuriiri_wire::{approval, header, receipt};

use crate::{
    finding::{Check, Finding, Findings},
    found::log_of,
    rules::word_of,
    trusted::{Keys, Trusted},
};

/// Between the moment at which a relay verifies a signature and the entry that says so. A
/// certificate that ends meanwhile was good.
pub(crate) const LAG_MAX: Duration = Duration::from_secs(60);

/// An entry as it is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
}

impl Trusted {
    /// A decision on a class of messages: the originator's signature, from the entry alone; and with each
    /// header that is at hand, all that it rested on.
    pub(crate) fn check_class(
        &self,
        spot: Spot,
        decided: &Decided,
        headers: &[Option<Bytes>],
        out: &mut Findings,
    ) {
        let signer = decided.batch.as_ref().map(|batch| self.check_part(spot, decided, batch, out));
        let messages = read_headers(spot, decided, headers, out);
        for (subject, header) in &messages {
            let mut wrong = |what: String| {
                let finding = Finding::fault(Check::Originators, what);
                out.add(finding.at(spot.index).of(subject.message));
            };
            if let Some(signer) = signer.iter().flatten().next() {
                wrong_signer(decided, header, signer).into_iter().for_each(&mut wrong);
            }
            if header.id != subject.message {
                wrong("it gives the message another id than its header does".into());
            }
            if decided.path.first().is_some_and(|first| first != header.from.ministry()) {
                wrong("its way does not begin at its sender's".into());
            }
            if header.recipients_at(&decided.dest).next().is_none() {
                wrong(format!("it is for nobody at {}", decided.dest));
            }
        }
        if let Some(subject) = decided.subjects.first() {
            let header = messages.first().map(|(_, header)| header);
            for signed in &decided.approvals {
                self.check_release(spot, signed, (*subject, header), out);
            }
        }
        self.check_decisions(spot, decided, &messages, out);
    }

    /// The signature over the headers of a class; gives whose it is.
    fn check_part(
        &self,
        spot: Spot,
        decided: &Decided,
        batch: &SignedPart,
        out: &mut Findings,
    ) -> Option<SpiffeId> {
        out.done(Check::Originators, decided.subjects.len() as u64);
        match self.verify_part(spot, decided, batch) {
            Ok(signer) => Some(signer),
            Err(error) => {
                let mut doubt = self.doubt(Check::Originators, spot, &error);
                if let [_, others @ ..] = decided.subjects.as_slice()
                    && !others.is_empty()
                {
                    doubt.what = format!("{}; so for {} more messages", doubt.what, others.len());
                }
                out.add(doubt.of(decided.subjects.first().map(|subject| subject.message)));
                None
            }
        }
    }

    /// The system that signed the messages of a class.
    pub(crate) fn verify_part(
        &self,
        spot: Spot,
        decided: &Decided,
        batch: &SignedPart,
    ) -> Result<SpiffeId, VerifyError> {
        let leaves: Vec<Digest> = decided.subjects.iter().map(|subject| subject.header).collect();
        self.with_certificate(spot, batch.signer, |verifier, now| {
            verifier.part(batch, &leaves, now)
        })
    }

    /// An officer's word, which must be about this message.
    pub(crate) fn check_approval(
        &self,
        spot: Spot,
        signed: &SignedApproval,
        subject: Digest,
        out: &mut Findings,
    ) {
        self.check_word(spot, signed, (None, subject), out, |_| true);
    }

    /// An officer's release that a decision looked at, which must be of this message; what is beside a
    /// decision is nothing else.
    fn check_release(
        &self,
        spot: Spot,
        signed: &SignedApproval,
        (subject, header): (Subject, Option<&Header>),
        out: &mut Findings,
    ) {
        self.check_word(spot, signed, (Some(subject.message), subject.header), out, |verified| {
            verified.approval().act == ApprovalAct::Release
                && header.is_none_or(|header| verified.check(header, subject.header).is_ok())
        });
    }

    fn check_word(
        &self,
        spot: Spot,
        signed: &SignedApproval,
        (id, subject): (Option<MessageId>, Digest),
        out: &mut Findings,
        fits: impl FnOnce(&VerifiedApproval) -> bool,
    ) {
        out.done(Check::Approvals, 1);
        match self.verify_approval(spot, signed) {
            Ok(verified) if verified.approval().subject == subject && fits(&verified) => {}
            Ok(verified) => {
                let officer = &verified.approval().officer;
                let what = format!("what {officer} signed is no release of this message");
                out.add(Finding::fault(Check::Approvals, what).at(spot.index).of(id));
            }
            Err(error) => out.add(self.doubt(Check::Approvals, spot, &error).of(id)),
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
        self.with_certificate(spot, signed.proof.signer, |verifier, now| {
            verifier.approval(signed.clone(), |bytes| approval::decode(bytes), now)
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
        let lately = self.keys_before(spot);
        let by_keys_before =
            || lately.is_some_and(|keys| keys.receipts.receipt(signed.clone(), decode).is_ok());
        match verified {
            Ok(_) => {}
            Err(_) if by_keys_before() => {}
            Err(ReceiptError::Checkpoint(_)) if self.is_by_file(signed) => {
                let what = format!(
                    "{} has another key in the federation file in force than in the policy, and signed with \
                     the former; which of the two to believe is not known",
                    log_of(signed)
                );
                findings.add(Finding::unchecked(Check::Receipts, what).at(spot.index));
            }
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

    /// The keys that were in force before, if they were a moment ago.
    fn keys_before(&self, spot: Spot) -> Option<&Keys> {
        let (until, keys) = self.before.as_ref()?;
        (spot.at <= until.after(LAG_MAX)).then_some(keys)
    }

    /// Whether a receipt is genuine by the keys of the federation file alone.
    fn is_by_file(&self, signed: &SignedReceipt) -> bool {
        let decode = |bytes: &Bytes| receipt::decode(bytes);
        self.keys.receipts_by_file.receipt(signed.clone(), decode).is_ok()
    }

    /// The decision, taken again for each message under the rules in force.
    fn check_decisions(
        &self,
        spot: Spot,
        decided: &Decided,
        messages: &[(Subject, Header)],
        out: &mut Findings,
    ) {
        let Some((first, _)) = messages.first() else { return };
        out.done(Check::Decisions, messages.len() as u64);
        let about =
            |subject: &Subject, finding: Finding| finding.at(spot.index).of(subject.message);
        if decided.policy != self.rules.digest {
            let what = "it names other files than those that were in force";
            return out.add(about(first, Finding::fault(Check::Decisions, what)));
        }
        let all = match self.rules.again(spot.at, &self.home, decided, messages) {
            Ok(all) => all,
            Err(why) => return out.add(about(first, Finding::unchecked(Check::Decisions, why))),
        };
        for ((subject, _), again) in messages.iter().zip(&all) {
            let Some((word, codes)) = again else { continue };
            let (then, reasons) = (word_of(decided.ruling), decided.reasons.join(" "));
            let what =
                format!("it says {then} {reasons}, and the rules say {word} {}", codes.join(" "));
            let finding = Finding::fault(Check::Decisions, what).against(&self.home);
            out.add(about(subject, finding));
        }
    }

    /// Verifies with a certificate that the log has shown before, admitted as of the entry's time.
    fn with_certificate<T>(
        &self,
        spot: Spot,
        signer: Fingerprint,
        verify: impl Fn(&Verifier, Timestamp) -> Result<T, VerifyError>,
    ) -> Result<T, VerifyError> {
        let der = self.certificates.before(spot.index, signer);
        let der = der.ok_or(VerifyError::UnknownSigner(signer))?;
        let verified = with_admitted(&self.keys.verifier, spot, &der, &verify);
        match (verified, self.keys_before(spot)) {
            (Err(VerifyError::Certificate(_)), Some(keys)) => {
                with_admitted(&keys.verifier, spot, &der, &verify)
            }
            (verified, _) => verified,
        }
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
            Finding::fault(check, format!("the certificate {name:?} is not in the log before it"))
        } else {
            Finding::fault(check, chain(error))
        };
        finding.at(spot.index)
    }
}

/// Verifies with a certificate that is admitted when it is first needed.
fn with_admitted<T>(
    verifier: &Verifier,
    spot: Spot,
    der: &Bytes,
    verify: impl Fn(&Verifier, Timestamp) -> Result<T, VerifyError>,
) -> Result<T, VerifyError> {
    let earlier = spot.at.before(LAG_MAX);
    match verify(verifier, earlier) {
        Err(VerifyError::UnknownSigner(_)) => {}
        other => return other,
    }
    if let Err(error) = verifier.admit_certificate(der, spot.at)
        && verifier.admit_certificate(der, earlier).is_err()
    {
        return Err(error);
    }
    verify(verifier, earlier)
}

/// The headers of a class that are those that it names, with the messages that they are of.
///
/// What is wrong with a header is said where it is named first, and not again with every decision.
fn read_headers(
    spot: Spot,
    decided: &Decided,
    headers: &[Option<Bytes>],
    out: &mut Findings,
) -> Vec<(Subject, Header)> {
    let is_first = decided.batch.is_some();
    let mut messages = Vec::with_capacity(headers.len());
    for (subject, bytes) in decided.subjects.iter().zip(headers) {
        let Some(bytes) = bytes else { continue };
        let mut wrong = |check, what: String| {
            if is_first {
                out.add(Finding::fault(check, what).at(spot.index).of(subject.message));
            }
        };
        if leaf(bytes) != subject.header {
            wrong(Check::Headers, "the header beside it is not the one that it names".into());
            continue;
        }
        match header::decode(bytes) {
            Ok(header) => messages.push((*subject, header)),
            Err(error) => {
                wrong(Check::Originators, format!("the signed header cannot be read: {error}"));
            }
        }
    }
    if is_first {
        out.done(Check::Headers, headers.iter().flatten().count() as u64);
    }
    messages
}

/// Why this system may not have signed a message that it is known to have signed.
fn wrong_signer(decided: &Decided, header: &Header, signer: &SpiffeId) -> Vec<String> {
    let mut wrong = Vec::new();
    if signer.ministry() != header.from.ministry() {
        wrong.push(format!("{signer} signed in the name of {}", header.from.ministry()));
    }
    if let Some(Giver::System(system)) = &decided.giver
        && system != signer
    {
        wrong.push(format!("{signer} signed what another system handed in"));
    }
    wrong
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
