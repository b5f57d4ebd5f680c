//! What is kept durably: packs of messages and receipts, and the marks beside them.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::{divide, is_behind};
use kuriiri_types::{
    Address, BatchProof, Digest, Direction, Envelope, Fingerprint, Lane, Ministry, Refusal,
    SignedApproval, SignedPart, Timestamp,
};
use serde::{Deserialize, Serialize};

/// One durable queue of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum QueueId {
    /// What waits for the relay of a ministry.
    Outbox(Ministry),
    /// What waits for a recipient's system.
    Mailbox(Address),
    /// Receipts that wait for the system that sent the messages.
    Receipts(Address),
    /// What was taken out of a mailbox because its systems could not accept it. It waits for people.
    MailboxAside(Address),
    /// What was taken out of an outbox because it could not be handed over. It waits for people.
    OutboxAside(Ministry),
}

impl QueueId {
    /// Where it is put what is taken out of this queue for people to deal with. Receipts are not, and what
    /// was set aside is not again.
    pub fn aside(&self) -> Option<Self> {
        match self {
            Self::Mailbox(address) => Some(Self::MailboxAside(address.clone())),
            Self::Outbox(peer) => Some(Self::OutboxAside(peer.clone())),
            Self::Receipts(_) | Self::MailboxAside(_) | Self::OutboxAside(_) => None,
        }
    }

    /// The queue that what is set aside here was taken out of.
    pub fn origin(&self) -> Option<Self> {
        match self {
            Self::MailboxAside(address) => Some(Self::Mailbox(address.clone())),
            Self::OutboxAside(peer) => Some(Self::Outbox(peer.clone())),
            Self::Receipts(_) | Self::Mailbox(_) | Self::Outbox(_) => None,
        }
    }

    /// The peer for which what is in it waits.
    pub fn peer(&self) -> Option<&Ministry> {
        match self {
            Self::Outbox(peer) | Self::OutboxAside(peer) => Some(peer),
            Self::Mailbox(_) | Self::MailboxAside(_) | Self::Receipts(_) => None,
        }
    }

    /// The recipient for whom what is in it waits.
    pub fn recipient(&self) -> Option<&Address> {
        match self {
            Self::Mailbox(address) | Self::MailboxAside(address) => Some(address),
            Self::Outbox(_) | Self::OutboxAside(_) | Self::Receipts(_) => None,
        }
    }
}

impl std::fmt::Display for QueueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outbox(peer) => write!(f, "the outbox for {peer}"),
            Self::Mailbox(address) => write!(f, "the mailbox {address}"),
            Self::Receipts(address) => write!(f, "the receipts of {address}"),
            Self::MailboxAside(address) => write!(f, "what is set aside of the mailbox {address}"),
            Self::OutboxAside(peer) => write!(f, "what is set aside of the outbox for {peer}"),
        }
    }
}

/// Position of an item in a lane of a queue. Rises by one an item, never repeats, not even after
/// a restart: the upper 24 bits count the starts of the relay.
pub type Seq = u64;

/// Where a pack stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackKey {
    /// The queue.
    pub queue: QueueId,
    /// The lane in it.
    pub lane: Lane,
    /// The sequence number of the pack's first item.
    pub first: Seq,
}

/// Items that were queued by the same commit, stored as one value of at most
/// [`PACK_BYTES_MAX`](kuriiri_types::limits::PACK_BYTES_MAX) bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pack {
    /// How many items the lane took before this pack: the difference between the last and the
    /// first pack tells how much waits, without reading what is between.
    pub before: u64,
    /// When the pack was made; what has no time of expiry of its own counts from here.
    pub packed: Timestamp,
    /// The parts of signed batches that its messages are, with a leaf for each message in their order.
    pub parts: Vec<SignedPart>,
    /// Item `i` has the sequence number `first + i`; 1 to 64 items.
    pub items: Vec<Item>,
}

/// One bit for each item of a pack, lowest first: set when the item is finished.
pub type Done = u64;

/// What can stand in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A message.
    Parcel(Parcel),
    /// A receipt on its way to the ministry of the message's sender: the place of the entry in this
    /// relay's own log that is it, or that holds it if another relay issued it.
    Receipt(u64),
}

