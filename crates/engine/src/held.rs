//! Items in memory: the stored record with its signed bytes read.

use std::sync::Arc;

use kuriiri_seal::{VerifiedMessage, leaf};
use kuriiri_types::{
    Address, Digest, Header, Lane, Ministry, SignedReceipt, Timestamp, limits::MESSAGE_TTL_MAX,
};

use crate::{
    lane::Loaded,
    record::{Body, BodyRef, Done, Item, Pack, PackKey, Parcel, QueueId, Seq},
    view::{Codec, View, ViewError},
};

/// An item of a queue, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Message(Arc<Message>),
    Receipt(Arc<SignedReceipt>),
}

/// A message in custody: only made of a verified one, or of one that was committed.
#[derive(Debug)]
pub(crate) struct Message {
    header: Arc<Header>,
    leaf: Digest,
    parcel: Parcel,
}

/// What custody adds to a message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Custody {
    pub(crate) dest: Ministry,
    pub(crate) path: Vec<Ministry>,
    pub(crate) expires: Timestamp,
    pub(crate) accepted: Timestamp,
    pub(crate) body: Body,
}

impl Message {
    /// Takes a verified message into custody.
    pub(crate) fn take(message: &VerifiedMessage, custody: Custody) -> Arc<Self> {
        let Custody { dest, path, expires, accepted, body } = custody;
        let envelope = message.envelope().clone();
        Arc::new(Self {
            header: message.shared_header(),
            leaf: message.leaf(),
            parcel: Parcel { envelope, dest, path, expires, accepted, body },
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn leaf(&self) -> Digest {
        self.leaf
    }

    pub(crate) fn parcel(&self) -> &Parcel {
        &self.parcel
    }

    /// The recipients that this copy is for.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = &Address> {
        self.header.recipients_at(&self.parcel.dest).map(|r| &r.address)
    }
}

impl Held {
    pub(crate) fn to_record(&self) -> Item {
        match self {
            Self::Message(message) => Item::Parcel(message.parcel.clone()),
            Self::Receipt(signed) => Item::Receipt(SignedReceipt::clone(signed)),
        }
    }

    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Message(message) => message.parcel.weight(),
            Self::Receipt(signed) => Item::receipt_weight(signed),
        }
    }

    /// Bytes that it takes on the wire, roughly.
    pub(crate) fn load_bytes(&self) -> usize {
        match self {
            Self::Message(message) => self.weight().saturating_add(message.parcel.body.len()),
            Self::Receipt(_) => self.weight(),
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
        let items = pack.items.into_iter().map(|item| self.hold(item));
        Ok(Loaded::new(items.collect::<Result<_, _>>()?, pack.packed, done, first))
    }

    fn hold(&self, item: Item) -> Result<Held, ViewError> {
        match item {
            Item::Receipt(signed) => Ok(Held::Receipt(Arc::new(signed))),
            Item::Parcel(parcel) => {
                let bytes = &parcel.envelope.header;
                let header = self.codec.header(bytes);
                let header =
                    header.ok_or_else(|| ViewError("a stored header is damaged".into()))?;
                let leaf = leaf(bytes);
                Ok(Held::Message(Arc::new(Message { header: Arc::new(header), leaf, parcel })))
            }
        }
    }
}
