//! A proof that anybody can check offline that an entry is in a log (C2SP `tlog-proof`): where it
//! is, the way to the root, and the checkpoint with that root, in one file.

use std::fmt::Write;

use bytes::Bytes;
use kuriiri_merkle::{PATH_MAX, leaf, root_from_inclusion};
use kuriiri_types::Digest;

use crate::{
    Checkpoint, CheckpointError, NOTE_BYTES_MAX, Note, Quorum, Trust, TrustError, VerifierKey,
    text::{base64, decimal, from_base64, hash_from_base64},
};

/// Bytes of a proof: a note, and as much again for the rest. Larger: refused before it is read.
pub const PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// What such a file says. It proves nothing before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Whatever the application wants beside it; empty when there is nothing. Nobody signs it, so
    /// it must not be believed.
    pub extra: Vec<u8>,
    /// Which entry of the log.
    pub index: u64,
    /// The siblings from the leaf up (see [`inclusion`](kuriiri_merkle::inclusion)).
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, as it was received: a whole note.
    pub checkpoint: Bytes,
}

impl TlogProof {
    /// The file, to be named `.tlog-proof`.
    pub fn to_bytes(&self) -> Bytes {
        let mut text = format!("{FIRST_LINE}\n");
        if !self.extra.is_empty() {
            let _ = writeln!(text, "extra {}", base64(&self.extra));
        }
        let _ = writeln!(text, "index {}", self.index);
        self.hashes.iter().for_each(|hash| {
            let _ = writeln!(text, "{}", base64(hash.as_bytes()));
        });
        text.push('\n');
        let mut file = text.into_bytes();
        file.extend_from_slice(&self.checkpoint);
        file.into()
    }

    /// Reads a file, strictly, down to the text of the checkpoint.
    ///
    /// # Errors
    /// When it is too large, a line is not what should stand there, or no checkpoint follows.
    pub fn parse(file: &[u8]) -> Result<Self, ProofFileError> {
        if file.len() > PROOF_BYTES_MAX {
            return Err(ProofFileError::TooLarge(file.len()));
        }
        let mut lines = Lines { rest: file, number: 0 };
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofFileError::Line { line: 1, what: FIRST_LINE });
        }
        let mut line = lines.next();
        let mut extra = Vec::new();
        if let Some(text) = line.and_then(|line| line.strip_prefix("extra ")) {
            let data = from_base64(text).filter(|data| !data.is_empty());
            let what = "extra data in base64";
            extra = data.ok_or(ProofFileError::Line { line: lines.number, what })?;
            line = lines.next();
        }
        let index = line.and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let what = "the entry's index";
        let index = index.ok_or(ProofFileError::Line { line: lines.number, what })?;
        let hashes = lines.hashes()?;
        let checkpoint = Bytes::copy_from_slice(lines.rest);
        let note = Note::parse(&checkpoint).map_err(CheckpointError::from)?;
        Checkpoint::parse(note.text())?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Verifies that the entry with this leaf hash is in the log with this key.
    ///
    /// # Errors
    /// When the log did not sign the checkpoint, or the hashes do not lead to its root.
    pub fn verify(&self, leaf: Digest, log: &VerifierKey) -> Result<Checkpoint, ProofFileError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, log)?;
        self.check_path(leaf, &checkpoint)?;
        Ok(checkpoint)
    }

    /// Verifies that these bytes are an entry of the log with this key; else as
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// As there.
    pub fn verify_entry(
        &self,
        entry: &[u8],
        log: &VerifierKey,
    ) -> Result<Checkpoint, ProofFileError> {
        self.verify(leaf(entry), log)
    }

    /// Verifies that the entry with this leaf hash is in a log that the policy lists. Whether
    /// enough witnesses saw the checkpoint, the [`Quorum`] says.
    ///
    /// # Errors
    /// When no such log signed the checkpoint, a known witness's cosignature is not genuine, or the
    /// hashes do not lead to the root.
    pub fn verify_under(
        &self,
        leaf: Digest,
        trust: &Trust,
    ) -> Result<(Checkpoint, Quorum), ProofFileError> {
        let (checkpoint, quorum) = trust.checkpoint(&self.checkpoint)?;
        self.check_path(leaf, &checkpoint)?;
        Ok((checkpoint, quorum))
    }

    fn check_path(&self, leaf: Digest, checkpoint: &Checkpoint) -> Result<(), ProofFileError> {
        let root = root_from_inclusion(leaf, self.index, checkpoint.size, &self.hashes);
        let leads_there = root == Some(checkpoint.root);
        leads_there.then_some(()).ok_or(ProofFileError::Path { index: self.index })
    }
}

/// What has not been read yet, and which line was the last.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    /// The next line, without its end. Nothing when it does not end or is not UTF-8.
    fn next(&mut self) -> Option<&'a str> {
        self.number += 1;
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix(b"\n")?;
        str::from_utf8(line).ok()
    }

    /// The hashes up to the empty line.
    fn hashes(&mut self) -> Result<Vec<Digest>, ProofFileError> {
        let mut hashes = Vec::new();
        loop {
            let hash = match self.next() {
                Some("") => return Ok(hashes),
                Some(line) if hashes.len() < PATH_MAX => hash_from_base64(line),
                _ => None,
            };
            let what = "a hash, or the empty line after the last";
            hashes.push(hash.ok_or(ProofFileError::Line { line: self.number, what })?);
        }
    }
}

