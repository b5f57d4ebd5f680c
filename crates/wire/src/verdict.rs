//! Verdicts.

use bytes::Bytes;
use kuriiri_types::{SignedReceipt, Timestamp, Verdict, limits::BATCH_MESSAGES_MAX};

use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    limits::{ANSWER_RECEIPTS_MAX, VERDICTS_BYTES_MAX},
    proto::{self, verdict::Kind},
    refusal,
    shape::{Field, Shape},
    signed_receipt,
};

/// The answer to a batch, after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// One for each item, in the order of the items; 1 to
    /// [`BATCH_MESSAGES_MAX`](kuriiri_types::limits::BATCH_MESSAGES_MAX).
    pub verdicts: Vec<Verdict>,
    /// For each message that was taken a receipt for each of its recipients there; at most
    /// [`ANSWER_RECEIPTS_MAX`].
    pub receipts: Vec<SignedReceipt>,
}

impl Frame for Verdicts {
    const NAME: &'static str = "Verdicts";
    const BYTES_MAX: usize = VERDICTS_BYTES_MAX;

    fn encode(&self) -> Bytes {
        frame::pack(&write(self))
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &VERDICTS, read)
    }
}

static ACCEPTED: Shape = Shape::new("Accepted", &[]);
static BUSY: Shape = Shape::new("Busy", &[]);
static LATER: Shape = Shape::new("Later", &[]);
pub(crate) static VERDICT: Shape = Shape::new(
    "Verdict",
    &[
        Field::one("accepted", 1, &ACCEPTED),
        Field::one("refused", 2, &refusal::REFUSAL),
        Field::one("busy", 3, &BUSY),
        Field::one("later", 4, &LATER),
    ],
);
pub(crate) static VERDICTS: Shape = Shape::new(
    "Verdicts",
    &[
        Field::many("verdicts", 1, BATCH_MESSAGES_MAX, &VERDICT),
        Field::many("receipts", 2, ANSWER_RECEIPTS_MAX, &signed_receipt::SIGNED_RECEIPT),
    ],
);

pub(crate) fn write(verdicts: &Verdicts) -> proto::Verdicts {
    proto::Verdicts {
        verdicts: verdicts.verdicts.iter().map(write_one).collect(),
        receipts: verdicts.receipts.iter().map(signed_receipt::write).collect(),
    }
}

pub(crate) fn read(wire: proto::Verdicts) -> Result<Verdicts, Flaw> {
    field::some_at_most("verdicts", BATCH_MESSAGES_MAX, wire.verdicts.len())?;
    field::at_most("receipts", ANSWER_RECEIPTS_MAX, wire.receipts.len())?;
    let verdicts = field::each(wire.verdicts, read_one)?;
    Ok(Verdicts { verdicts, receipts: field::each(wire.receipts, signed_receipt::read)? })
}

pub(crate) fn write_one(verdict: &Verdict) -> proto::Verdict {
    let kind = match verdict {
        Verdict::Accepted { at, repeat } => {
            Kind::Accepted(proto::Accepted { at: at.as_millis(), repeat: *repeat })
        }
        Verdict::Refused(refusal) => Kind::Refused(refusal::write(refusal)),
        Verdict::Busy => Kind::Busy(proto::Busy {}),
        Verdict::Later(code) => Kind::Later(proto::Later { code: code.number().into() }),
    };
    proto::Verdict { kind: Some(kind) }
}

pub(crate) fn read_one(wire: proto::Verdict) -> Result<Verdict, Flaw> {
    Ok(match field::present("verdict", wire.kind)? {
        Kind::Accepted(accepted) => {
            Verdict::Accepted { at: Timestamp::from_millis(accepted.at), repeat: accepted.repeat }
        }
        Kind::Refused(refusal) => Verdict::Refused(refusal::read(refusal)?),
        Kind::Busy(proto::Busy {}) => Verdict::Busy,
        Kind::Later(wire) => Verdict::Later(field::code(wire.code)?),
    })
}
