//! What entries say of messages, kept in small records until a log was read.

use std::io;

use kuriiri_types::{Decided, Receipt, Subject};

use super::{ids::IdRecord, names::Names, recent::Headers};
use crate::{
    check_entry::Spot,
    finding::{Check, Finding, Findings},
    found::Found,
    spill::Spill,
    trace::{About, Abouts, Header, Said, Trace, beginning},
};

/// The records of all messages, and which message each id names.
pub(super) struct Traces {
    traces: Spill<Trace>,
    ids: Spill<IdRecord>,
}

impl Traces {
    pub(super) fn new() -> Self {
        Self { traces: Spill::new(), ids: Spill::new() }
    }

    /// All that was kept.
    pub(super) fn take(&mut self) -> (Spill<Trace>, Spill<IdRecord>) {
        let Self { traces, ids } = std::mem::replace(self, Self::new());
        (traces, ids)
    }

    /// Keeps what the headers beside an entry name.
    pub(super) fn names(&mut self, found: &Found, names: &[Names], out: &mut Findings) {
        for one in names {
            let at = (found.index, one.created);
            self.keep(Trace::new(at, one.header, one.about, Said::Named(one.count)), out);
            if let Some(expires) = one.expires {
                let about = About::default();
                self.keep(Trace::new((found.index, expires), one.header, about, Said::Ends), out);
            }
        }
    }

    /// Keeps what a decision says of each of its messages, and which headers are missing if that is
    /// known.
    pub(super) fn decided(
        &mut self,
        spot: Spot,
        (decided, about, goes): (&Decided, About, bool),
        (headers, is_known): (&Headers, bool),
        out: &mut Findings,
    ) {
        let at = (spot.index, spot.at);
        for (subject, header) in decided.subjects.iter().zip(headers.iter()) {
            let place = match (decided.batch.is_some(), header) {
                (true, _) => Header::Here,
                (false, Some(_)) => Header::Used,
                (false, None) => Header::Earlier,
            };
            let said = Said::Decided(decided.ruling, place, goes);
            self.keep(Trace::new(at, subject.header, about, said), out);
            if place == Header::Here {
                self.id(spot.index, subject, out);
            }
            let keep_until = decided.keep_until.filter(|_| is_known && header.is_none());
            if let Some(keep_until) = keep_until {
                let at = (spot.index, keep_until);
                self.keep(Trace::new(at, subject.header, About::default(), Said::Gone), out);
            }
        }
    }

    /// Keeps what a statement says of each of its messages.
    pub(super) fn stated(
        &mut self,
        spot: Spot,
        (receipt, about): (&Receipt, &Abouts),
        said: Said,
        out: &mut Findings,
    ) {
        for (place, told) in receipt.subjects.iter().enumerate() {
            let at = (spot.index, spot.at);
            self.keep(Trace::new(at, told.subject.header, about.of(place), said), out);
        }
    }

    /// Keeps which message an id names.
    fn id(&mut self, index: u64, subject: &Subject, out: &mut Findings) {
        let (id, message) = (subject.message, beginning(subject.header));
        beside(self.ids.push(IdRecord { id, message, index }), out);
    }

    pub(super) fn keep(&mut self, trace: Trace, findings: &mut Findings) {
        beside(self.traces.push(trace), findings);
    }
}

/// What is kept beside is too much for memory, and the disk may be full.
fn beside(kept: io::Result<()>, out: &mut Findings) {
    if let Err(error) = kept {
        let what = format!("records cannot be written beside: {error}");
        out.add(Finding::unchecked(Check::Messages, what));
    }
}
