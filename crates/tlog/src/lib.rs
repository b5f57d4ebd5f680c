//! The formats of the transparency log as pure functions: its files, what it signs, and who is
//! believed. Its tree is that of [`kuriiri_merkle`].
//!
//! - [`Tile`] and [`Bundle`] are the files that a log consists of; a [`TileEdge`] is a tree that
//!   grows and gives its tiles as they become full.
//! - A [`Checkpoint`] is what the log signs, a [`Note`] around it carries the signatures, and a
//!   [`Cosigner`] adds that of a witness.
//! - A [`TlogProof`] is a file that proves one entry; a [`Trust`] is the file that says whom to
//!   believe.
//!
//! All formats are those of C2SP (`tlog-tiles`, `signed-note`, `tlog-checkpoint`,
//! `tlog-cosignature`, `tlog-proof`, `tlog-policy`), so tools that nobody here wrote read them.
//!
//! This crate does NOT know what an entry says, keeps nothing, and reads no clock, no file and no
//! network. That a log signs only what grows out of what it signed before, and a witness only what
//! it checked, is for those who call it.
//!
//! ```
//! use kuriiri_merkle::{Growth, inclusion, leaf};
//! use kuriiri_seal::NoteKey;
//! use kuriiri_tlog::{Checkpoint, NoteSigner, TlogProof};
//!
//! let mut tree = Growth::default();
//! for entry in ["one", "two", "three"] {
//!     tree.push(leaf(entry.as_bytes()));
//! }
//! let (key, _pem) = NoteKey::generate()?;
//! let signer = NoteSigner::new("relay.sm.example/log/2027".parse()?, key);
//! let origin = signer.name().to_string();
//! let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() }.sign(&signer)?;
//!
//! let hashes = inclusion(&tree, 1, tree.size())?;
//! let proof = TlogProof { extra: Vec::new(), index: 1, hashes, checkpoint };
//! let read = TlogProof::parse(&proof.to_bytes())?;
//! assert_eq!(read.verify_entry(b"two", signer.verifier_key())?.size, 3);
//! assert!(read.verify_entry(b"three", signer.verifier_key()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod cosignature;
mod headers;
mod key;
mod note;
mod note_signer;
mod policy_file;
mod receipt;
mod signed_checkpoint;
#[cfg(test)]
mod testing;
mod text;
mod tile;
mod tlog_proof;
mod trust;
mod verify_note;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{Cosigner, add_signature};
pub use headers::{EntryHeaders, HeadersError, decode_headers, encode_headers};
pub use key::{KeyKind, KeyName, KeyTextError, VerifierKey};
pub use note::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, Signature};
pub use note_signer::NoteSigner;
pub use policy_file::{POLICY_BYTES_MAX, POLICY_LINES_MAX};
pub use receipt::{
    LogKeys, ReceiptError, ReceiptVerifier, VerifiedReceipt, log_number, log_origin, ministry_of,
    nth_log_origin,
};
pub use tile::{
    Bundle, BundleError, ENTRY_BYTES_MAX, Place, TILE_HEIGHT, TILE_WIDTH, Tile, TileEdge,
    append_entry, bundles_between, bundles_of, decode_bundle, decode_tile, encode_bundle,
    encode_tile, node_in_tile, tiles_between, tiles_of,
};
pub use tlog_proof::{PROOF_BYTES_MAX, ProofFileError, TlogProof};
pub use trust::{Cosigned, Log, PolicyFault, Quorum, Trust, TrustError, Witness, witnesses_needed};
pub use verify_note::Signed;
