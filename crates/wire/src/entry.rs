//! The entry of a relay's log as the bytes that its tree commits to.

mod channels;
mod decided;
mod files;
mod heads;

use bytes::Bytes;
use kuriiri_types::{
    Entry, LogEvent, SpiffeId, Timestamp,
    limits::{BASIS_BYTES_MAX, CERTIFICATE_BYTES_MAX, CHECKPOINT_BYTES_MAX, LOG_ENTRY_BYTES_LIMIT},
};
use prost::Message;

use crate::{
    approval,
    error::{Flaw, WireError},
    field, giver, hashes,
    limits::SOFTWARE_BYTES_MAX,
    proto::{self, log_entry::Event},
    signed, signed_receipt, statement,
};

/// The version of the format.
const VERSION: u32 = 2;

/// The canonical encoding of an entry: what is hashed and kept.
///
/// Words and reasons over their limits are cut or left out. An entry that breaks another limit
/// encodes to bytes that [`decode`] refuses.
pub fn encode(entry: &Entry) -> Bytes {
    write(entry).encode_to_vec().into()
}

/// The entry in these bytes. Says nothing about whether it is in a log.
///
/// # Errors
/// [`Code::MALFORMED`](kuriiri_types::Code::MALFORMED) when the bytes are not the canonical encoding
/// of an entry, or the entry breaks a rule or a limit.
pub fn decode(bytes: &[u8]) -> Result<Entry, WireError> {
    signed::canonical(LOG_ENTRY_BYTES_LIMIT, bytes)
        .and_then(read)
        .map_err(|flaw| WireError::signed("log entry", flaw))
}

fn write(entry: &Entry) -> proto::LogEntry {
    proto::LogEntry {
        version: VERSION,
        salt: Bytes::copy_from_slice(&entry.salt),
        at: entry.at.as_millis(),
        boot: entry.boot,
        channels: channels::write(&entry.channels),
        event: Some(write_event(&entry.event)),
    }
}

fn read(wire: proto::LogEntry) -> Result<Entry, Flaw> {
    if wire.version != VERSION {
        return Err(Flaw::Unknown { field: "version", number: wire.version.into() });
    }
    Ok(Entry {
        salt: field::fixed("salt", &wire.salt)?,
        at: Timestamp::from_millis(wire.at),
        boot: wire.boot,
        channels: channels::read(&wire.channels)?,
        event: read_event(field::present("event", wire.event)?)?,
    })
}

fn write_event(event: &LogEvent) -> Event {
    match event {
        LogEvent::Receipt(said) => Event::Receipt(statement::write(said)),
        LogEvent::ReceiptIn { from, receipt } => Event::ReceiptIn(proto::ReceiptIn {
            from: from.as_str().into(),
            receipt: Some(signed_receipt::write(receipt)),
        }),
        LogEvent::Decided(taken) => Event::Decided(decided::write(taken)),
        LogEvent::TurnedAway { by, code, count } => Event::TurnedAway(proto::TurnedAway {
            by: giver::write(by),
            code: code.number().into(),
            count: *count,
        }),
        LogEvent::Approved { subject, approval } => Event::Approved(proto::LoggedApproval {
            subject: hashes::write_one(*subject),
            approval: Some(approval::write_signed(approval)),
        }),
        LogEvent::Certificate { der } => Event::Certificate(der.clone()),
        LogEvent::PolicyChanged(policy) => Event::PolicyChanged(files::write(policy)),
        LogEvent::FilePart(part) => Event::FilePart(files::write_part(part)),
        LogEvent::PeerCheckpoint { checkpoint } => Event::PeerCheckpoint(checkpoint.clone()),
        LogEvent::Booted { software } => Event::Booted(field::cut(SOFTWARE_BYTES_MAX, software)),
        LogEvent::Restored { checkpoint } => Event::Restored(checkpoint.clone()),
        LogEvent::Erased { subject, header, by, basis } => Event::Erased(proto::Erased {
            subject: hashes::write_one(*subject),
            by: by.to_string(),
            basis: field::cut(BASIS_BYTES_MAX, basis),
            header: *header,
        }),
        LogEvent::Acted { by, what } => Event::Acted(write_acted(by, what)),
        LogEvent::ClockStepped { from } => Event::ClockStepped(from.as_millis()),
        LogEvent::ChannelHeads(heads) => Event::ChannelHeads(heads::write(heads)),
        LogEvent::Pruned { until, headers, by, basis } => Event::Pruned(proto::Pruned {
            until: until.as_millis(),
            headers: *headers,
            by: by.to_string(),
            basis: field::cut(BASIS_BYTES_MAX, basis),
        }),
        LogEvent::Exported { by, what } => Event::Exported(write_acted(by, what)),
    }
}

