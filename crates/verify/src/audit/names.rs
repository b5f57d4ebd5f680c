//! What the headers beside an entry name: for whom each message is, and when it can end. Made by the
//! threads that read, because it takes time.

use kuriiri_types::{Digest, Header, Timestamp};

use crate::{
    found::Found,
    trace::{About, stand_in_for, stand_in_for_copy},
};

/// The copy of a message for one ministry, as its header has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    /// Leaf hash of the header.
    pub(super) header: Digest,
    /// The sum over the recipients of that ministry.
    pub(super) about: About,
    /// How many these are.
    pub(super) count: u8,
    /// When it ends, if its sender said so, and when it was made.
    pub(super) expires: Option<Timestamp>,
    pub(super) created: Timestamp,
}

/// An entry with what the headers beside it name.
pub(super) fn with_names(found: Found) -> (Found, Vec<Names>) {
    let mut names = Vec::new();
    for (named, header) in found.first_headers() {
        names.extend(header.iter().flat_map(|header| names_in(named.header, header)));
    }
    (found, names)
}

/// One for each ministry that the message is for.
fn names_in(digest: Digest, header: &Header) -> Vec<Names> {
    let mut all: Vec<Names> = Vec::with_capacity(1);
    for recipient in &header.to {
        let dest = stand_in_for(recipient.address.ministry());
        let who = stand_in_for_copy(&header.from, &recipient.address, header.id);
        if let Some(known) = all.iter_mut().find(|known| known.about.dest == dest) {
            known.about.who = known.about.who.wrapping_add(who);
            known.count = known.count.saturating_add(1);
        } else {
            let (about, count) = (About { who, dest }, 1);
            let (expires, created) = (header.expires, header.created);
            all.push(Names { header: digest, about, count, expires, created });
        }
    }
    all
}
