//! Asking a peer to witness one's log, and its answer (the questions of C2SP `tlog-witness`).

use bytes::Bytes;
use kuriiri_types::{
    Digest, Ministry, Refusal,
    limits::{CHECKPOINT_BYTES_MAX, LOG_PATH_MAX},
};

use super::Batch;
use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    hashes,
    limits::{COSIGNATURE_BYTES_MAX, WITNESSED_BYTES_MAX},
    proofs::{self, Place},
    proto::{self, relay_request, witnessed::Kind},
    refusal,
    shape::{Field, Shape},
};

/// What begins a stream after the Hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayRequest {
    /// Messages or receipts; answered by [`Verdicts`](super::Verdicts).
    Batch(Batch),
    /// A checkpoint of the asker's log; answered by [`Witnessed`].
    Witness(WitnessRequest),
    /// Asks for newer proofs; answered by [`Proved`](crate::Proved).
    Prove {
        /// Whose log: the other side's, or that of a ministry with which it has a link.
        issuer: Ministry,
        /// Places in it, 1 to [`BATCH_MESSAGES_MAX`](kuriiri_types::limits::BATCH_MESSAGES_MAX).
        places: Vec<Place>,
    },
}

/// Asks the other relay to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// The size of the log that the witness cosigned last, as far as the asker knows; 0 for none.
    pub old: u64,
    /// The proof that the log of that size grew into this one (RFC 9162 §2.1.4).
    pub proof: Vec<Digest>,
    /// The signed checkpoint.
    pub checkpoint: Bytes,
}

/// The answer of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witnessed {
    /// It is durable with the witness, who has signed: the line to be added to the checkpoint, as C2SP
    /// `signed-note` has it, without its end.
    Cosigned(String),
    /// The witness holds another size than the asker thought: the checkpoint that it holds, or nothing
    /// if it holds none.
    Holds(Bytes),
    /// The witness does not believe it.
    Refused(Refusal),
}

impl Frame for RelayRequest {
    const NAME: &'static str = "RelayRequest";
    const BYTES_MAX: usize = Batch::BYTES_MAX;

    /// A batch may be large.
    fn bytes_max(first: u8) -> usize {
        frame::large_only(1, Self::BYTES_MAX, first)
    }

    fn encode(&self) -> Bytes {
        let kind = match self {
            Self::Batch(batch) => relay_request::Kind::Batch(super::write_batch(batch)),
            Self::Witness(request) => relay_request::Kind::Witness(proto::WitnessRequest {
                old: request.old,
                proof: hashes::write(&request.proof),
                checkpoint: request.checkpoint.clone(),
            }),
            Self::Prove { issuer, places } => {
                relay_request::Kind::Prove(proofs::write_request(issuer, places))
            }
        };
        frame::pack(&proto::RelayRequest { kind: Some(kind) })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &RELAY_REQUEST, read_request)
    }
}

impl Frame for Witnessed {
    const NAME: &'static str = "Witnessed";
    const BYTES_MAX: usize = WITNESSED_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let kind = match self {
            Self::Cosigned(line) => Kind::Cosigned(line.clone()),
            Self::Holds(checkpoint) => Kind::Holds(checkpoint.clone()),
            Self::Refused(refusal) => Kind::Refused(refusal::write(refusal)),
        };
        frame::pack(&proto::Witnessed { kind: Some(kind) })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &WITNESSED, read_answer)
    }
}

static WITNESS_REQUEST: Shape = Shape::new("WitnessRequest", &[]);
pub(crate) static RELAY_REQUEST: Shape = Shape::new(
    "RelayRequest",
    &[
        Field::one("batch", 1, &super::BATCH),
        Field::one("witness", 2, &WITNESS_REQUEST),
        Field::one("prove", 3, &proofs::REQUEST),
    ],
);
pub(crate) static WITNESSED: Shape =
    Shape::new("Witnessed", &[Field::one("refused", 3, &refusal::REFUSAL)]);

fn read_request(wire: proto::RelayRequest) -> Result<RelayRequest, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        relay_request::Kind::Batch(wire) => RelayRequest::Batch(super::read_batch(wire)?),
        relay_request::Kind::Witness(wire) => {
            field::some_at_most("checkpoint", CHECKPOINT_BYTES_MAX, wire.checkpoint.len())?;
            RelayRequest::Witness(WitnessRequest {
                old: wire.old,
                proof: hashes::read("proof", LOG_PATH_MAX, &wire.proof)?,
                checkpoint: wire.checkpoint,
            })
        }
        relay_request::Kind::Prove(wire) => {
            let (issuer, places) = proofs::read_request(wire)?;
            RelayRequest::Prove { issuer, places }
        }
    })
}

fn read_answer(wire: proto::Witnessed) -> Result<Witnessed, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        Kind::Cosigned(line) => {
            Witnessed::Cosigned(field::line("cosigned", COSIGNATURE_BYTES_MAX, line)?)
        }
        Kind::Holds(checkpoint) => {
            field::at_most("holds", CHECKPOINT_BYTES_MAX, checkpoint.len())?;
            Witnessed::Holds(checkpoint)
        }
        Kind::Refused(refusal) => Witnessed::Refused(refusal::read(refusal)?),
    })
}
