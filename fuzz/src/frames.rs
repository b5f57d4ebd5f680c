//! What comes over a link: frames, and the signed bytes in them.

use std::fmt::Debug;

use bytes::Bytes;
use kuriiri_wire::{
    Frame, Proved,
    admin::{AdminReply, AdminRequest},
    approval,
    client::{ConfirmReceipts, FromReceiver, Reply, Request, ToReceiptReader, ToReceiver},
    entry, header, receipt,
    relay::{Batch, Hello, RelayRequest, Verdicts, Witnessed},
};

use crate::Parser;

pub(crate) const PARSERS: &[Parser] = &[
    Parser { name: "hello", read: frame::<Hello> },
    Parser { name: "relay-request", read: frame::<RelayRequest> },
    Parser { name: "witnessed", read: frame::<Witnessed> },
    Parser { name: "proved", read: frame::<Proved> },
    Parser { name: "batch", read: frame::<Batch> },
    Parser { name: "verdicts", read: frame::<Verdicts> },
    Parser { name: "request", read: frame::<Request> },
    Parser { name: "reply", read: frame::<Reply> },
    Parser { name: "to-receiver", read: frame::<ToReceiver> },
    Parser { name: "from-receiver", read: frame::<FromReceiver> },
    Parser { name: "to-receipt-reader", read: frame::<ToReceiptReader> },
    Parser { name: "confirm-receipts", read: frame::<ConfirmReceipts> },
    Parser { name: "admin-request", read: frame::<AdminRequest> },
    Parser { name: "admin-reply", read: frame::<AdminReply> },
    Parser { name: "header", read: read_header },
    Parser { name: "approval", read: read_approval },
    Parser { name: "entry", read: read_entry },
    Parser { name: "receipt", read: read_receipt },
];

/// A frame that is read is read again from what it encodes to.
fn frame<F: Frame + PartialEq + Debug>(bytes: &[u8]) -> bool {
    F::decode(Bytes::copy_from_slice(bytes)).is_ok_and(|read| {
        assert_eq!(F::decode(read.encode()).as_ref(), Ok(&read));
        true
    })
}

/// Signed bytes have one form: what decodes is what encoding gives.
fn read_header(bytes: &[u8]) -> bool {
    header::decode(bytes).is_ok_and(|read| {
        assert_eq!(header::encode(&read), bytes);
        true
    })
}

fn read_approval(bytes: &[u8]) -> bool {
    approval::decode(bytes).is_ok_and(|read| {
        assert_eq!(approval::encode(&read), bytes);
        true
    })
}

fn read_entry(bytes: &[u8]) -> bool {
    entry::decode(bytes).is_ok_and(|read| {
        assert_eq!(entry::encode(&read), bytes);
        true
    })
}

fn read_receipt(bytes: &[u8]) -> bool {
    receipt::decode(bytes).is_ok_and(|read| {
        assert!(!read.subjects.is_empty(), "a receipt speaks of something");
        true
    })
}
