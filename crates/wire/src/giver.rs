//! Who gave something: one of the ministry's own systems, or a peer.

use kuriiri_types::Giver;

use crate::{error::Flaw, field};

pub(crate) fn write(giver: &Giver) -> String {
    match giver {
        Giver::System(system) => system.to_string(),
        Giver::Peer(peer) => peer.to_string(),
    }
}

pub(crate) fn read(field: field::Name, text: &str) -> Result<Giver, Flaw> {
    if text.starts_with("spiffe://") {
        field::identity(field, text).map(Giver::System)
    } else {
        field::ministry(field, text).map(Giver::Peer)
    }
}

/// One that may be left out.
pub(crate) fn read_maybe(field: field::Name, text: &str) -> Result<Option<Giver>, Flaw> {
    if text.is_empty() { Ok(None) } else { read(field, text).map(Some) }
}
