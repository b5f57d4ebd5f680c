//! What people have a relay forget: messages that the law wants erased, and headers whose time is over.

use kuriiri_engine::{Event, LogDeed, PersonRequest, Token};
use kuriiri_merkle::leaf;
use kuriiri_types::{Digest, MessageId, Ministry, SpiffeId, Timestamp};
use kuriiri_wire::header;

use crate::{
    failure::{Check, hold},
    node::Question,
    world::World,
};

/// On which basis it is done.
const BASIS: &str = "a basis in law";

impl World {
    /// Somebody has a message erased, with its header or without: one of these if there are any.
    pub(crate) fn erase(&mut self, relay: &Ministry, among: &[Digest]) {
        let Some(node) = self.nodes.get(relay).filter(|node| node.is_up()) else { return };
        let is_among = |header: &&bytes::Bytes| among.is_empty() || among.contains(&leaf(header));
        let standing: Vec<_> = node.disk.log.standing().filter(is_among).collect();
        let Some(bytes) = self.rng.pick(&standing).copied() else { return };
        let (Ok(header), digest) = (header::decode(bytes), leaf(bytes)) else { return };
        let headers = if self.rng.chance(60) { vec![digest] } else { Vec::new() };
        let (message, count) = (header.id, headers.len());
        let Some(person) = self.person_of(relay) else { return };
        self.trace.line(
            self.agenda.now(),
            format_args!("{relay} is to erase {message} and {count} headers of it"),
        );
        let (token, basis) = (Token(self.number()), BASIS.to_owned());
        if let Some(node) = self.nodes.get_mut(relay) {
            node.ask(token, Question::Erase(message, digest));
        }
        self.tell(
            relay,
            Event::Person {
                person,
                token,
                request: PersonRequest::Erase { message, basis, headers },
            },
        );
    }

    /// Somebody has the headers leave whose time is over.
    pub(crate) fn prune(&mut self, relay: &Ministry, until: Timestamp) {
        let Some(node) = self.nodes.get(relay).filter(|node| node.is_up()) else { return };
        let headers = node.disk.log.count_until(until);
        let Some(person) = self.person_of(relay) else { return };
        self.pruned = self.pruned.saturating_add(headers);
        self.trace.line(self.agenda.now(), format_args!("{relay} is to prune {headers} headers"));
        let (token, basis) = (Token(self.number()), BASIS.to_owned());
        let deed = LogDeed::Prune { basis, until, headers };
        if let Some(node) = self.nodes.get_mut(relay) {
            node.ask(token, Question::LogDeed);
        }
        self.tell(relay, Event::Person { person, token, request: PersonRequest::LogDeed { deed } });
    }

    fn person_of(&self, relay: &Ministry) -> Option<SpiffeId> {
        let mut ids = self.officers.iter().map(|signer| signer.id());
        ids.find(|id| id.ministry() == relay).cloned()
    }

    /// A relay says that it has erased a message: then nothing of it waits there.
    pub(crate) fn on_erased(
        &mut self,
        relay: &Ministry,
        message: MessageId,
        digest: Digest,
    ) -> Check {
        self.trace.line(self.agenda.now(), format_args!("{relay} has erased {message}"));
        self.erased = self.erased.saturating_add(1);
        let Some(node) = self.nodes.get(relay) else { return Ok(()) };
        let is_it = |header: &bytes::Bytes| leaf(header) == digest;
        let mut parcels = node.disk.open_parcels();
        let waits = parcels.find(|(.., parcel)| is_it(&parcel.header));
        let waits = waits.map(|(key, seq, parcel)| (key, seq, self.now().since(parcel.accepted)));
        let is_held = node.disk.holds.values().any(|held| is_it(&held.envelope.header));
        hold("what_is_erased_is_gone", waits.is_none() && !is_held, || {
            format!("{relay} still has {message}: in a queue {waits:?}, in a hold {is_held}")
        })
    }
}
