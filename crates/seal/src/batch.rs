//! One signature for a batch.
//!
//! Signed is the DSSE pre-authentication encoding (DSSE v1, `PAE`) of a payload type, which names
//! the purpose, and a payload of 40 bytes: the number of leaves as 8 bytes big-endian, and the
//! root. The size stands in the signed text because a root alone does not say how many leaves it
//! has.

use kuriiri_merkle::{Tree, root_from_inclusion};
use kuriiri_types::{BatchProof, Digest, limits::BATCH_LEAVES_MAX};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::Signer;

/// What a signature is for. A proof for one purpose is never one for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Headers of messages, signed by a system.
    Messages,
    /// Approvals, signed by an officer.
    Approvals,
}

impl Purpose {
    /// The DSSE payload type.
    pub const fn payload_type(self) -> &'static str {
        match self {
            Self::Messages => "application/vnd.kuriiri.messages.v1",
            Self::Approvals => "application/vnd.kuriiri.approvals.v1",
        }
    }
}

impl Signer {
    /// Signs all leaves at once (see [`leaf`](kuriiri_merkle::leaf)) and gives a proof for each, in
    /// their order. No leaves, no proofs; one leaf, an empty path.
    ///
    /// Above [`BATCH_LEAVES_MAX`] leaves there is one signature for each so many.
    pub fn sign(&self, purpose: Purpose, leaves: &[Digest]) -> Vec<BatchProof> {
        let batches = leaves.chunks(BATCH_LEAVES_MAX as usize);
        batches.flat_map(|batch| self.sign_batch(purpose, batch)).collect()
    }

    fn sign_batch(&self, purpose: Purpose, leaves: &[Digest]) -> Vec<BatchProof> {
        let tree: Tree = leaves.iter().copied().collect();
        let size = u32::try_from(leaves.len()).unwrap_or(BATCH_LEAVES_MAX);
        let statement = Statement { purpose, size, root: tree.root() };
        let signature = self.sign_text(&statement.text());
        let proof = |(index, path)| {
            let (signer, signature) = (self.fingerprint(), signature.clone());
            BatchProof { signer, index, size, path, signature }
        };
        (0..).zip(tree.paths()).map(proof).collect()
    }
}

/// What one signature says: so many things, for this purpose, under this root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Statement {
    purpose: Purpose,
    size: u32,
    root: Digest,
}

impl Statement {
    pub(crate) const fn new(purpose: Purpose, size: u32, root: Digest) -> Self {
        Self { purpose, size, root }
    }

    /// What the signature of a proof must say for the proof to be one of this leaf; nothing when
    /// the proof contradicts itself.
    pub(crate) fn required(purpose: Purpose, leaf: Digest, proof: &BatchProof) -> Option<Self> {
        if proof.size > BATCH_LEAVES_MAX {
            return None;
        }
        let (index, size) = (proof.index.into(), proof.size.into());
        let root = root_from_inclusion(leaf, index, size, &proof.path)?;
        Some(Self { purpose, size: proof.size, root })
    }

    /// Whether the holder of this Ed25519 key (RFC 8032) has signed it.
    pub(crate) fn is_signed(&self, public_key: &[u8; 32], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(&self.text(), signature).is_ok()
    }

    fn text(&self) -> Vec<u8> {
        let mut payload = u64::from(self.size).to_be_bytes().to_vec();
        payload.extend_from_slice(self.root.as_bytes());
        pae(self.purpose.payload_type(), &payload)
    }
}

/// The DSSE pre-authentication encoding: what is really signed.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut text =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    text.extend_from_slice(payload);
    text
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use kuriiri_merkle::{digest, leaf};

    use super::*;
    use crate::hex;

    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn nothing_in_nothing_out() {
        let signer = Signer::for_vectors(&[7; 32]);
        assert_eq!(signer.sign(Purpose::Messages, &[]), []);
        let proofs = signer.sign(Purpose::Messages, &[leaf(b"alone")]);
        assert_eq!((proofs.len(), proofs[0].path.len()), (1, 0));
    }

    #[test]
    fn more_than_a_batch_holds_is_several_batches() {
        let signer = Signer::for_vectors(&[7; 32]);
        let leaves = vec![leaf(b"the same"); BATCH_LEAVES_MAX as usize + 1];
        let proofs = signer.sign(Purpose::Messages, &leaves);
        assert_eq!(proofs.len(), leaves.len());
        assert_eq!(proofs.first().unwrap().size, BATCH_LEAVES_MAX);
        assert_eq!(proofs.last().unwrap().size, 1);
    }

    /// The text in `tests/vectors/seal/batch.txt`, written anew. That file was first made by a
    /// separate implementation, so equality is agreement between two.
    fn vectors() -> String {
        let seed = digest(b"kuriiri batch vectors");
        let signer = Signer::for_vectors(seed.as_bytes());
        let public_key = signer.public_key();
        let mut text = format!("seed {seed}\npublic-key {}\n", hex::encode(&public_key));
        for purpose in [Purpose::Messages, Purpose::Approvals] {
            for size in [1, 2, 3, 5, 8] {
                let item = |i: u32| format!("item {i}");
                let leaves: Vec<Digest> = (0..size).map(|i| leaf(item(i).as_bytes())).collect();
                let proofs = signer.sign(purpose, &leaves);
                let root = leaves.iter().copied().collect::<Tree>().root();
                let signature = hex::encode(&proofs[0].signature);
                write!(text, "\nbatch {} {size}\n", purpose.payload_type()).unwrap();
                write!(text, "root {root}\nsignature {signature}\n").unwrap();
                for (proof, leaf) in proofs.iter().zip(&leaves) {
                    writeln!(text, "leaf {} {leaf}", proof.index).unwrap();
                    let hashes = proof.path.iter();
                    hashes.for_each(|hash| writeln!(text, "  path {hash}").unwrap());
                }
            }
        }
        text
    }

    #[test]
    fn signatures_are_those_of_the_committed_vectors() {
        let committed = include_str!("../../../tests/vectors/seal/batch.txt");
        let lines = committed.lines().filter(|line| !line.starts_with('#'));
        let committed: String = lines.map(|line| format!("{line}\n")).collect();
        assert_eq!(vectors(), committed);
    }
}
