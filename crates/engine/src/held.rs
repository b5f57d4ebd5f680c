//! Items in memory: the stored record with its signed bytes read.

use std::sync::Arc;

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_seal::VerifiedMessage;
use kuriiri_types::{
    Address, Approval, BatchProof, Codec, Digest, Envelope, Header, Lane, LogEvent, MessageId,
    Ministry, SignedApproval, SignedReceipt, Subject, Timestamp, limits::MESSAGE_TTL_MAX,
};

use crate::{
    action::{ReceiptOut, Unproved},
    judge::Case,
    lane::Loaded,
    record::{
        Body, BodyRef, Done, Hold, HoldNumber, Item, Pack, PackKey, Parcel, QueueId, Seq,
        proof_weight, proof_weight_behind,
    },
    view::{View, ViewError},
};

/// Bytes of a receipt's proof on the wire, roughly: a path of 20 hashes and a checkpoint.
const RECEIPT_PROOF_BYTES: usize = 1024;

/// An item of a queue, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Message(Arc<Message>),
    Receipt(Arc<HeldReceipt>),
}

/// A receipt, and the place of the own log's entry that is it or holds it.
#[derive(Debug)]
pub(crate) struct HeldReceipt {
    pub(crate) entry: u64,
    pub(crate) out: ReceiptOut,
}

impl HeldReceipt {
    /// One of this relay.
    pub(crate) fn own(unproved: Unproved) -> Self {
        Self { entry: unproved.index, out: ReceiptOut::Own(unproved) }
    }

    fn bytes(&self) -> usize {
        match &self.out {
            ReceiptOut::Own(unproved) => unproved.entry.len(),
            ReceiptOut::Other(signed) => signed.entry.len(),
        }
    }
}

/// A message in custody: only made of a verified one, or of one that was committed.
#[derive(Debug)]
pub(crate) struct Message {
    header: Arc<Header>,
    leaf: Digest,
    proof: BatchProof,
    releases: Vec<Release>,
    parcel: Parcel,
}

/// What a decision needs of one officer's approval. Only ever made of one that was verified and
/// found to be of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) officer: String,
    pub(crate) subject: Digest,
    pub(crate) until: Option<Timestamp>,
    pub(crate) roles: Vec<String>,
}

impl From<&Approval> for Release {
    fn from(approval: &Approval) -> Self {
        Self {
            officer: approval.officer.name().to_owned(),
            subject: approval.subject,
            until: approval.until,
            roles: approval.roles.clone(),
        }
    }
}

/// What custody adds to a message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Custody {
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
    pub(crate) fn take(message: &VerifiedMessage, custody: Custody) -> Arc<Self> {
        let envelope = message.envelope().clone();
        Self::new(message.shared_header(), message.leaf(), envelope, custody)
    }

    /// Takes a message into custody that waited in a hold.
    pub(crate) fn resume(waiting: &Waiting, custody: Custody) -> Arc<Self> {
        let envelope = waiting.hold.envelope.clone();
        Self::new(Arc::clone(&waiting.header), waiting.leaf, envelope, custody)
    }

    fn new(header: Arc<Header>, leaf: Digest, envelope: Envelope, custody: Custody) -> Arc<Self> {
        let Custody { dest, path, expires, accepted, approvals, releases, body } = custody;
        let Envelope { header: bytes, proof } = envelope;
        let parcel = Parcel { header: bytes, dest, path, expires, accepted, approvals, body };
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
    fn signers(&self) -> usize {
        1 + self.parcel.approvals.len()
    }

    /// Bytes that it takes on the wire, roughly.
    fn load_bytes(&self) -> usize {
        let beside = match &self.parcel.body {
            Body::Inline(_) => 0,
            Body::File(place) => place.len as usize,
        };
        self.parcel.weight() + proof_weight(&self.proof) + beside
    }

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

/// Another relay's receipt to be kept: copied out of what it came in. A slice would hold a whole frame in
/// memory for as long as one receipt waits.
pub(crate) fn kept_receipt(signed: &SignedReceipt) -> SignedReceipt {
    let own = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    let SignedReceipt { entry, index, path, checkpoint } = signed;
    let (entry, checkpoint, path) = (own(entry), own(checkpoint), path.clone());
    SignedReceipt { entry, index: *index, path, checkpoint }
}

impl Held {
    pub(crate) fn to_record(&self) -> Item {
        match self {
            Self::Message(message) => Item::Parcel(message.parcel.clone()),
            Self::Receipt(receipt) => Item::Receipt(receipt.entry),
        }
    }

    /// Bytes by which it makes a pack grow behind another item, a little over.
    pub(crate) fn weight_behind(&self, before: Option<&Self>) -> usize {
        match self {
            Self::Message(message) => {
                let proof = proof_weight_behind(before.and_then(Self::proof), &message.proof);
                message.parcel.weight() + proof
            }
            Self::Receipt(_) => Item::RECEIPT_WEIGHT,
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.parcel.weight() + proof_weight(&message.proof),
            Self::Receipt(_) => self.load_bytes(),
        }
    }

    /// Bytes that it takes on the wire, roughly.
    pub(crate) fn load_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.load_bytes(),
            Self::Receipt(receipt) => receipt.bytes() + RECEIPT_PROOF_BYTES,
        }
    }

    /// The message, if it is a copy of the one with this id.
    pub(crate) fn copy_of(&self, message: MessageId) -> Option<&Arc<Message>> {
        match self {
            Self::Message(found) => Some(found).filter(|found| found.header().id == message),
            Self::Receipt(_) => None,
        }
    }

    /// How many certificates can go with it.
    pub(crate) fn signers(&self) -> usize {
        match self {
            Self::Message(message) => message.signers(),
            Self::Receipt(_) => 0,
        }
    }

    /// The proof that a message's originator signed it; receipts are proved otherwise.
    pub(crate) fn proof(&self) -> Option<&BatchProof> {
        match self {
            Self::Message(message) => Some(&message.proof),
            Self::Receipt(_) => None,
        }
    }

    pub(crate) fn body_ref(&self) -> Option<BodyRef> {
        match self {
            Self::Message(message) => message.parcel.body.reference(),
            Self::Receipt(_) => None,
        }
    }

    /// When it was taken into custody; receipts do not say.
    pub(crate) fn accepted(&self) -> Option<Timestamp> {
        match self {
            Self::Message(message) => Some(message.parcel.accepted),
            Self::Receipt(_) => None,
        }
    }

    /// When it expires, being in a pack made at `packed`.
    pub(crate) fn expires(&self, packed: Timestamp) -> Timestamp {
        match self {
            Self::Message(message) => message.parcel.expires,
            Self::Receipt(_) => packed.after(MESSAGE_TTL_MAX),
        }
    }
}

