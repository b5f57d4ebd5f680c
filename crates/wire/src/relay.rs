//! The conversation between two relays, ALPN `kuriiri-relay/2`.
//!
//! Both sides first send a [`Hello`]. Then the side that dialled opens a stream for each
//! [`RelayRequest`] and reads the answer from the same stream: [`Verdicts`] for a [`Batch`],
//! [`Witnessed`] for a checkpoint, [`Proved`](crate::Proved) for places in the other side's log.

pub(crate) mod witness;

use bytes::Bytes;
use kuriiri_types::{
    Digest, Lane, Ministry, SignedApproval, SignedReceipt,
    limits::{
        APPROVALS_MAX, APPROVED_CERTIFICATES_MAX, BATCH_MESSAGES_MAX, FRAME_BYTES_MAX,
        HELLO_BYTES_MAX, HOPS_MAX,
    },
};

pub use crate::verdict::Verdicts;
use crate::{
    approval, bodies,
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    limits::{SOFTWARE_BYTES_MAX, WITNESSED_NOTE_BYTES_MAX},
    part::{self, Part, SIGNED_PART},
    proto,
    shape::{Field, Shape},
    signed_receipt,
};
pub use witness::{RelayRequest, WitnessRequest, Witnessed};

/// The first frame on a connection, from both sides: a TLS 1.3 client believes itself connected
/// before its certificate is judged, and knows better once this is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Version of the contract, not 0.
    pub version: u32,
    /// Name and version of the program, for operators; at most
    /// [`SOFTWARE_BYTES_MAX`] bytes, one line.
    pub software: String,
    /// Serial of the federation file in force.
    pub federation_serial: u64,
    /// SHA-256 of the policy in force, if the relay tells.
    pub policy_digest: Option<Digest>,
    /// The checkpoint of the other side's log that this relay cosigned last, if it ever did: who is
    /// behind it has lost a part of its log.
    pub witnessed: Option<Bytes>,
}

/// Messages of one lane, or receipts: the unit that travels, is committed and is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The lane of everything in it.
    pub lane: Lane,
    /// The giver's number for it, rising by one within connection and lane.
    pub number: u64,
    /// How often the giver was told to come again in this lane.
    pub epoch: u32,
    /// Signers' certificates (DER) that the other side may not have yet, officers' too; at most
    /// [`APPROVED_CERTIFICATES_MAX`].
    pub certificates: Vec<Bytes>,
    /// Messages, 1 to [`BATCH_MESSAGES_MAX`] over all parts; none in [`Lane::Receipts`].
    pub parts: Vec<RelayedPart>,
    /// Receipts, 1 to [`BATCH_MESSAGES_MAX`]; only in [`Lane::Receipts`].
    pub receipts: Vec<SignedReceipt>,
}

/// Messages of one signed batch that came the same way and go to the same ministry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedPart {
    /// The ministry of the recipients that these copies are for.
    pub dest: Ministry,
    /// The relays that they have passed, origin first, the giver last; 1 to [`HOPS_MAX`].
    pub path: Vec<Ministry>,
    /// The messages.
    pub part: Part<Parcel>,
}

/// A message on its way to another ministry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The header's bytes as signed.
    pub header: Bytes,
    /// Salt ‖ body.
    pub body: Bytes,
    /// The approvals by which its ministry released it, at most [`APPROVALS_MAX`].
    pub approvals: Vec<SignedApproval>,
}

impl Frame for Hello {
    const NAME: &'static str = "Hello";
    const BYTES_MAX: usize = HELLO_BYTES_MAX;

    fn encode(&self) -> Bytes {
        frame::pack(&proto::Hello {
            version: self.version,
            software: field::cut(SOFTWARE_BYTES_MAX, &self.software),
            federation_serial: self.federation_serial,
            policy_digest: self.policy_digest.map(|d| Bytes::copy_from_slice(d.as_bytes())),
            witnessed: self.witnessed.clone(),
        })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &HELLO, read_hello)
    }
}

impl Frame for Batch {
    const NAME: &'static str = "Batch";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn encode(&self) -> Bytes {
        frame::pack(&write_batch(self))
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &BATCH, read_batch)
    }
}

// === shapes ===

pub(crate) static HELLO: Shape = Shape::new("Hello", &[]);
static PARCEL: Shape =
    Shape::new("Parcel", &[Field::many("approvals", 3, APPROVALS_MAX, &approval::SIGNED_APPROVAL)]);
