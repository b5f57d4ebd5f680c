//! Entries judged one after the other, of a log of which only these are at hand.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use kuriiri_merkle::leaf;
use kuriiri_tlog::log_number;
use kuriiri_types::{
    Decided, Digest, LogEvent, MessageId, Ministry, PolicyInForce, Receipt, Timestamp,
};

use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
    found::{Found, Named},
    rules::{Contents, InForce},
    trace::{About, Cause, Header, Said, Trace},
    trusted::{Anchors, Keys, Trusted},
};

/// What is at hand of a log, and what its entries are judged by. It grows with the headers that it gets,
/// and with the entries about the message that is watched.
pub(crate) struct PartialLog<'a> {
    anchors: &'a Anchors,
    pub(crate) trusted: Trusted,
    contents: Contents,
    headers: HashMap<Digest, Bytes>,
    /// It goes on from another log, which is not here.
    is_later: bool,
    /// The message in question; of others it is not known what else their log says.
    watched: Option<MessageId>,
    pub(crate) traces: Vec<Trace>,
    /// Decisions that were not taken again, because the headers of their messages are not here.
    pub(crate) without: u64,
}

impl<'a> PartialLog<'a> {
    /// Nothing yet of a ministry's log of this origin.
    pub(crate) fn new(
        (home, origin): (Ministry, &str),
        anchors: &'a Anchors,
        watched: Option<MessageId>,
    ) -> Self {
        Self {
            anchors,
            is_later: log_number(origin).is_some_and(|number| number > 1),
            trusted: Trusted::first(home, anchors),
            contents: Contents::new(),
            headers: HashMap::new(),
            watched,
            traces: Vec::new(),
            without: 0,
        }
    }

    /// Whether authorities are those that the auditor has pinned.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.anchors.pinned.is_empty()
    }

    /// Brings a header, by whose digest entries name a message.
    pub(crate) fn bring(&mut self, header: Bytes) {
        self.headers.insert(leaf(&header), header);
    }

    /// The header with this digest, if it was brought.
    pub(crate) fn header(&self, digest: Digest) -> Option<&Bytes> {
        self.headers.get(&digest)
    }

    /// Judges the next entry. They come in the order of their log.
    pub(crate) fn entry(&mut self, found: &Found, out: &mut Findings) {
        out.done(Check::Entries, 1);
        let index = found.index;
        let entry = match &found.entry {
            Ok(entry) => entry,
            Err(error) => {
                let what = format!("it cannot be read: {error}");
                return out.add(Finding::fault(Check::Entries, what).at(index));
            }
        };
        let spot = Spot { index, at: entry.at };
        match &entry.event {
            LogEvent::Decided(decided) => self.decided(spot, decided, found, out),
            LogEvent::Receipt(receipt) => self.stated(spot, receipt, found, out),
            LogEvent::ReceiptIn { receipt, .. } => {
                if let Some(said) = found.came() {
                    let is_home = *said.sender.ministry() == self.trusted.home;
                    self.trace(entry.at, found, Said::Came(said.kind, is_home));
                }
                self.trusted.check_receipt(spot, receipt, found.came(), out);
            }
            LogEvent::Approved { subject, approval } => {
                self.trusted.check_approval(spot, approval, *subject, out);
            }
            LogEvent::Certificate { der } => {
                self.trusted.certificates.add(index, der);
            }
            LogEvent::FilePart(part) => {
                if let Err(what) = self.contents.add_part(part) {
                    out.add(Finding::fault(Check::Decisions, what).at(index));
                }
            }
            LogEvent::PolicyChanged(policy) => self.policy(policy),
            LogEvent::Erased { subject, header, .. } => {
                let (at, said) = ((index, entry.at), Said::Erased(*header));
                self.traces.push(Trace::new(at, *subject, About::default(), said));
            }
            LogEvent::TurnedAway { .. }
            | LogEvent::PeerCheckpoint { .. }
            | LogEvent::Booted { .. }
            | LogEvent::Restored { .. }
            | LogEvent::Acted { .. }
            | LogEvent::ClockStepped { .. }
            | LogEvent::ChannelHeads(_)
            | LogEvent::Pruned { .. }
            | LogEvent::Exported { .. } => {}
        }
    }

    /// Keeps what an entry says of the message that is watched.
    fn trace(&mut self, at: Timestamp, found: &Found, said: Said) {
        for (place, named) in found.named().into_iter().enumerate() {
            if self.is_watched(&named) {
                let about = found.about.of(place);
                self.traces.push(Trace::new((found.index, at), named.header, about, said));
            }
        }
    }

    fn is_watched(&self, named: &Named) -> bool {
        self.watched.is_some() && self.watched == named.message
    }

    /// Whether the certificates are here of all whose releases a decision went by.
    fn has_officers(&self, spot: Spot, decided: &Decided) -> bool {
        let is_here = |signer| self.trusted.certificates.before(spot.index, signer).is_some();
        decided.approvals.iter().all(|signed| is_here(signed.proof.signer))
    }

    /// What this log states itself.
    fn stated(&mut self, spot: Spot, receipt: &Receipt, found: &Found, out: &mut Findings) {
        if receipt.issuer != self.trusted.home {
            let what = format!("this log speaks as {}", receipt.issuer);
            out.add(Finding::fault(Check::Order, what).at(spot.index).of(found.message()));
        }
        if !receipt.is_its_issuers_to_say() {
            let what = format!("it is not for {} to say this", receipt.issuer);
            out.add(Finding::fault(Check::Order, what).at(spot.index).of(found.message()));
        }
        self.trace(spot.at, found, Said::Own(receipt.kind, Cause::of(receipt)));
    }

    fn policy(&mut self, policy: &PolicyInForce) {
        let rules = InForce::of(policy, &self.contents);
        self.contents.settle(policy);
        // What whoever made the file chose to show counts for less than what the reader believes.
        let federation = rules.federation.as_ref().filter(|_| !self.is_pinned());
        self.trusted.keys = Arc::new(Keys::of(federation, self.anchors));
        self.trusted.rules = Arc::new(rules);
    }

    fn decided(&mut self, spot: Spot, decided: &Decided, found: &Found, out: &mut Findings) {
        let goes = found.goes_on();
        let place = if decided.batch.is_some() { Header::Here } else { Header::Used };
        self.trace(spot.at, found, Said::Decided(decided.ruling, place, goes));
        let named = decided.subjects.iter();
        let headers: Vec<Option<Bytes>> =
            named.map(|subject| self.headers.get(&subject.header).cloned()).collect();
        let missing = found.named().into_iter().zip(&headers).filter(|(named, header)| {
            header.is_none() && (self.watched.is_none() || self.is_watched(named))
        });
        self.without += missing.count() as u64;
        if self.is_later && decided.batch.is_none() && !self.has_officers(spot, decided) {
            let what = "the certificate of an officer who released it is not here; the log that this one goes on \
                        from may show it";
            return out.add(Finding::unchecked(Check::Approvals, what).at(spot.index));
        }
        self.trusted.check_class(spot, decided, &headers, out);
    }
}
