//! Reads and writes signed bytes for the engine, which knows no protobuf.

use std::path::Path;

use bytes::Bytes;
use kuriiri_engine::Codec;
use kuriiri_store::{Named, Options};
use kuriiri_types::{Approval, Entry, Header, LogEvent};
use kuriiri_wire::{approval, entry, header};

/// The wire's encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireCodec;

impl Codec for WireCodec {
    fn header(&self, bytes: &Bytes) -> Option<Header> {
        header::decode(bytes).ok()
    }

    fn approval(&self, bytes: &Bytes) -> Option<Approval> {
        approval::decode(bytes).ok()
    }

    fn encode_entry(&self, entry: &Entry) -> Bytes {
        entry::encode(entry)
    }

    fn entry(&self, bytes: &Bytes) -> Option<Entry> {
        entry::decode(bytes).ok()
    }
}

/// What an entry says of the messages that it names for the first time.
fn named(bytes: &Bytes) -> Option<Named> {
    let LogEvent::Decided(decided) = entry::decode(bytes).ok()?.event else { return None };
    let headers = decided.subjects.iter().map(|subject| subject.header).collect();
    Some(Named { keep_until: decided.keep_until?, headers })
}

/// How the state of a relay is opened whose log is in this folder.
pub(crate) fn store_options(log: &Path) -> Options {
    Options::default().log_dir(log).entries(named)
}
