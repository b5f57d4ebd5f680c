//! A message in custody.

use std::sync::Arc;

use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, BatchProof, Digest, Envelope, Header, Ministry, SignedApproval, Subject, Timestamp,
};

use crate::{
    case::{Case, Release},
    record::{Aside, Body, Parcel, proof_weight},
};

/// A message in custody: only made of a verified one, or of one that was committed.
#[derive(Debug)]
pub(crate) struct Message {
    header: Arc<Header>,
    leaf: Digest,
    proof: BatchProof,
    releases: Vec<Release>,
    parcel: Parcel,
}

/// What custody adds to a message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    pub(crate) dest: Ministry,
    pub(crate) path: Vec<Ministry>,
    pub(crate) expires: Timestamp,
    pub(crate) accepted: Timestamp,
    pub(crate) approvals: Vec<SignedApproval>,
    pub(crate) releases: Vec<Release>,
    pub(crate) body: Body,
}

impl Message {
    /// Takes a verified message into custody.
    pub(crate) fn take(message: &VerifiedMessage, keeping: Keeping) -> Arc<Self> {
        let envelope = message.envelope().clone();
        Self::new(message.shared_header(), message.leaf(), envelope, keeping)
    }

    /// A message that was taken before, with these signed bytes.
    pub(crate) fn new(
        header: Arc<Header>,
        leaf: Digest,
        envelope: Envelope,
        keeping: Keeping,
    ) -> Arc<Self> {
        let Keeping { dest, path, expires, accepted, approvals, releases, body } = keeping;
        let Envelope { header: bytes, proof } = envelope;
        let parcel =
            Parcel { header: bytes, dest, path, expires, accepted, approvals, body, aside: None };
        Arc::new(Self { header, leaf, proof, releases, parcel })
    }

    /// The same, to be kept where it is set aside, or no longer.
    pub(crate) fn with_aside(&self, aside: Option<Aside>) -> Arc<Self> {
        let Self { header, leaf, proof, releases, parcel } = self;
        let (header, proof, releases) = (Arc::clone(header), proof.clone(), releases.clone());
        let parcel = Parcel { aside, ..parcel.clone() };
        Arc::new(Self { header, leaf: *leaf, proof, releases, parcel })
    }

    /// A message as it was committed.
    pub(crate) fn stored(
        (header, leaf): (Arc<Header>, Digest),
        proof: BatchProof,
        releases: Vec<Release>,
        parcel: Parcel,
    ) -> Arc<Self> {
        Arc::new(Self { header, leaf, proof, releases, parcel })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn leaf(&self) -> Digest {
        self.leaf
    }

    /// The message as entries of the log name it.
    pub(crate) fn subject(&self) -> Subject {
        Subject { message: self.header.id, header: self.leaf }
    }

    /// The header's bytes with the proof that its originator signed them.
    pub(crate) fn envelope(&self) -> Envelope {
        Envelope { header: self.parcel.header.clone(), proof: self.proof.clone() }
    }

    /// How many have signed something of it.
    pub(crate) fn signers(&self) -> usize {
        1 + self.parcel.approvals.len()
    }

    /// Bytes that it takes on the wire, roughly.
    pub(crate) fn load_bytes(&self) -> usize {
        let beside = match &self.parcel.body {
            Body::Inline(_) => 0,
            Body::File(place) => place.len as usize,
        };
        self.parcel.weight() + proof_weight(&self.proof) + beside
    }

    /// The proof that its originator signed it.
    pub(crate) fn proof(&self) -> &BatchProof {
        &self.proof
    }

    /// As it is stored.
    pub(crate) fn parcel(&self) -> &Parcel {
        &self.parcel
    }

    /// What the header says, to be kept without a copy.
    pub(crate) fn shared_header(&self) -> Arc<Header> {
        Arc::clone(&self.header)
    }

    /// The message as a case to be judged.
    pub(crate) fn case(&self) -> Case<'_> {
        Case {
            header: &self.header,
            subject: self.leaf,
            dest: &self.parcel.dest,
            path: &self.parcel.path,
            releases: &self.releases,
            submitter: None,
        }
    }

    /// The releases that came with it.
    pub(crate) fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// The recipients that this copy is for.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.header.recipients_at(&self.parcel.dest).map(|r| &r.address)
    }
}
