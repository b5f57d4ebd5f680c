//! Reading receipts.

use bytes::Bytes;
use kuriiri_types::{
    Address, Refusal, SignedReceipt,
    limits::{BATCH_MESSAGES_MAX, FRAME_BYTES_MAX},
};

use crate::{
    error::{Flaw, WireError},
    field,
    frame::{self, Frame},
    limits::CONFIRM_BYTES_MAX,
    proto::{self, to_receipt_reader::Kind},
    refusal,
    shape::{Field, Shape},
    signed_receipt,
};

/// How receipts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptMode {
    /// From the oldest; what is confirmed leaves the queue.
    Consume,
    /// Only to look; the queue stays as it is and nothing is confirmed.
    Watch {
        /// For a watch that broke off: the place from which it goes on, as [`ReceiptBatch::next`]
        /// told. Without it, only new ones.
        from: Option<u64>,
    },
}

/// From the relay to a reader of receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToReceiptReader {
    /// Receipts.
    Receipts(ReceiptBatch),
    /// The subscription was refused or has ended.
    Refused(Refusal),
}

/// Receipts for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptBatch {
    /// At most [`BATCH_MESSAGES_MAX`] receipts in order, each with its place in the queue. A watch
    /// begins with a batch, of none unless it has to catch up.
    pub receipts: Vec<(u64, SignedReceipt)>,
    /// From where a watch that breaks off after this batch can go on.
    pub next: u64,
}

/// From a consuming reader to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfirmReceipts {
    /// Everything up to and with this place is dealt with.
    pub through: u64,
}

impl Frame for ToReceiptReader {
    const NAME: &'static str = "ToReceiptReader";
    const BYTES_MAX: usize = FRAME_BYTES_MAX;

    fn encode(&self) -> Bytes {
        let kind = Some(write(self));
        frame::pack(&proto::ToReceiptReader { kind })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &TO_RECEIPT_READER, read)
    }
}

impl Frame for ConfirmReceipts {
    const NAME: &'static str = "ConfirmReceipts";
    const BYTES_MAX: usize = CONFIRM_BYTES_MAX;

    fn encode(&self) -> Bytes {
        frame::pack(&proto::ConfirmReceipts { through: self.through })
    }

    fn decode(bytes: Bytes) -> Result<Self, WireError> {
        frame::unpack(bytes, &CONFIRM_RECEIPTS, |wire: proto::ConfirmReceipts| {
            Ok(Self { through: wire.through })
        })
    }
}

static NUMBERED_RECEIPT: Shape =
    Shape::new("NumberedReceipt", &[Field::one("receipt", 2, &signed_receipt::SIGNED_RECEIPT)]);
static RECEIPT_BATCH: Shape = Shape::new(
    "ReceiptBatch",
    &[Field::many("receipts", 2, BATCH_MESSAGES_MAX, &NUMBERED_RECEIPT)],
);
pub(crate) static TO_RECEIPT_READER: Shape = Shape::new(
    "ToReceiptReader",
    &[Field::one("receipts", 1, &RECEIPT_BATCH), Field::one("refused", 2, &refusal::REFUSAL)],
);
static CONFIRM_RECEIPTS: Shape = Shape::new("ConfirmReceipts", &[]);

fn write(frame: &ToReceiptReader) -> Kind {
    let numbered = |(seq, signed): &(u64, SignedReceipt)| proto::NumberedReceipt {
        seq: *seq,
        receipt: Some(signed_receipt::write(signed)),
    };
    match frame {
        ToReceiptReader::Receipts(batch) => Kind::Receipts(proto::ReceiptBatch {
            receipts: batch.receipts.iter().map(numbered).collect(),
            next: batch.next,
        }),
        ToReceiptReader::Refused(refusal) => Kind::Refused(refusal::write(refusal)),
    }
}

fn read(wire: proto::ToReceiptReader) -> Result<ToReceiptReader, Flaw> {
    Ok(match field::present("kind", wire.kind)? {
        Kind::Receipts(wire) => ToReceiptReader::Receipts(read_batch(wire)?),
        Kind::Refused(wire) => ToReceiptReader::Refused(refusal::read(wire)?),
    })
}

fn read_batch(wire: proto::ReceiptBatch) -> Result<ReceiptBatch, Flaw> {
    field::at_most("receipts", BATCH_MESSAGES_MAX, wire.receipts.len())?;
    let numbered = |numbered: proto::NumberedReceipt| {
        let signed = field::present("receipt", numbered.receipt)?;
        Ok((numbered.seq, signed_receipt::read(signed)?))
    };
    Ok(ReceiptBatch { receipts: field::each(wire.receipts, numbered)?, next: wire.next })
}

pub(super) fn write_request(address: &Address, mode: ReceiptMode) -> proto::ReadReceipts {
    let (mode, from) = match mode {
        ReceiptMode::Consume => (proto::ReceiptMode::Consume, None),
        ReceiptMode::Watch { from } => (proto::ReceiptMode::Watch, from),
    };
    proto::ReadReceipts { address: address.to_string(), mode: mode.into(), from }
}

pub(super) fn read_request(wire: &proto::ReadReceipts) -> Result<(Address, ReceiptMode), Flaw> {
    let mode = field::known("mode", wire.mode, |number| match number {
        1 => Some(ReceiptMode::Consume),
        2 => Some(ReceiptMode::Watch { from: wire.from }),
        _ => None,
    })?;
    if mode == ReceiptMode::Consume && wire.from.is_some() {
        return Err(Flaw::Form { field: "from", rule: "may stand only with a watch" });
    }
    Ok((field::address("address", &wire.address)?, mode))
}