fn read_event(wire: Event) -> Result<LogEvent, Flaw> {
    Ok(match wire {
        Event::Receipt(wire) => LogEvent::Receipt(statement::read(wire)?),
        Event::ReceiptIn(wire) => LogEvent::ReceiptIn {
            from: field::ministry("from", &wire.from)?,
            receipt: signed_receipt::read(field::present("receipt", wire.receipt)?)?.into(),
        },
        Event::Decided(wire) => LogEvent::Decided(Box::new(decided::read(wire)?)),
        Event::TurnedAway(wire) => LogEvent::TurnedAway {
            by: giver::read("by", &wire.by)?,
            code: field::code(wire.code)?,
            count: wire.count,
        },
        Event::Approved(wire) => LogEvent::Approved {
            subject: field::digest("subject", &wire.subject)?,
            approval: approval::read_signed(field::present("approval", wire.approval)?)?,
        },
        Event::Certificate(der) => {
            LogEvent::Certificate { der: some_bytes("certificate", CERTIFICATE_BYTES_MAX, der)? }
        }
        Event::PolicyChanged(wire) => LogEvent::PolicyChanged(files::read(wire)?),
        Event::FilePart(wire) => LogEvent::FilePart(files::read_part(wire)?),
        Event::PeerCheckpoint(note) => LogEvent::PeerCheckpoint {
            checkpoint: some_bytes("peer_checkpoint", CHECKPOINT_BYTES_MAX, note)?,
        },
        Event::Booted(software) => {
            LogEvent::Booted { software: field::line("booted", SOFTWARE_BYTES_MAX, software)? }
        }
        Event::Restored(note) => {
            LogEvent::Restored { checkpoint: some_bytes("restored", CHECKPOINT_BYTES_MAX, note)? }
        }
        Event::Erased(wire) => LogEvent::Erased {
            subject: field::digest("subject", &wire.subject)?,
            header: wire.header,
            by: field::identity("by", &wire.by)?,
            basis: field::line("basis", BASIS_BYTES_MAX, wire.basis)?,
        },
        Event::Acted(wire) => {
            let (by, what) = read_acted(wire)?;
            LogEvent::Acted { by, what }
        }
        Event::ClockStepped(from) => LogEvent::ClockStepped { from: Timestamp::from_millis(from) },
        Event::ChannelHeads(wire) => LogEvent::ChannelHeads(heads::read(wire)?),
        Event::Pruned(wire) => LogEvent::Pruned {
            until: Timestamp::from_millis(wire.until),
            headers: wire.headers,
            by: field::identity("by", &wire.by)?,
            basis: field::line("basis", BASIS_BYTES_MAX, wire.basis)?,
        },
        Event::Exported(wire) => {
            let (by, what) = read_acted(wire)?;
            LogEvent::Exported { by, what }
        }
    })
}

fn write_acted(by: &SpiffeId, what: &str) -> proto::Acted {
    proto::Acted { by: by.to_string(), what: field::cut(BASIS_BYTES_MAX, what) }
}

fn read_acted(wire: proto::Acted) -> Result<(SpiffeId, String), Flaw> {
    Ok((field::identity("by", &wire.by)?, field::line("what", BASIS_BYTES_MAX, wire.what)?))
}

fn some_bytes(field: field::Name, max: usize, bytes: Bytes) -> Result<Bytes, Flaw> {
    field::some_at_most(field, max, bytes.len()).map(|()| bytes)
}