/// A proof file is not readable, or does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Larger than is read here.
    #[error("the proof has {0} bytes, more than any proof needs")]
    TooLarge(usize),
    /// A line that is not what should stand there.
    #[error("line {line} of the proof is not {what}")]
    Line {
        /// Which line, counted from 1.
        line: usize,
        /// What should stand there.
        what: &'static str,
    },
    /// The checkpoint in it is wrong, or not accepted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy does not accept the checkpoint in it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The hashes do not lead from the entry to the root.
    #[error("the proof does not lead from this entry, at index {index}, to the checkpoint's root")]
    Path {
        /// Which entry it is said to be.
        index: u64,
    },
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::inclusion;
    use kuriiri_types::Digest;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Cosigner, NoteSigner, add_signature,
        testing::{flipped_bytes, key, leaves, tree},
    };

    fn log() -> NoteSigner {
        NoteSigner::new("sm.example/log".parse().unwrap(), key(1))
    }

    fn proof(size: u64, index: u64, extra: &[u8]) -> TlogProof {
        let tree = tree(size);
        let origin = "sm.example/log".to_owned();
        let checkpoint = Checkpoint { origin, size, root: tree.root() }.sign(&log()).unwrap();
        let hashes = inclusion(&tree, index, size).unwrap();
        TlogProof { extra: extra.to_vec(), index, hashes, checkpoint }
    }

    #[test]
    fn an_entry_is_proved_by_its_file() {
        for size in 1..=9 {
            for index in 0..size {
                for extra in [&b""[..], b"extra"] {
                    let proof = proof(size, index, extra);
                    let read = TlogProof::parse(&proof.to_bytes()).unwrap();
                    assert_eq!(read, proof);
                    let entry = index.to_be_bytes();
                    let verified = read.verify_entry(&entry, log().verifier_key()).unwrap();
                    assert_eq!(verified.size, size);
                    let other = read.verify_entry(b"other", log().verifier_key());
                    assert_eq!(other, Err(ProofFileError::Path { index }));
                }
            }
        }
    }

    #[test]
    fn the_file_looks_as_specified() {
        let file = proof(2, 1, b"extra").to_bytes();
        let sibling = base64(leaves(1)[0].as_bytes());
        let start = format!(
            "c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 1\n{sibling}\n\nsm.example/log\n2\n"
        );
        assert!(file.starts_with(start.as_bytes()));
    }

    #[test]
    fn a_policy_says_whether_enough_witnesses_saw_it() {
        let witness = Cosigner::new("plm.example/witness".parse().unwrap(), key(2));
        let keys = [witness.verifier_key().clone()];
        let trust = Trust::new(&[log().verifier_key().clone()], &keys, 1).unwrap();
        let mut proof = proof(5, 3, b"");
        let leaf = leaves(4)[3];
        assert!(!proof.verify_under(leaf, &trust).unwrap().1.met);
        let text = Note::parse(&proof.checkpoint).unwrap().text().to_owned();
        let line = witness.cosign(&text, 7).unwrap();
        proof.checkpoint = add_signature(&proof.checkpoint, line).unwrap();
        let (checkpoint, quorum) = proof.verify_under(leaf, &trust).unwrap();
        assert_eq!((checkpoint.size, quorum.met, quorum.by[0].time), (5, true, 7));
        let other = proof.verify_under(Digest([0; 32]), &trust);
        assert_eq!(other, Err(ProofFileError::Path { index: 3 }));
    }

    #[test]
    fn a_flipped_bit_is_refused_unless_it_is_in_what_nobody_signs() {
        let proof = proof(5, 3, b"extra");
        let leaf = leaves(4)[3];
        for mutant in flipped_bytes(&proof.to_bytes()) {
            let Ok(mutant) = TlogProof::parse(&mutant) else {
                continue;
            };
            if mutant.verify(leaf, log().verifier_key()).is_ok() {
                assert_ne!(mutant.extra, proof.extra);
                assert_eq!(TlogProof { extra: proof.extra.clone(), ..mutant }, proof);
            }
        }
    }

    #[test]
    fn what_is_not_a_proof_is_refused_with_its_line() {
        let good = String::from_utf8(proof(3, 0, b"x").to_bytes().to_vec()).unwrap();
        let line =
            |from: &str, to: &str| match TlogProof::parse(good.replacen(from, to, 1).as_bytes()) {
                Err(ProofFileError::Line { line, .. }) => line,
                other => panic!("{other:?}"),
            };
        assert_eq!(line("@v1", "@v2"), 1);
        assert_eq!(line("extra eA==", "extra "), 2);
        assert_eq!(line("extra eA==", "extra eA="), 2);
        assert_eq!(line("extra eA==", "extra eA==\nextra eA=="), 3);
        assert_eq!(line("index 0", "index 00"), 3);
        assert_eq!(line("index 0", "index -1"), 3);
        assert_eq!(line("index 0", "Index 0"), 3);
        assert_eq!(line("index 0\n", "index 0\nAA==\n"), 4);
        assert_eq!(line("\n\n", "\n"), 6);
        let many = format!("index 0\n{}", format!("{}\n", base64(&[0; 32])).repeat(64));
        assert_eq!(line("index 0\n", &many), 3 + 64);
        let cut = |length: usize| TlogProof::parse(&good.as_bytes()[..length]);
        (0..good.len()).for_each(|length| assert!(cut(length).is_err(), "{length}"));
        let large = PROOF_BYTES_MAX + 1;
        assert_eq!(TlogProof::parse(&vec![0; large]), Err(ProofFileError::TooLarge(large)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), tail in "[a-z0-9 =\n]{0,40}") {
            let _ = TlogProof::parse(&bytes);
            let _ = TlogProof::parse(format!("{FIRST_LINE}\nindex 1\n{tail}").as_bytes());
        }
    }
}