static RELAYED_PART: Shape = Shape::new(
    "RelayedPart",
    &[
        Field::plain("path", 2, HOPS_MAX),
        Field::one("signed", 3, &SIGNED_PART),
        Field::many("parcels", 4, BATCH_MESSAGES_MAX, &PARCEL),
    ],
);
pub(crate) static BATCH: Shape = Shape::new(
    "Batch",
    &[
        Field::plain("certificates", 4, APPROVED_CERTIFICATES_MAX),
        Field::many("parts", 5, BATCH_MESSAGES_MAX, &RELAYED_PART),
        Field::many("receipts", 6, BATCH_MESSAGES_MAX, &signed_receipt::SIGNED_RECEIPT),
    ],
);

// === wire ⇄ domain ===

fn write_batch(batch: &Batch) -> proto::Batch {
    proto::Batch {
        lane: batch.lane.number().into(),
        number: batch.number,
        epoch: batch.epoch,
        certificates: batch.certificates.clone(),
        parts: batch.parts.iter().map(write_part).collect(),
        receipts: batch.receipts.iter().map(signed_receipt::write).collect(),
    }
}

fn read_hello(wire: proto::Hello) -> Result<Hello, Flaw> {
    if wire.version == 0 {
        return Err(Flaw::Missing("version"));
    }
    let digest = |bytes: Bytes| field::digest("policy_digest", &bytes);
    let witnessed = wire.witnessed.unwrap_or_default();
    field::at_most("witnessed", WITNESSED_NOTE_BYTES_MAX, witnessed.len())?;
    Ok(Hello {
        version: wire.version,
        software: field::line("software", SOFTWARE_BYTES_MAX, wire.software)?,
        federation_serial: wire.federation_serial,
        policy_digest: wire.policy_digest.map(digest).transpose()?,
        witnessed: Some(witnessed).filter(|note| !note.is_empty()),
    })
}

fn read_batch(wire: proto::Batch) -> Result<Batch, Flaw> {
    let lane = field::lane(wire.lane)?;
    check_load(lane, wire.parts.len(), wire.receipts.len())?;
    let parts = read_parts(wire.parts)?;
    let parcels = parts.iter().flat_map(|relayed| &relayed.part.messages);
    bodies::check(parcels.map(|parcel| &parcel.body))?;
    Ok(Batch {
        lane,
        number: wire.number,
        epoch: wire.epoch,
        certificates: field::certificates(APPROVED_CERTIFICATES_MAX, wire.certificates)?,
        parts,
        receipts: field::each(wire.receipts, signed_receipt::read)?,
    })
}

/// Holds that a batch has items, and only of the kind that its lane carries.
fn check_load(lane: Lane, parts: usize, receipts: usize) -> Result<(), Flaw> {
    let (mine, count, stray, strays) = match lane {
        Lane::Messages(_) => ("parts", parts, "receipts", receipts),
        Lane::Receipts => ("receipts", receipts, "parts", parts),
    };
    field::some_at_most(mine, BATCH_MESSAGES_MAX, count)?;
    field::at_most(stray, 0, strays)
}

fn write_part(relayed: &RelayedPart) -> proto::RelayedPart {
    proto::RelayedPart {
        dest: relayed.dest.as_str().into(),
        path: relayed.path.iter().map(|m| m.as_str().into()).collect(),
        signed: Some(part::write(&relayed.part.signed)),
        parcels: relayed.part.messages.iter().map(write_parcel).collect(),
    }
}

fn read_parts(wire: Vec<proto::RelayedPart>) -> Result<Vec<RelayedPart>, Flaw> {
    if wire.is_empty() {
        return Ok(Vec::new());
    }
    let ways = wire.iter().map(read_way).collect::<Result<Vec<_>, _>>()?;
    let parts = part::read_all(wire, |part| (part.signed, part.parcels), read_parcel)?;
    let relayed = |((dest, path), part)| RelayedPart { dest, path, part };
    Ok(ways.into_iter().zip(parts).map(relayed).collect())
}

fn read_way(wire: &proto::RelayedPart) -> Result<(Ministry, Vec<Ministry>), Flaw> {
    field::some_at_most("path", HOPS_MAX, wire.path.len())?;
    let path = wire.path.iter().map(|m| field::ministry("path", m)).collect::<Result<_, _>>()?;
    Ok((field::ministry("dest", &wire.dest)?, path))
}

fn write_parcel(parcel: &Parcel) -> proto::Parcel {
    proto::Parcel {
        header: parcel.header.clone(),
        body: parcel.body.clone(),
        approvals: parcel.approvals.iter().map(approval::write_signed).collect(),
    }
}

fn read_parcel(wire: proto::Parcel) -> Result<Parcel, Flaw> {
    Ok(Parcel {
        header: field::header(wire.header)?,
        body: wire.body,
        approvals: approval::read_all(wire.approvals)?,
    })
}
