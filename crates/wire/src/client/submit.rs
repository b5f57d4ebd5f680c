//! Handing messages to the relay.

use bytes::Bytes;
use kuriiri_types::{
    Envelope, Lane, SignedReceipt, Verdict,
    limits::{BATCH_CERTIFICATES_MAX, BATCH_MESSAGES_MAX},
};

use crate::{
    bodies, envelope,
    error::Flaw,
    field,
    limits::ANSWER_RECEIPTS_MAX,
    proto, receipt,
    shape::{Part, Shape},
    verdict,
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
    /// 1 to [`BATCH_MESSAGES_MAX`] messages.
    pub messages: Vec<Submitted>,
}

/// One message for the relay to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The signed header.
    pub envelope: Envelope,
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

static SUBMITTED: Shape = Shape::new("Submitted", &[Part::one("envelope", 1, &envelope::ENVELOPE)]);
pub(super) static SUBMISSION: Shape = Shape::new(
    "Submission",
    &[
        Part::plain("certificates", 4, BATCH_CERTIFICATES_MAX),
        Part::many("messages", 5, BATCH_MESSAGES_MAX, &SUBMITTED),
    ],
);

pub(super) static ANSWER: Shape = Shape::new(
    "SubmissionAnswer",
    &[
        Part::many("verdicts", 1, BATCH_MESSAGES_MAX, &verdict::VERDICT),
        Part::many("receipts", 2, ANSWER_RECEIPTS_MAX, &receipt::SIGNED_RECEIPT),
    ],
);

pub(super) fn write(submission: &Submission) -> proto::Submission {
    let message = |message: &Submitted| proto::Submitted {
        envelope: Some(envelope::write(&message.envelope)),
        body: message.body.clone(),
    };
    proto::Submission {
        epoch: submission.epoch,
        number: submission.number,
        lane: submission.lane.number().into(),
        certificates: submission.certificates.clone(),
        messages: submission.messages.iter().map(message).collect(),
    }
}

pub(super) fn read(wire: proto::Submission) -> Result<Submission, Flaw> {
    field::some_at_most("messages", BATCH_MESSAGES_MAX, wire.messages.len())?;
    bodies::check(wire.messages.iter().map(|m| &m.body))?;
    Ok(Submission {
        epoch: wire.epoch,
        number: wire.number,
        lane: read_lane(wire.lane)?,
        certificates: field::certificates(BATCH_CERTIFICATES_MAX, wire.certificates)?,
        messages: field::each(wire.messages, read_message)?,
    })
}

pub(super) fn write_answer(answer: &SubmissionAnswer) -> proto::SubmissionAnswer {
    proto::SubmissionAnswer {
        verdicts: answer.verdicts.iter().map(verdict::write_one).collect(),
        receipts: answer.receipts.iter().map(receipt::write_signed).collect(),
    }
}

pub(super) fn read_answer(wire: proto::SubmissionAnswer) -> Result<SubmissionAnswer, Flaw> {
    field::some_at_most("verdicts", BATCH_MESSAGES_MAX, wire.verdicts.len())?;
    field::at_most("receipts", ANSWER_RECEIPTS_MAX, wire.receipts.len())?;
    Ok(SubmissionAnswer {
        verdicts: field::each(wire.verdicts, verdict::read_one)?,
        receipts: field::each(wire.receipts, receipt::read_signed)?,
    })
}

fn read_lane(number: i32) -> Result<Lane, Flaw> {
    match field::lane(number)? {
        Lane::Receipts => Err(Flaw::Form { field: "lane", rule: "must be a lane of messages" }),
        lane @ Lane::Messages(_) => Ok(lane),
    }
}

fn read_message(wire: proto::Submitted) -> Result<Submitted, Flaw> {
    Ok(Submitted { envelope: envelope::read(wire.envelope)?, body: wire.body })
}
