//! One entry as it was found, decoded, with what is beside it.

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_types::{
    Channel, Digest, Direction, Entry, Header, LogEvent, MessageId, Receipt, SignedReceipt,
};
use kuriiri_wire::{WireError, approval, entry, header, receipt};

use crate::trace::Abouts;

/// One entry as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) index: u64,
    pub(crate) leaf: Digest,
    pub(crate) bytes: Bytes,
    pub(crate) entry: Result<Entry, WireError>,
    pub(crate) inner: Inner,
    /// Stand for whom it is about; made here because it takes time.
    pub(crate) about: Abouts,
    pub(crate) headers: Beside,
}

/// What an entry carries in an encoding of its own, decoded.
#[derive(Debug)]
pub(crate) enum Inner {
    Nothing,
    /// The receipt that came in.
    Receipt(Box<Receipt>),
    /// It cannot be read.
    Unreadable(WireError),
}

/// The headers beside an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It names no message for the first time, or nobody looked.
    Nothing,
    /// One for each of its messages, as far as they are there. Whether they are those that it names is
    /// yet to be seen.
    Headers(Vec<Option<Bytes>>),
    /// They cannot be read.
    Unknown,
}

/// A message as an entry names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its id, if the entry says it.
    pub(crate) message: Option<MessageId>,
    /// Leaf hash of its header.
    pub(crate) header: Digest,
}

/// Decodes an entry. The headers beside it are not looked for.
pub(crate) fn found((index, bytes): (u64, Bytes)) -> Found {
    let entry = entry::decode(&bytes);
    let inner = entry.as_ref().map_or(Inner::Nothing, |entry| inner_of(&entry.event));
    let about = match (&entry, &inner) {
        (_, Inner::Receipt(said)) => Abouts::recipients(said),
        (Ok(Entry { event: LogEvent::Receipt(said), .. }), _) => Abouts::recipients(said),
        (Ok(Entry { event: LogEvent::Decided(decided), .. }), _) => Abouts::ministry(&decided.dest),
        _ => Abouts::nobody(),
    };
    Found { index, leaf: leaf(&bytes), bytes, entry, inner, about, headers: Beside::Nothing }
}

/// The log that a receipt says that it is of: the first line of its checkpoint. Whether that log signed it
/// is for others to see.
pub(crate) fn log_of(receipt: &SignedReceipt) -> String {
    let line = receipt.checkpoint.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// Whether the messages of an entry go on to a peer.
pub(crate) fn is_onward(channels: &[Channel]) -> bool {
    channels.iter().any(|channel| channel.direction == Direction::Out)
}

fn inner_of(event: &LogEvent) -> Inner {
    let LogEvent::ReceiptIn { receipt, .. } = event else { return Inner::Nothing };
    let said = receipt::decode(&receipt.entry);
    said.map_or_else(Inner::Unreadable, |said| Inner::Receipt(Box::new(said)))
}

impl Found {
    /// What it says, if it can be read.
    pub(crate) fn event(&self) -> Option<&LogEvent> {
        self.entry.as_ref().ok().map(|entry| &entry.event)
    }

    /// The receipt of another relay that came in, if it can be read.
    pub(crate) fn came(&self) -> Option<&Receipt> {
        match &self.inner {
            Inner::Receipt(receipt) => Some(receipt),
            Inner::Nothing | Inner::Unreadable(_) => None,
        }
    }

    /// What this log states itself, or another relay's receipt.
    pub(crate) fn statement(&self) -> Option<&Receipt> {
        match self.event() {
            Some(LogEvent::Receipt(receipt)) => Some(receipt),
            _ => self.came(),
        }
    }

    /// Whether it names messages for the first time, so that their headers are beside it.
    pub(crate) fn names_first(&self) -> bool {
        matches!(self.event(), Some(LogEvent::Decided(decided)) if decided.batch.is_some())
    }

    /// The messages that it names, as often as it does; of a receipt that came in, those of the receipt.
    pub(crate) fn named(&self) -> Vec<Named> {
        if let Some(said) = self.statement() {
            let named = said.subjects.iter().map(|told| told.subject);
            return named.map(|s| Named { message: Some(s.message), header: s.header }).collect();
        }
        match self.event() {
            Some(LogEvent::Decided(decided)) => {
                let named = decided.subjects.iter();
                named.map(|s| Named { message: Some(s.message), header: s.header }).collect()
            }
            Some(LogEvent::Approved { subject, approval }) => {
                let said = approval::decode(&approval.approval);
                vec![Named { message: said.ok().map(|said| said.message), header: *subject }]
            }
            Some(LogEvent::Erased { subject, .. }) => {
                vec![Named { message: None, header: *subject }]
            }
            _ => Vec::new(),
        }
    }

    /// The id of the one message that it names; nothing when it names others or none.
    pub(crate) fn message(&self) -> Option<MessageId> {
        let named = self.named();
        let id = named.first()?.message;
        id.filter(|_| named.iter().all(|other| other.message == id))
    }

    /// Whether its messages go on to a peer.
    pub(crate) fn goes_on(&self) -> bool {
        self.entry.as_ref().is_ok_and(|entry| is_onward(&entry.channels))
    }

    /// Says that headers are looked for: as long as none is found, all are missing.
    pub(crate) fn expect_headers(&mut self) {
        if self.names_first()
            && let Some(LogEvent::Decided(decided)) = self.event()
        {
            self.headers = Beside::Headers(vec![None; decided.subjects.len()]);
        }
    }

    /// Takes the headers beside it.
    ///
    /// # Errors
    /// When it has none, or another number of messages.
    pub(crate) fn take_headers(&mut self, headers: Vec<Option<Bytes>>) -> Result<(), String> {
        let index = self.index;
        match &mut self.headers {
            Beside::Headers(own) if own.len() == headers.len() => {
                *own = headers;
                Ok(())
            }
            Beside::Headers(own) => {
                let (there, named) = (headers.len(), own.len());
                self.headers = Beside::Unknown;
                Err(format!("beside entry {index} are {there} headers, and it names {named}"))
            }
            Beside::Nothing | Beside::Unknown => Err(format!(
                "headers are beside entry {index}, which names no message for the first time"
            )),
        }
    }

    /// Each message that it names for the first time, with its header if that is there.
    pub(crate) fn first_named(&self) -> impl Iterator<Item = (Named, Option<&Bytes>)> {
        let headers: &[Option<Bytes>] = match &self.headers {
            Beside::Headers(headers) => headers,
            Beside::Nothing | Beside::Unknown => &[],
        };
        self.named().into_iter().zip(headers.iter().map(Option::as_ref))
    }

    /// Each message that it names for the first time, with what its header says if the header beside it is
    /// the one that it names and can be read. Decoding takes time: for the threads that read.
    pub(crate) fn first_headers(&self) -> impl Iterator<Item = (Named, Option<Header>)> {
        self.first_named().map(|(named, bytes)| {
            let bytes = bytes.filter(|bytes| leaf(bytes) == named.header);
            (named, bytes.and_then(|bytes| header::decode(bytes).ok()))
        })
    }
}