/// A message in the custody of this relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The header's bytes, verbatim; who signed them the pack says.
    pub header: Bytes,
    /// Which of the header's ministries this copy is for.
    pub dest: Ministry,
    /// The relays that had it before this one, origin first. Empty at the origin.
    pub path: Vec<Ministry>,
    /// Not to be delivered after this: the earliest of header, rules and the limit of time to live.
    pub expires: Timestamp,
    /// When this relay took it.
    pub accepted: Timestamp,
    /// What officers signed to release it, verbatim; only those that are of this message.
    pub approvals: Vec<SignedApproval>,
    /// Salt and body.
    pub body: Body,
    /// That it was set aside, and why; only of what stands in a queue for that.
    pub aside: Option<Aside>,
}

/// Why a message does not wait where it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Since when.
    pub since: Timestamp,
    /// Why: one reason of at most
    /// [`ASIDE_REASON_BYTES_MAX`](kuriiri_types::limits::ASIDE_REASON_BYTES_MAX) at most.
    pub why: Refusal,
}

/// A message that waits for people, or for its hours, at the relay of its origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The signed header, verbatim, and its proof.
    pub envelope: Envelope,
    /// The ministries that copies of it wait for.
    pub dests: Vec<Ministry>,
    /// The relays that had it before this one; empty unless only its hours are waited for.
    pub path: Vec<Ministry>,
    /// If it has not gone by then, it expires.
    pub expires: Timestamp,
    /// When this relay took it.
    pub accepted: Timestamp,
    /// What officers signed to release it so far, verbatim.
    pub approvals: Vec<SignedApproval>,
    /// Salt and body; one reference, however many copies wait.
    pub body: Body,
}

/// Names a hold. Rises, never repeats.
pub type HoldNumber = u64;

/// Where salt and body are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Here.
    Inline(Bytes),
    /// In a body file.
    File(BodyRef),
}

/// A stretch of a body file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BodyRef {
    /// The file's number; never reused.
    pub file: u64,
    /// First byte.
    pub offset: u64,
    /// Number of bytes, salt included.
    pub len: u32,
}

/// The mark of one message or receipt that was taken: the first 16 bytes of a digest over what
/// it is and whom it is for. Two different things share a mark with a chance of 2^-128.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeenMark(pub [u8; 16]);

/// The marks that one commit set in one bucket of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRun {
    /// When they were taken; a repeat is told this time.
    pub at: Timestamp,
    /// The marks.
    pub marks: Vec<Marked>,
}

/// A mark, and where the log says that the thing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marked {
    /// The mark.
    pub mark: SeenMark,
    /// The place of the first entry that says so.
    pub entry: u64,
}

/// How the log stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogHead {
    /// Number of entries.
    pub size: u64,
    /// The roots of the complete subtrees that the tree falls into, largest first.
    pub frontier: Vec<Digest>,
    /// Which signed files are in force, once the log has said so.
    pub policy: Option<Digest>,
    /// The time of the last entry.
    pub at: Timestamp,
}

/// The last checkpoint of a peer's log that this relay cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenLog {
    /// Which log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// The checkpoint as the log signed it.
    pub note: Bytes,
}

/// Where the chain of all messages with a peer in one direction ends. Each is a record of its own, however
/// many peers there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelEnd {
    /// The other relay.
    pub peer: Ministry,
    /// To it or from it.
    pub direction: Direction,
    /// The next number.
    pub next: u64,
    /// Leaf hash of the last entry.
    pub last: Digest,
}

/// A certificate that signed something in custody here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// The certificate, DER.
    pub der: Bytes,
}

/// Counters, lengths and times of a pack.
const PACK_FIXED_BYTES: usize = 64;
/// Lengths, enum tags, times and the ids around the variable parts of an item.
const ITEM_FIXED_BYTES: usize = 64;
/// Time, code and length of what tells why something is set aside.
const ASIDE_FIXED_BYTES: usize = 16;
/// Signer, signature, numbers and lengths of a proof.
const PROOF_FIXED_BYTES: usize = 128;
/// A hash and its length.
const DIGEST_BYTES: usize = size_of::<Digest>() + 1;
/// A place in a signed batch.
const POSITION_BYTES: usize = 5;

