//! To which statements of other relays this one listens.
//!
//! A statement counts only about a message that this relay sent or carried, for a recipient and from a sender
//! that it stated itself when it took the message, and from a relay that can be on the way: that of the
//! recipient's ministry, or a hub. Nobody else knows what became of it, and whatever is taken is written into
//! this relay's own log, which an auditor reads.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use kuriiri_types::{Address, Digest, LogEvent, Ministry, Receipt};

use crate::{
    custody::Custody,
    seen::{Known, Said, Spot, Taken, Taker},
    shares::Payer,
    step::Work,
    view::ViewError,
};

/// What this relay stated when it took messages: from whom, and which message for whom.
struct Stated {
    sender: Address,
    told: HashSet<(Digest, Address)>,
}

/// Whether a statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    Now,
    Later,
    Never,
}

/// The statements that the messages of one receipt were taken with, each read once.
#[derive(Default)]
struct Taking(HashMap<u64, Option<Stated>>);

impl Taking {
    fn of(&mut self, index: u64, work: &Work<'_>) -> Result<Option<&Stated>, ViewError> {
        let stated = match self.0.entry(index) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let entry = work.log.receipt(index, work.reader.view)?.entry;
                let entry = work.reader.codec.entry(&entry);
                free.insert(entry.and_then(|entry| Stated::of(entry.event)))
            }
        };
        Ok(stated.as_ref())
    }
}

impl Stated {
    fn of(event: LogEvent) -> Option<Self> {
        let LogEvent::Receipt(Receipt { sender, subjects, .. }) = event else { return None };
        let told = subjects.into_iter().map(|told| (told.subject.header, told.recipient));
        Some(Self { sender, told: told.collect() })
    }
}

impl Custody {
    /// Whether all that a statement says is about messages that went through here, from a relay that can be
    /// on their way. A statement is taken whole or not at all.
    pub(super) fn is_to_be_heard(
        &mut self,
        work: &Work<'_>,
        receipt: &Receipt,
    ) -> Result<Hearing, ViewError> {
        let is_home = receipt.sender.ministry() == self.home();
        let mut takers: HashMap<&Ministry, Taker> = HashMap::new();
        let mut taking = Taking::default();
        let payer = Payer::Ministry(receipt.issuer.clone());
        for told in &receipt.subjects {
            let dest = told.recipient.ministry();
            if dest == self.home() || !self.rules.may_speak_of(&receipt.issuer, dest) {
                return Ok(Hearing::Never);
            }
            let taker = *takers.entry(dest).or_insert_with(|| match is_home {
                true => Taker::of_submissions(),
                false => Taker::named(dest.as_str()),
            });
            let (made, header) = (told.subject.message.time(), told.subject.header);
            let spot = Spot::new(made, &header, taker);
            let said = match self.seen.known(spot, &payer, work)? {
                Known::Taken(Taken { said: Said::Entry(said), .. }) => said,
                // What is taken in this step has not left yet.
                Known::Taken(Taken { said: Said::Pending(_), .. }) => return Ok(Hearing::Never),
                // A relay that lost its state may have sent it.
                Known::New if work.log.is_later() => continue,
                Known::New => return Ok(Hearing::Never),
                Known::NotNow => return Ok(Hearing::Later),
            };
            // It may stand in a log that is lost.
            let Some(index) = work.log.index_of(said) else { continue };
            let is_so = taking.of(index, work)?.is_some_and(|stated| {
                stated.sender == receipt.sender
                    && stated.told.contains(&(header, told.recipient.clone()))
            });
            if !is_so {
                return Ok(Hearing::Never);
            }
        }
        Ok(Hearing::Now)
    }
}
