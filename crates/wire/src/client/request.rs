//! The first frame of a stream and the answer that is one frame.

use bytes::Bytes;
use kuriiri_types::{Address, Ministry, Refusal, limits::FRAME_BYTES_MAX};

use super::{
    Answer, Question, ReceiptMode, StatusReport, Submission, SubmissionAnswer, ask, receipts,
    status, submit,
};
use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    proofs::{self, Place, Proofs},
    proto::{self, reply::Reply as ReplyKind, request::Request as RequestKind},
    refusal,
    shape::{Field, Shape},
};

/// What a system wants: the first frame on every stream that it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Take these messages.
    Submit(Submission),
    /// Give me the messages of a mailbox, for as long as this stream lasts.
    Receive {
        /// The mailbox.
        mailbox: Address,
        /// Messages that may be under way unconfirmed. The relay gives at most
        /// [`CREDIT_MAX`](kuriiri_types::limits::CREDIT_MAX), whatever this says.
        credit: u32,
    },
    /// Give me the receipts of an address, for as long as this stream lasts.
    Receipts {
        /// Whose receipts.
        address: Address,
        /// Whether to take or only to look.
        mode: ReceiptMode,
    },
    /// What would happen to a message?
    Ask(Question),
    /// How is the relay?
    Status,
    /// Newer proofs of entries of a log.
    Prove {
        /// Whose log.
        issuer: Ministry,
        /// The places in it, 1 to
        /// [`BATCH_MESSAGES_MAX`](kuriiri_types::limits::BATCH_MESSAGES_MAX).
        places: Vec<Place>,
    },
}

/// The one answer to a submission, a question, a request for status or for proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Submit`].
    Submission(SubmissionAnswer),
    /// To [`Request::Ask`].
    Answer(Answer),
    /// To [`Request::Status`].
    Status(StatusReport),
    /// To [`Request::Prove`].
    Proofs(Proofs),
    /// The request as a whole was refused.
    Refused(Refusal),
}

impl Frame for Request {
    const NAME: &'static str = "Request";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    /// A submission may be large.
    fn bytes_max(first: u8) -> usize {
        frame::large_only(1, Self::BYTES_MAX, first)
    }

    fn encode(&self) -> Bytes {
        let request = Some(write_request(self));
        frame::pack(&proto::Request { request })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &REQUEST, read_request)
    }
}

impl Frame for Reply {
    const NAME: &'static str = "Reply";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let reply = Some(write_reply(self));
        frame::pack(&proto::Reply { reply })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &REPLY, read_reply)
    }
}

static RECEIVE: Shape = Shape::new("Receive", &[]);
static READ_RECEIPTS: Shape = Shape::new("ReadReceipts", &[]);
static STATUS_REQUEST: Shape = Shape::new("StatusRequest", &[]);
pub(crate) static REQUEST: Shape = Shape::new(
    "Request",
    &[
        Field::one("submit", 1, &submit::SUBMISSION),
        Field::one("receive", 2, &RECEIVE),
        Field::one("receipts", 3, &READ_RECEIPTS),
        Field::one("ask", 4, &ask::QUESTION),
        Field::one("status", 5, &STATUS_REQUEST),
        Field::one("prove", 6, &proofs::REQUEST),
    ],
);
pub(crate) static REPLY: Shape = Shape::new(
    "Reply",
    &[
        Field::one("submission", 1, &submit::ANSWER),
        Field::one("answer", 2, &ask::ANSWER),
        Field::one("status", 3, &status::STATUS_REPORT),
        Field::one("refused", 4, &refusal::REFUSAL),
        Field::one("proofs", 5, &proofs::PROOFS),
    ],
);

fn write_request(request: &Request) -> RequestKind {
    match request {
        Request::Submit(submission) => RequestKind::Submit(submit::write(submission)),
        Request::Receive { mailbox, credit } => {
            RequestKind::Receive(proto::Receive { mailbox: mailbox.to_string(), credit: *credit })
        }
        Request::Receipts { address, mode } => {
            RequestKind::Receipts(receipts::write_request(address, *mode))
        }
        Request::Ask(question) => RequestKind::Ask(ask::write_question(question)),
        Request::Status => RequestKind::Status(proto::StatusRequest {}),
        Request::Prove { issuer, places } => {
            RequestKind::Prove(proofs::write_request(issuer, places))
        }
    }
}

fn read_request(wire: proto::Request) -> Result<Request, Flaw> {
    Ok(match field::present("request", wire.request)? {
        RequestKind::Submit(wire) => Request::Submit(submit::read(wire)?),
        RequestKind::Receive(wire) => Request::Receive {
            mailbox: field::address("mailbox", &wire.mailbox)?,
            credit: wire.credit,
        },
        RequestKind::Receipts(wire) => {
            let (address, mode) = receipts::read_request(&wire)?;
            Request::Receipts { address, mode }
        }
        RequestKind::Ask(wire) => Request::Ask(ask::read_question(wire)?),
        RequestKind::Status(proto::StatusRequest {}) => Request::Status,
        RequestKind::Prove(wire) => {
            let (issuer, places) = proofs::read_request(wire)?;
            Request::Prove { issuer, places }
        }
    })
}

fn write_reply(reply: &Reply) -> ReplyKind {
    match reply {
        Reply::Submission(answer) => ReplyKind::Submission(submit::write_answer(answer)),
        Reply::Answer(answer) => ReplyKind::Answer(ask::write_answer(answer)),
        Reply::Status(report) => ReplyKind::Status(status::write(report)),
        Reply::Proofs(proofs) => ReplyKind::Proofs(proofs::write(proofs)),
        Reply::Refused(refusal) => ReplyKind::Refused(refusal::write(refusal)),
    }
}

fn read_reply(wire: proto::Reply) -> Result<Reply, Flaw> {
    Ok(match field::present("reply", wire.reply)? {
        ReplyKind::Submission(wire) => Reply::Submission(submit::read_answer(wire)?),
        ReplyKind::Answer(wire) => Reply::Answer(ask::read_answer(wire)?),
        ReplyKind::Status(wire) => Reply::Status(status::read(wire)?),
        ReplyKind::Refused(wire) => Reply::Refused(refusal::read(wire)?),
        ReplyKind::Proofs(wire) => Reply::Proofs(proofs::read(wire)?),
    })
}
