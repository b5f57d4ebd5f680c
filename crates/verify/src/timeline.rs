//! How much happened when.

use std::collections::BTreeMap;

use kuriiri_types::{Entry, LogEvent, LoggedRuling, Receipt, ReceiptKind, Timestamp};
use serde::Serialize;

/// Spans that are kept; with more the spans get longer, so a log of any age has a timeline.
const SPANS_MAX: usize = 2000;
/// How long a span may be, in milliseconds: a minute, an hour, a day, and 30 days.
const SPANS: [i64; 4] = [60_000, 3_600_000, 86_400_000, 30 * 86_400_000];

/// What happened in one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// Entries of any kind.
    pub entries: u64,
    /// Messages that were permitted to go on, one for each ministry.
    pub permitted: u64,
    /// Messages that were held.
    pub held: u64,
    /// Messages that were denied.
    pub denied: u64,
    /// Messages that were delivered here, or were said to be elsewhere.
    pub delivered: u64,
}

/// Counts by time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Timeline {
    /// How long a span is, in milliseconds.
    pub span_ms: i64,
    /// By the beginning of the span, in milliseconds since 1970.
    pub spans: BTreeMap<i64, Span>,
}

impl Timeline {
    /// Counts an entry, with the receipt that came in.
    pub(crate) fn count(&mut self, entry: &Entry, came: Option<&Receipt>) {
        if self.span_ms == 0 {
            self.span_ms = 60_000;
        }
        let start = self.start(entry.at);
        let span = self.spans.entry(start).or_default();
        span.entries += 1;
        if let LogEvent::Decided(decided) = &entry.event {
            let messages = decided.subjects.len() as u64;
            match decided.ruling {
                LoggedRuling::Permit => span.permitted += messages,
                LoggedRuling::Hold => span.held += messages,
                LoggedRuling::Deny => span.denied += messages,
            }
        }
        let own = if let LogEvent::Receipt(receipt) = &entry.event { Some(receipt) } else { None };
        let delivered = own.or(came).filter(|said| said.kind == ReceiptKind::Delivered);
        span.delivered += delivered.map_or(0, |said| said.subjects.len() as u64);
        if self.spans.len() > SPANS_MAX {
            self.widen();
        }
    }

    fn start(&self, at: Timestamp) -> i64 {
        at.as_millis() - at.as_millis().rem_euclid(self.span_ms)
    }

    fn widen(&mut self) {
        let longer = SPANS.into_iter().find(|span| *span > self.span_ms);
        self.span_ms = longer.unwrap_or_else(|| self.span_ms.saturating_mul(2));
        for (at, span) in std::mem::take(&mut self.spans) {
            let start = self.start(Timestamp::from_millis(at));
            let wide = self.spans.entry(start).or_default();
            wide.entries += span.entries;
            wide.permitted += span.permitted;
            wide.held += span.held;
            wide.denied += span.denied;
            wide.delivered += span.delivered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_an_end_and_forgets_nothing() {
        let mut timeline = Timeline::default();
        for n in 0..100_000_i64 {
            let event = LogEvent::Booted { software: String::new() };
            let at = Timestamp::from_millis(n * 60_000);
            let entry = Entry { salt: [0; 32], at, boot: 1, channels: Vec::new(), event };
            timeline.count(&entry, None);
        }
        assert!(timeline.spans.len() <= SPANS_MAX && timeline.span_ms == 3_600_000);
        assert_eq!(timeline.spans.values().map(|span| span.entries).sum::<u64>(), 100_000);
    }
}
