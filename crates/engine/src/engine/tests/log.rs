//! The transparency log: what is written, when, and what is handed out of it.
//!
//! That the log only grows, that chains of entries are whole and that what is signed is what stands,
//! is held by [`Memory`](crate::testing::Memory) at every commit of every test; that each receipt
//! that is handed out verifies, by [`Host`](crate::testing::Host) at every step.

mod decisions;
mod growth;
mod heads;
mod in_force;
mod proofs;
mod receipts;
mod statements;
mod upkeep;
mod written;

use kuriiri_types::{Decided, Entry, Lane, LogEvent, Precedence, Refusal};

use crate::{
    Arrival, Event, LinkId, Token,
    testing::{Host, Letter, ministry, system},
};

const SENDER: &str = "kirjaamo@sm.example";
const RECIPIENT: &str = "kirjaamo@plm.example";
const ROUTINE: Lane = Lane::Messages(Precedence::Routine);

fn letter(number: u8) -> Letter {
    Letter::new(number, SENDER, &[RECIPIENT])
}

/// The decisions among entries.
fn decisions(entries: Vec<Entry>) -> Vec<Decided> {
    let decided = entries.into_iter().filter_map(|entry| {
        let LogEvent::Decided(decided) = entry.event else { return None };
        Some(*decided)
    });
    decided.collect()
}

/// A system hands over letters, and bytes that its relay could not read.
fn submitted(letters: &[Letter], unread: Vec<Refusal>) -> Event {
    let messages = Letter::all_verified(letters).into_iter().map(Ok);
    Event::Submitted {
        system: system(&letters[0].from),
        link: LinkId(900),
        token: Token(7),
        lane: ROUTINE,
        epoch: 0,
        messages: messages.chain(unread.into_iter().map(Err)).collect(),
        certificates: Vec::new(),
    }
}

/// A peer hands over a letter for any ministry.
fn arrived(path: &[&str], letter: &Letter, dest: &str) -> Event {
    let arrival = Arrival {
        message: letter.verified(),
        dest: ministry(dest),
        path: path.iter().map(|relay| ministry(relay)).collect(),
        approvals: Vec::new(),
    };
    Event::Arrived {
        peer: ministry(path[path.len() - 1]),
        link: LinkId(901),
        token: Token(8),
        lane: ROUTINE,
        epoch: 0,
        parcels: vec![Ok(arrival)],
        certificates: Vec::new(),
    }
}

/// The tickets of what is handed to a receiver, all of which it confirms.
fn confirm_all(host: &mut Host, mailbox: &str, subscription: u64) {
    let want = Host::want(&crate::testing::address(mailbox), subscription, 9);
    let actions = host.step(vec![want]);
    let items = Host::deliveries(&actions).into_iter().flat_map(|(_, items)| items);
    let tickets = items.map(|item| item.ticket).collect();
    let subscription = crate::SubscriptionId(subscription);
    host.step(vec![Event::Confirmed { subscription, tickets }]);
}