/// The committed state together with the means to read its signed bytes.
pub(crate) struct Reader<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) codec: &'a dyn Codec,
}

impl Reader<'_> {
    pub(crate) fn packs(
        &self,
        queue: &QueueId,
        lane: Lane,
        from: Seq,
        bytes_max: usize,
    ) -> Result<Vec<(Seq, Loaded)>, ViewError> {
        let packs = self.view.packs(queue, lane, from, bytes_max)?;
        packs
            .into_iter()
            .map(|(first, pack, done)| Ok((first, self.open(first, pack, done)?)))
            .collect()
    }

    pub(crate) fn pack(&self, key: &PackKey) -> Result<Option<(Loaded, Done)>, ViewError> {
        let Some((pack, done)) = self.view.pack(key)? else {
            return Ok(None);
        };
        Ok(Some((self.open(key.first, pack, done)?, done)))
    }

    fn open(&self, first: Seq, pack: Pack, done: Done) -> Result<Loaded, ViewError> {
        let damaged = || ViewError("a stored message is not what was signed".into());
        let mut proofs = pack.proofs().ok_or_else(damaged)?.into_iter();
        let open = |item| match item {
            Item::Receipt(entry) => Ok(Held::Receipt(Arc::new(self.receipt(entry)?))),
            Item::Parcel(parcel) => {
                let (leaf, proof) = proofs.next().ok_or_else(damaged)?;
                let header = self.header(&parcel.header)?;
                let releases = self.releases(&parcel.approvals)?;
                Ok(Held::Message(Arc::new(Message { header, leaf, proof, releases, parcel })))
            }
        };
        let items = pack.items.into_iter().map(open).collect::<Result<_, ViewError>>()?;
        Ok(Loaded::new(items, pack.packed, done, first))
    }

    /// The receipt that an entry of the own log is or holds.
    fn receipt(&self, index: u64) -> Result<HeldReceipt, ViewError> {
        let damaged = || ViewError(format!("entry {index} of the log is not what was queued"));
        let entry = self.view.log_entry(index)?.ok_or_else(damaged)?;
        let event = self.codec.entry(&entry).ok_or_else(damaged)?.event;
        let out = if let LogEvent::ReceiptIn { receipt, .. } = event {
            ReceiptOut::Other(*receipt)
        } else if let LogEvent::Receipt(_) = event {
            ReceiptOut::Own(Unproved { entry, index })
        } else {
            return Err(damaged());
        };
        Ok(HeldReceipt { entry: index, out })
    }

    /// The first hold whose number is `from` or higher, with its signed bytes read.
    pub(crate) fn next_hold(
        &self,
        from: HoldNumber,
    ) -> Result<Option<(HoldNumber, Waiting)>, ViewError> {
        let Some((number, hold)) = self.view.next_hold(from)? else {
            return Ok(None);
        };
        let header = self.header(&hold.envelope.header)?;
        let leaf = leaf(&hold.envelope.header);
        let releases = self.releases(&hold.approvals)?;
        Ok(Some((number, Waiting { header, leaf, releases, hold })))
    }

    fn header(&self, bytes: &Bytes) -> Result<Arc<Header>, ViewError> {
        let header = self.codec.header(bytes);
        header.map(Arc::new).ok_or_else(|| ViewError("a stored header is damaged".into()))
    }

    fn releases(&self, approvals: &[SignedApproval]) -> Result<Vec<Release>, ViewError> {
        let read = |signed: &SignedApproval| {
            let approval = self.codec.approval(&signed.approval);
            let approval = approval.ok_or_else(|| ViewError("an approval is damaged".into()))?;
            Ok(Release::from(&approval))
        };
        approvals.iter().map(read).collect()
    }
}

/// A hold with its signed bytes read.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) header: Arc<Header>,
    pub(crate) leaf: Digest,
    pub(crate) releases: Vec<Release>,
    pub(crate) hold: Hold,
}
