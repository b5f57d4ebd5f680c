//! The words of Kuriiri: ids, addresses, labels as written, headers, envelopes, approvals, receipts,
//! limits.
//!
//! This crate does no IO, knows no encoding, reads no clock and makes no randomness. Everything
//! here is a plain value that was checked once, when it was made; the crates above it carry these
//! values and add proofs (`Verified`, `Admitted`) of what has been done with them.
//!
//! ```
//! use kuriiri_types::{Address, Precedence, WireLabel};
//!
//! let to: Address = "kirjaamo@um.example".parse()?;
//! assert_eq!(to.ministry().as_str(), "um.example");
//! let label: WireLabel = "FI TL3 REL{PLM}".parse()?;
//! assert_eq!(label.level, "TL3");
//! assert!(Precedence::Flash > Precedence::Routine);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod approval;
mod code;
mod codec;
mod decided;
mod entry;
mod envelope;
mod file;
mod handling;
mod header;
mod id;
mod label;
pub mod limits;
mod precedence;
mod receipt;
mod spiffe;
mod time;
mod verdict;

pub use address::{Address, AddressError, Ministry};
pub use approval::{Approval, ApprovalAct, SignedApproval};
pub use code::{CODES, Code, Fault};
pub use codec::Codec;
pub use decided::{Decided, Giver, LoggedClearance, LoggedRuling, Subject};
pub use entry::{
    Channel, ChannelHead, Direction, Entry, FileInForce, FilePart, LogEvent, PolicyInForce,
};
pub use envelope::{BatchProof, Envelope, SignedPart, SignedReceipt};
pub use file::FileKind;
pub use handling::{Handling, Marker, Onward};
pub use header::{Header, MessageType, Recipient, Role, SealKeyId, Sealing};
pub use id::{Digest, Fingerprint, MessageId, MessageIdError};
pub use label::{Category, LabelError, WireLabel, is_label_id};
pub use precedence::{Lane, Precedence};
pub use receipt::{Addressed, Receipt, ReceiptKind};
pub use spiffe::{SpiffeError, SpiffeId, SpiffeRole};
pub use time::Timestamp;
pub use verdict::{Outcome, Refusal, Verdict};
