//! Signed bytes with their proof, kept exactly as they came.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Digest, Fingerprint};

/// The signed header of a message, verbatim, with the proof that its originator signed it.
///
/// Having an `Envelope` says nothing about the truth of the signature; `kuriiri-seal` turns it
/// into `Verified` or refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The header's bytes as signed; never re-encoded on the way.
    pub header: Bytes,
    /// The originator's signature over the batch that the header was part of.
    pub proof: BatchProof,
}

/// A receipt: an entry of the issuing relay's log, verbatim, with the proof that it is in the log
/// whose signed checkpoint comes along.
///
/// Having one says nothing about the truth of the proof; `kuriiri-tlog` turns it into
/// `VerifiedReceipt` or refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// The entry's bytes; never re-encoded on the way.
    pub entry: Bytes,
    /// Its place in the log, from 0.
    pub index: u64,
    /// Sibling hashes from the entry's leaf to the root of the tree (RFC 9162 §2.1.3).
    pub path: Vec<Digest>,
    /// The signed note with the log's origin, size and root (C2SP tlog-checkpoint).
    pub checkpoint: Bytes,
}

/// One signature for many: an Ed25519 signature over the Merkle root (RFC 9162 §2.1) of a batch,
/// and the inclusion path of one leaf. A lone message is a batch of one with an empty path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchProof {
    /// Which certificate holds the signer's public key.
    pub signer: Fingerprint,
    /// Position of this leaf in the batch, from 0.
    pub index: u32,
    /// Number of leaves in the batch.
    pub size: u32,
    /// Sibling hashes from the leaf to the root.
    pub path: Vec<Digest>,
    /// 64 bytes of Ed25519 (RFC 8032) over the DSSE encoding of size and root.
    pub signature: Bytes,
}

/// Some of the leaves that a system signed at once, with what proves them.
///
/// The leaves themselves are at hand wherever this is: as headers, or as digests of headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedPart {
    /// Which certificate holds the signer's public key.
    pub signer: Fingerprint,
    /// Number of leaves that were signed.
    pub size: u32,
    /// 64 bytes of Ed25519 (RFC 8032) over the DSSE encoding of size and root.
    pub signature: Bytes,
    /// Places of the leaves in the signed batch, rising; one for each.
    pub positions: Vec<u32>,
    /// The multi-proof: roots of the subtrees without any of these leaves, from left to right. Empty
    /// when all leaves are here.
    pub proof: Vec<Digest>,
}
