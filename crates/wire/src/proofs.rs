//! Newer proofs of entries that somebody has already.

use bytes::Bytes;
use kuriiri_types::{
    Digest, Ministry, Refusal,
    limits::{BATCH_MESSAGES_MAX, CHECKPOINT_BYTES_MAX, LOG_PATH_MAX},
};

use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    hashes,
    limits::PROVED_BYTES_MAX,
    proto::{self, proved::Kind},
    refusal,
    shape::{Field, Shape},
};

/// A place in a log, as whoever has the entry knows it. Only to them a proof of it says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The index of the entry.
    pub index: u64,
    /// The leaf hash of the entry.
    pub leaf: Digest,
}

/// Proofs under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// The checkpoint with its cosignatures.
    pub checkpoint: Bytes,
    /// One for each place, in their order: the siblings from the leaf up. Nothing where the checkpoint
    /// does not cover the place yet, or another entry stands there.
    pub paths: Vec<Option<Vec<Digest>>>,
}

/// The answer of a relay that was asked for proofs of its log, or of a log whose relay it can ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proved {
    /// The proofs.
    Proofs(Proofs),
    /// There are none to be had now.
    Refused(Refusal),
}

impl Frame for Proved {
    const NAME: &'static str = "Proved";
    const BYTES_MAX: usize = PROVED_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let kind = match self {
            Self::Proofs(proofs) => Kind::Proofs(write(proofs)),
            Self::Refused(refusal) => Kind::Refused(refusal::write(refusal)),
        };
        frame::pack(&proto::Proved { kind: Some(kind) })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &PROVED, read_answer)
    }
}

static PLACE: Shape = Shape::new("Place", &[]);
static PLACES: Shape =
    Shape::new("Places", &[Field::many("places", 1, BATCH_MESSAGES_MAX, &PLACE)]);
pub(crate) static REQUEST: Shape = Shape::new("ProofRequest", &[Field::one("places", 2, &PLACES)]);
static PLACE_PROOF: Shape = Shape::new("PlaceProof", &[]);
pub(crate) static PROOFS: Shape =
    Shape::new("Proofs", &[Field::many("proofs", 2, BATCH_MESSAGES_MAX, &PLACE_PROOF)]);
pub(crate) static PROVED: Shape = Shape::new(
    "Proved",
    &[Field::one("proofs", 1, &PROOFS), Field::one("refused", 2, &refusal::REFUSAL)],
);

pub(crate) fn write_request(issuer: &Ministry, places: &[Place]) -> proto::ProofRequest {
    proto::ProofRequest { issuer: issuer.as_str().into(), places: Some(write_places(places)) }
}

pub(crate) fn read_request(wire: proto::ProofRequest) -> Result<(Ministry, Vec<Place>), Flaw> {
    let issuer = field::ministry("issuer", &wire.issuer)?;
    Ok((issuer, read_places(field::present("places", wire.places)?)?))
}

fn write_places(places: &[Place]) -> proto::Places {
    let place =
        |place: &Place| proto::Place { index: place.index, leaf: hashes::write_one(place.leaf) };
    proto::Places { places: places.iter().map(place).collect() }
}

fn read_places(wire: proto::Places) -> Result<Vec<Place>, Flaw> {
    field::some_at_most("places", BATCH_MESSAGES_MAX, wire.places.len())?;
    field::each(wire.places, |wire| {
        Ok(Place { index: wire.index, leaf: field::digest("leaf", &wire.leaf)? })
    })
}

pub(crate) fn write(proofs: &Proofs) -> proto::Proofs {
    let proof =
        |path: &Option<Vec<Digest>>| proto::PlaceProof { path: path.as_deref().map(hashes::write) };
    proto::Proofs {
        checkpoint: proofs.checkpoint.clone(),
        proofs: proofs.paths.iter().map(proof).collect(),
    }
}

pub(crate) fn read(wire: proto::Proofs) -> Result<Proofs, Flaw> {
    field::some_at_most("checkpoint", CHECKPOINT_BYTES_MAX, wire.checkpoint.len())?;
    field::some_at_most("proofs", BATCH_MESSAGES_MAX, wire.proofs.len())?;
    let path = |wire: proto::PlaceProof| {
        wire.path.map(|path| hashes::read("path", LOG_PATH_MAX, &path)).transpose()
    };
    Ok(Proofs { checkpoint: wire.checkpoint, paths: field::each(wire.proofs, path)? })
}

fn read_answer(wire: proto::Proved) -> Result<Proved, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        Kind::Proofs(wire) => Proved::Proofs(read(wire)?),
        Kind::Refused(refusal) => Proved::Refused(refusal::read(refusal)?),
    })
}
