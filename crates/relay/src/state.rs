//! How the state of a relay is opened.

use std::path::Path;

use bytes::Bytes;
use kuriiri_store::{Named, Options};
use kuriiri_types::LogEvent;
use kuriiri_wire::entry;

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
