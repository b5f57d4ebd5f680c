//! One batch: over to the relay, and what it says of each message.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_seal::gather;
use kuriiri_tlog::VerifiedReceipt;
use kuriiri_types::{Code, Header, Lane, Precedence, Refusal, SignedPart, Timestamp, Verdict};
use kuriiri_wire::{
    Frame, Part,
    client::{Reply, Request, Submission, SubmissionAnswer, Submitted},
};

use crate::{
    accepted::Accepted,
    compose::Composed,
    core::Core,
    error::{CallError, SendError, Unproven},
    evidence::Evidence,
    link::Line,
    queue::Answer,
    signed::Signed,
    terms::TermsKey,
};

/// A batch under way.
pub(crate) struct Flight {
    pub(crate) core: Arc<Core>,
    pub(crate) line: Line,
    pub(crate) precedence: Precedence,
    pub(crate) epoch: u32,
    pub(crate) number: u64,
    pub(crate) messages: Vec<Signed>,
}

/// How a batch came back.
pub(crate) struct Landed {
    pub(crate) number: u64,
    /// Whether the relay gave an answer that could be used. What comes back then found a full queue.
    pub(crate) answered: Result<(), CallError>,
    /// What must be sent again, in the old order.
    pub(crate) back: Vec<Signed>,
}

impl Flight {
    /// Hands the batch over and tells everybody who waits what became of it.
    pub(crate) async fn fly(self) -> Landed {
        let priority = self.precedence.number().into();
        let reply = self.line.call_encoded(self.encode(), priority).await;
        let number = self.number;
        let (answered, back) = match reply {
            Ok(Reply::Submission(answer)) if answer.verdicts.len() == self.messages.len() => {
                (Ok(()), self.settle(answer))
            }
            Ok(Reply::Refused(refusal)) => {
                let refused =
                    |signed: Signed| tell(signed.answer, Err(SendError::refused(refusal.clone())));
                self.messages.into_iter().for_each(refused);
                (Ok(()), Vec::new())
            }
            Ok(Reply::Submission(_) | Reply::Answer(_) | Reply::Status(_) | Reply::Proofs(_)) => {
                (Err(CallError::Misfit), self.messages)
            }
            Err(error) => (Err(error), self.messages),
        };
        Landed { number, answered, back }
    }

    fn encode(&self) -> Bytes {
        let submitted = |signed: &Signed| Submitted {
            header: signed.message.bytes.clone(),
            body: signed.message.body.clone(),
        };
        let part = |(signed, messages): (SignedPart, Vec<&Signed>)| Part {
            signed,
            messages: messages.into_iter().map(submitted).collect(),
        };
        let parts = gather(&self.messages, |signed| &signed.proof, |_, _| true);
        let submission = Submission {
            epoch: self.epoch,
            number: self.number,
            lane: Lane::Messages(self.precedence),
            certificates: vec![self.core.system.signer.certificate().clone()],
            parts: parts.into_iter().map(part).collect(),
        };
        Request::Submit(submission).encode()
    }

    /// Tells each message's fate. Gives back those for which a queue was full.
    fn settle(self, answer: SubmissionAnswer) -> Vec<Signed> {
        let SubmissionAnswer { verdicts, receipts } = answer;
        let evidence = Evidence::read(&self.core.system, receipts);
        let mut back = Vec::new();
        for (signed, verdict) in self.messages.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Accepted { at, repeat } => {
                    let proven = evidence.of_acceptance(&self.core.system, &signed.message);
                    let Signed { message, answer, .. } = signed;
                    tell(answer, accepted(message, at, repeat, proven));
                }
                Verdict::Refused(refusal) => {
                    if contradicts_the_answer(&refusal) {
                        self.core.terms.forget(&TermsKey::of_header(&signed.message.header));
                    }
                    let receipts = evidence.of_refusal(&self.core.system, &signed.message);
                    tell(signed.answer, Err(SendError::Refused { refusal, receipts }));
                }
                Verdict::Later(code) => {
                    let (refusal, receipts) = (Refusal::bare(code), Vec::new());
                    tell(signed.answer, Err(SendError::Refused { refusal, receipts }));
                }
                Verdict::Busy => back.push(signed),
            }
        }
        back
    }
}

fn accepted(
    message: Composed,
    at: Timestamp,
    repeat: bool,
    proven: Result<Vec<Arc<VerifiedReceipt>>, Unproven>,
) -> Result<Accepted, SendError> {
    let Composed { header: Header { id, from, to, .. }, leaf, approvals, .. } = message;
    let receipts = proven.map_err(|source| SendError::Unproven { id, source })?;
    let recipients = to.into_iter().map(|to| to.address).collect();
    let waits_for = approvals;
    Ok(Accepted { id, header: leaf, from, recipients, at, repeat, waits_for, receipts })
}

/// Whoever sent it may have stopped waiting.
fn tell(answer: Answer, fate: Result<Accepted, SendError>) {
    let _ = answer.send(fate);
}

/// True when the relay now says otherwise than when it was asked: the rules have changed since.
fn contradicts_the_answer(refusal: &Refusal) -> bool {
    let rules = [Code::POLICY, Code::NO_ROUTE, Code::NEEDS_RELEASE, Code::TOO_BIG];
    rules.contains(&refusal.code)
}