impl Pack {
    /// Bytes that it takes in a store, a little over.
    pub fn weight(&self) -> usize {
        let part = |part: &SignedPart| {
            let places = part.positions.len() * POSITION_BYTES;
            PROOF_FIXED_BYTES + places + part.proof.len() * DIGEST_BYTES
        };
        let item = |item: &Item| match item {
            Item::Parcel(parcel) => parcel.weight(),
            Item::Receipt(_) => Item::RECEIPT_WEIGHT,
        };
        let parts: usize = self.parts.iter().map(part).sum();
        PACK_FIXED_BYTES + parts + self.items.iter().map(item).sum::<usize>()
    }

    /// The leaf hash and the proof of each of its messages, in their order; receipts have none. Nothing
    /// when the parts are not those of the messages.
    pub fn proofs(&self) -> Option<Vec<(Digest, BatchProof)>> {
        let mut leaves = self.items.iter().filter_map(|item| match item {
            Item::Parcel(parcel) => Some(leaf(&parcel.header)),
            Item::Receipt(_) => None,
        });
        let mut proofs = Vec::with_capacity(self.items.len());
        for part in &self.parts {
            let own: Vec<Digest> = leaves.by_ref().take(part.positions.len()).collect();
            let divided = divide(part, &own)?;
            proofs.extend(own.into_iter().zip(divided));
        }
        leaves.next().is_none().then_some(proofs)
    }
}

impl Item {
    /// Bytes that a receipt takes in a pack, a little over.
    pub const RECEIPT_WEIGHT: usize = 16;
}

impl Parcel {
    /// Bytes that this message takes in a pack besides what proves it, a little over.
    pub fn weight(&self) -> usize {
        let path = self.path.iter().map(|m| m.as_str().len() + 2).sum::<usize>();
        let inline = self.body.inline_bytes();
        let approvals = approvals_weight(&self.approvals);
        let aside = self.aside.as_ref().map_or(0, Aside::weight);
        let names = self.dest.as_str().len() + path;
        ITEM_FIXED_BYTES + self.header.len() + names + approvals + inline + aside
    }
}

impl Aside {
    /// Bytes that it takes in a pack, a little over.
    fn weight(&self) -> usize {
        ASIDE_FIXED_BYTES + self.why.reasons.iter().map(|reason| reason.len() + 2).sum::<usize>()
    }
}

impl Hold {
    /// Bytes that it takes in a store, a little over.
    pub fn weight(&self) -> usize {
        let names = self.dests.iter().chain(&self.path).map(|m| m.as_str().len() + 2);
        let inline = self.body.inline_bytes();
        let signed = self.envelope.header.len() + proof_weight(&self.envelope.proof);
        let approvals = approvals_weight(&self.approvals);
        ITEM_FIXED_BYTES + signed + names.sum::<usize>() + approvals + inline
    }
}

/// Bytes that approvals take in a stored value, a little over.
pub(crate) fn approvals_weight(approvals: &[SignedApproval]) -> usize {
    approvals.iter().map(|signed| 4 + signed.approval.len() + proof_weight(&signed.proof)).sum()
}

/// Bytes that the proof of one leaf takes, a little over.
pub(crate) fn proof_weight(proof: &BatchProof) -> usize {
    PROOF_FIXED_BYTES + proof.path.len() * DIGEST_BYTES
}

/// Bytes by which the proof of a message can make its pack grow, behind that of the message before.
pub(crate) fn proof_weight_behind(before: Option<&BatchProof>, proof: &BatchProof) -> usize {
    // What is left out on both sides of leaves that follow each other without a gap is at most this,
    // however many they are: paths get no longer towards the end of a tree.
    let both_sides = 2 * proof.path.len() * DIGEST_BYTES;
    match before.filter(|before| is_behind(before, proof)) {
        Some(before) if before.index.checked_add(1) == Some(proof.index) => POSITION_BYTES,
        Some(_) => POSITION_BYTES + both_sides,
        None => PROOF_FIXED_BYTES + POSITION_BYTES + both_sides,
    }
}

impl Body {
    /// Bytes of salt and body.
    pub fn len(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::File(place) => place.len as usize,
        }
    }

    /// Bytes that it takes where it is referred to.
    fn inline_bytes(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::File(_) => size_of::<BodyRef>(),
        }
    }

    /// True when there is not even a salt.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place in a body file, if it is in one.
    pub fn reference(&self) -> Option<BodyRef> {
        match self {
            Self::Inline(_) => None,
            Self::File(place) => Some(*place),
        }
    }
}

#[cfg(test)]
mod tests;
