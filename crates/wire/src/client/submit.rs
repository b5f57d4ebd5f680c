//! Handing messages to the relay.

use bytes::Bytes;
use kuriiri_types::{
    Lane, SignedReceipt, Verdict,
    limits::{BATCH_CERTIFICATES_MAX, BATCH_MESSAGES_MAX},
};

use crate::{
    bodies,
    error::Flaw,
    field,
    limits::ANSWER_RECEIPTS_MAX,
    part::{self, Part, SIGNED_PART},
    proto,
    shape::{Field, Shape},
    signed_receipt, verdict,
};

/// Messages of one lane for the relay to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// How often the system was told to come again in this lane.
    pub epoch: u32,
    /// The system's number for it, rising by one within connection and lane.
    pub number: u64,
    /// The lane of all messages in it; never [`Lane::Receipts`].
    pub lane: Lane,
    /// The signers' certificates (DER).
    pub certificates: Vec<Bytes>,
    /// The messages, 1 to [`BATCH_MESSAGES_MAX`] over all parts.
    pub parts: Vec<Part<Submitted>>,
}

/// One message for the relay to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The header's bytes as signed.
    pub header: Bytes,
    /// Salt ‖ body.
    pub body: Bytes,
}

/// The answer to a submission, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionAnswer {
    /// One for each message, in the order of the messages; 1 to [`BATCH_MESSAGES_MAX`].
    pub verdicts: Vec<Verdict>,
    /// What the relay states of the messages, accepted or refused: a receipt for each recipient, in the
    /// order of the messages; at most [`ANSWER_RECEIPTS_MAX`]. None of a message that cannot be read.
    pub receipts: Vec<SignedReceipt>,
}

static SUBMITTED: Shape = Shape::new("Submitted", &[]);
static SUBMITTED_PART: Shape = Shape::new(
    "SubmittedPart",
    &[
        Field::one("signed", 1, &SIGNED_PART),
        Field::many("messages", 2, BATCH_MESSAGES_MAX, &SUBMITTED),
    ],
);
pub(super) static SUBMISSION: Shape = Shape::new(
    "Submission",
    &[
        Field::plain("certificates", 4, BATCH_CERTIFICATES_MAX),
        Field::many("parts", 5, BATCH_MESSAGES_MAX, &SUBMITTED_PART),
    ],
);

pub(super) static ANSWER: Shape = Shape::new(
    "SubmissionAnswer",
    &[
        Field::many("verdicts", 1, BATCH_MESSAGES_MAX, &verdict::VERDICT),
        Field::many("receipts", 2, ANSWER_RECEIPTS_MAX, &signed_receipt::SIGNED_RECEIPT),
    ],
);

pub(super) fn write(submission: &Submission) -> proto::Submission {
    let message = |message: &Submitted| proto::Submitted {
        header: message.header.clone(),
        body: message.body.clone(),
    };
    let part = |part: &Part<Submitted>| proto::SubmittedPart {
        signed: Some(part::write(&part.signed)),
        messages: part.messages.iter().map(message).collect(),
    };
    proto::Submission {
        epoch: submission.epoch,
        number: submission.number,
        lane: submission.lane.number().into(),
        certificates: submission.certificates.clone(),
        parts: submission.parts.iter().map(part).collect(),
    }
}

pub(super) fn read(wire: proto::Submission) -> Result<Submission, Flaw> {
    let parts = part::read_all(wire.parts, |part| (part.signed, part.messages), read_message)?;
    bodies::check(parts.iter().flat_map(|part| &part.messages).map(|message| &message.body))?;
    Ok(Submission {
        epoch: wire.epoch,
        number: wire.number,
        lane: read_lane(wire.lane)?,
        certificates: field::certificates(BATCH_CERTIFICATES_MAX, wire.certificates)?,
        parts,
    })
}

pub(super) fn write_answer(answer: &SubmissionAnswer) -> proto::SubmissionAnswer {
    proto::SubmissionAnswer {
        verdicts: answer.verdicts.iter().map(verdict::write_one).collect(),
        receipts: answer.receipts.iter().map(signed_receipt::write).collect(),
    }
}

pub(super) fn read_answer(wire: proto::SubmissionAnswer) -> Result<SubmissionAnswer, Flaw> {
    field::some_at_most("verdicts", BATCH_MESSAGES_MAX, wire.verdicts.len())?;
    field::at_most("receipts", ANSWER_RECEIPTS_MAX, wire.receipts.len())?;
    Ok(SubmissionAnswer {
        verdicts: field::each(wire.verdicts, verdict::read_one)?,
        receipts: field::each(wire.receipts, signed_receipt::read)?,
    })
}

fn read_lane(number: i32) -> Result<Lane, Flaw> {
    match field::lane(number)? {
        Lane::Receipts => Err(Flaw::Form { field: "lane", rule: "must be a lane of messages" }),
        lane @ Lane::Messages(_) => Ok(lane),
    }
}

fn read_message(wire: proto::Submitted) -> Result<Submitted, Flaw> {
    Ok(Submitted { header: field::header(wire.header)?, body: wire.body })
}
