//! An officer's word on a message that waits for people.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{BatchProof, Digest, MessageId, Recipient, SealKeyId, SpiffeId, Timestamp, WireLabel};

/// What one officer states and signs about one message (labels.md §3.4, after RFC 7912).
///
/// It repeats what the officer read, so that it stands on its own as evidence, and binds the exact
/// header: any edit of the message leaves an approval of another message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The message.
    pub message: MessageId,
    /// Leaf hash of the message's exact header bytes.
    pub subject: Digest,
    /// Digest of what the recipients will read; see [`Header::content`](crate::Header::content).
    pub content: Digest,
    /// Who may have the message, as its originator wrote it.
    pub label: WireLabel,
    /// The message's recipients, in its order.
    pub recipients: Vec<Recipient>,
    /// The sealing keys that open the message, in its order; none when it is not sealed.
    pub keys: Vec<SealKeyId>,
    /// How many releasing officers the officer was told are needed; 1 to
    /// [`APPROVALS_MAX`](crate::limits::APPROVALS_MAX).
    pub needed: u32,
    /// Counts up to and with this time; none means as long as the message lives.
    pub until: Option<Timestamp>,
    /// The message's own expiry, as its header has it.
    pub expires: Option<Timestamp>,
    /// Who signs: a person of the sender's ministry.
    pub officer: SpiffeId,
    /// The roles in which the officer signs, sorted, none twice; at most
    /// [`APPROVAL_ROLES_MAX`](crate::limits::APPROVAL_ROLES_MAX). A claim: who holds which role is
    /// for the originating relay to know.
    pub roles: Vec<String>,
    /// Whether the message may go.
    pub act: ApprovalAct,
    /// When, by the officer's clock.
    pub at: Timestamp,
}

/// What an officer does with a message that waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ApprovalAct {
    /// Lets it go, as far as this officer is concerned.
    Release,
    /// Sends it back to whoever wrote it.
    Reject {
        /// Why, for the drafter: one paragraph of at most
        /// [`APPROVAL_NOTE_BYTES_MAX`](crate::limits::APPROVAL_NOTE_BYTES_MAX) bytes, may be empty.
        note: String,
    },
}

/// An approval's signed bytes, verbatim, with the proof that the officer signed them.
///
/// Having one says nothing about the truth of the signature; `kuriiri-seal` verifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedApproval {
    /// The approval's bytes as signed; never re-encoded on the way.
    pub approval: Bytes,
    /// The officer's signature over the batch that the approval was part of.
    pub proof: BatchProof,
}
